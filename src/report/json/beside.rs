//! What stands beside the verdict, as `report.json` has it: cards for the server's engineers, excerpts of logs, growth,
//! and how the load generator was served.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{Card, GeneratorSummary, Growth, GrowthRow, Request};
use crate::failure::FailureKind;
use crate::record::LogExcerpt;

/// What finds failures of the server in its own logs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CardDocument {
    /// What failed.
    kind: FailureKind,
    /// The message of the first, in full.
    message: String,
    /// Jobs that failed, as the server names them, the first ones.
    jobs: Vec<String>,
    /// How many requests met it.
    total: u64,
    /// Some of them, the first ones.
    requests: Vec<RequestDocument>,
}

/// A request that met a failure.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RequestDocument {
    /// The database.
    database: u32,
    /// Its site id.
    site_id: Option<String>,
    /// The how manyeth sync call of that database it was, from 1.
    order: u64,
    /// What was called.
    step: String,
    /// The iteration; 0 is before the first and after the last.
    iteration: u64,
    /// The phase.
    phase: String,
    /// When it was made, in UTC (RFC 3339), by the clock of the load generator.
    from: String,
    /// When its answer was there.
    until: String,
    /// The job, as the server names it.
    job: Option<String>,
    /// When that failed, as the server tells.
    failed_at: Option<String>,
}

/// The beginning and the end of a database's log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct LogDocument {
    /// The database.
    database: u32,
    /// Lines of the whole log.
    lines: u64,
    /// Its first lines.
    first: Vec<String>,
    /// Its last lines, as far as they are not among the first.
    last: Vec<String>,
}

/// Growth over the run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GrowthDocument {
    /// Whether the last iteration met the same system as the first, in words.
    words: Option<String>,
    /// What was measured, the mean of all databases.
    measures: Vec<MeasureDocument>,
    /// Deletions that the server remembers at the end.
    tombstones: Vec<TombstonesDocument>,
}

/// One measure over the iterations.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct MeasureDocument {
    /// `rows`, `metadata rows`, `file size` and `write-ahead log` (bytes), `send latency` (microseconds).
    measure: String,
    /// The first iteration that was measured.
    from: u64,
    /// The last.
    to: u64,
    /// The value in the first.
    first: f64,
    /// The value in the last.
    last: f64,
    /// By how much it grows per iteration (least squares).
    slope: f64,
    /// How many times the first value the trend makes of it; null when there is no trend.
    times: Option<f64>,
}

/// The deletions that the server remembers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TombstonesDocument {
    /// The table.
    table: String,
    /// How many.
    rows: u64,
}

/// How the load generator was served by its machine.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GeneratorDocument {
    /// `served`, `strained` or `starved`.
    state: String,
    /// How late its threads came to run, 99 of 100 times at most, in microseconds.
    lag_p99: u64,
    /// How late at most.
    lag_max: u64,
    /// Its share of all processors, from 0 to 1.
    cpu_share: Option<f64>,
    /// In words.
    words: String,
}

impl CardDocument {
    pub(super) fn of(card: &Card) -> Self {
        Self {
            kind: card.kind,
            message: card.message.clone(),
            jobs: card.jobs.clone(),
            total: card.total,
            requests: card.requests.iter().map(RequestDocument::of).collect(),
        }
    }
}

impl RequestDocument {
    fn of(request: &Request) -> Self {
        Self {
            database: request.database,
            site_id: request.site_id.clone(),
            order: request.order,
            step: request.step.as_str().to_owned(),
            iteration: request.iteration,
            phase: request.phase.clone(),
            from: request.from.to_string(),
            until: request.until.to_string(),
            job: request.job.clone(),
            failed_at: request.failed_at.clone(),
        }
    }
}

impl LogDocument {
    pub(super) fn of((database, log): &(u32, LogExcerpt)) -> Self {
        Self { database: *database, lines: log.lines, first: log.first.clone(), last: log.last.clone() }
    }
}

impl GrowthDocument {
    pub(super) fn of(growth: &Growth) -> Self {
        let tombstones = growth.tombstones.iter();
        Self {
            words: growth.words.clone(),
            measures: growth.rows.iter().map(MeasureDocument::of).collect(),
            tombstones: tombstones
                .map(|(table, rows)| TombstonesDocument { table: table.clone(), rows: *rows })
                .collect(),
        }
    }
}

impl MeasureDocument {
    fn of(row: &GrowthRow) -> Self {
        Self {
            measure: row.measure.as_str().to_owned(),
            from: row.iterations.0,
            to: row.iterations.1,
            first: row.first,
            last: row.last,
            slope: row.slope,
            times: row.times,
        }
    }
}

impl GeneratorDocument {
    pub(super) fn of(generator: &GeneratorSummary) -> Self {
        Self {
            state: generator.state.as_str().to_owned(),
            lag_p99: microseconds(generator.lag_p99),
            lag_max: microseconds(generator.lag_max),
            cpu_share: generator.cpu_share,
            words: generator.words.clone(),
        }
    }
}
