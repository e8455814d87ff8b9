//! Thresholds: `metric[{label="value"}] [statistic] op value`, parsed into a limit that `analysis` can compare.

use crate::scenario::Severity;

/// A limit on what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdPlan {
    /// The expression as written.
    pub text: String,
    /// How much a broken one weighs.
    pub severity: Severity,
    /// Whether the run ends early once it is broken beyond repair.
    pub abort: bool,
}
