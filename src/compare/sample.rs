//! The parts of a judged run that a comparison uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::analysis::{Analysis, Verdict};
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::record::{Record, StepKind};
use crate::report::html::series::Work;

/// The name of settling, in place of a phase's name. Its latencies are not compared.
const SETTLE: &str = "settle";

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// The run's id.
    pub id: String,
    /// Facts that should be equal for a meaningful comparison, by name.
    pub facts: BTreeMap<&'static str, String>,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason for the verdict.
    pub rule: String,
    /// The times at which rows were changed.
    pub(super) work: Vec<Work>,
    /// The durations of the steps, in microseconds, settling excluded.
    pub durations: BTreeMap<StepKind, Vec<f64>>,
    /// The number of statements and sync calls.
    pub calls: u64,
    /// The number of statements and sync calls that failed.
    pub failed_calls: u64,
    /// The kinds of failures and findings.
    pub errors: BTreeSet<ErrorName>,
    /// Rows changed per second.
    pub rows_per_second: Option<f64>,
    /// The duration of the run, in microseconds.
    pub duration: f64,
}

/// A kind of failure or finding, regardless of how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ErrorName {
    /// Failures with the same kind, side and fingerprint.
    Failure {
        /// The kind of failure.
        kind: FailureKind,
        /// The side on which it happened.
        side: Side,
        /// The message with digits and ids replaced by placeholders.
        fingerprint: String,
    },
    /// A check with findings.
    Finding(CheckKind),
}

impl Sample {
    /// The parts of a run that a comparison uses.
    pub(crate) fn of(record: &Record, analysis: &Analysis) -> Self {
        let events = || record.workers.iter().flat_map(|worker| &worker.events);
        let mut durations: BTreeMap<StepKind, Vec<f64>> = BTreeMap::new();
        for event in events().filter(|event| event.step.is_load() && event.phase != SETTLE) {
            durations.entry(event.step).or_default().push(event.took as f64);
        }
        let made = events().filter(|event| event.step.is_load());
        let failed = made.clone().filter(|event| !event.failures.is_empty());
        let groups = analysis.errors.groups.iter().filter(|group| group.count > 0);
        let failures = groups.map(|group| ErrorName::Failure {
            kind: group.kind,
            side: group.side,
            fingerprint: group.fingerprint.clone(),
        });
        let found = analysis.checks.iter().filter(|result| !result.findings().is_empty());
        let run = &analysis.run;
        Self {
            id: run.id.clone(),
            facts: BTreeMap::from([
                ("the scenario", run.scenario.clone()),
                ("the number of databases", run.databases.to_string()),
                ("the number of iterations", run.iterations.to_string()),
                ("the number of rows", run.rows.to_string()),
                ("the target", format!("{} {}", run.target.kind, run.target.version)),
                ("the version of stress", run.stress.clone()),
                (
                    "the machine",
                    format!("{} {} with {} processors", run.machine.os, run.machine.arch, run.machine.cpus),
                ),
            ]),
            verdict: analysis.verdict,
            rule: analysis.rules.first().map(|rule| rule.message.clone()).unwrap_or_default(),
            work: Work::all(record),
            durations,
            calls: made.count() as u64,
            failed_calls: failed.count() as u64,
            errors: failures.chain(found.map(|result| ErrorName::Finding(result.check))).collect(),
            rows_per_second: analysis.timing.rows_per_second,
            duration: run.duration.as_secs_f64() * 1e6,
        }
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure { kind, side, fingerprint } => write!(f, "{kind} on the {side} side: {fingerprint}"),
            Self::Finding(check) => write!(f, "findings of {check}"),
        }
    }
}
