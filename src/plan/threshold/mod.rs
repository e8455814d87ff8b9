//! Thresholds: `metric[{label="value", …}] [statistic] op value`, parsed into a limit that `analysis` can compare.
//! It must not know what was measured.

mod label;
mod limit;
mod metric;
mod parse;

pub use label::{Label, Labels};
pub use limit::Limit;
pub use metric::{Description, Metric, Unit};
pub use parse::ThresholdProblem;

use crate::scenario::{Severity, Threshold};

/// A limit on what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdPlan {
    /// Where it stands in the scenario, such as `/thresholds/2`; none for one that is always on.
    pub pointer: Option<String>,
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
        pointer: None,
        text: text.to_owned(),
        metric,
        labels: Labels::default(),
        statistic: None,
        op: Operator::Equal,
        value,
        severity: Severity::Fail,
        abort: false,
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
    /// The threshold that stands at `pointer` in a scenario. `phases` are the names that the label `phase` can have
    /// besides `settle`, `databases` how many databases the label `database` can name.
    pub fn new(
        pointer: &str,
        threshold: &Threshold,
        phases: &[String],
        databases: u32,
    ) -> Result<Self, ThresholdProblem> {
        match threshold {
            Threshold::Text(text) => parse::parse(pointer, text, phases, databases),
            Threshold::Options(options) => {
                let plan = parse::parse(pointer, &options.expr, phases, databases)?;
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
