//! Whether the machine was fast enough for the load generator: threads that wait for a processor make no load, and
//! measure their own waiting.

use std::time::Duration;

use super::Scene;
use crate::figure;

/// If threads run this late at p99, the generator is strained.
const STRAINED: Duration = Duration::from_millis(100);
/// If threads run this late at p99, the generator is starved, and the figures describe the machine.
const STARVED: Duration = Duration::from_secs(1);
/// The share of all processors above which the generator may limit the load.
const BUSY: f64 = 0.9;
/// Shorter runs are too short to measure the share.
const SHORTEST: Duration = Duration::from_secs(1);

/// Whether the machine was fast enough for the load generator.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratorSummary {
    /// The state in one word.
    pub state: GeneratorState,
    /// The delay with which its threads ran: 99th percentile.
    pub lag_p99: Duration,
    /// The delay with which its threads ran: maximum.
    pub lag_max: Duration,
    /// The share of all processors that the process used, from 0 to 1; `None` if the system does not report it.
    pub cpu_share: Option<f64>,
    /// A sentence about it.
    pub words: String,
}

/// Whether the machine was fast enough for the load generator, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratorState {
    /// Its threads ran on time.
    Served,
    /// Its threads had to wait, or used the whole machine: latencies include some of this waiting.
    Strained,
    /// Its threads hardly ran: the run says nothing about the target.
    Starved,
}

impl GeneratorState {
    /// The state's name in reports.
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
    let lag =
        format!("its threads ran {} late (p99), {} late (max)", figure::duration(lag_p99), figure::duration(lag_max));
    let cpu = cpu_share.map_or_else(String::new, |share| {
        format!(
            " and used {:.0} % of {}",
            share * 100.0,
            figure::counted(scene.record.machine.cpus as u64, "processor")
        )
    });
    let meaning = match state {
        GeneratorState::Served => "",
        GeneratorState::Strained => "; latencies include time that the generator waited for a processor",
        GeneratorState::Starved => "; the figures describe this machine, not the target",
    };
    let hub = if scene.record.target.kind.runs_here() {
        "; the hub ran in the same process, so these figures include its work"
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
