//! `report.json`: the frozen document for programs. Its types are the schema; a change that breaks readers takes a new
//! version. Durations are microseconds.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::analysis::{
    Analysis, Calls, DatabaseSummary, ErrorGroup, LatencyRow, LimitState, Measured, ThresholdResult, TimelineRow,
    Verdict,
};
use crate::failure::{FailureKind, Side};
use crate::record::{EndReason, Holder, RowDifference};
use crate::scenario::Severity;
use crate::verify::{CheckResult, Outcome};

/// The version of the document.
const VERSION: u32 = 1;

/// The report as a JSON document.
#[expect(clippy::missing_panics_doc, reason = "it cannot: the document's types are plain")]
pub fn json(analysis: &Analysis) -> Value {
    serde_json::to_value(Report::of(analysis)).expect("its types are plain: no map with keys that are not texts")
}

/// The document's JSON schema.
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Report>().to_value()
}

/// A judged run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "stress report, version 1", deny_unknown_fields)]
pub struct Report {
    /// The version of this format. Always `1`.
    #[schemars(range(min = 1, max = 1))]
    version: u32,
    /// `pass`, `fail` or `unknown`.
    verdict: VerdictName,
    /// The rules that led to the verdict, the one that decided first.
    #[schemars(length(min = 1))]
    rules: Vec<RuleDocument>,
    /// Which run it was.
    run: RunDocument,
    /// What was done, counted.
    totals: TotalsDocument,
    /// How long things took.
    timing: TimingDocument,
    /// The databases, in index order.
    databases: Vec<DatabaseDocument>,
    /// What failed.
    errors: ErrorsDocument,
    /// The iterations one by one.
    timeline: Vec<IterationDocument>,
    /// The checks on the data.
    checks: Vec<CheckDocument>,
    /// The thresholds.
    thresholds: Vec<ThresholdDocument>,
}

/// A verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum VerdictName {
    Pass,
    Fail,
    Unknown,
}

/// Why the verdict is what it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RuleDocument {
    /// What speaks for it: `held`, `expected`, `crash`, `error_rule`, `check`, `threshold`, `killed`, `time_limit`,
    /// `interrupted`, `nothing_ran`, `nothing_synced`, `phase_skipped`, `not_checked`, `not_measured`.
    kind: String,
    /// What happened, in words.
    message: String,
}

/// Which run it was, and on what.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RunDocument {
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
struct TotalsDocument {
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
struct TimingDocument {
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
    /// Latencies by step, settling left out.
    steps: Vec<LatencyDocument>,
    /// Latencies by phase and step.
    phases: Vec<LatencyDocument>,
}

/// Latencies in microseconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct LatencyDocument {
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
}

/// One database's part.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct DatabaseDocument {
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
struct CallsDocument {
    /// Calls made.
    made: u64,
    /// Calls that failed.
    failed: u64,
}

/// What failed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ErrorsDocument {
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
struct GroupDocument {
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
struct IterationDocument {
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

/// What came of a check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CheckDocument {
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
struct FindingDocument {
    /// What it is.
    message: String,
    /// How many rows it is about; 0 when it is not about rows or they were not counted.
    total: u64,
    /// Some of them.
    rows: Vec<RowDocument>,
}

/// A differing row.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RowDocument {
    /// Its primary key, as SQL literals.
    key: String,
    /// What each holder has.
    holders: Vec<HolderDocument>,
}

/// What a holder has of a row.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct HolderDocument {
    /// `database`, `server` or `bootstrap`.
    holder: String,
    /// Which database, counted from 1.
    database: Option<u32>,
    /// The row as SQL literals; null when the holder does not have it.
    row: Option<String>,
}

/// What came of a threshold.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ThresholdDocument {
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

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Report {
    fn of(analysis: &Analysis) -> Self {
        let timing = &analysis.timing;
        Self {
            version: VERSION,
            verdict: match analysis.verdict {
                Verdict::Pass => VerdictName::Pass,
                Verdict::Fail => VerdictName::Fail,
                Verdict::Unknown => VerdictName::Unknown,
            },
            rules: analysis
                .rules
                .iter()
                .map(|rule| RuleDocument { kind: rule.kind.as_str().to_owned(), message: rule.message.clone() })
                .collect(),
            run: RunDocument::of(analysis),
            totals: TotalsDocument::of(analysis),
            timing: TimingDocument {
                load: timing.load.map(microseconds),
                settle: timing.settle.map(microseconds),
                rounds: timing.rounds,
                rows_per_second: timing.rows_per_second,
                bytes_per_second: timing.bytes_per_second,
                steps: timing.steps.iter().map(LatencyDocument::of).collect(),
                phases: timing.phases.iter().map(LatencyDocument::of).collect(),
            },
            databases: analysis.databases.iter().map(DatabaseDocument::of).collect(),
            errors: ErrorsDocument::of(analysis),
            timeline: analysis.timeline.iter().map(IterationDocument::of).collect(),
            checks: analysis.checks.iter().map(CheckDocument::of).collect(),
            thresholds: analysis.thresholds.iter().map(ThresholdDocument::of).collect(),
        }
    }
}

impl RunDocument {
    fn of(analysis: &Analysis) -> Self {
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
            os: run.machine.os.clone(),
            arch: run.machine.arch.clone(),
            cpus: run.machine.cpus as u64,
        }
    }
}

impl TotalsDocument {
    fn of(analysis: &Analysis) -> Self {
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

impl LatencyDocument {
    fn of(row: &LatencyRow) -> Self {
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
        }
    }
}

impl DatabaseDocument {
    fn of(summary: &DatabaseSummary) -> Self {
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

impl ErrorsDocument {
    fn of(analysis: &Analysis) -> Self {
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
    fn of(group: &ErrorGroup) -> Self {
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
    fn of(row: &TimelineRow) -> Self {
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

impl CheckDocument {
    fn of(result: &CheckResult) -> Self {
        let (outcome, reason) = match &result.outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Failed(_) => ("failed", None),
            Outcome::NotChecked(reason) => ("not_checked", Some(reason.clone())),
        };
        let findings = result.findings().iter().map(|finding| FindingDocument {
            message: finding.message.clone(),
            total: finding.total,
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
    fn of(row: &RowDifference) -> Self {
        let holders = row.holders.iter().map(|holding| {
            let (holder, database) = match holding.holder {
                Holder::Database(index) => ("database", Some(index)),
                Holder::Server => ("server", None),
                Holder::Bootstrap => ("bootstrap", None),
            };
            HolderDocument { holder: holder.to_owned(), database, row: holding.row.clone() }
        });
        Self { key: row.key.clone(), holders: holders.collect() }
    }
}

impl ThresholdDocument {
    fn of(result: &ThresholdResult) -> Self {
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
            built_in: result.built_in,
            measured: result.measured.map(number),
            shown: result.measured.map(|measured| measured.to_string()),
            state: state.to_owned(),
            reason,
        }
    }
}
