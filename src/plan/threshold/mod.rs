//! Thresholds: `metric[{label="value", …}] [statistic] op value`, parsed into a limit that `analysis` can compare.
//! It must not know what was measured.

mod label;
mod limit;
mod metric;
mod parse;

pub use label::{Label, Labels};
pub use limit::{Limit, Unit};
pub use metric::{Description, Metric};
pub use parse::{ThresholdProblem, parse};

use std::fmt;

use schemars::JsonSchema;

use crate::failure::Side;
use crate::scenario::{CheckName, Severity, Threshold};

/// A limit on what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdPlan {
    /// The expression as written.
    pub text: String,
    /// What is measured.
    pub metric: Metric,
    /// What of it.
    pub labels: Labels,
    /// Which of many durations; only and always with durations of calls and phases.
    pub statistic: Option<Statistic>,
    /// How it is compared.
    pub op: Operator,
    /// With what.
    pub value: Limit,
    /// How much a broken one weighs.
    pub severity: Severity,
    /// Whether the run ends early once it is broken beyond repair.
    pub abort: bool,
    /// Whether it is always on, not written by the scenario's author.
    pub built_in: bool,
}

/// The names of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub enum CheckKind {
    /// The databases of a user hold the same.
    Converged,
    /// The server holds what the databases hold.
    Server,
    /// No database holds what its user must not see.
    Isolation,
    /// A new database ends up the same.
    Bootstrap,
    /// A query gives its value.
    Query,
    /// Every database file is sound. Not asked for by name: done whenever the data are looked at.
    Integrity,
}

impl CheckKind {
    /// Whom findings speak against. Data that are not what every call acknowledged: a damaged file is the client's,
    /// everything else was vouched for by the server.
    pub const fn side(self) -> Side {
        match self {
            Self::Integrity => Side::Client,
            Self::Converged | Self::Server | Self::Isolation | Self::Bootstrap | Self::Query => Side::Server,
        }
    }
}

/// Which of many durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// `pNN`: the duration that so many percent do not exceed.
    Percentile(f64),
    /// The shortest.
    Min,
    /// The longest.
    Max,
    /// The mean.
    Mean,
}

/// How a measured value is compared with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// The thresholds that are always on: no errors, every database completed, no findings.
pub fn built_in() -> Vec<ThresholdPlan> {
    let always = |text: &str, metric, value| ThresholdPlan {
        text: text.to_owned(),
        metric,
        labels: Labels::default(),
        statistic: None,
        op: Operator::Equal,
        value,
        severity: Severity::Fail,
        abort: false,
        built_in: true,
    };
    vec![
        always("errors.total == 0", Metric::ErrorsTotal, Limit::Number(0.0)),
        always("databases.completed == all", Metric::DatabasesCompleted, Limit::All),
        always("findings.total == 0", Metric::FindingsTotal, Limit::Number(0.0)),
    ]
}

/// The scenario's own thresholds behind the built-in ones that none of them replaces: one does by being about the
/// same metric without labels.
pub fn with_built_in(own: Vec<ThresholdPlan>) -> Vec<ThresholdPlan> {
    let mut all = built_in();
    all.retain(|always| !own.iter().any(|one| one.metric == always.metric && one.labels == Labels::default()));
    all.extend(own);
    all
}

impl ThresholdPlan {
    /// A threshold of a scenario, with its options; phases and databases as [`parse`] takes them.
    pub fn of(threshold: &Threshold, phases: &[String], databases: u32) -> Result<Self, ThresholdProblem> {
        match threshold {
            Threshold::Text(text) => parse(text, phases, databases),
            Threshold::Options(options) => {
                let plan = parse(&options.expr, phases, databases)?;
                if options.abort && !plan.metric.unit().only_grows() {
                    return Err(ThresholdProblem {
                        range: 0..options.expr.len(),
                        message: format!("`abort` does not work with `{}`, which can still get better", plan.metric),
                        help: Some("use `abort` with `errors` and `findings`, which only grow".to_owned()),
                    });
                }
                Ok(Self { severity: options.severity, abort: options.abort, ..plan })
            }
        }
    }
}

impl ThresholdPlan {
    /// Whether a number that only grows has broken it for good.
    pub fn is_lost_at(&self, number: u64) -> bool {
        let limit = match self.value {
            Limit::Number(limit) => limit,
            Limit::Duration(_) | Limit::BytesPerSecond(_) | Limit::All => return false,
        };
        match self.op {
            Operator::Less => number as f64 >= limit,
            Operator::LessOrEqual | Operator::Equal => number as f64 > limit,
            Operator::Greater | Operator::GreaterOrEqual | Operator::NotEqual => false,
        }
    }
}

impl CheckKind {
    /// All names of findings, in the order of their declaration.
    pub const ALL: [Self; 6] =
        [Self::Converged, Self::Server, Self::Isolation, Self::Bootstrap, Self::Query, Self::Integrity];

    /// Its name in scenarios and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Server => "server",
            Self::Isolation => "isolation",
            Self::Bootstrap => "bootstrap",
            Self::Query => "query",
            Self::Integrity => "integrity",
        }
    }
}

impl From<CheckName> for CheckKind {
    fn from(name: CheckName) -> Self {
        match name {
            CheckName::Converged => Self::Converged,
            CheckName::Server => Self::Server,
            CheckName::Isolation => Self::Isolation,
            CheckName::Bootstrap => Self::Bootstrap,
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Operator {
    /// Whether the measured value and the limit stand in this relation.
    pub fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::Less => measured < limit,
            Self::LessOrEqual => measured <= limit,
            Self::Greater => measured > limit,
            Self::GreaterOrEqual => measured >= limit,
            Self::Equal => (measured - limit).abs() < f64::EPSILON,
            Self::NotEqual => (measured - limit).abs() >= f64::EPSILON,
        }
    }
}
