//! Whether the load generator itself got to run: threads that wait for a processor make no load, and measure their own
//! waiting.

use std::time::Duration;

use super::Scene;
use crate::figure;

/// A thread that comes to run this late, one time in a hundred, is strained.
const STRAINED: Duration = Duration::from_millis(100);
/// This late, it is starved: what was measured is the machine.
const STARVED: Duration = Duration::from_secs(1);
/// The share of all processors from which on the generator may limit the load.
const BUSY: f64 = 0.9;
/// Shorter runs say nothing about the share.
const SHORTEST: Duration = Duration::from_secs(1);

/// How the generator was served by its machine.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratorSummary {
    /// In a word.
    pub state: GeneratorState,
    /// How late its threads came to run, 99 of 100 times at most.
    pub lag_p99: Duration,
    /// How late at most.
    pub lag_max: Duration,
    /// Processor time by time passed and processors, from 0 to 1; absent where the system does not tell.
    pub cpu_share: Option<f64>,
    /// In words.
    pub words: String,
}

/// How the generator was served by its machine, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratorState {
    /// It ran when it wanted to.
    Served,
    /// It had to wait, or used the whole machine: latencies hold some of that.
    Strained,
    /// It hardly got to run: the run says nothing about the target.
    Starved,
}

impl GeneratorState {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Strained => "strained",
            Self::Starved => "starved",
        }
    }
}

pub(super) fn summary(scene: &Scene<'_>) -> Option<GeneratorSummary> {
    let facts = scene.record.generator?;
    let (lag_p99, lag_max) = (Duration::from_micros(facts.lag_p99), Duration::from_micros(facts.lag_max));
    let wall = Duration::from_micros(facts.wall);
    let cpus = scene.record.machine.cpus.max(1) as f64;
    let share = |cpu: u64| (cpu as f64 / (facts.wall as f64 * cpus)).min(1.0);
    let cpu_share = facts.cpu.filter(|_| wall >= SHORTEST).map(share);
    let busy = cpu_share.is_some_and(|share| share >= BUSY);
    let state = if lag_p99 > STARVED {
        GeneratorState::Starved
    } else if lag_p99 > STRAINED || busy {
        GeneratorState::Strained
    } else {
        GeneratorState::Served
    };
    let lag = format!(
        "its threads ran up to {} late (p99), {} at most",
        figure::duration(lag_p99),
        figure::duration(lag_max)
    );
    let cpu = cpu_share.map_or_else(String::new, |share| {
        format!(
            ", and used {:.0} % of {}",
            share * 100.0,
            figure::counted(scene.record.machine.cpus as u64, "processor")
        )
    });
    let meaning = match state {
        GeneratorState::Served => "",
        GeneratorState::Strained => "; latencies hold some of the generator's own waiting",
        GeneratorState::Starved => "; what was measured is this machine, not the target",
    };
    let hub = if scene.record.target.kind == "embedded" {
        "; the hub ran in the same process, and its work is in these figures"
    } else {
        ""
    };
    let words = format!("{lag}{cpu}{meaning}{hub}");
    Some(GeneratorSummary { state, lag_p99, lag_max, cpu_share, words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{RuleKind, Verdict, analyze};
    use crate::fixture::{plan, record};
    use crate::record::Generator;

    fn judged(lag_p99: u64, cpu: Option<u64>) -> (Verdict, RuleKind, GeneratorState) {
        let plan = plan(2);
        let mut record = record(&plan);
        record.generator = Some(Generator { ticks: 1000, lag_p99, lag_max: lag_p99, wall: 10_000_000, cpu });
        let analysis = analyze(&record, &plan);
        let state = analysis.generator.expect("it was measured").state;
        (analysis.verdict, analysis.rules[0].kind, state)
    }

    #[test]
    fn a_starved_generator_leaves_the_verdict_open() {
        assert_eq!(judged(1_200_000, None), (Verdict::Unknown, RuleKind::Starved, GeneratorState::Starved));
    }

    #[test]
    fn a_strained_generator_is_told_and_passes() {
        assert_eq!(judged(200_000, None), (Verdict::Pass, RuleKind::Held, GeneratorState::Strained));
        assert_eq!(judged(100, Some(39_000_000)), (Verdict::Pass, RuleKind::Held, GeneratorState::Strained));
        assert_eq!(judged(100, Some(9_000_000)), (Verdict::Pass, RuleKind::Held, GeneratorState::Served));
    }
}
