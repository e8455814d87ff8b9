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
mod run;
mod scene;
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
pub use run::Run;
pub use timing::{LatencyRow, Timing};
pub use totals::Totals;
pub use verdict::Verdict;

use crate::plan::Plan;
use crate::record::{LogExcerpt, Record};
use crate::verify::{CheckResult, verify};
use scene::{SETTLE, Scene};

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

/// Judges a run.
pub fn analyze(record: &Record, plan: &Plan) -> Analysis {
    let scene = Scene::new(record, plan);
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
        run: Run::of(&scene),
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

#[cfg(test)]
mod tests;
