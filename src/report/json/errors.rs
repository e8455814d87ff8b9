//! The failures and the timeline in `report.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{Analysis, ErrorGroup, TimelineRow};
use crate::failure::{FailureKind, Side};

/// The failures of a run, counted and grouped.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ErrorsDocument {
    /// The number of failures that count in `errors.total`.
    total: u64,
    /// The number of all failures: counted, ignored and retried ones.
    seen: u64,
    /// The number of failures after which the call was retried.
    retried: u64,
    /// The number of failures that a rule ignores.
    ignored: u64,
    /// The number of failures that a rule only warns about.
    warned: u64,
    /// Sentences about where the failures cluster.
    clusters: Vec<String>,
    /// The groups, most frequent first.
    groups: Vec<GroupDocument>,
}

/// Failures of one kind, side and fingerprint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GroupDocument {
    /// What failed.
    kind: FailureKind,
    /// The side on which the failures happened.
    side: Side,
    /// The message with digits and ids replaced by placeholders.
    fingerprint: String,
    /// The number of failures that count in `errors.total`.
    count: u64,
    /// The number of all failures: counted, ignored and retried ones.
    seen: u64,
    /// The number of failed jobs, if the server names them.
    jobs: u64,
    /// The number of failures after which the call was retried.
    retried: u64,
    /// The number of failures that a rule ignores.
    ignored: u64,
    /// The number of failures that a rule only warns about.
    warned: u64,
    /// The databases with such failures, in ascending order.
    databases: Vec<u32>,
    /// The iterations with such failures, in ascending order; 0 means before the first or after the last.
    iterations: Vec<u64>,
    /// The phases with such failures, in order of their first failure.
    phases: Vec<String>,
    /// The HTTP status of the first failure; null if there is none.
    http: Option<u16>,
    /// The machine-readable code of the first failure; null if there is none.
    code: Option<String>,
    /// The full message of the first failure.
    sample: String,
    /// The time of the first failure, in microseconds since the start of the run.
    first: u64,
}

/// One iteration, over all databases.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct IterationDocument {
    /// The number of the iteration, from 1.
    iteration: u64,
    /// The start of its first step, in microseconds since the start of the run.
    start: u64,
    /// The end of its last step, in microseconds since the start of the run.
    end: u64,
    /// The number of rows changed.
    rows: u64,
    /// The number of sync calls.
    syncs: u64,
    /// The number of all failures: counted, ignored and retried ones.
    failures: u64,
    /// The number of failures that count in `errors.total`.
    errors: u64,
}

impl ErrorsDocument {
    pub(super) fn of(analysis: &Analysis) -> Self {
        let errors = &analysis.errors;
        Self {
            total: errors.total,
            seen: errors.seen,
            retried: errors.retried,
            ignored: errors.ignored,
            warned: errors.warned,
            clusters: analysis.clusters.clone(),
            groups: errors.groups.iter().map(GroupDocument::of).collect(),
        }
    }
}

impl GroupDocument {
    pub(super) fn of(group: &ErrorGroup) -> Self {
        Self {
            kind: group.kind,
            side: group.side,
            fingerprint: group.fingerprint.clone(),
            count: group.count,
            seen: group.seen,
            jobs: group.jobs,
            retried: group.retried,
            ignored: group.ignored,
            warned: group.warned,
            databases: group.databases.clone(),
            iterations: group.iterations.clone(),
            phases: group.phases.clone(),
            http: group.http,
            code: group.code.clone(),
            sample: group.sample.clone(),
            first: microseconds(group.first),
        }
    }
}

impl IterationDocument {
    pub(super) fn of(row: &TimelineRow) -> Self {
        Self {
            iteration: row.iteration,
            start: microseconds(row.start),
            end: microseconds(row.end),
            rows: row.rows,
            syncs: row.syncs,
            failures: row.failures,
            errors: row.errors,
        }
    }
}
