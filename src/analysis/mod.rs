//! The judgement of a run: from a record and a plan to everything that a report says, including the verdict and its
//! reason. Pure: the same record always gives an equal analysis, in whatever order it lists the workers. Nothing here
//! knows how a report looks.

mod agreement;
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

pub(crate) use cards::{Card, Request};
pub(crate) use clusters::TimelineRow;
pub(crate) use databases::{Calls, DatabaseSummary};
pub(crate) use effort::{Effort, RateKept};
pub(crate) use errors::{ErrorGroup, ErrorTable};
pub(crate) use generator::{GeneratorState, GeneratorSummary};
pub(crate) use growth::{Growth, GrowthRow};
pub(crate) use limits::{LimitState, Measured, ThresholdResult};
pub(crate) use rule::{Rule, RuleKind};
pub(crate) use run::Run;
pub(crate) use timing::{LatencyRow, Timing};
pub(crate) use totals::Totals;
pub(crate) use verdict::Verdict;

use crate::plan::Plan;
use crate::record::{LogExcerpt, Record};
use crate::verify::{CheckResult, verify};
use scene::{SETTLE, Scene};

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
    /// The failures of a run, counted and grouped.
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

/// Judges a run.
pub fn analyze(record: &Record, plan: &Plan) -> Analysis {
    analyze_beside(record, plan, Vec::new())
}

/// Judges a run whose record also disagrees with what lies beside it, in these places.
pub(crate) fn analyze_beside(record: &Record, plan: &Plan, mut disagreements: Vec<String>) -> Analysis {
    let scene = Scene::new(record, plan);
    let occurrences = errors::occurrences(&scene);
    let checks = verify(record, plan);
    let errors = ErrorTable::of(&scene, &occurrences);
    let thresholds = limits::evaluate(&scene, &occurrences, &checks);
    let generator = generator::summary(&scene);
    disagreements.extend(agreement::disagreements(&scene));
    let facts = verdict::Facts {
        scene: &scene,
        occurrences: &occurrences,
        errors: &errors,
        checks: &checks,
        thresholds: &thresholds,
        generator: generator.as_ref(),
        disagreements: &disagreements,
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
