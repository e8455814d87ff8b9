//! Which run it was, what it did and how long that took, as `report.json` has it.

use schemars::JsonSchema;
use serde::Serialize;

use super::microseconds;
use crate::analysis::{Analysis, Calls, DatabaseSummary, Effort, LatencyRow, RateKept, Timing};
use crate::latency::Latency;
use crate::record::EndReason;

/// Which run it was, and on what.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RunDocument {
    /// The run's id.
    id: String,
    /// The scenario's name.
    scenario: String,
    /// The scenario's path as given.
    path: String,
    /// The seed of every generated value.
    seed: u64,
    /// Databases planned.
    databases: u64,
    /// Users planned; null without row-level security.
    users: Option<u64>,
    /// Iterations planned, of each database.
    iterations: u64,
    /// Rows per iteration.
    rows: u64,
    /// When it started, in UTC (RFC 3339).
    started: String,
    /// From start to finish, in microseconds.
    duration: u64,
    /// `done`, `time_limit`, `interrupted`, `stopped`; null when it was killed.
    ended: Option<String>,
    /// The version of `stress`.
    stress: String,
    /// `embedded` or `cloudsync`.
    target: String,
    /// What `cloudsync_version()` answered.
    target_version: String,
    /// The address the databases synced with.
    address: String,
    /// The version of `SQLite`.
    sqlite: String,
    /// The pragmas of every database's connections; besides, `SQLite`'s memory statistics are off.
    pragmas: Vec<String>,
    /// The operating system.
    os: String,
    /// The processor's kind.
    arch: String,
    /// Logical processors.
    cpus: u64,
}

/// What was done, counted.
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
    /// Calls of `send`, settling left out.
    sends: u64,
    /// Calls of `receive`, settling left out.
    receives: u64,
    /// Calls of `check`, settling left out.
    checks: u64,
    /// Calls of `sync`, settling left out.
    syncs: u64,
    /// Sync calls to settle.
    settling: u64,
    /// Sync calls that failed.
    failed: u64,
    /// Rows received, as the target counts them.
    received: u64,
    /// Payload bytes of all sync calls.
    bytes: u64,
}

/// How long things took.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct TimingDocument {
    /// From the first to the last thing done before settling, in microseconds.
    load: Option<u64>,
    /// How long settling took, in microseconds.
    settle: Option<u64>,
    /// How many rounds it took.
    rounds: Option<u32>,
    /// Rows changed per second of the load.
    rows_per_second: Option<f64>,
    /// Payload bytes per second of the load.
    bytes_per_second: Option<f64>,
    /// Where the databases' time went.
    effort: EffortDocument,
    /// Whether the scenario's rates were kept.
    rates: Vec<RateDocument>,
    /// Latencies by step, settling left out.
    steps: Vec<LatencyDocument>,
    /// Latencies by phase and step.
    phases: Vec<LatencyDocument>,
}

/// Latencies in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct LatencyDocument {
    /// The phase; null for all of them.
    phase: Option<String>,
    /// What was done.
    step: String,
    /// How often.
    count: u64,
    /// The shortest.
    min: Option<u64>,
    /// The mean.
    mean: Option<u64>,
    /// What half of them do not exceed.
    p50: Option<u64>,
    /// What 90 percent do not exceed.
    p90: Option<u64>,
    /// What 95 percent do not exceed.
    p95: Option<u64>,
    /// What 99 percent do not exceed.
    p99: Option<u64>,
    /// What 99.9 percent do not exceed.
    p999: Option<u64>,
    /// The longest.
    max: Option<u64>,
    /// With a `rate`: the same from when each was to begin; else null.
    intended: Option<IntendedDocument>,
}

/// Latencies from the intended start, in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct IntendedDocument {
    /// What half of them do not exceed.
    p50: Option<u64>,
    /// What 95 percent do not exceed.
    p95: Option<u64>,
    /// What 99 percent do not exceed.
    p99: Option<u64>,
    /// The longest.
    max: Option<u64>,
}

/// Where the time of all databases went, in microseconds, settling left out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct EffortDocument {
    /// Running the phases' SQL.
    sql: u64,
    /// In sync calls.
    sync: u64,
    /// Opening and closing sessions.
    session: u64,
    /// Waiting because the scenario says so: barriers, `wait`, `think`, `rate`.
    waiting: u64,
    /// In statements on the server.
    admin: u64,
    /// Between all that: recording, logs, looking for leaks and at sizes.
    harness: u64,
}

/// Whether a `rate` was kept.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RateDocument {
    /// The phase that is repeated by it; null for iterations.
    phase: Option<String>,
    /// Starts wanted per second and database.
    wanted: f64,
    /// Starts per second and database, as they came to be; null when there was one only.
    reached: Option<f64>,
    /// How late the starts were, in microseconds: what 99 percent do not exceed.
    late_p99: Option<u64>,
    /// How late at most, in microseconds.
    late_max: Option<u64>,
    /// Whether none was late by a whole turn.
    kept: bool,
}

/// One database's part.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DatabaseDocument {
    /// The database, counted from 1.
    database: u32,
    /// Its user, counted from 1.
    user: u32,
    /// Its site id.
    site_id: Option<String>,
    /// Iterations completed.
    iterations: u64,
    /// Whether every step was done.
    completed: bool,
    /// The message of the panic that ended it.
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

/// Calls made, and how many failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct CallsDocument {
    /// Calls made.
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
            target: run.target.kind.clone(),
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
            bytes: totals.bytes,
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
