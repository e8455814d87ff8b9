//! What changed between two series of runs. It must not know how that is found out, or told.

use super::ErrorName;
use crate::analysis::Verdict;
use crate::record::StepKind;
use crate::statistics::RankTest;

/// What changed from the first to the second.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Whether the two are of the same scenario and scale; what is not the same, in words.
    pub notes: Vec<String>,
    /// The verdicts.
    pub verdicts: VerdictChange,
    /// Latencies by step.
    pub steps: Vec<StepChange>,
    /// Statements and sync calls that failed.
    pub errors: ShareChange,
    /// Kinds of errors and findings that only the second has.
    pub new_errors: Vec<ErrorName>,
    /// Kinds of errors and findings that only the first has.
    pub gone_errors: Vec<ErrorName>,
    /// Rows changed per second, the median of the runs.
    pub rows_per_second: [Option<f64>; 2],
    /// How long a run took in microseconds, the median of the runs.
    pub duration: [Option<f64>; 2],
    /// What got worse beyond chance and bound, in words; empty when nothing did.
    pub regressions: Vec<String>,
}

/// The verdicts of both.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictChange {
    /// The worst verdict of each.
    pub worst: [Verdict; 2],
    /// Runs that failed.
    pub failed: ShareChange,
}

/// How often something happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareChange {
    /// Hits and trials of the first.
    pub first: (u64, u64),
    /// Hits and trials of the second.
    pub second: (u64, u64),
    /// The probability of so different shares by chance.
    pub p: f64,
}

/// The latencies of one kind of step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepChange {
    /// The step.
    pub step: StepKind,
    /// How many were measured.
    pub counts: [usize; 2],
    /// Whether the second's are shifted; nothing where one has none.
    pub shift: Option<RankTest>,
    /// Quantile by quantile.
    pub quantiles: Vec<QuantileChange>,
}

/// One quantile of a step's latencies.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantileChange {
    /// `p50`, `p95`, `p99`.
    pub name: &'static str,
    /// In microseconds, the median of the runs where runs are compared.
    pub values: [f64; 2],
    /// The probability of so different quantiles by chance.
    pub p: f64,
    /// Whether it is significantly worse, by more than the bound.
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
