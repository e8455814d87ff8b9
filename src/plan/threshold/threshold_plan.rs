//! A threshold, decided.

use super::comparison::{Operator, Statistic};
use super::label::Labels;
use super::limit::Limit;
use super::metric::Metric;
use crate::scenario::Severity;

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
    /// What happens if the limit is not met.
    pub severity: Severity,
    /// Whether the run ends early once it is broken beyond repair.
    pub abort: bool,
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
