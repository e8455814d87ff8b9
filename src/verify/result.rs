//! What came of a check. It must not know what a finding means for the verdict.

use super::TracedRow;
use crate::plan::{CheckKind, CheckPlan, Question};

/// What came of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// The check.
    pub check: CheckKind,
    /// Where it stands in the scenario; none for one that its author did not write.
    pub pointer: Option<String>,
    /// What reports call it: the check's name, and the query of a `query`.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What a reader should know about it whatever came of it.
    pub notes: Vec<String>,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed(Vec<Finding>),
    /// It could not be done, and why.
    NotChecked(String),
}

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What it is, with table, user, databases and numbers.
    pub message: String,
    /// How many rows it is about, when it is about rows and they were counted.
    pub total: u64,
    /// What became of them, in words.
    pub fates: Vec<String>,
    /// Some of them.
    pub rows: Vec<TracedRow>,
}

impl CheckResult {
    pub(super) fn new(check: &CheckPlan, outcome: Outcome) -> Self {
        Self { check: check.kind(), pointer: check.pointer.clone(), name: title(check), outcome, notes: Vec::new() }
    }

    /// Findings fail a check; without any, a part that could not be looked at leaves it open.
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

    /// Its findings; none when it holds or was not done.
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
