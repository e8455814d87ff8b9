//! What happened, nothing judged: the facts of a run as versioned JSON (`record.json`). Workers write it, `verify` and
//! `analysis` read it, also long after the run. It must not know what passes or fails.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::scenario::Scenario;

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
    /// The scenario's path as given.
    pub path: String,
    /// The scenario as resolved: profile, variables and overrides applied, seed set, secrets still templates.
    pub scenario: Scenario,
    /// When the run started.
    pub started: Timestamp,
    /// The machine it ran on.
    pub machine: Machine,
    /// The target, as it presented itself.
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
    /// Logical processors.
    pub cpus: usize,
    /// The version of SQLite linked in.
    pub sqlite: String,
}

/// The target, as it presented itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFacts {
    /// `embedded` or `cloudsync`.
    pub kind: String,
    /// What `cloudsync_version()` answered.
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
    /// The database, counted from 1.
    pub database: u32,
    /// Its user, counted from 1.
    pub user: u32,
    /// The database's site id (32 hex digits), once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<String>,
    /// Iterations completed.
    pub iterations: u64,
    /// Whether every step of the scenario was done.
    pub completed: bool,
    /// The message of the panic that ended the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<String>,
    /// Everything done, in order.
    pub events: Vec<Event>,
}

/// One thing done by a worker, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The iteration, counted from 1; 0 before the first and after the last.
    pub iteration: u64,
    /// The phase's name; `setup`, `settle`, `session` and the like outside a phase.
    pub phase: String,
    /// What was done.
    pub step: StepKind,
    /// Start, in microseconds since the run's start.
    pub at: u64,
    /// Duration in microseconds.
    pub took: u64,
    /// Rows changed (`sql`), or rows received.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: u64,
    /// Payload chunks of a sync call.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub chunks: u64,
    /// Payload bytes of a sync call.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Which try this was, from 1; above 1 after a retry rule.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub attempt: u32,
    /// Whether a rule of `errors:` had this call tried again afterwards, so that its failure is not final.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retried: bool,
    /// What went wrong. An answer can report several failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Opened a session: file, functions, pragmas, network, credential.
    Open,
    /// Ran a `delete` phase's SQL.
    Delete,
    /// Ran an `insert` phase's SQL.
    Insert,
    /// Ran an `update` phase's SQL.
    Update,
    /// Ran a `query` phase's SQL.
    Query,
    /// Pushed.
    Send,
    /// Pulled.
    Receive,
    /// Pulled, by the seed's word.
    Check,
    /// Pushed and pulled in one call.
    Sync,
    /// Waited at a barrier.
    Barrier,
    /// Waited: `wait`, `think`.
    Wait,
    /// Ran SQL on the server.
    Admin,
    /// Closed a session: network cleanup, terminate, close.
    Close,
}

impl StepKind {
    /// Its name in records and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Delete => "delete",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Query => "query",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Check => "check",
            Self::Sync => "sync",
            Self::Barrier => "barrier",
            Self::Wait => "wait",
            Self::Admin => "admin",
            Self::Close => "close",
        }
    }

    /// Whether it ran a phase's SQL.
    pub const fn is_sql(self) -> bool {
        match self {
            Self::Delete | Self::Insert | Self::Update | Self::Query => true,
            Self::Open
            | Self::Send
            | Self::Receive
            | Self::Check
            | Self::Sync
            | Self::Barrier
            | Self::Wait
            | Self::Admin
            | Self::Close => false,
        }
    }

    /// Whether it was a sync call.
    pub const fn is_sync(self) -> bool {
        match self {
            Self::Send | Self::Receive | Self::Check | Self::Sync => true,
            Self::Open
            | Self::Delete
            | Self::Insert
            | Self::Update
            | Self::Query
            | Self::Barrier
            | Self::Wait
            | Self::Admin
            | Self::Close => false,
        }
    }
}

/// The rounds after the last iteration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleRecord {
    /// Rounds made.
    pub rounds: u32,
    /// Start, in microseconds since the run's start.
    pub at: u64,
    /// Duration in microseconds.
    pub took: u64,
    /// The databases that were not quiet after the last round, and what they wait for.
    pub stuck: Vec<Stuck>,
}

/// A database that did not become quiet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stuck {
    /// The database.
    pub database: u32,
    /// Whether it still has changes to send (absent: it could not be asked).
    pub unsent: Option<bool>,
    /// How many of its last two receives brought rows or failed.
    pub busy_receives: u32,
}

/// What was held at the end. The rows of a user's database are those that the user's select policy allows (all rows
/// without row-level security); the others are counted as forbidden.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalState {
    /// One per database that could be read, in index order.
    pub databases: Vec<DatabaseState>,
    /// The server, as its administrator sees it; absent when it was not asked or could not be read.
    pub server: Option<ServerState>,
    /// One per user, when `bootstrap` is checked: a new database that synced from nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bootstrap: Vec<BootstrapState>,
    /// Rows that are not the same everywhere, per user and table; empty when all digests agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Rows held against the select policy. Where fewer are listed than a table counts, isolation stays unproven.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<ForbiddenRow>,
    /// The answers of `query` checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<QueryAnswer>,
}

/// One local database at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseState {
    /// The database, counted from 1.
    pub database: u32,
    /// Its user, counted from 1.
    pub user: u32,
    /// What `PRAGMA integrity_check` answered; `ok` when all is well.
    pub integrity: String,
    /// Whether it still had changes to send (absent: it could not be asked).
    pub unsent: Option<bool>,
    /// The file's size in bytes, its write-ahead log included.
    pub bytes: u64,
    /// Its tables, in the scenario's order.
    pub tables: Vec<TableState>,
}

/// A table's content in a nutshell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableState {
    /// The table.
    pub table: String,
    /// Rows the user may see.
    pub rows: u64,
    /// A digest of those rows in primary-key order, as 32 hex digits.
    pub digest: String,
    /// Rows held that the user's select policy forbids.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forbidden: u64,
}

/// The server at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerState {
    /// All rows of each table, whoever may see them, in the scenario's order.
    pub tables: Vec<TableState>,
    /// What each user may see of them; without row-level security one entry, for user 1.
    pub users: Vec<UserState>,
}

/// What a user may see of the server's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserState {
    /// The user, counted from 1.
    pub user: u32,
    /// The tables, in the scenario's order.
    pub tables: Vec<TableState>,
}

/// A new database that synced from nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapState {
    /// The user, counted from 1.
    pub user: u32,
    /// The site id it registered with the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<String>,
    /// Its tables; empty when it failed.
    pub tables: Vec<TableState>,
    /// Why it could not be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// Rows of a table that are not the same for all who should hold them. Without row-level security all databases form
/// one group, under user 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The user whose databases differ, counted from 1.
    pub user: u32,
    /// The table.
    pub table: String,
    /// How many rows differ.
    pub total: u64,
    /// Some of them.
    pub rows: Vec<RowDifference>,
}

/// A row that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowDifference {
    /// Its primary key, as SQL literals.
    pub key: String,
    /// What each holder has, in a fixed order: databases by index, server, bootstrap.
    pub holders: Vec<Holding>,
}

/// What a holder has of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// Who.
    pub holder: Holder,
    /// The row as SQL literals in column order; absent when the holder does not have it.
    pub row: Option<String>,
}

/// Who can hold a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A local database.
    Database(u32),
    /// The server.
    Server,
    /// The database that synced from nothing.
    Bootstrap,
}

/// A row that a database holds although its user's select policy forbids it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenRow {
    /// The database that holds it.
    pub database: u32,
    /// The table.
    pub table: String,
    /// Its primary key, as SQL literals.
    pub key: String,
    /// The row as SQL literals in column order.
    pub row: String,
    /// Whether the row is elsewhere too (on the server, or in another user's database), so that it can only have
    /// come from there. If not, it was written here and rejected by the server.
    pub leaked: bool,
}

/// What a `query` check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryAnswer {
    /// Which of the scenario's checks, counted from 0.
    pub check: usize,
    /// Where it was asked.
    pub holder: Holder,
    /// The value; null also when there was no row.
    pub value: serde_json::Value,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

const fn one() -> u32 {
    1
}
