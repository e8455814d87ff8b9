//! The scenario as written: the types of the YAML file. Their doc comments are the texts of the JSON schema and of
//! the editor's hover help, so they are written for authors. Nothing here knows where a value stands in a file
//! (`source.rs` does) or what it means for a run (`plan/` does).

mod duration;
pub mod schema;

pub use duration::HumanDuration;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A load scenario for database sync: which tables, which phases of SQL, at which scale, against which target, and
/// what must hold at the end for the run to pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "stress scenario, version 1")]
pub struct Scenario {
    /// The version of this format. Always `1`.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The scenario's name: letters, digits, `-` and `_`. It names the run directory and the reports.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"), length(max = 80))]
    pub name: String,
    /// One line that says what this scenario puts under load. Shown by `stress list`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Names of your own for use in templates: `vars: {table: notes}` makes `{{ table }}` mean `notes`.
    /// Overridden by `--var table=x`, `--vars-file f.yaml` and the environment (`STRESS_VAR_TABLE=x`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vars: Map<String, Value>,
    /// How much: databases, iterations, rows, and the time limit of the whole run.
    #[serde(default)]
    pub scale: Scale,
    /// Named variations laid over this file key by key: `profiles: {small: {scale: {rows: 1000}}}`, chosen with `--profile small`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Map<String, Value>>,
    /// Runs the scenario once per combination; each key is a template variable. Example: `matrix: {journal: [wal, delete]}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub matrix: BTreeMap<String, Vec<Value>>,
    /// The seed of every generated value. The same file and seed give the same data everywhere. Default: random, printed first and last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub seed: Option<u64>,
    /// What the databases sync with: `embedded` (a hub started for the run on loopback, nothing to install) or
    /// `{cloudsync: {…}}` (the real extension and an `SQLiteCloud` project). Default: `embedded`.
    #[serde(default)]
    pub target: Target,
    /// The tables every database and the server have.
    pub schema: Schema,
    /// Row-level security. Leave it out for a run without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rls: Option<Rls>,
    /// How long a connection lives, and its pragmas.
    #[serde(default)]
    pub session: Session,
    /// Steps done once per database before iteration 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Step>,
    /// The steps of one iteration, done by every database in this order.
    #[schemars(length(min = 1))]
    pub phases: Vec<Step>,
    /// Steps done once per database after the last iteration, before settling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<Step>,
    /// After the last iteration: sync rounds until every database is quiet.
    #[serde(default)]
    pub settle: Settle,
    /// What is checked at the end, on the data themselves. Default: `[converged, server]`, and `isolation` with `rls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Vec<Check>>,
    /// Limits on what was measured. Always on: no errors, every database completed, and no finding of `verify`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// What to do about failures of a class; the first rule that matches decides. Default: every failure counts and fails the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRule>,
    /// For a scenario that proves a failure can be seen: the run passes when it fails in the way named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

impl Scenario {
    /// The scenario as a YAML file that reads back as the same scenario.
    ///
    /// # Panics
    ///
    /// Never: every scenario is a map with texts as keys, which both formats can hold.
    pub fn to_yaml(&self) -> String {
        // Through JSON, because serde_yaml writes an enum as a `!tag`, which no scenario has.
        let yaml = serde_json::to_value(self).map(|value| serde_yaml::to_string(&value));
        yaml.expect("a scenario is JSON").expect("JSON is YAML")
    }
}

/// How much load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scale {
    /// How many databases write and sync at once, each on a thread of its own. Default: 2.
    pub databases: Count,
    /// How often each database goes through `phases`. Default: 1.
    pub iterations: Count,
    /// Rows per phase and iteration, for use as `{{ scale.rows }}`. Default: 1000.
    pub rows: Count,
    /// The longest the whole run may take, settling included; work cut by it makes the verdict UNKNOWN. Default: `10m`.
    pub time_limit: HumanDuration,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            databases: Count::Number(2),
            iterations: Count::Number(1),
            rows: Count::Number(1000),
            time_limit: HumanDuration::from_secs(600),
        }
    }
}

/// A whole number, or a template that gives one: `1000` or `"{{ scale.rows }}"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a whole number, or a template that gives one")]
pub enum Count {
    /// The number itself.
    Number(u64),
    /// A template, rendered where the number is needed.
    Template(#[schemars(regex(pattern = r"\{\{"))] String),
}

/// What the databases sync with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`embedded`, `cloudsync`, or one of them with its options")]
#[expect(clippy::large_enum_variant, reason = "there is one in a run")]
pub enum Target {
    /// The target alone, with its defaults.
    Name(TargetName),
    /// The target with options.
    Options(TargetOptions),
}

impl Default for Target {
    fn default() -> Self {
        Self::Name(TargetName::Embedded)
    }
}

/// The kinds of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetName {
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
    /// With `rls`: one token per user, in the order of the users. Default: made with the key of `connection_string` for 24 hours, and revoked after the run.
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

/// The tables of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The tables to sync, in the order of their creation.
    #[schemars(length(min = 1))]
    pub tables: Vec<Table>,
}

/// One synced table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The table's name, unquoted. May be a template: `"{{ table }}"`.
    pub name: String,
    /// Its `CREATE TABLE` statement. `CloudSync` wants a primary key that is not a single integer, and a `DEFAULT` for
    /// every other `NOT NULL` column.
    pub sql: String,
    /// Further statements run after it in every database and on the server, such as `CREATE INDEX`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// Row-level security: who may see and write which row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rls {
    /// How many databases share a user. Default: 1 up to two databases, else 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub databases_per_user: Option<u32>,
    /// The policies of each table, by its name.
    pub policies: BTreeMap<String, Policies>,
}

/// The four policies of a table: boolean SQL expressions. One left out denies the operation to every user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// Which rows a user sees; columns by their bare names: `auth_userid() = user_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// Which rows a user may insert; columns as `NEW.column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert: Option<String>,
    /// Which rows a user may update; columns as `OLD.column` and `NEW.column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// Which rows a user may delete; columns as `OLD.column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
}

impl Policies {
    /// Those that are given, with the operation that each is about.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all =
            [("select", &self.select), ("insert", &self.insert), ("update", &self.update), ("delete", &self.delete)];
        all.into_iter().filter_map(|(operation, policy)| Some((operation, policy.as_ref()?)))
    }
}

/// How sessions (connections) are opened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// How long a connection lives. Default: `per-iteration`.
    pub open: OpenPolicy,
    /// Databases that authenticate wrongly on purpose: `[{databases: [3], use: expired}]`. Their sync calls must fail, which
    /// `expect: {verdict: fail, kinds: [auth]}` or a rule under `errors` makes what the scenario proves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<WrongCredentials>,
    /// Pragmas of every connection, such as `{journal_mode: wal, synchronous: normal}`. Default: WAL and a busy timeout of 5 s.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub pragmas: Map<String, Value>,
}

/// Databases that authenticate wrongly on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongCredentials {
    /// Which databases, counted from 1.
    #[schemars(length(min = 1))]
    pub databases: Vec<u32>,
    /// What they authenticate with.
    #[serde(rename = "use")]
    pub uses: WrongCredential,
}

/// What a database authenticates with that must not be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WrongCredential {
    /// Nothing at all.
    None,
    /// A token or api key that the server does not know.
    Wrong,
    /// Its user's token, long expired. Needs `rls` and an administrator.
    Expired,
}

/// How long a connection lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpenPolicy {
    /// A new connection for every phase, as the seed's bash workers do.
    PerPhase,
    /// A new connection for every iteration.
    #[default]
    PerIteration,
    /// One connection for the whole run.
    PerRun,
}

/// A step: a phase of SQL (`name`, `kind`, `sql`, …), or one of `sync`, `wait` and `admin` alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// The phase's name, unique in the scenario; reports and thresholds use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"), length(max = 80))]
    pub name: Option<String>,
    /// What the totals count the phase's rows as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// One statement, or a list run in order. `{{ … }}` is rendered once per phase and iteration, `:name` is bound per row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<Sql>,
    /// Run the statements once per row, this many rows, `:row` counting from 1. Default: the statements run once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Count>,
    /// Do the whole phase this often per iteration; 0 skips it. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Count>,
    /// Parameters of your own: `bind: {id: "db{{ db }}_{{ row }}"}` gives `:id`. Without it, `:id` is `db<N>_r<I>_<J>`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub bind: Map<String, Value>,
    /// How rows are grouped into transactions: `one` for the whole phase, `each` row its own, or `{batch: 500}`. Default: `one`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Transaction>,
    /// An expression; the step is done where it is true: `db == 1 and iteration > 3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The sync calls after the phase's SQL, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sync: Vec<SyncCall>,
    /// Make all databases start this step's sync calls at the same moment; `{skew: 1ms}` spreads them by that step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier: Option<Barrier>,
    /// Think time before the step: `500ms`, or `{min: 100ms, max: 1s}` for a random one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// How many rows the phase's SQL must change in all, else the step failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_rows: Option<Count>,
    /// The phase's writes are attempts against the policies of `rls`: each is judged by them, what they deny must not
    /// arrive at the server, and the rows it leaves behind here are not compared. Checked by `isolation`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hostile: bool,
    /// The longest the step may take; a statement still running then is interrupted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
    /// Pause this long. A step of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<HumanDuration>,
    /// SQL run on the server by the administrator, once (by database 1, unless `when` says otherwise). A step of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
}

/// What a phase's rows are counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Rows deleted.
    Delete,
    /// Rows inserted.
    Insert,
    /// Rows updated.
    Update,
    /// Rows read.
    Query,
}

impl Kind {
    /// The seed's log word: `deleted`, `inserted`, `updated`, `queried`.
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
    /// Several, run in order.
    Many(Vec<String>),
}

/// How a phase's rows are grouped into transactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transaction {
    /// One transaction for the whole phase.
    #[default]
    One,
    /// One per row.
    Each,
    /// One per this many rows.
    Batch(#[schemars(range(min = 1))] u64),
}

/// A sync call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`send`, `receive`, `check`, `sync`, `{wait: 1s}` or `{receive: {…}}`")]
pub enum SyncCall {
    /// The call with its defaults.
    Name(SyncName),
    /// The call with options.
    Options(SyncOptions),
}

/// The sync calls by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncName {
    /// `cloudsync_network_send_changes()`: push what changed here.
    Send,
    /// `cloudsync_network_receive_changes()`: pull what changed elsewhere.
    Receive,
    /// The seed's word for `receive`; calls the older name `cloudsync_network_check_changes()`.
    Check,
    /// `cloudsync_network_sync()`: both in one call.
    Sync,
}

/// A sync call with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyncOptions {
    /// Pull, repeatedly if asked for.
    Receive(ReceiveOptions),
    /// The seed's word for `receive`.
    Check(ReceiveOptions),
    /// Both in one call.
    Sync(SyncCallOptions),
    /// Pause this long.
    Wait(HumanDuration),
}

/// Options of `receive`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiveOptions {
    /// Call again until `rows` arrived, or until it is `quiet` (two calls in a row without any). Default: one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<ReceiveUntil>,
    /// The most calls made for `until`. Default: 40.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub attempts: Option<u32>,
    /// The pause between two calls. Default: `250ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<HumanDuration>,
    /// The most chunks taken by one call. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_chunks: Option<u32>,
}

/// What ends repeated receiving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiveUntil {
    /// Rows arrived.
    Rows,
    /// Two calls in a row brought none.
    Quiet,
}

/// Options of `sync`, passed to `cloudsync_network_sync(wait, retries)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncCallOptions {
    /// The pause between two tries. Default: `100ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<HumanDuration>,
    /// The most tries. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub retries: Option<u32>,
}

/// A common start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`true`, `false` or `{skew: 1ms}`")]
pub enum Barrier {
    /// All at the same moment, or not.
    Flag(bool),
    /// One after another.
    Skew(Skew),
}

/// A staggered start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skew {
    /// Database N starts (N − 1) times this after the first.
    pub skew: HumanDuration,
}

/// Think time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a duration, or `{min: 100ms, max: 1s}`")]
pub enum Think {
    /// Always this long.
    Fixed(HumanDuration),
    /// Random between the two, from the seed.
    Range(ThinkRange),
}

/// Random think time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThinkRange {
    /// The shortest.
    pub min: HumanDuration,
    /// The longest.
    pub max: HumanDuration,
}

/// Sync rounds after the last iteration, until every database has nothing unsent and two receives brought nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settle {
    /// The most rounds. Default: 10.
    #[schemars(range(min = 0, max = 10_000))]
    pub rounds: u32,
    /// The pause between two rounds. Default: `1s` on `cloudsync`, `10ms` on `embedded`, whose answers are never late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<HumanDuration>,
}

impl Default for Settle {
    fn default() -> Self {
        Self { rounds: 10, wait: None }
    }
}

/// A check at the end of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`converged`, `server`, `isolation`, `bootstrap` or `{query: {…}}`")]
pub enum Check {
    /// A check by name.
    Name(CheckName),
    /// A check with options.
    Options(CheckOptions),
}

/// The checks by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckName {
    /// The same rows with the same content in every database of a user (in all databases without `rls`).
    Converged,
    /// The server's rows are those of the databases.
    Server,
    /// No database holds a row that its user's select policy forbids.
    Isolation,
    /// A new, empty database that syncs from nothing ends up the same.
    Bootstrap,
}

/// A check with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckOptions {
    /// A query whose single value must be the one given.
    Query(Query),
}

/// A query whose single value must be the one given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Where it runs: on the `server`, or on each of the `databases`.
    pub on: QueryOn,
    /// A query that gives one row with one column.
    pub sql: String,
    /// The value it must give: a number, a text, or null. May be a template.
    pub equals: Value,
}

/// Where a query runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueryOn {
    /// On the server, as the administrator.
    Server,
    /// On every local database.
    Databases,
}

/// A limit: `metric[{label="value"}] [statistic] op value`, such as `send.duration p99 < 30s`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a threshold such as `errors.total == 0`, or `{expr: …, severity: warn}`")]
pub enum Threshold {
    /// The expression alone.
    Text(String),
    /// With options.
    Options(ThresholdOptions),
}

/// A threshold with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdOptions {
    /// The expression, such as `check.duration{phase="insert"} p95 < 10s`.
    pub expr: String,
    /// `fail` (default) or `warn`: a broken one is shown and does not fail the run.
    #[serde(default)]
    pub severity: Severity,
    /// End the run early once it is broken beyond repair (`errors` and `findings` only). Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
}

/// How much a broken threshold weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The run fails.
    #[default]
    Fail,
    /// It is shown.
    Warn,
}

/// What to do about a class of failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Which failures; all that is given must fit.
    #[serde(rename = "match")]
    pub matches: ErrorMatch,
    /// What is done, in order.
    #[serde(rename = "do")]
    #[schemars(length(min = 1))]
    pub actions: Vec<ErrorAction>,
}

/// Which failures a rule is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorMatch {
    /// The failure's kind, as reports name it: `locked`, `http`, `network`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<crate::failure::FailureKind>,
    /// On whose side it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<crate::failure::Side>,
    /// The HTTP status, such as 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub http: Option<u16>,
    /// Text that the message contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What is done about a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`count`, `ignore`, `warn`, `fail`, `stop` or `{retry: {times: 3, backoff: 500ms}}`")]
pub enum ErrorAction {
    /// An action by name.
    Name(ErrorActionName),
    /// An action with options.
    Options(ErrorActionOptions),
}

/// Actions by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorActionName {
    /// Counted in `errors.total`; fails the run unless a threshold allows it.
    Count,
    /// Shown apart, not counted.
    Ignore,
    /// Shown as a warning, not counted.
    Warn,
    /// The run fails, whatever the thresholds say.
    Fail,
    /// The run fails and ends early.
    Stop,
}

/// Actions with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorActionOptions {
    /// The call is made again; each try is shown.
    Retry(Retry),
}

/// Trying again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The most further tries.
    #[schemars(range(min = 1, max = 1000))]
    pub times: u32,
    /// The pause before each. Default: `500ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<HumanDuration>,
}

/// What a scenario that is meant to fail must show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The verdict the judging must come to.
    pub verdict: ExpectedVerdict,
    /// Kinds of failures or findings that must appear, as reports name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
}

/// The verdicts that can be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedVerdict {
    /// As every run.
    Pass,
    /// A failure is what the scenario proves.
    Fail,
}

/// Something wrong in a scenario: where (a JSON pointer into the document), what, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The JSON pointer of the value at fault, such as `/phases/0/sql`.
    pub pointer: String,
    /// Whether the key of that value is at fault, not the value.
    pub at_key: bool,
    /// Bytes of the value's text (after unquoting and unfolding) that are at fault; all of it when absent.
    pub range: Option<std::ops::Range<usize>>,
    /// A stable code, such as `scenario::unknown_key`.
    pub code: &'static str,
    /// What is wrong: a lower-case fragment that names the thing.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Whether the run can go on all the same.
    pub warning: bool,
}

impl Issue {
    /// An error about the value at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            at_key: false,
            range: None,
            code,
            message: message.into(),
            help: None,
            warning: false,
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Points at the key, not the value.
    #[must_use]
    pub fn at_key(mut self) -> Self {
        self.at_key = true;
        self
    }

    /// Points at a part of the value's text.
    #[must_use]
    pub fn range(mut self, range: Option<std::ops::Range<usize>>) -> Self {
        self.range = range;
        self
    }

    /// Makes it a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.warning = true;
        self
    }
}
