//! The judgement of a run: from a record and a plan to everything a report says, the verdict and the rule that decided
//! included. Pure: the same record gives an equal analysis, in whatever order the workers stand in it. It must not
//! know how a report looks.

mod cards;
mod clusters;
mod databases;
mod effort;
mod errors;
mod generator;
mod growth;
mod limits;
mod rule;
mod timing;
mod totals;
mod verdict;

pub use cards::{Card, Request};
pub use clusters::TimelineRow;
pub use databases::{Calls, DatabaseSummary};
pub use effort::{Effort, RateKept};
pub use errors::{ErrorGroup, ErrorTable};
pub use generator::{GeneratorState, GeneratorSummary};
pub use growth::{Growth, GrowthRow, Measure};
pub use limits::{LimitState, Measured, ThresholdResult};
pub use rule::{Rule, RuleKind};
pub use timing::{LatencyRow, Timing};
pub use totals::Totals;
pub use verdict::Verdict;

use std::time::Duration;

use crate::plan::Plan;
use crate::record::{EndReason, Event, LogExcerpt, Machine, Record, TargetFacts, WorkerRecord};
use crate::verify::{CheckResult, verify};

/// A run, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Which run it was.
    pub run: Run,
    /// What was done, counted.
    pub totals: Totals,
    /// How long things took.
    pub timing: Timing,
    /// Each database, in index order.
    pub databases: Vec<DatabaseSummary>,
    /// What failed, grouped.
    pub errors: ErrorTable,
    /// Where the failures cluster, in words.
    pub clusters: Vec<String>,
    /// The iterations one by one.
    pub timeline: Vec<TimelineRow>,
    /// What finds the failures of the server in its own logs.
    pub cards: Vec<Card>,
    /// The beginning and the end of the logs of databases in which something failed.
    pub logs: Vec<(u32, LogExcerpt)>,
    /// Growth over the run.
    pub growth: Growth,
    /// How the load generator was served; absent when it was not measured.
    pub generator: Option<GeneratorSummary>,
    /// What came of the checks on the data.
    pub checks: Vec<CheckResult>,
    /// What came of the thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// The verdict.
    pub verdict: Verdict,
    /// The rules that led to it, the one that decided first. Never empty.
    pub rules: Vec<Rule>,
}

/// Which run it was, and on what.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's one line.
    pub description: String,
    /// The scenario's path as given.
    pub path: String,
    /// The seed of every generated value.
    pub seed: u64,
    /// Databases planned.
    pub databases: u64,
    /// Users planned, when row-level security is on.
    pub users: Option<u64>,
    /// Iterations planned, of each database.
    pub iterations: u64,
    /// Rows per iteration.
    pub rows: u64,
    /// The pragmas of every database's connections, as `name = value`: part of what is measured.
    pub pragmas: Vec<String>,
    /// The version of `stress` that ran.
    pub stress: String,
    /// The target, as it presented itself.
    pub target: TargetFacts,
    /// The machine.
    pub machine: Machine,
    /// When it started.
    pub started: jiff::Timestamp,
    /// From start to finish; to the last thing recorded when it has no end.
    pub duration: Duration,
    /// How it ended; absent when it was killed.
    pub ended: Option<EndReason>,
}

/// The name of the rounds after the last iteration, where a phase's name stands.
const SETTLE: &str = "settle";

/// Judges a run.
pub fn analyze(record: &Record, plan: &Plan) -> Analysis {
    let mut workers: Vec<&WorkerRecord> = record.workers.iter().collect();
    workers.sort_by_key(|worker| worker.database);
    let scene = Scene { record, plan, workers };
    let occurrences = errors::occurrences(&scene);
    let checks = verify(record, plan);
    let errors = ErrorTable::of(&scene, &occurrences);
    let thresholds = limits::evaluate(&scene, &occurrences, &checks);
    let generator = generator::summary(&scene);
    let facts = verdict::Facts {
        scene: &scene,
        occurrences: &occurrences,
        errors: &errors,
        checks: &checks,
        thresholds: &thresholds,
        generator: generator.as_ref(),
    };
    let (verdict, rules) = verdict::decide(&facts);
    let logs = scene.workers.iter().filter_map(|worker| Some((worker.database, worker.log.clone()?))).collect();
    Analysis {
        run: scene.run(),
        totals: Totals::of(&scene),
        timing: Timing::of(&scene),
        databases: databases::summaries(&scene, &occurrences),
        cards: cards::cards(&scene, &errors),
        errors,
        logs,
        growth: Growth::of(&scene),
        generator,
        clusters: clusters::in_words(&scene, &occurrences),
        timeline: clusters::timeline(&scene, &occurrences),
        checks,
        thresholds,
        verdict,
        rules,
    }
}

/// What is judged, the workers in index order.
struct Scene<'a> {
    record: &'a Record,
    plan: &'a Plan,
    workers: Vec<&'a WorkerRecord>,
}

impl<'a> Scene<'a> {
    fn events(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.workers.iter().flat_map(|worker| worker.events.iter().map(move |event| (*worker, event)))
    }

    /// The events of the load: all but those of settling.
    fn load(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.events().filter(|(_, event)| event.phase != SETTLE)
    }

    /// Microseconds since the start until the last thing recorded.
    fn end(&self) -> u64 {
        let last_event = self.events().map(|(_, event)| event.at.saturating_add(event.took)).max();
        let ended = self.record.ended.map(|ended| ended.at);
        ended.or(last_event).unwrap_or_default()
    }

    fn run(&self) -> Run {
        let Self { record, plan, .. } = self;
        Run {
            id: record.id.clone(),
            scenario: plan.name.clone(),
            description: plan.description.clone(),
            path: record.path.clone(),
            seed: plan.seed,
            databases: plan.databases.len() as u64,
            users: plan.rls.then_some(plan.users.len() as u64),
            iterations: plan.iterations,
            rows: plan.rows,
            pragmas: plan.pragmas.iter().map(|pragma| pragma.trim_start_matches("PRAGMA ").to_owned()).collect(),
            stress: record.stress.clone(),
            target: record.target.clone(),
            machine: record.machine.clone(),
            started: record.started,
            duration: Duration::from_micros(self.end()),
            ended: record.ended.map(|ended| ended.reason),
        }
    }
}

#[cfg(test)]
mod tests;
