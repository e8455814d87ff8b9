//! Steps as written: phases of SQL, sync calls, barriers, think time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Count, HumanDuration, Rate};

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
    /// How often the phase starts while it is repeated: `5/s`, `30/m`, by the clock and for each database. Needs `repeat`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
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
    /// One per this many rows: `{batch: 500}`.
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
