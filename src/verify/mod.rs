//! The checks of the data: they compare what the databases and the server hold at the end of a run. Pure functions from a
//! record and a plan to findings. Nothing here knows what a finding means for the verdict.

mod data;
mod fates;
mod hostile;
mod isolation;
mod query;
mod trace;

pub use trace::{Hop, RowState, TracedRow};

use std::collections::BTreeSet;

use crate::figure::{self, counted};
use crate::plan::threshold::CheckKind;
use crate::plan::{CheckPlan, Plan};
use crate::record::{DatabaseState, EndReason, FinalState, Record};

/// The result of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResult {
    /// The check.
    pub check: CheckKind,
    /// The check's name in reports; for a `query`, with the SQL.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
    /// Remarks for the reader, whatever the outcome.
    pub notes: Vec<String>,
}

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The check passed.
    Passed,
    /// The check failed, with these findings.
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

/// Makes every check of the plan on the data in the record, in the plan's order, and after them the integrity check.
pub fn verify(record: &Record, plan: &Plan) -> Vec<CheckResult> {
    let Some(state) = &record.state else {
        let reason = "the data were not read, because the run ended first";
        let undone = |check: &CheckPlan| match check.kind() {
            // Received rows were already checked during the run.
            CheckKind::Isolation if plan.rls => {
                let mut result = result(check, Outcome::Passed);
                result.conclude(isolation::seen(record), Some(reason.to_owned()));
                result
            }
            CheckKind::Isolation
            | CheckKind::Converged
            | CheckKind::Server
            | CheckKind::Bootstrap
            | CheckKind::Query
            | CheckKind::Integrity => result(check, Outcome::NotChecked(reason.to_owned())),
        };
        return plan.checks.iter().map(undone).collect();
    };
    let scene = Scene { record, plan, state };
    let mut results: Vec<CheckResult> =
        plan.checks.iter().enumerate().map(|(index, check)| scene.check(index, check)).collect();
    if !plan.checks.is_empty() {
        results.push(scene.integrity());
    }
    say_once(&mut results);
    results
}

/// Keeps a note that concerns several checks only on the first of them.
fn say_once(results: &mut [CheckResult]) {
    let mut said = BTreeSet::new();
    for result in results {
        result.notes.retain(|note| said.insert(note.clone()));
    }
}

fn result(check: &CheckPlan, outcome: Outcome) -> CheckResult {
    CheckResult { check: check.kind(), name: check.title(), outcome, notes: Vec::new() }
}

impl CheckPlan {
    /// The kind of the check, by which reports name its findings.
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Named(name) => CheckKind::from(*name),
            Self::Query { .. } => CheckKind::Query,
        }
    }

    fn title(&self) -> String {
        match self {
            Self::Named(name) => CheckKind::from(*name).to_string(),
            Self::Query { sql, .. } => format!("query {}", sql.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

/// The data that the checks use.
struct Scene<'a> {
    record: &'a Record,
    plan: &'a Plan,
    state: &'a FinalState,
}

impl Scene<'_> {
    fn check(&self, index: usize, check: &CheckPlan) -> CheckResult {
        let mut result = result(check, Outcome::Passed);
        match check.kind() {
            CheckKind::Converged => self.converged(&mut result),
            CheckKind::Server => self.server(&mut result),
            CheckKind::Isolation => self.isolation(&mut result),
            CheckKind::Bootstrap => self.bootstrap(&mut result),
            CheckKind::Query => query::check(self, index, check, &mut result),
            CheckKind::Integrity => {}
        }
        self.tell_late_from_lost(&mut result);
        result
    }

    /// Checks that no database file is damaged.
    fn integrity(&self) -> CheckResult {
        let findings: Vec<Finding> = self
            .databases()
            .into_iter()
            .filter_map(|database| Some((database.database, database.integrity.as_deref()?)))
            .filter(|(_, said)| said.trim() != "ok")
            .map(|(database, said)| Finding::new(format!("database {database}: integrity_check says: {said}")))
            .collect();
        let mut result = CheckResult {
            check: CheckKind::Integrity,
            name: CheckKind::Integrity.to_string(),
            outcome: Outcome::Passed,
            notes: Vec::new(),
        };
        result.conclude(findings, self.unread_databases());
        result
    }

    /// Turns a failed check into an open one if the run was cut before settling: a late row is not a lost row.
    fn tell_late_from_lost(&self, result: &mut CheckResult) {
        let data = match result.check {
            CheckKind::Converged | CheckKind::Server | CheckKind::Bootstrap | CheckKind::Query => true,
            CheckKind::Isolation | CheckKind::Integrity => false,
        };
        if !data {
            return;
        }
        let stuck = self.stuck();
        let Outcome::Failed(findings) = &result.outcome else {
            result.notes.extend(stuck);
            return;
        };
        let settled = self.record.settle.as_ref().is_some_and(|settle| settle.stuck.is_empty());
        if was_cut(self.record) && !settled {
            let first = findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
            result.outcome = Outcome::NotChecked(format!(
                "the run ended before the databases had settled, so the differing rows may be late rather than lost: {first}"
            ));
        } else {
            result.notes.extend(stuck);
        }
    }

    /// Notes about the databases that were still busy after settling.
    fn stuck(&self) -> Vec<String> {
        let Some(settle) = &self.record.settle else { return Vec::new() };
        let mut stuck: Vec<_> = settle.stuck.iter().collect();
        stuck.sort_by_key(|stuck| stuck.database);
        stuck
            .into_iter()
            .map(|stuck| {
                let unsent = match stuck.unsent {
                    Some(true) => "had changes to send",
                    Some(false) => "had sent everything",
                    None => "did not report whether it had changes to send",
                };
                format!(
                    "database {} was not quiet after {}: it {unsent}, and {} of its last two receives brought rows or failed; rows missing there may be late rather than lost",
                    stuck.database,
                    counted(u64::from(settle.rounds), "round"),
                    stuck.busy_receives,
                )
            })
            .collect()
    }

    fn databases(&self) -> Vec<&DatabaseState> {
        let mut databases: Vec<_> = self.state.databases.iter().collect();
        databases.sort_by_key(|database| database.database);
        databases
    }

    /// The group of a database: its user. Without row-level security, all databases are one group.
    fn group(&self, user: u32) -> u32 {
        if self.plan.rls { user } else { 1 }
    }

    fn unread_databases(&self) -> Option<String> {
        let unread: Vec<u32> = self
            .plan
            .databases
            .iter()
            .map(|database| database.index)
            .filter(|index| !self.state.databases.iter().any(|state| state.database == *index))
            .collect();
        (!unread.is_empty()).then(|| format!("{} could not be read", databases(&unread)))
    }
}

/// Whether the run ended before its work was done, for a reason other than the system under test.
pub(crate) fn was_cut(record: &Record) -> bool {
    match record.ended.map(|ended| ended.reason) {
        None | Some(EndReason::TimeLimit | EndReason::Interrupted) => true,
        Some(EndReason::Done | EndReason::Stopped) => false,
    }
}

impl CheckResult {
    /// Sets the outcome: findings fail the check; without findings, a part that could not be examined leaves it open.
    fn conclude(&mut self, findings: Vec<Finding>, open: Option<String>) {
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
    fn new(message: String) -> Self {
        Self { message, total: 0, fates: Vec::new(), rows: Vec::new() }
    }
}

/// `database 3`, `databases 1, 2 and 3`, `databases 1–40, 42`.
pub(crate) fn databases(indexes: &[u32]) -> String {
    match indexes {
        [] => "no database".to_owned(),
        [one] => format!("database {one}"),
        [_, _] | [_, _, _] => format!("databases {}", figure::list(indexes)),
        many => format!("databases {}", figure::runs(&many.iter().copied().map(u64::from).collect::<Vec<_>>())),
    }
}

#[cfg(test)]
mod tests;
