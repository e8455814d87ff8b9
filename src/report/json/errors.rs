//! What failed, and when, as `report.json` has it.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{Analysis, ErrorGroup, TimelineRow};
use crate::failure::{FailureKind, Side};

/// What failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ErrorsDocument {
    /// Failures that count.
    total: u64,
    /// Failures seen.
    seen: u64,
    /// Failures after which the call was made again.
    retried: u64,
    /// Failures that a rule ignores.
    ignored: u64,
    /// Failures that a rule only warns about.
    warned: u64,
    /// Where they cluster, in words.
    clusters: Vec<String>,
    /// The groups, the most frequent first.
    groups: Vec<GroupDocument>,
}

/// Failures of one kind, side and fingerprint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GroupDocument {
    /// What failed.
    kind: FailureKind,
    /// On whose side.
    side: Side,
    /// The message with digits and ids folded.
    fingerprint: String,
    /// How many count.
    count: u64,
    /// How many were seen.
    seen: u64,
    /// How many jobs of the server failed, when it named any.
    jobs: u64,
    /// After how many the call was made again.
    retried: u64,
    /// How many a rule ignores.
    ignored: u64,
    /// How many a rule only warns about.
    warned: u64,
    /// In which databases.
    databases: Vec<u32>,
    /// In which iterations; 0 is before the first and after the last.
    iterations: Vec<u64>,
    /// In which phases.
    phases: Vec<String>,
    /// The HTTP status of the first.
    http: Option<u16>,
    /// The machine-readable code of the first.
    code: Option<String>,
    /// The message of the first, in full.
    sample: String,
    /// When the first came up, in microseconds since the run's start.
    first: u64,
}

/// One iteration, over all databases.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct IterationDocument {
    /// The iteration, counted from 1.
    iteration: u64,
    /// When it began, in microseconds since the run's start.
    start: u64,
    /// When it ended.
    end: u64,
    /// Rows changed.
    rows: u64,
    /// Sync calls.
    syncs: u64,
    /// Failures seen.
    failures: u64,
    /// Failures that count.
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
