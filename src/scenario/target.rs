//! The target, as written: the kinds of target with their options, and the faults of the embedded hub.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::HumanDuration;

/// The server that the databases sync with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`embedded`, `cloudsync`, `turso`, or a target with its options")]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Target {
    /// The target with its defaults.
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
    /// A hub that `stress` starts on loopback. Needs nothing else installed.
    Embedded,
    /// The `CloudSync` extension and an `SQLiteCloud` project.
    Cloudsync,
    /// An engine of your own, by a program that speaks the driver protocol (see `stress help driver`).
    Driver,
    /// The sync of Turso, with a local sync server that `stress` starts. Needs `stress driver install turso`.
    Turso,
}

impl TargetKind {
    /// All kinds, in the order in which texts list them.
    pub const ALL: [Self; 4] = [Self::Embedded, Self::Cloudsync, Self::Driver, Self::Turso];

    /// The kind's name in scenarios, records and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Cloudsync => "cloudsync",
            Self::Driver => "driver",
            Self::Turso => "turso",
        }
    }

    /// Whether the databases load the sync extension, with its triggers and its own tables.
    pub const fn loads_the_extension(self) -> bool {
        match self {
            Self::Embedded | Self::Driver | Self::Turso => false,
            Self::Cloudsync => true,
        }
    }

    /// Whether a driver opens the databases.
    pub const fn is_driven(self) -> bool {
        match self {
            Self::Embedded | Self::Cloudsync => false,
            Self::Driver | Self::Turso => true,
        }
    }

    /// Whether the server can run in this process.
    pub const fn runs_here(self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Cloudsync | Self::Driver | Self::Turso => false,
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A target with its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetOptions {
    /// A hub that `stress` starts on loopback.
    Embedded(EmbeddedOptions),
    /// The `CloudSync` extension and an `SQLiteCloud` project.
    Cloudsync(CloudsyncOptions),
    /// An engine of your own, by a program that speaks the driver protocol.
    Driver(DriverOptions),
    /// The sync of Turso.
    Turso(TursoOptions),
}

/// Options of the `driver` target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverOptions {
    /// The program that speaks the driver protocol, with its arguments: `[python3, my-driver.py]`. It is started once per
    /// run, in the directory in which `stress` was started, with your rights; `--sandbox` refuses it. In templates,
    /// `{{ directory }}` is the run's directory, `{{ port }}` a free port of this machine, and `{{ env.NAME }}` a variable
    /// of the environment; they also work in `server` and `settings`.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// The server of the engine, if `stress` is to start it before the run and end it afterwards. Its output is kept in
    /// the run's directory, as `server.log`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<DriverServer>,
    /// Whatever the driver needs to know. It gets the settings as they are, with templates rendered.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
    /// The longest time that the driver may take for one request, such as a `send`. Default: `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
}

impl DriverOptions {
    /// Those of `target: driver`, which is no target: nothing says which program to start.
    pub fn of_name() -> Self {
        Self { command: Vec::new(), server: None, settings: Map::new(), timeout: None }
    }
}

/// A server that `stress` starts for a driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverServer {
    /// The program with its arguments: `[tursodb, "{{ directory }}/server.db", --sync-server, "127.0.0.1:{{ port }}"]`.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// How to tell that the server is ready. Default: the server is not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<DriverReady>,
}

/// How to tell that a server is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverReady {
    /// The address at which the server accepts connections: `127.0.0.1:{{ port }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// The address that the server answers over HTTP, with whatever status: `http://127.0.0.1:{{ port }}/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The longest time to wait. Default: `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<HumanDuration>,
}

/// Options of the `turso` target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TursoOptions {
    /// The address of a local sync server that is already running, such as `http://127.0.0.1:8080`. Default: the run starts
    /// its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The longest time that one request may take, such as a `send`. Default: `60s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
}

/// Options of the embedded target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddedOptions {
    /// The address of a hub that is already running (see `stress hub`), such as `http://127.0.0.1:7800`. Default: the run
    /// starts its own hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// How long a request waits for a lock on the hub's database before it fails with `database is locked`. Default: `30s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_timeout: Option<HumanDuration>,
    /// The number of requests that the hub handles at the same time, each on its own database connection. Default: 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub writers: Option<u32>,
    /// The journal mode of the hub's database. Default: `wal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_mode: Option<JournalMode>,
    /// A delay added to every sync request, to simulate a distant server: `100ms`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<HumanDuration>,
    /// What the hub does with a row that a policy of `rls` denies. `skip` leaves the row out and takes the others. `stop`
    /// takes no row from the denied one on: they wait at the database, which sends them again. Default: `skip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<Denied>,
    /// Let each `receive` that finds new rows only prepare them, so that the next one brings them, as a CloudSync server
    /// does. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prepare: bool,
    /// Faults that the hub injects on purpose, to test that the run detects them: `[{fault: drop_row, rate: 0.001}]`.
    /// `stress help faults` lists them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// What a server does with a row that a policy denies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Denied {
    /// The row is left out, and the rows after it are stored.
    #[default]
    Skip,
    /// The row and those after it are not stored, and wait at the database.
    Stop,
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

/// One fault of the embedded hub. It occurs at the given `rate` or on the occasions in `at`, for all databases or only
/// for those in `databases`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The kind of fault, such as `drop_row`.
    pub fault: FaultKind,
    /// The probability of the fault, from 0 to 1: per row for faults that affect rows, otherwise per request. Default: 1
    /// without `at`, 0 with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate: Option<f64>,
    /// The occasions on which the fault occurs, counted from 1 for each database: `[1, 5]` means the first and the fifth
    /// row or request. Default: as `rate` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<u64>,
    /// The databases that the fault affects, numbered from 1. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<u32>,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The server acknowledges a sent row but does not store it.
    DropRow,
    /// The server deletes a sent row after it acknowledged the row, and delivers the deletion to everybody, also to the
    /// database that wrote the row.
    LoseEverywhere,
    /// The server changes a value of a sent row after it acknowledged the row, and delivers the changed row to everybody,
    /// also to the database that wrote the row. The value is in the first column that is neither in the primary key nor
    /// read by the select policy.
    Rewrite,
    /// The server makes up a row that nobody wrote, a copy of a sent row under a new key, and delivers it to everybody.
    Invent,
    /// The server acknowledges a whole send but stores none of its rows.
    ForgetPush,
    /// The server applies a send a second time, later, and overwrites what others wrote in between.
    ApplyTwice,
    /// The server delivers a page of rows twice.
    RepeatPage,
    /// The server skips a page of rows.
    SkipPage,
    /// The server delivers rows to users whose select policy forbids them.
    LeakRows,
    /// The server stores sent rows although a policy denies them.
    IgnorePolicy,
    /// Deleted rows come back on the server.
    ResurrectRows,
    /// The server answers with HTTP 500 and a JSON error body.
    #[serde(rename = "http_500")]
    Http500,
    /// The server answers with HTTP 503 and a JSON error body (`database_paused`).
    #[serde(rename = "http_503")]
    Http503,
    /// The server answers with HTTP 429 and a JSON error body.
    #[serde(rename = "http_429")]
    Http429,
    /// The server answers with HTTP 500 and an empty body.
    HttpEmpty,
    /// Another connection holds the write lock of the hub's database for longer than `busy_timeout`, so that the request
    /// fails with `database is locked`.
    Locked,
    /// The server answers two seconds late.
    Slow,
    /// The server does the work, then closes the connection in the middle of the answer.
    HangUp,
    /// The server sends half of the answer; its `Content-Length` is that of the whole.
    TornAnswer,
    /// The server answers a receive from an earlier state and claims that there are no more rows.
    StaleRead,
    /// The server takes the user of a request for another user.
    SwapTokens,
    /// The server's sequence number goes back, so that new rows look old.
    ClockBack,
}

/// Options of the `cloudsync` target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CloudsyncOptions {
    /// The path of the extension, with or without its suffix (`.so`, `.dylib`, `.dll`). Default: the first of these that
    /// exists: the path in `STRESS_CLOUDSYNC_EXTENSION`, `dist/cloudsync`, the copy from `stress extension install`, the
    /// package in `node_modules`. It is code that runs with your rights; `--sandbox` refuses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The address of the sync server. Default: `https://cloudsync.sqlite.ai`. Any other address is passed to
    /// `cloudsync_network_init_custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The project's connection string. Take it from the environment: `"{{ env.SQLITECLOUD_CONNECTION }}"` (`--env NAME`
    /// allows variables whose names do not begin with `SQLITECLOUD_`, `CLOUDSYNC_` or `STRESS_`). It must have the form
    /// `sqlitecloud://host:8860/database?apikey=…`; a user name with a password does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_string: Option<String>,
    /// The address of the project's HTTP interface for administrators. Default: `https://` and the host of
    /// `connection_string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_address: Option<String>,
    /// The address of the `CloudSync` management API. Default: `address`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_address: Option<String>,
    /// The maximum duration of one administrative step, retries included: an SQL command, the creation of a token, the
    /// wait until the service is ready. Default: `60s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_timeout: Option<HumanDuration>,
    /// The name of the database in the project. Default: the database in `connection_string`, otherwise
    /// `test_stress_sync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The managed database id (`db_…`), shown on the project's `OffSync` page. Not needed with `management_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_database_id: Option<String>,
    /// A key of the `CloudSync` management API with the role workspace-admin. With it, `stress` registers the database
    /// and enables sync for its tables; without it, you do this on the dashboard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_key: Option<String>,
    /// The API key that all databases use without `rls`. Default: the key in `connection_string`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apikey: Option<String>,
    /// The users' access tokens with `rls`, one per user in order. Default: `stress` creates them with the key in
    /// `connection_string` and revokes them after the run; they expire ten minutes after the time limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Prepare the server before the run: create the database, drop and create the tables with their policies, and enable
    /// sync. Enabling sync needs `management_key`, or a manual step on the dashboard. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub provision: bool,
    /// What happens on the server after the run: `keep` changes nothing; `drop` disables sync, drops the scenario's tables
    /// and removes the run's devices. `drop` also drops the database if nothing else is in it. Default: `keep`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<Cleanup>,
    /// Patterns for the names of databases that `stress` may create, change and drop. Default: `["test_*"]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_databases: Option<Vec<String>>,
    /// Settings of the extension, passed to `cloudsync_set`: `{network_request_timeout: 60}`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}

/// What happens to the server's database after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cleanup {
    /// Changes nothing.
    Keep,
    /// Disables sync, drops the scenario's tables, and drops the database if nothing else is in it. Only for databases
    /// that match `allow_databases`.
    Drop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_target_is_listed_under_the_name_that_scenarios_use() {
        let schema = schemars::schema_for!(TargetKind).to_value();
        let names: Vec<&str> =
            schema["oneOf"].as_array().expect("a list").iter().filter_map(|kind| kind["const"].as_str()).collect();
        assert_eq!(names, TargetKind::ALL.map(TargetKind::as_str));
        for kind in TargetKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
    }
}
