//! What must hold, as written: settling, checks, thresholds, rules for errors, and what is expected to fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HumanDuration;
use crate::failure::{FailureKind, Side};

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
    pub kind: Option<FailureKind>,
    /// On whose side it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
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
