//! What came of checks and thresholds, as `report.json` has it.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{LimitState, Measured, ThresholdResult};
use crate::record::Holder;
use crate::scenario::Severity;
use crate::verify::{CheckResult, Hop, Outcome, TracedRow};

/// What came of a check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CheckDocument {
    /// `converged`, `server`, `isolation`, `bootstrap`, `query`, `integrity`.
    check: String,
    /// What reports call it.
    name: String,
    /// `passed`, `failed` or `not_checked`.
    outcome: String,
    /// Why it could not be done.
    reason: Option<String>,
    /// What does not hold.
    findings: Vec<FindingDocument>,
    /// What a reader should know about it.
    notes: Vec<String>,
}

/// One thing that is not as it must be.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FindingDocument {
    /// What it is.
    message: String,
    /// How many rows it is about; 0 when it is not about rows or they were not counted.
    total: u64,
    /// What became of them, in words.
    fates: Vec<String>,
    /// Some of them.
    rows: Vec<RowDocument>,
}

/// A differing row.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RowDocument {
    /// Its primary key, as SQL literals.
    key: String,
    /// `missing`, `resurrected`, `phantom`, `stale`, `leaked`, `duplicated` or `indeterminate`.
    state: String,
    /// Where it was last seen as it should be: `written`, `acknowledged`, `server` or `received`.
    hop: String,
    /// With `received`: by how many databases, of how many.
    received: Option<[u32; 2]>,
    /// What became of it, in words.
    words: String,
    /// Whether the server remembers its deletion; null when it could not be asked.
    tombstone: Option<bool>,
    /// What each holder has.
    holders: Vec<HolderDocument>,
    /// What the extension knows about its cells, in the databases.
    clocks: Vec<ClockDocument>,
}

/// The clock of a cell, as `cloudsync_changes` shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ClockDocument {
    /// The database.
    database: u32,
    /// The column.
    column: String,
    /// How often the cell was changed.
    col_version: i64,
    /// The database version of its last change.
    db_version: i64,
    /// The site that made it.
    site_id: String,
    /// The causal length: odd while the row lives.
    cl: i64,
    /// Its place within that version.
    seq: i64,
}

/// What a holder has of a row.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct HolderDocument {
    /// `database`, `server` or `bootstrap`.
    holder: String,
    /// Which database, counted from 1.
    database: Option<u32>,
    /// The row as SQL literals; null when the holder does not have it.
    row: Option<String>,
    /// Whether a change of the row still waits to be sent here; null when it could not be told.
    unsent: Option<bool>,
}

/// What came of a threshold.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ThresholdDocument {
    /// The expression as written.
    text: String,
    /// What it limits.
    metric: String,
    /// How much a broken one weighs.
    severity: Severity,
    /// Whether it is always on.
    built_in: bool,
    /// The measured value: a count, a rate per second, or a duration in microseconds.
    measured: Option<f64>,
    /// The measured value as people read it.
    shown: Option<String>,
    /// `kept`, `broken` or `not_measured`.
    state: String,
    /// Why it could not be measured.
    reason: Option<String>,
}

impl CheckDocument {
    pub(super) fn of(result: &CheckResult) -> Self {
        let (outcome, reason) = match &result.outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Failed(_) => ("failed", None),
            Outcome::NotChecked(reason) => ("not_checked", Some(reason.clone())),
        };
        let findings = result.findings().iter().map(|finding| FindingDocument {
            message: finding.message.clone(),
            total: finding.total,
            fates: finding.fates.clone(),
            rows: finding.rows.iter().map(RowDocument::of).collect(),
        });
        Self {
            check: result.check.as_str().to_owned(),
            name: result.name.clone(),
            outcome: outcome.to_owned(),
            reason,
            findings: findings.collect(),
            notes: result.notes.clone(),
        }
    }
}

impl RowDocument {
    pub(super) fn of(traced: &TracedRow) -> Self {
        let row = &traced.row;
        let holders = row.holders.iter().map(|holding| {
            let (holder, database) = match holding.holder {
                Holder::Database(index) => ("database", Some(index)),
                Holder::Server => ("server", None),
                Holder::Bootstrap => ("bootstrap", None),
            };
            HolderDocument { holder: holder.to_owned(), database, row: holding.row.clone(), unsent: holding.unsent }
        });
        let clocks = row.clocks.iter().map(|clock| ClockDocument {
            database: clock.database,
            column: clock.column.clone(),
            col_version: clock.col_version,
            db_version: clock.db_version,
            site_id: clock.site_id.clone(),
            cl: clock.cl,
            seq: clock.seq,
        });
        Self {
            key: row.key.clone(),
            state: traced.state.as_str().to_owned(),
            hop: traced.hop.as_str().to_owned(),
            received: match traced.hop {
                Hop::Received { by, of } => Some([by, of]),
                Hop::Written | Hop::Acknowledged | Hop::Server => None,
            },
            words: traced.words.clone(),
            tombstone: row.tombstone,
            holders: holders.collect(),
            clocks: clocks.collect(),
        }
    }
}

impl ThresholdDocument {
    pub(super) fn of(result: &ThresholdResult) -> Self {
        let (state, reason) = match &result.state {
            LimitState::Kept => ("kept", None),
            LimitState::Broken => ("broken", None),
            LimitState::NotMeasured(reason) => ("not_measured", Some(reason.clone())),
        };
        let number = |measured| match measured {
            Measured::Count(count) => count as f64,
            Measured::Duration(duration) => microseconds(duration) as f64,
            Measured::RowsPerSecond(rate) | Measured::BytesPerSecond(rate) => rate,
        };
        Self {
            text: result.text.clone(),
            metric: result.metric.as_str().to_owned(),
            severity: result.severity,
            built_in: result.is_built_in(),
            measured: result.measured.map(number),
            shown: result.measured.map(|measured| measured.to_string()),
            state: state.to_owned(),
            reason,
        }
    }
}
