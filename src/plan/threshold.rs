//! Thresholds (placeholder until merge)
use crate::scenario::Severity;
use std::ops::Range;
/// A limit
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdPlan {
    /// text
    pub text: String,
}
/// p
pub struct ThresholdProblem {
    /// r
    pub range: Range<usize>,
    /// m
    pub message: String,
    /// h
    pub help: String,
}
/// parse
pub fn parse(text: &str, _: &[String], _: u32, _: Severity, _: bool) -> Result<ThresholdPlan, ThresholdProblem> {
    Ok(ThresholdPlan { text: text.to_owned() })
}
/// b
pub fn with_built_in(p: Vec<ThresholdPlan>) -> Vec<ThresholdPlan> {
    p
}
