//! The judgement of a run: from a record and a plan to everything that a report says, including the verdict and its
//! reason. Pure: the same record always gives an equal analysis, in whatever order it lists the workers. Nothing here
//! knows how a report looks.

mod cards;
mod clusters;
mod databases;
mod effort;
mod errors;
mod generator;
mod growth;
mod limits;
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
pub use timing::{LatencyRow, Timing};
pub use totals::Totals;
pub use verdict::{Rule, RuleKind, Verdict};

use std::time::Duration;

use crate::plan::Plan;
use crate::record::{EndReason, Event, LogExcerpt, Machine, Record, TargetFacts, WorkerRecord};
use crate::verify::{CheckResult, verify};

/// A judged run.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// The run, its scenario, its target and its machine.
    pub run: Run,
    /// Totals of what the run did.
    pub totals: Totals,
    /// Durations, latencies and rates.
    pub timing: Timing,
    /// A summary of each database, in ascending order.
    pub databases: Vec<DatabaseSummary>,
    /// The failures, counted and grouped.
    pub errors: ErrorTable,
    /// Sentences about where the failures cluster.
    pub clusters: Vec<String>,
    /// A summary of each iteration.
    pub timeline: Vec<TimelineRow>,
    /// The facts that find server failures in the server's logs.
    pub cards: Vec<Card>,
    /// The beginning and the end of the logs of databases with failures.
    pub logs: Vec<(u32, LogExcerpt)>,
    /// Growth over the run.
    pub growth: Growth,
    /// Whether the machine was fast enough for the load generator; `None` if that was not measured.
    pub generator: Option<GeneratorSummary>,
    /// The results of the checks.
    pub checks: Vec<CheckResult>,
    /// The results of the thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// The verdict.
    pub verdict: Verdict,
    /// The reasons for the verdict; the first one decided. Never empty.
    pub rules: Vec<Rule>,
}

/// A run, with its scenario, its target and its machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's description.
    pub description: String,
    /// The path of the scenario, as given on the command line.
    pub path: String,
    /// The seed of all generated values.
    pub seed: u64,
    /// The planned number of databases.
    pub databases: u64,
    /// The planned number of users, with row-level security.
    pub users: Option<u64>,
    /// The planned number of iterations of each database.
    pub iterations: u64,
    /// The planned `scale.rows`.
    pub rows: u64,
    /// The pragmas of every connection, as `name = value`.
    pub pragmas: Vec<String>,
    /// The version of `stress` that ran.
    pub stress: String,
    /// The facts that the target reported about itself.
    pub target: TargetFacts,
    /// The machine.
    pub machine: Machine,
    /// The start of the run.
    pub started: jiff::Timestamp,
    /// The duration of the run; up to its last recorded step if the record has no end.
    pub duration: Duration,
    /// The reason why the run ended; `None` if it was killed.
    pub ended: Option<EndReason>,
}

/// The name of settling, in place of a phase's name.
const SETTLE: &str = "settle";

/// Judges a run.
pub fn analyze(record: &Record, plan: &Plan) -> Analysis {
    let mut workers: Vec<&WorkerRecord> = record.workers.iter().collect();
    workers.sort_by_key(|worker| worker.database);
    let scene = Scene { record, plan, workers };
    let occurrences = errors::occurrences(&scene);
    let checks = verify(record, plan);
    let errors = ErrorTable::of(&occurrences);
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

/// The data to judge, with the workers in ascending order.
struct Scene<'a> {
    record: &'a Record,
    plan: &'a Plan,
    workers: Vec<&'a WorkerRecord>,
}

impl<'a> Scene<'a> {
    fn events(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.workers.iter().flat_map(|worker| worker.events.iter().map(move |event| (*worker, event)))
    }

    /// The events of the load: all events except those of settling.
    fn load(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.events().filter(|(_, event)| event.phase != SETTLE)
    }

    /// The end of the run, or its last recorded event, in microseconds since the start.
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
