//! The supplements in `report.json`: cards for the server's engineers, excerpts of logs, growth, and the state of the load
//! generator.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{Card, GeneratorSummary, Growth, GrowthRow, Request};
use crate::failure::FailureKind;
use crate::record::LogExcerpt;

/// The facts that find a group of server failures in the server's logs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CardDocument {
    /// The kind of failure.
    kind: FailureKind,
    /// The full message of the first failure.
    message: String,
    /// The server's ids of the first failed jobs.
    jobs: Vec<String>,
    /// The number of requests that failed.
    total: u64,
    /// The first of these requests, in order of time.
    requests: Vec<RequestDocument>,
}

/// A request that failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RequestDocument {
    /// The database.
    database: u32,
    /// Its site id.
    site_id: Option<String>,
    /// The position of the request among the sync calls of its database, from 1.
    order: u64,
    /// The call.
    step: String,
    /// The iteration, from 1; 0 means before the first or after the last.
    iteration: u64,
    /// The phase.
    phase: String,
    /// The start of the request, in UTC (RFC 3339), by the clock of the load generator.
    from: String,
    /// The arrival of the answer, in UTC (RFC 3339), by the clock of the load generator.
    until: String,
    /// The server's id of the failed job; null if there is none.
    job: Option<String>,
    /// The time at which the job failed, as the server reports it; null if there is none.
    failed_at: Option<String>,
}

/// The beginning and the end of a database's log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct LogDocument {
    /// The database.
    database: u32,
    /// The number of lines in the whole log.
    lines: u64,
    /// The first lines.
    first: Vec<String>,
    /// The last lines, except those in `first`.
    last: Vec<String>,
}

/// Growth over the run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GrowthDocument {
    /// A sentence whether the last iteration ran against the same system as the first; null without enough values.
    words: Option<String>,
    /// The measures, as means of all databases.
    measures: Vec<MeasureDocument>,
    /// The deletions that the server remembers at the end.
    tombstones: Vec<TombstonesDocument>,
}

/// One measure over the iterations.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct MeasureDocument {
    /// `rows`, `metadata rows`, `file size` and `write-ahead log` (in bytes), or `send latency` (in microseconds).
    measure: String,
    /// The first iteration with a value.
    from: u64,
    /// The last iteration with a value.
    to: u64,
    /// The value in the first iteration.
    first: f64,
    /// The value in the last iteration.
    last: f64,
    /// The growth per iteration (least squares).
    slope: f64,
    /// The last value of the trend, as a multiple of its first one; null if there is no trend.
    times: Option<f64>,
}

/// The deletions in one table that the server remembers.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TombstonesDocument {
    /// The table.
    table: String,
    /// The number of deleted rows.
    rows: u64,
}

/// Whether the machine was fast enough for the load generator.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct GeneratorDocument {
    /// `served`, `strained` or `starved`.
    state: String,
    /// The delay with which its threads ran, in microseconds: 99th percentile.
    lag_p99: u64,
    /// The delay with which its threads ran, in microseconds: maximum.
    lag_max: u64,
    /// The share of all processors that the process used, from 0 to 1; null if the system does not report it.
    cpu_share: Option<f64>,
    /// A sentence about it.
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
