//! The results of checks and thresholds in `report.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{LimitState, Measured, ThresholdResult};
use crate::record::Holder;
use crate::scenario::Severity;
use crate::verify::{CheckResult, Hop, Outcome, TracedRow};

/// The result of a check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CheckDocument {
    /// `converged`, `server`, `isolation`, `bootstrap`, `query`, `integrity`, `foreign_keys`.
    check: String,
    /// The check's name in reports.
    name: String,
    /// `passed`, `failed` or `not_checked`.
    outcome: String,
    /// The reason why the check could not be made; null if it was made.
    reason: Option<String>,
    /// The violations of the check.
    findings: Vec<FindingDocument>,
    /// Remarks for the reader.
    notes: Vec<String>,
}

/// One violation of a check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FindingDocument {
    /// The violation in words.
    message: String,
    /// The number of rows concerned; 0 if the finding is not about rows or they were not counted.
    total: u64,
    /// Sentences about what happened to these rows.
    fates: Vec<String>,
    /// Some of these rows.
    rows: Vec<RowDocument>,
}

/// A differing row.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RowDocument {
    /// The primary key, as SQL literals.
    key: String,
    /// `missing`, `resurrected`, `phantom`, `stale`, `leaked`, `duplicated` or `indeterminate`.
    state: String,
    /// The last place where the row was seen correctly: `written`, `acknowledged`, `server` or `received`.
    hop: String,
    /// With `received`: the number of databases that hold the row correctly, and the number that should.
    received: Option<[u32; 2]>,
    /// What happened to the row, in words.
    words: String,
    /// Whether the server remembers that the row was deleted; null if unknown.
    tombstone: Option<bool>,
    /// The row in each holder.
    holders: Vec<HolderDocument>,
    /// The clocks of its cells, as the extension keeps them in the databases.
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
    /// The number of changes of the cell.
    col_version: i64,
    /// The database version of its last change.
    db_version: i64,
    /// The site that made this change.
    site_id: String,
    /// The causal length: odd while the row exists.
    cl: i64,
    /// The position of the change within that version.
    seq: i64,
}

/// A row in one holder.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct HolderDocument {
    /// `database`, `server` or `bootstrap`.
    holder: String,
    /// The number of the database, from 1; null for other holders.
    database: Option<u32>,
    /// The row as SQL literals; null if the holder does not have it.
    row: Option<String>,
    /// Whether the holder still has to send a change of the row; null if unknown.
    unsent: Option<bool>,
}

/// The result of a threshold.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ThresholdDocument {
    /// The expression as written.
    text: String,
    /// The metric that it limits.
    metric: String,
    /// What happens if the limit is not met: `fail` or `warn`.
    severity: Severity,
    /// Whether the threshold always applies, without being written.
    built_in: bool,
    /// The measured value: a count, a rate per second, or a duration in microseconds.
    measured: Option<f64>,
    /// The measured value with its unit.
    shown: Option<String>,
    /// `kept`, `broken` or `not_measured`.
    state: String,
    /// The reason why there is no value; null if there is one.
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
            Measured::Amount(amount) | Measured::Bytes(amount) => amount,
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
