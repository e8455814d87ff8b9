//! The run, its totals and its timing in `report.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{Analysis, Calls, DatabaseSummary, Effort, LatencyRow, RateKept, Timing};
use crate::latency::Latency;
use crate::record::EndReason;

/// A run, with its scenario, its target and its machine.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RunDocument {
    /// The run's id.
    id: String,
    /// The scenario's name.
    scenario: String,
    /// The path of the scenario, as given on the command line.
    path: String,
    /// The seed of all generated values.
    seed: u64,
    /// The planned number of databases.
    databases: u64,
    /// The planned number of users; null without row-level security.
    users: Option<u64>,
    /// The planned number of iterations of each database.
    iterations: u64,
    /// The planned `scale.rows`.
    rows: u64,
    /// The start of the run, in UTC (RFC 3339).
    started: String,
    /// The duration of the run, in microseconds.
    duration: u64,
    /// The reason why the run ended: `done`, `time_limit`, `interrupted` or `stopped`; null if it was killed.
    ended: Option<String>,
    /// The version of `stress`.
    stress: String,
    /// `embedded` or `cloudsync`.
    target: String,
    /// The result of `cloudsync_version()`.
    target_version: String,
    /// The address that the databases synced with.
    address: String,
    /// The version of `SQLite`.
    sqlite: String,
    /// The pragmas of every connection. `SQLite`'s memory statistics are off as well.
    pragmas: Vec<String>,
    /// The operating system.
    os: String,
    /// The processor's architecture.
    arch: String,
    /// The number of logical processors.
    cpus: u64,
}

/// Totals of what the run did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TotalsDocument {
    /// Rows deleted.
    deleted: u64,
    /// Rows inserted.
    inserted: u64,
    /// Rows updated.
    updated: u64,
    /// Rows read.
    queried: u64,
    /// Calls of `send`, settling excluded.
    sends: u64,
    /// Calls of `receive`, settling excluded.
    receives: u64,
    /// Calls of `check`, settling excluded.
    checks: u64,
    /// Calls of `sync`, settling excluded.
    syncs: u64,
    /// Sync calls of settling.
    settling: u64,
    /// Sync calls that failed, settling included.
    failed: u64,
    /// Rows received, as the target counts them.
    received: u64,
    /// Payload chunks of all sync calls.
    chunks: u64,
    /// Payload bytes of all sync calls.
    bytes: u64,
    /// Sync calls whose answer said that there is more to receive.
    incomplete: u64,
}

/// Durations, latencies and rates of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TimingDocument {
    /// The duration from the first to the last step before settling, in microseconds.
    load: Option<u64>,
    /// The duration of settling, in microseconds.
    settle: Option<u64>,
    /// The number of settling rounds.
    rounds: Option<u32>,
    /// Rows changed per second, over the duration of the load.
    rows_per_second: Option<f64>,
    /// Payload bytes sent and received per second, over the duration of the load.
    bytes_per_second: Option<f64>,
    /// How the databases spent their time.
    effort: EffortDocument,
    /// Whether the scenario's rates were kept.
    rates: Vec<RateDocument>,
    /// Latencies by step, settling excluded.
    steps: Vec<LatencyDocument>,
    /// Latencies by phase and step.
    phases: Vec<LatencyDocument>,
}

/// Latencies in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct LatencyDocument {
    /// The phase; null for all phases.
    phase: Option<String>,
    /// The kind of step.
    step: String,
    /// The number of steps.
    count: u64,
    /// The minimum.
    min: Option<u64>,
    /// The mean.
    mean: Option<u64>,
    /// The median.
    p50: Option<u64>,
    /// The 90th percentile.
    p90: Option<u64>,
    /// The 95th percentile.
    p95: Option<u64>,
    /// The 99th percentile.
    p99: Option<u64>,
    /// The 99.9th percentile.
    p999: Option<u64>,
    /// The maximum.
    max: Option<u64>,
    /// With a `rate`: the latencies from the scheduled start; otherwise null.
    intended: Option<IntendedDocument>,
}

/// Latencies from the scheduled start, in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct IntendedDocument {
    /// The median.
    p50: Option<u64>,
    /// The 95th percentile.
    p95: Option<u64>,
    /// The 99th percentile.
    p99: Option<u64>,
    /// The maximum.
    max: Option<u64>,
}

/// How the databases spent their time: sums over all databases, in microseconds, settling excluded.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct EffortDocument {
    /// Running the SQL of phases.
    sql: u64,
    /// In sync calls.
    sync: u64,
    /// Opening and closing sessions.
    session: u64,
    /// Waiting as the scenario demands: barriers, `wait`, `think`, `rate`.
    waiting: u64,
    /// In SQL on the server (`admin`).
    admin: u64,
    /// Everything in between, in `stress` itself: recording, logging, checking for leaks, measuring sizes.
    harness: u64,
}

/// Whether a `rate` was kept.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RateDocument {
    /// The phase that the rate repeats; null if the rate starts iterations.
    phase: Option<String>,
    /// The requested number of starts per second and database.
    wanted: f64,
    /// The actual number of starts per second and database; null if no database had two starts.
    reached: Option<f64>,
    /// The delay of the starts, in microseconds: 99th percentile.
    late_p99: Option<u64>,
    /// The delay of the starts, in microseconds: maximum.
    late_max: Option<u64>,
    /// Whether no start was late by more than one interval of the rate.
    kept: bool,
}

/// What one database did in the run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DatabaseDocument {
    /// The number of the database, from 1.
    database: u32,
    /// The number of its user, from 1.
    user: u32,
    /// Its site id; null if unknown.
    site_id: Option<String>,
    /// The number of completed iterations.
    iterations: u64,
    /// Whether the database ran every step of the scenario.
    completed: bool,
    /// The message of the panic that ended its worker; null if there was none.
    crash: Option<String>,
    /// Rows changed.
    rows: u64,
    /// Calls of `send`.
    sends: CallsDocument,
    /// Calls of `receive`, `check` and `sync`.
    receives: CallsDocument,
    /// Failures that count.
    errors: u64,
}

/// The number of calls, and the number of failed ones.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CallsDocument {
    /// All calls.
    made: u64,
    /// Calls that failed.
    failed: u64,
}

impl RunDocument {
    pub(super) fn of(analysis: &Analysis) -> Self {
        let run = &analysis.run;
        let ended = run.ended.map(|reason| match reason {
            EndReason::Done => "done",
            EndReason::TimeLimit => "time_limit",
            EndReason::Interrupted => "interrupted",
            EndReason::Stopped => "stopped",
        });
        Self {
            id: run.id.clone(),
            scenario: run.scenario.clone(),
            path: run.path.clone(),
            seed: run.seed,
            databases: run.databases,
            users: run.users,
            iterations: run.iterations,
            rows: run.rows,
            started: run.started.to_string(),
            duration: microseconds(run.duration),
            ended: ended.map(str::to_owned),
            stress: run.stress.clone(),
            target: run.target.kind.to_string(),
            target_version: run.target.version.clone(),
            address: run.target.address.clone(),
            sqlite: run.machine.sqlite.clone(),
            pragmas: run.pragmas.clone(),
            os: run.machine.os.clone(),
            arch: run.machine.arch.clone(),
            cpus: run.machine.cpus as u64,
        }
    }
}

impl TotalsDocument {
    pub(super) fn of(analysis: &Analysis) -> Self {
        let totals = &analysis.totals;
        Self {
            deleted: totals.deleted,
            inserted: totals.inserted,
            updated: totals.updated,
            queried: totals.queried,
            sends: totals.sends,
            receives: totals.receives,
            checks: totals.checks,
            syncs: totals.syncs,
            settling: totals.settling,
            failed: totals.failed,
            received: totals.received,
            chunks: totals.chunks,
            bytes: totals.bytes,
            incomplete: totals.incomplete,
        }
    }
}

impl TimingDocument {
    pub(super) fn of(timing: &Timing) -> Self {
        Self {
            load: timing.load.map(microseconds),
            settle: timing.settle.map(microseconds),
            rounds: timing.rounds,
            rows_per_second: timing.rows_per_second,
            bytes_per_second: timing.bytes_per_second,
            effort: EffortDocument::of(&timing.effort),
            rates: timing.rates.iter().map(RateDocument::of).collect(),
            steps: timing.steps.iter().map(LatencyDocument::of).collect(),
            phases: timing.phases.iter().map(LatencyDocument::of).collect(),
        }
    }
}

impl LatencyDocument {
    pub(super) fn of(row: &LatencyRow) -> Self {
        let percentile = |percent| row.latency.percentile(percent).map(microseconds);
        Self {
            phase: row.phase.clone(),
            step: row.step.as_str().to_owned(),
            count: row.latency.count(),
            min: row.latency.min().map(microseconds),
            mean: row.latency.mean().map(microseconds),
            p50: percentile(50.0),
            p90: percentile(90.0),
            p95: percentile(95.0),
            p99: percentile(99.0),
            p999: percentile(99.9),
            max: row.latency.max().map(microseconds),
            intended: row.intended.as_ref().map(IntendedDocument::of),
        }
    }
}

impl IntendedDocument {
    fn of(latency: &Latency) -> Self {
        let percentile = |percent| latency.percentile(percent).map(microseconds);
        Self {
            p50: percentile(50.0),
            p95: percentile(95.0),
            p99: percentile(99.0),
            max: latency.max().map(microseconds),
        }
    }
}

impl EffortDocument {
    fn of(effort: &Effort) -> Self {
        Self {
            sql: microseconds(effort.sql),
            sync: microseconds(effort.sync),
            session: microseconds(effort.session),
            waiting: microseconds(effort.waiting),
            admin: microseconds(effort.admin),
            harness: microseconds(effort.harness),
        }
    }
}

impl RateDocument {
    fn of(kept: &RateKept) -> Self {
        Self {
            phase: kept.phase.clone(),
            wanted: kept.rate.per_second(),
            reached: kept.reached,
            late_p99: kept.late.percentile(99.0).map(microseconds),
            late_max: kept.late.max().map(microseconds),
            kept: kept.kept,
        }
    }
}

impl DatabaseDocument {
    pub(super) fn of(summary: &DatabaseSummary) -> Self {
        let calls = |calls: Calls| CallsDocument { made: calls.made, failed: calls.failed };
        Self {
            database: summary.database,
            user: summary.user,
            site_id: summary.site_id.clone(),
            iterations: summary.iterations,
            completed: summary.completed,
            crash: summary.crash.clone(),
            rows: summary.rows,
            sends: calls(summary.sends),
            receives: calls(summary.receives),
            errors: summary.errors,
        }
    }
}
