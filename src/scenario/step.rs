//! Steps as written: phases of SQL, sync calls, barriers, pauses.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Count, HumanDuration, Rate};

/// A step: either a phase (`name`, `kind`, `sql` and their options), or one of `sync`, `wait`, `admin` and `alter` on its
/// own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// The phase's name: letters, digits, `-` and `_`, unique in the scenario. Reports and thresholds refer to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"), length(max = 80))]
    pub name: Option<String>,
    /// The operation that the phase performs. Totals in reports are per kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// One SQL statement, or a list that runs in order. `{{ … }}` is replaced once per phase and iteration; `:name` is a
    /// parameter, bound anew for each row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<Sql>,
    /// The number of times the statements run; `:row` counts from 1. `rows: 1000` with one `INSERT` inserts 1000 rows.
    /// Default: the statements run once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Count>,
    /// The number of times the whole phase runs per iteration, sync calls included. 0 skips the phase. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Count>,
    /// The rate at which each database starts the repetitions, such as `5/s` or `30/m`. Needs `repeat`. Default: each
    /// repetition starts as soon as the one before is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Values for your own parameters: `bind: {id: "db{{ db }}_{{ row }}"}` sets `:id`. Without `bind`, `:id` is
    /// `db<N>_r<iteration>_<row>`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub bind: Map<String, Value>,
    /// How rows are grouped into transactions: `one` for the whole phase, `each` for one transaction per row, or
    /// `{batch: 500}` for one per 500 rows. Default: `one`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Transaction>,
    /// A condition, such as `db == 1 and iteration > 3`. The step runs only where the condition is true. Default: always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The sync calls that follow the phase's SQL, in order: `[send, receive]`, `[logout, receive]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sync: Vec<SyncCall>,
    /// Kill the device at this point: `{at: after_statements}`. What was not committed is lost. The device comes back with
    /// its file as it is on disk, and goes on with the step's sync calls. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// Let the databases wait for each other and start this step's sync calls at the same moment. `{skew: 1ms}` starts
    /// them one after another, 1 ms apart. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier: Option<Barrier>,
    /// A pause before the step: `500ms`, or `{min: 100ms, max: 1s}` for a random pause. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// The number of rows that the phase's SQL must change in total. The step fails if it changes more or fewer.
    /// Default: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_rows: Option<Count>,
    /// Mark the phase's writes as attempts to break the policies of `rls`. The `isolation` check evaluates the policies
    /// for each of these writes, and fails if a denied row reaches the server. Denied rows that stay in the local
    /// database are not compared. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hostile: bool,
    /// The maximum duration of the step. A statement that is still running then is interrupted. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
    /// A step that pauses for this long, such as `1s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<HumanDuration>,
    /// A step that runs SQL on the server as the administrator. Database 1 runs it, once; `when` selects other databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
    /// A step that alters synced tables of the local database: `ALTER TABLE notes ADD COLUMN tag TEXT`, or a list. It may
    /// add, drop and rename columns. Steps after it use the new columns. The server's table is altered by a step with
    /// `admin`. In `phases`, give it a `when` that is true in one iteration: `when: iteration == 1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alter: Option<Sql>,
}

/// The operation that a phase performs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Deletes rows.
    Delete,
    /// Inserts rows.
    Insert,
    /// Updates rows.
    Update,
    /// Reads rows.
    Query,
}

impl Kind {
    /// The word in log lines: `deleted`, `inserted`, `updated` or `queried`.
    pub fn past(self) -> &'static str {
        match self {
            Self::Delete => "deleted",
            Self::Insert => "inserted",
            Self::Update => "updated",
            Self::Query => "queried",
        }
    }
}

/// One statement or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a statement, or a list of statements")]
pub enum Sql {
    /// One statement.
    One(String),
    /// Several statements, which run in order.
    Many(Vec<String>),
}

/// How a phase's rows are grouped into transactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transaction {
    /// One transaction for the whole phase.
    #[default]
    One,
    /// One transaction per row.
    Each,
    /// One transaction per this many rows: `{batch: 500}`.
    Batch(#[schemars(range(min = 1))] u64),
}

/// A device that dies as by `kill -9`, and comes back. The connection ends without a commit, a checkpoint or a goodbye to
/// the server. A power cut can lose more: transactions that the system had not yet written to the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// When it dies.
    pub at: CrashAt,
    /// A condition, such as `db == 1`. Only databases for which it is true die. Default: all that run the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// When a device dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrashAt {
    /// After half of the phase's rows, before the transaction is committed. The rest of the phase's SQL does not run.
    InTransaction,
    /// After the phase's SQL, before the step's sync calls.
    AfterStatements,
    /// After the step's first `send` or `sync`, before the sync calls behind it.
    AfterSend,
}

/// A sync call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`send`, `receive`, `check`, `sync`, `logout`, `reset_sync_version`, `{wait: 1s}` or `{receive: {…}}`"
)]
pub enum SyncCall {
    /// The call with its defaults.
    Name(SyncName),
    /// The call with options.
    Options(SyncOptions),
}

/// The sync calls by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncName {
    /// `cloudsync_network_send_changes()`: sends local changes to the server.
    Send,
    /// `cloudsync_network_receive_changes()`: receives the changes of other databases.
    Receive,
    /// `cloudsync_network_check_changes()`: the older name of `receive`.
    Check,
    /// `cloudsync_network_sync()`: sends and receives in one call.
    Sync,
    /// `cloudsync_network_logout()`: deletes all rows of the synced tables from the local database, and not from the
    /// server; what was not sent is lost. The database gets a new site id. The next call logs in again as the same user.
    Logout,
    /// `cloudsync_network_reset_sync_version()`: the next `send` sends everything again, and the next `receive` receives
    /// everything again.
    ResetSyncVersion,
}

/// A sync call with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncOptions {
    /// Receives changes, with options: `{receive: {until: quiet}}`.
    Receive(ReceiveOptions),
    /// The older name of `receive`, with the same options.
    Check(ReceiveOptions),
    /// Sends and receives in one call, with options: `{sync: {retries: 3}}`.
    Sync(SyncCallOptions),
    /// Pauses for this long before the next sync call: `{wait: 1s}`.
    Wait(HumanDuration),
}

/// Options of `receive`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiveOptions {
    /// Repeat the call until `rows` arrive, until it is `quiet`: two calls in a row bring no rows, or until a query on the
    /// local database returns a value: `until: {sql: SELECT count(*) FROM notes, equals: 3}`. If the query does not
    /// return the value after the last call, this is a failure of kind `not_received`. Default: one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<ReceiveUntil>,
    /// The maximum number of calls with `until`. Default: 40.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub attempts: Option<u32>,
    /// The pause between two calls with `until`. Default: `250ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<HumanDuration>,
    /// The maximum number of chunks that one call receives. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_chunks: Option<u32>,
}

/// The condition that ends repeated `receive` calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`rows`, `quiet` or `{sql: …, equals: …}`")]
pub enum ReceiveUntil {
    /// What the calls themselves bring.
    Name(UntilName),
    /// What a query returns.
    Query(UntilQuery),
}

/// A query on the local database, and the value that it must return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UntilQuery {
    /// A `SELECT` that returns one row with one column. May be a template: `{{ db }}`, `{{ iteration }}`. It runs after
    /// each call.
    pub sql: String,
    /// The value that ends the calls: a number, a text or null. May be a template. It is compared as in a `query` of
    /// `verify`.
    pub equals: Value,
}

/// What ends repeated `receive` calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UntilName {
    /// Rows arrived.
    Rows,
    /// Two calls in a row brought no rows.
    Quiet,
}

/// Options of `sync`, the arguments of `cloudsync_network_sync(wait, retries)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncCallOptions {
    /// The pause between two attempts. Default: `100ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<HumanDuration>,
    /// The maximum number of attempts. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub retries: Option<u32>,
}

/// Whether and how the databases start their sync calls together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`true`, `false` or `{skew: 1ms}`")]
pub enum Barrier {
    /// `true`: all databases start at the same moment. `false`: each starts when it is ready.
    Flag(bool),
    /// The databases start one after another, with this delay between them.
    Skew(Skew),
}

/// A staggered start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    /// The delay between one database and the next, such as `1ms`. Database 3 starts two delays after database 1.
    pub skew: HumanDuration,
}

/// A pause before a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a duration, or `{min: 100ms, max: 1s}`")]
pub enum Think {
    /// The same pause every time.
    Fixed(HumanDuration),
    /// A random pause, derived from the scenario's seed.
    Range(ThinkRange),
}

/// A random pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThinkRange {
    /// The shortest pause, such as `100ms`.
    pub min: HumanDuration,
    /// The longest pause, such as `1s`.
    pub max: HumanDuration,
}
