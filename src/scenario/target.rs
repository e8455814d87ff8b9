//! What the databases sync with, as written: the targets with their options, and the failures planted in the hub.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::HumanDuration;

/// What the databases sync with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`embedded`, `cloudsync`, or one of them with its options")]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Target {
    /// The target alone, with its defaults.
    Name(TargetKind),
    /// The target with options.
    Options(TargetOptions),
}

impl Default for Target {
    fn default() -> Self {
        Self::Name(TargetKind::Embedded)
    }
}

/// The kinds of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A hub of `stress` itself on loopback. Needs nothing installed.
    Embedded,
    /// The real `CloudSync` extension and an `SQLiteCloud` project.
    Cloudsync,
}

/// A target with its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "a scenario has one")]
pub enum TargetOptions {
    /// A hub of `stress` itself on loopback.
    Embedded(EmbeddedOptions),
    /// The real `CloudSync` extension and an `SQLiteCloud` project.
    Cloudsync(CloudsyncOptions),
}

/// Options of the embedded target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddedOptions {
    /// A hub that is already running (`stress hub`), instead of one for this run: `http://127.0.0.1:7800`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// How long a request waits for the hub's database before `database is locked`. Default: `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_timeout: Option<HumanDuration>,
    /// How many requests the hub works on at once, each on a connection of its own. Default: 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub writers: Option<u32>,
    /// The journal mode of the hub's database. Default: `wal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_mode: Option<JournalMode>,
    /// Time added to every sync request, as a far-away server would. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<HumanDuration>,
    /// Failures planted on purpose, to see the run go red.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// A journal mode of `SQLite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JournalMode {
    /// Write-ahead log: readers and one writer at once.
    Wal,
    /// Rollback journal, deleted at the end of each transaction.
    Delete,
    /// Rollback journal, truncated at the end of each transaction.
    Truncate,
    /// Rollback journal in memory.
    Memory,
}

/// One planted failure of the embedded hub. It strikes with `rate`, or at the requests named by `at`, and only for `databases` when given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub fault: FaultKind,
    /// How often, from 0 to 1, per row for the faults that concern rows and else per request. Default: always, unless `at` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate: Option<f64>,
    /// Only at these occasions, counted from 1 per database: `[1, 5]` strikes the first and the fifth time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<u64>,
    /// Only for these databases, counted from 1. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<u32>,
}

/// What a planted failure does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A pushed row is acknowledged and not stored.
    DropRow,
    /// A whole push is acknowledged and not stored.
    ForgetPush,
    /// A push is applied a second time, later, over what others wrote since.
    ApplyTwice,
    /// A page of rows is delivered twice.
    RepeatPage,
    /// A page of rows is skipped.
    SkipPage,
    /// Rows are delivered to users whose select policy forbids them.
    LeakRows,
    /// Pushed rows are stored although a policy denies them.
    IgnorePolicy,
    /// Deleted rows come back on the server.
    ResurrectRows,
    /// HTTP 500 with a JSON error body.
    #[serde(rename = "http_500")]
    Http500,
    /// HTTP 503 with a JSON error body (`database_paused`).
    #[serde(rename = "http_503")]
    Http503,
    /// HTTP 429 with a JSON error body.
    #[serde(rename = "http_429")]
    Http429,
    /// HTTP 500 with an empty body.
    HttpEmpty,
    /// Another connection holds the hub's write lock for longer than its busy timeout: a real `database is locked`.
    Locked,
    /// The answer comes two seconds late.
    Slow,
    /// The connection is closed in the middle of the answer, after the work was done.
    HangUp,
    /// The answer is cut in half, with the length of the whole.
    TornAnswer,
    /// A pull answers from the state of an earlier moment, and says there is no more.
    StaleRead,
    /// Two users' tokens are exchanged.
    SwapTokens,
    /// The server's sequence goes back, so that new rows look old.
    ClockBack,
}

/// Options of the real target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CloudsyncOptions {
    /// The extension's path, with or without its suffix (`.so`, `.dylib`, `.dll`). Default: `STRESS_CLOUDSYNC_EXTENSION`, then `dist/cloudsync`, then what `stress extension install` installed, then the package in `node_modules`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The sync server. Default: `https://cloudsync.sqlite.ai`, the extension's own; another one goes through `cloudsync_network_init_custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The project's connection string, from the environment: `"{{ env.SQLITECLOUD_CONNECTION }}"`. It has the form `sqlitecloud://host:8860/database?apikey=…`; user and password do not do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_string: Option<String>,
    /// Where the project answers administrators over HTTP. Default: `https://` and the host of `connection_string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_address: Option<String>,
    /// Where the management API answers. Default: `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_address: Option<String>,
    /// The longest that one step of the administration may take, with all its tries: an SQL command, a token, the service getting ready. Default: `60s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_timeout: Option<HumanDuration>,
    /// The database in the project. Default: the one in the connection string, else `test_stress_sync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The managed database id (`db_…`), from the project's `OffSync` page. Not needed with a `management_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_database_id: Option<String>,
    /// A key of the `CloudSync` management API (role workspace-admin), to register the database and enable its tables without the dashboard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_key: Option<String>,
    /// The api key all databases use when there is no `rls`. Default: the one in `connection_string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apikey: Option<String>,
    /// With `rls`: one token per user, in the order of the users. Default: made with the key of `connection_string`, revoked after the run, and in any case expired an hour after the time limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Before the run, create the database, drop and create the tables with their policies, and enable sync (which takes a `management_key`, or a person at the dashboard). Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub provision: bool,
    /// What happens on the server after the run: `drop` disables sync, drops the scenario's tables (and the database, when nothing else is in it) and forgets the devices of the run. Default: `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<Cleanup>,
    /// Patterns of database names that may be written to and dropped. Default: `["test_*"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_databases: Option<Vec<String>>,
    /// Settings of the extension (`cloudsync_set`), such as `{network_request_timeout: 60}`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

/// What happens to the server's database after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cleanup {
    /// It stays.
    Keep,
    /// Its tables are dropped, and itself when nothing else is in it, if `allow_databases` covers it.
    Drop,
}
