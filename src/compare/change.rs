//! What changed between two series of runs. It must not know how that is found out, or told.

use super::ErrorName;
use crate::analysis::Verdict;
use crate::record::StepKind;
use crate::statistics::RankTest;

/// The changes from the first side to the second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    /// Sentences about differences in scenario, scale, target or machine, which make a comparison less meaningful.
    pub notes: Vec<String>,
    /// The verdicts.
    pub verdicts: VerdictChange,
    /// Latencies by step.
    pub steps: Vec<StepChange>,
    /// Statements and sync calls that failed.
    pub errors: ShareChange,
    /// Kinds of errors and findings that only the second side has.
    pub new_errors: Vec<ErrorName>,
    /// Kinds of errors and findings that only the first side has.
    pub gone_errors: Vec<ErrorName>,
    /// Rows changed per second: the median of the runs.
    pub rows_per_second: [Option<f64>; 2],
    /// The duration of a run, in microseconds: the median of the runs.
    pub duration: [Option<f64>; 2],
    /// Sentences about the regressions; empty if there are none.
    pub regressions: Vec<String>,
}

/// The verdicts of both sides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VerdictChange {
    /// The worst verdict of each side.
    pub worst: [Verdict; 2],
    /// The share of runs that failed.
    pub failed: ShareChange,
}

/// The share of runs or calls in which something happened, on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShareChange {
    /// Hits and trials of the first side.
    pub first: (u64, u64),
    /// Hits and trials of the second side.
    pub second: (u64, u64),
    /// The p-value: the probability of such a difference by chance alone.
    pub p: f64,
}

/// The latencies of one kind of step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepChange {
    /// The step.
    pub step: StepKind,
    /// The number of measured steps on each side.
    pub counts: [usize; 2],
    /// The shift of the second side against the first; `None` if a side has no such steps.
    pub shift: Option<RankTest>,
    /// The changes of the percentiles.
    pub quantiles: Vec<QuantileChange>,
}

/// The change of one percentile of a step's latencies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QuantileChange {
    /// `p50`, `p95`, `p99`.
    pub name: &'static str,
    /// Both values, in microseconds; medians of the runs if runs are compared.
    pub values: [f64; 2],
    /// The p-value: the probability of such a difference by chance alone.
    pub p: f64,
    /// Whether the second side is significantly worse, by more than the bound.
    pub is_regression: bool,
}

impl ShareChange {
    pub(super) fn first_share(&self) -> f64 {
        self.first.0 as f64 / self.first.1.max(1) as f64
    }

    pub(super) fn second_share(&self) -> f64 {
        self.second.0 as f64 / self.second.1.max(1) as f64
    }
}
