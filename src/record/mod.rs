//! What happened, nothing judged: the facts of a run as versioned JSON (`record.json`). Workers write it, `verify` and
//! `analysis` read it, also long after the run. It must not know what passes or fails.

mod measure;
mod state;
mod step;
mod usual;

pub use measure::{Attempt, Generator, GrowthSample, Leak, LogExcerpt, Operation, TableSize};
pub use state::{
    BootstrapState, CellClock, DatabaseState, Difference, FinalState, ForbiddenRow, ForeignKeys, Holder, Holding,
    LastWrite, Orphan, QueryAnswer, RowDifference, ServerState, TableState, Tombstones, Unexplained, UnexplainedRow,
    Unjudged, UserState, WhyUnjudged, WrittenState,
};
pub use step::{Part, StepKind, Total};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::scenario::{Scenario, TargetKind};

/// The version of the record's format.
pub const RECORD_VERSION: u32 = 1;

/// A run, as it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The version of `stress` that ran.
    pub stress: String,
    /// The run's id: the last part of its directory's name.
    pub id: String,
    /// The path of the scenario, as given on the command line.
    pub path: String,
    /// The scenario as resolved: profile, variables and overrides applied, seed set, secrets still templates.
    pub scenario: Scenario,
    /// When the run started.
    pub started: Timestamp,
    /// The machine it ran on.
    pub machine: Machine,
    /// The facts that the target reported about itself.
    pub target: TargetFacts,
    /// One per database, in index order.
    pub workers: Vec<WorkerRecord>,
    /// Failures outside any worker: of the server's side of the checks, of the hub, of cleaning up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// The rounds after the last iteration.
    pub settle: Option<SettleRecord>,
    /// What the databases and the server held at the end.
    pub state: Option<FinalState>,
    /// How well the load generator itself was served by its machine; absent until the work is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generator: Option<Generator>,
    /// How the run ended; absent while it runs and after it was killed.
    pub ended: Option<Ended>,
}

/// The machine under the load generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// `linux`, `macos`, `windows`.
    pub os: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// The number of logical processors.
    pub cpus: usize,
    /// The version of SQLite linked in.
    pub sqlite: String,
}

/// The facts that the target reported about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFacts {
    /// `embedded` or `cloudsync`.
    pub kind: TargetKind,
    /// The result of `cloudsync_version()`.
    pub version: String,
    /// The address the databases sync with.
    pub address: String,
    /// The path of the extension, on `cloudsync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

/// What one database's worker did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkerRecord {
    /// The number of the database, from 1.
    pub database: u32,
    /// The number of its user, from 1.
    pub user: u32,
    /// The database's site id (32 hex digits), once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<String>,
    /// The site ids that it had before it was logged out, in order. The server knows them, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_site_ids: Vec<String>,
    /// The number of completed iterations.
    pub iterations: u64,
    /// Whether the database ran every step of the scenario.
    pub completed: bool,
    /// The message of the panic that ended the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<String>,
    /// Everything done, in order.
    pub events: Vec<Event>,
    /// How much of it there is, counted when the run ended; absent while it runs and after it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// Receives after which it was looked whether they brought rows that the user's select policy forbids.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub watched: u64,
    /// What its hostile phases attempted and the policies deny: what arrived, and some of the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Further denied attempts, of which none arrived.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub attempts_beyond: u64,
    /// Writes of its hostile phases that the policies allow.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub attempts_allowed: u64,
    /// Writes of its hostile phases about which the policies cannot be asked: they depend on rows that changed.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub attempts_doubtful: u64,
    /// Receives that brought rows which the user's select policy forbids, as far as it was looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<Leak>,
    /// How large it was at the end of some iterations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<GrowthSample>,
    /// The beginning and the end of its log, when something failed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogExcerpt>,
}

/// How much a worker recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counted {
    /// Events.
    pub events: u64,
    /// Events with a failure.
    pub failing: u64,
    /// Failures of all events.
    pub failures: u64,
}

impl Counted {
    /// Counts events.
    pub(crate) fn of(events: &[Event]) -> Self {
        let failures = |event: &Event| event.failures.len() as u64;
        Self {
            events: events.len() as u64,
            failing: events.iter().filter(|event| !event.failures.is_empty()).count() as u64,
            failures: events.iter().map(failures).sum(),
        }
    }
}

/// One thing done by a worker, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The iteration, counted from 1; 0 before the first and after the last.
    pub iteration: u64,
    /// The phase's name; `setup`, `settle`, `session` and the like outside a phase.
    pub phase: String,
    /// The kind of step.
    pub step: StepKind,
    /// The start, in microseconds since the start of the run.
    pub at: u64,
    /// The duration, in microseconds.
    pub took: u64,
    /// Rows changed (`sql`), or rows received.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub rows: u64,
    /// Payload chunks of a sync call.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub chunks: u64,
    /// Payload bytes of a sync call.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub bytes: u64,
    /// Whether the answer of a receive said that there is more to receive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// With a `rate`: how late its iteration (or repetition) began, in microseconds. Of a `pace`, how late it ended.
    #[serde(default, skip_serializing_if = "usual::is_zero")]
    pub late: u64,
    /// Which try this was, from 1; above 1 after a retry rule.
    #[serde(default = "usual::one", skip_serializing_if = "usual::is_one")]
    pub attempt: u32,
    /// Whether a rule of `errors:` had this call tried again afterwards, so that its failure is not final.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retried: bool,
    /// What went wrong. An answer can report several failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// The rounds after the last iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleRecord {
    /// Rounds made.
    pub rounds: u32,
    /// The start, in microseconds since the start of the run.
    pub at: u64,
    /// The duration, in microseconds.
    pub took: u64,
    /// The databases that were not quiet after the last round, and what they wait for.
    pub stuck: Vec<Stuck>,
}

/// A database that did not become quiet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stuck {
    /// The number of the database, from 1.
    pub database: u32,
    /// Whether it still has changes to send (absent: it could not be asked).
    pub unsent: Option<bool>,
    /// How many of its last two receives brought rows or failed.
    pub busy_receives: u32,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Microseconds since its start.
    pub at: u64,
    /// Why.
    pub reason: EndReason,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// All work was done.
    Done,
    /// The time limit cut it.
    TimeLimit,
    /// A person or the system asked it to stop.
    Interrupted,
    /// A rule of `errors:` or a threshold with `abort` stopped it.
    Stopped,
}
