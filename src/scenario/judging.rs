//! The conditions for a verdict, as written: settling, checks, thresholds, rules for errors, expected failures.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HumanDuration;
use crate::failure::{FailureKind, Side};

/// Sync rounds after the last iteration. They end when every database has sent everything and two receives in a row
/// brought no rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settle {
    /// The maximum number of rounds. 0 skips settling. Default: 10.
    #[schemars(range(min = 0, max = 10_000))]
    pub rounds: u32,
    /// The pause between two rounds. Default: `1s` on `cloudsync`, `10ms` on `embedded`.
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
#[serde(untagged, expecting = "`written`, `converged`, `server`, `isolation`, `bootstrap` or `{query: {…}}`")]
pub enum Check {
    /// A check without options.
    Name(CheckName),
    /// A check with options.
    Options(CheckOptions),
}

/// The checks without options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckName {
    /// All databases of a user hold the same rows with the same content. Without `rls`, all databases do.
    Converged,
    /// The server holds the same rows as the databases.
    Server,
    /// No database holds a row that its user's select policy forbids.
    Isolation,
    /// A new, empty database receives the same rows when it syncs for the first time.
    Bootstrap,
    /// Every row is what a database last wrote there: none is lost, changed or made up.
    Written,
}

/// A check with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckOptions {
    /// Runs a query and compares its result with an expected value.
    Query(Query),
}

/// A query and the value it must return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Where the query runs: on the `server`, or on each of the `databases`.
    pub on: QueryOn,
    /// A query that returns one row with one column.
    pub sql: String,
    /// The value that the query must return: a number, a text or null. May be a template. Numbers are compared by
    /// their exact values: `1` equals `1.0`, and `0.1 + 0.2` does not equal `0.3`. A query without a row returns null; one
    /// with several rows fails the check. A blob is the text of its hex digits, an infinity the text `inf` or `-inf`.
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

/// A limit for a metric: `metric[{label="value"}] [statistic] operator value`, such as `send.duration p99 < 30s`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a threshold such as `errors.total == 0`, or `{expr: …, severity: warn}`")]
pub enum Threshold {
    /// The limit without options.
    Text(String),
    /// The limit with options.
    Options(ThresholdOptions),
}

/// A limit with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThresholdOptions {
    /// The limit, such as `check.duration{phase="insert"} p95 < 10s`.
    pub expr: String,
    /// What happens if the limit is not met: `fail` fails the run, `warn` only reports it. Default: `fail`.
    #[serde(default)]
    pub severity: Severity,
    /// End the run as soon as the limit can no longer be met. Only for limits of `errors` and `findings`, which never
    /// decrease. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
}

/// What happens if a limit is not met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The run fails.
    #[default]
    Fail,
    /// The report shows a warning, and the run can still pass.
    Warn,
}

/// A rule for a class of failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The failures that the rule applies to. A failure must match every key given here.
    #[serde(rename = "match")]
    pub matches: ErrorMatch,
    /// The actions for these failures, in order: `[{retry: {times: 3}}, count]`.
    #[serde(rename = "do")]
    #[schemars(length(min = 1))]
    pub actions: Vec<ErrorAction>,
}

/// The failures that a rule applies to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorMatch {
    /// The kind of failure, such as `locked`, `http` or `network`. `stress help failures` lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// The side on which the failure happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// The HTTP status code, such as 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub http: Option<u16>,
    /// A text that the error message must contain, such as `paused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An action for a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`count`, `ignore`, `warn`, `fail`, `stop` or `{retry: {times: 3, backoff: 500ms}}`")]
pub enum ErrorAction {
    /// An action without options.
    Name(ErrorActionName),
    /// An action with options.
    Options(ErrorActionOptions),
}

/// The actions without options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorActionName {
    /// Counts the failure in `errors.total`. It fails the run unless a threshold allows it.
    Count,
    /// Does not count the failure. Reports list it separately.
    Ignore,
    /// Does not count the failure. Reports show it as a warning.
    Warn,
    /// Fails the run, whatever the thresholds allow.
    Fail,
    /// Fails the run and ends it at once.
    Stop,
}

/// The actions with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ErrorActionOptions {
    /// Repeats the call. Reports show every attempt.
    Retry(Retry),
}

/// How a call is repeated after a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The maximum number of retries after the first attempt.
    #[schemars(range(min = 1, max = 1000))]
    pub times: u32,
    /// The pause before each retry. Default: `500ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<HumanDuration>,
}

/// The outcome of a scenario that fails on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The verdict that the run must reach: `pass` or `fail`.
    pub verdict: ExpectedVerdict,
    /// The kinds of failures and findings that must occur, as reports name them: `[auth]`. `stress help failures` and
    /// `stress help findings` list them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
}

/// The verdicts that a scenario can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExpectedVerdict {
    /// The run must pass, as every run without `expect` must.
    Pass,
    /// The run must fail. If it does, `stress` reports PASS.
    Fail,
}
