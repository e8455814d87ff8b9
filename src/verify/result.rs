//! What came of a check. It must not know what a finding means for the verdict.

use super::TracedRow;
use crate::plan::{CheckKind, CheckPlan, Question};

/// The result of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// The check.
    pub check: CheckKind,
    /// Where it stands in the scenario; none for one that its author did not write.
    pub pointer: Option<String>,
    /// The check's name in reports; for a `query`, with the SQL.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
    /// Remarks for the reader, whatever the outcome.
    pub notes: Vec<String>,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The value meets the limit.
    Passed,
    /// The value does not meet the limit.
    Failed(Vec<Finding>),
    /// The check could not be made, for this reason.
    NotChecked(String),
}

/// One violation of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The violation in words, with the table, the user, the databases and the numbers.
    pub message: String,
    /// The number of rows concerned; 0 if the finding is not about rows or they were not counted.
    pub total: u64,
    /// Sentences about what happened to these rows.
    pub fates: Vec<String>,
    /// Some of these rows.
    pub rows: Vec<TracedRow>,
}

impl CheckResult {
    pub(super) fn new(check: &CheckPlan, outcome: Outcome) -> Self {
        Self { check: check.kind(), pointer: check.pointer.clone(), name: title(check), outcome, notes: Vec::new() }
    }

    /// One that its author did not write.
    pub(super) fn of_files(check: CheckKind) -> Self {
        Self { check, pointer: None, name: check.to_string(), outcome: Outcome::Passed, notes: Vec::new() }
    }

    /// Sets the outcome: findings fail the check; without findings, a part that could not be examined leaves it open.
    pub(super) fn conclude(&mut self, findings: Vec<Finding>, open: Option<String>) {
        self.outcome = match (findings.is_empty(), open) {
            (true, None) => Outcome::Passed,
            (true, Some(reason)) => Outcome::NotChecked(reason),
            (false, open) => {
                self.notes.extend(open);
                Outcome::Failed(findings)
            }
        };
    }

    /// The findings; empty if the check passed or was not made.
    pub fn findings(&self) -> &[Finding] {
        match &self.outcome {
            Outcome::Failed(findings) => findings,
            Outcome::Passed | Outcome::NotChecked(_) => &[],
        }
    }
}

impl Finding {
    pub(super) fn new(message: String) -> Self {
        Self { message, total: 0, fates: Vec::new(), rows: Vec::new() }
    }
}

/// What reports call a check.
fn title(check: &CheckPlan) -> String {
    match &check.question {
        Question::Named(name) => CheckKind::from(*name).to_string(),
        Question::Query { sql, .. } => format!("query {}", sql.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}
