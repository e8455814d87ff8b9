//! The scenario as written: the types of the YAML file. Their doc comments are the texts of the JSON schema and of
//! the editor's hover help, so they are written for authors. Nothing here knows where a value stands in a file
//! (`source.rs` does) or what it means for a run (`plan/` does).

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
    Barrier, Kind, ReceiveOptions, ReceiveUntil, Skew, Sql, Step, SyncCall, SyncCallOptions, SyncName, SyncOptions,
    Think, ThinkRange, Transaction,
};
pub use target::{
    Cleanup, CloudsyncOptions, EmbeddedOptions, Fault, FaultKind, JournalMode, Target, TargetKind, TargetOptions,
};

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
    /// After the last iteration: sync rounds until every database is quiet; none where no step asks for a sync call.
    #[serde(default)]
    pub settle: Settle,
    /// What is checked at the end, on the data themselves. Default: `[converged, server]`, and `isolation` with `rls`;
    /// nothing where no step asks for a sync call.
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
    /// How often each database starts an iteration: `2/s`, `30/m`. Iterations then begin by the clock and not when the one
    /// before is done; reports say how late they began, and latencies also count from when they should have. Default: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Databases start one after another, spread evenly over this time: `30s`. Default: all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ramp_up: Option<HumanDuration>,
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

    /// All four, with the operation that each is about.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Option<String>)> {
        let Self { select, insert, update, delete } = self;
        [("select", select), ("insert", insert), ("update", update), ("delete", delete)].into_iter()
    }
}

/// How sessions (connections) are opened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// How long a connection lives. Default: `per-iteration`.
    pub open: OpenPolicy,
    /// Whether the databases go on where the last run of this scenario left them, in `runs/<scenario>/databases`, instead of
    /// being made anew: no new devices (site ids) appear, and the rows of earlier runs are still there, on the server as
    /// well (the hub of the embedded target is kept beside them). Phases must live with those rows: one that inserts the
    /// same ids again needs a delete before it. Not with `provision: true`, `cleanup: drop` or a hostile phase, which
    /// take rows from one side only: `stress provision` prepares the server once, `stress cleanup` forgets the devices
    /// and removes the databases. `bootstrap` makes a new device of each user all the same. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reuse: bool,
    /// Databases that authenticate wrongly on purpose: `[{databases: [3], use: expired}]`. Their sync calls must fail, which
    /// `expect: {verdict: fail, kinds: [auth]}` or a rule under `errors` makes what the scenario proves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<WrongCredentials>,
    /// Pragmas of every connection, such as `{journal_mode: wal, synchronous: normal}`. Default: these two, a busy timeout of
    /// 5 s, and `temp_store: memory`; with the extension `temp_store: file` where several statements of a phase share a
    /// transaction, since in memory the time of one that changes many rows would grow with their square.
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
