//! The scenario as written: the types of the YAML file. Their doc comments become the descriptions in the JSON schema
//! and in editor hovers, so they are written for authors of scenarios. Nothing here knows where a value stands in a
//! file (`source` does) or what it means for a run (`plan` does).

mod count;
mod duration;
mod issue;
mod judging;
mod rate;
pub mod schema;
mod step;
mod target;

pub use crate::source::join;
pub use count::Count;
pub use duration::HumanDuration;
pub use issue::Issue;
pub use judging::{
    Check, CheckName, CheckOptions, ErrorAction, ErrorActionName, ErrorActionOptions, ErrorMatch, ErrorRule, Expect,
    ExpectedVerdict, Query, QueryOn, Retry, Settle, Severity, Threshold, ThresholdOptions,
};
pub use rate::Rate;
pub use step::{
    Barrier, Crash, CrashAt, Kind, ReceiveOptions, ReceiveUntil, Skew, Sql, Step, SyncCall, SyncCallOptions, SyncName,
    SyncOptions, Think, ThinkRange, Transaction, UntilName, UntilQuery,
};
pub use target::{
    Cleanup, CloudsyncOptions, Denied, DriverOptions, DriverReady, DriverServer, EmbeddedOptions, Fault, FaultKind,
    JournalMode, Target, TargetKind, TargetOptions, TursoOptions,
};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A load test for database sync: the tables, the phases of SQL, the scale, the target, and the conditions under which
/// the run passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "stress scenario, version 1")]
pub struct Scenario {
    /// The version of the scenario format. Always `1`.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The scenario's name: letters, digits, `-` and `_`. Run directories and reports are named after it.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"), length(max = 80))]
    pub name: String,
    /// One line about what the scenario tests. `stress list` shows it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Your own template variables. With `vars: {table: notes}`, `{{ table }}` becomes `notes`.
    /// `--var table=x`, `--vars-file f.yaml` and the environment (`STRESS_VAR_TABLE=x`) override them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vars: Map<String, Value>,
    /// The amount of load: databases, iterations, rows, and the time limit of the run.
    #[serde(default)]
    pub scale: Scale,
    /// Named sets of overrides, merged into this file key by key. `profiles: {small: {scale: {rows: 1000}}}` defines one,
    /// and `--profile small` selects it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Map<String, Value>>,
    /// Runs the scenario once for each combination of values. Each key is a template variable:
    /// `matrix: {journal: [wal, delete]}` runs it twice, with `{{ journal }}` set to `wal` and then to `delete`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub matrix: BTreeMap<String, Vec<Value>>,
    /// The seed of all generated values. The same file with the same seed generates the same data on every machine.
    /// Default: random; `stress run` prints it at the start and at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub seed: Option<u64>,
    /// The server that the databases sync with: `embedded` (a hub that `stress` starts on loopback; nothing to install)
    /// or `{cloudsync: {…}}` (the `CloudSync` extension and an `SQLiteCloud` project). Default: `embedded`.
    #[serde(default)]
    pub target: Target,
    /// The tables that exist in every database and on the server.
    pub schema: Schema,
    /// Row-level security: users, and policies for the rows they may read and write. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rls: Option<Rls>,
    /// How the databases are opened: how long a connection lives, its pragmas, its credentials.
    #[serde(default)]
    pub session: Session,
    /// Steps that every database runs once, before its first iteration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<Step>,
    /// The steps of one iteration. Every database runs them in this order.
    #[schemars(length(min = 1))]
    pub phases: Vec<Step>,
    /// Steps that every database runs once, after its last iteration and before settling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<Step>,
    /// Sync rounds after the last iteration, until no database has anything left to send or to receive. Skipped if no
    /// step makes a sync call.
    #[serde(default)]
    pub settle: Settle,
    /// Checks of the data at the end of the run. Default: `[written, converged, server]`, plus `isolation` with `rls`; no
    /// checks if no step makes a sync call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Vec<Check>>,
    /// Limits for metrics, such as `send.duration p99 < 5s`. Three limits always apply: no errors, every database
    /// completes, and `verify` has no findings. `stress help metrics` lists the metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// Rules for failures: ignore them, retry the call, stop the run, and so on. The first rule that matches a failure
    /// applies. Default: every failure is counted in `errors.total`, and one is enough to fail the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ErrorRule>,
    /// The failure that this scenario provokes on purpose. The run passes only if it fails in this way:
    /// `expect: {verdict: fail, kinds: [auth]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

impl Scenario {
    /// The scenario as YAML. Loading this YAML gives the same scenario again.
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

/// The amount of load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scale {
    /// The number of databases that write and sync at the same time, each on its own thread. Default: 2.
    pub databases: Count,
    /// The number of times each database runs `phases`. Default: 1.
    pub iterations: Count,
    /// The rate at which each database starts iterations, such as `2/s` or `30/m`. Iterations then start on schedule,
    /// however long the one before took. Reports show how late they started, and also measure latencies from the
    /// scheduled start. Default: the next iteration starts as soon as the one before is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Spreads the starts of the databases evenly over this time, such as `30s`. Default: all start at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_up: Option<HumanDuration>,
    /// A number of rows, for use in phases as `{{ scale.rows }}`. Default: 1000.
    pub rows: Count,
    /// The maximum duration of the whole run, settling included. If it cuts the run short, the verdict is UNKNOWN.
    /// Default: `10m`.
    pub time_limit: HumanDuration,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            databases: Count::Number(2),
            iterations: Count::Number(1),
            rows: Count::Number(1000),
            rate: None,
            ramp_up: None,
            time_limit: HumanDuration::from_secs(600),
        }
    }
}

/// The tables of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The tables to sync, in the order in which they are created.
    #[schemars(length(min = 1))]
    pub tables: Vec<Table>,
}

/// One synced table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The table's name, without SQL quotes. May be a template: `"{{ table }}"`.
    pub name: String,
    /// The table's `CREATE TABLE` statement. `CloudSync` requires a primary key that is not a single integer column, and
    /// a `DEFAULT` for every other `NOT NULL` column.
    pub sql: String,
    /// More statements, such as `CREATE INDEX`. They run after `sql`, in every database and on the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The rows that take part in sync, as an SQL expression over the row's own columns: `filter: "kind = 'shared'"`. The
    /// other rows stay in the database that wrote them, and `verify` does not look for them elsewhere. `CloudSync` asks the
    /// expression when a row is written: an insertion or an update is sent if the row matches after it, a deletion if it
    /// matched before. So a row that leaves the filter stays in the other databases as it was, and a row that enters it
    /// arrives there with its changed columns only: keep rows on one side of it. Write columns as they are declared,
    /// without quotes and prefixes. Default: every row takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How the table is merged: `cls` or `gos`. `algo: gos` is a set that only grows: an `UPDATE` or `DELETE` fails, so a
    /// phase that makes one is refused, unless the scenario says that it expects the failure. Default: `cls`.
    #[serde(default, skip_serializing_if = "Algorithm::is_default")]
    pub algo: Algorithm,
    /// Columns that are not merged as a whole: `columns: {body: block}`. Default: each column is that of its last writer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnMerge>,
}

/// How a column is merged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`block`, or `{block: {delimiter: …}}`")]
pub enum ColumnMerge {
    /// With its defaults.
    Name(ColumnAlgorithm),
    /// With options.
    Options(ColumnOptions),
}

/// The ways in which a column is merged that is not merged as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnAlgorithm {
    /// A text is merged line by line: databases that edit different lines keep both edits. Of two that edit the same line,
    /// the last writer wins.
    Block,
}

/// A way in which a column is merged, with its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnOptions {
    /// A text is merged block by block.
    Block(BlockOptions),
}

/// Options of a text that is merged block by block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BlockOptions {
    /// The text between two blocks: `"\n\n"` for paragraphs. Default: the end of a line, `"\n"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
}

impl ColumnMerge {
    /// What stands between two blocks, if the scenario says so.
    pub fn delimiter(&self) -> Option<&str> {
        match self {
            Self::Name(ColumnAlgorithm::Block) => None,
            Self::Options(ColumnOptions::Block(options)) => options.delimiter.as_deref(),
        }
    }
}

/// How a table is merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// The last writer wins, column by column; a deletion wins over an update.
    #[default]
    Cls,
    /// A set that only grows: rows are inserted, and never updated or deleted.
    Gos,
}

impl Algorithm {
    /// The name by which `cloudsync_init` knows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Gos => "gos",
        }
    }

    /// Whether it is what a table has that says nothing.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Row-level security: the rows that each user may read and write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rls {
    /// The number of databases that belong to one user. Default: 1 if the scenario has one or two databases, otherwise 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub databases_per_user: Option<u32>,
    /// The policies of each table, by table name.
    pub policies: BTreeMap<String, Policies>,
}

/// The policies of a table: one boolean SQL expression per operation. An operation without a policy is denied to every
/// user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// The rows a user may read: `auth_userid() = user_id`. Columns are written without a prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// The rows a user may insert: `auth_userid() = NEW.user_id`. Columns are written as `NEW.column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert: Option<String>,
    /// The rows a user may update: `auth_userid() = OLD.user_id`. `OLD.column` is the value before the update,
    /// `NEW.column` the value after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// The rows a user may delete: `auth_userid() = OLD.user_id`. Columns are written as `OLD.column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
}

impl Policies {
    /// The policies that are present, each with its operation.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all =
            [("select", &self.select), ("insert", &self.insert), ("update", &self.update), ("delete", &self.delete)];
        all.into_iter().filter_map(|(operation, policy)| Some((operation, policy.as_ref()?)))
    }

    /// All four, with the operation that each is about.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Option<String>)> {
        let Self { select, insert, update, delete } = self;
        [("select", select), ("insert", insert), ("update", update), ("delete", delete)].into_iter()
    }
}

/// How the databases are opened. A session is one connection to a database.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// How long a connection stays open: `per-phase`, `per-iteration` or `per-run`. Default: `per-iteration`.
    pub open: OpenPolicy,
    /// Continue with the databases of the scenario's previous run instead of creating new ones. The databases stay in
    /// `runs/<scenario>/databases`, so no new devices (site ids) are registered, and the rows of earlier runs are still
    /// there, also on the server. A phase that inserts the same ids again must delete them first. Cannot be
    /// combined with `provision: true`, `cleanup: drop` or a hostile phase. Run `stress provision` once to prepare the
    /// server; `stress cleanup` removes the devices and the databases. The `bootstrap` check still creates a new device
    /// for each user. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reuse: bool,
    /// Databases that authenticate with wrong credentials on purpose: `[{databases: [3], use: expired}]`. The server must
    /// refuse their sync calls. These failures fail the run unless the scenario has `expect: {verdict: fail, kinds:
    /// [auth]}` or a rule for them under `errors`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<WrongCredentials>,
    /// Pragmas that every connection sets, such as `{journal_mode: wal, synchronous: normal}`. Default: these two,
    /// `busy_timeout: 5000` (milliseconds), `foreign_keys: off` and `temp_store: memory`. On `cloudsync`, `temp_store`
    /// defaults to `file` if several statements of a phase share a transaction: in memory, a statement that changes many
    /// rows takes time quadratic in the number of rows.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub pragmas: Map<String, Value>,
}

/// Databases that authenticate with wrong credentials on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrongCredentials {
    /// The databases, numbered from 1: `[3]`.
    #[schemars(length(min = 1))]
    pub databases: Vec<u32>,
    /// The credentials they use: `none`, `wrong` or `expired`.
    #[serde(rename = "use")]
    pub uses: WrongCredential,
}

/// Credentials that the server must refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WrongCredential {
    /// No token and no API key.
    None,
    /// A token or API key that the server does not know.
    Wrong,
    /// An expired token of the database's user. Needs `rls`, and on `cloudsync` a `connection_string` with an
    /// administrator's API key.
    Expired,
}

/// How long a connection stays open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OpenPolicy {
    /// A new connection for every phase, as in the original shell script.
    PerPhase,
    /// A new connection for every iteration.
    #[default]
    PerIteration,
    /// One connection for the whole run.
    PerRun,
}
