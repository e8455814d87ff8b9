//! The checks on the data: what databases and server held at the end, compared. Pure: from a record and a plan to
//! findings. It must not know what a finding means for the verdict.

mod data;
mod fates;
mod hostile;
mod isolation;
mod query;
mod trace;

pub use trace::{Hop, RowState, TracedRow};

use std::collections::BTreeSet;

use crate::figure::{self, counted};
use crate::plan::{CheckKind, CheckPlan, Plan, Question};
use crate::record::{DatabaseState, EndReason, FinalState, Record};

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

/// Does every check of the plan on what the record holds, in the plan's order; behind them, whether the files are sound.
pub fn verify(record: &Record, plan: &Plan) -> Vec<CheckResult> {
    let Some(state) = &record.state else {
        let reason = "the data were not looked at: the run ended before";
        let undone = |check: &CheckPlan| match check.kind() {
            // What a receive brought was seen when it came.
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

/// A note that concerns several checks is made with the first of them.
fn say_once(results: &mut [CheckResult]) {
    let mut said = BTreeSet::new();
    for result in results {
        result.notes.retain(|note| said.insert(note.clone()));
    }
}

fn result(check: &CheckPlan, outcome: Outcome) -> CheckResult {
    CheckResult { check: check.kind(), pointer: check.pointer.clone(), name: title(check), outcome, notes: Vec::new() }
}

fn title(check: &CheckPlan) -> String {
    match &check.question {
        Question::Named(name) => CheckKind::from(*name).to_string(),
        Question::Query { sql, .. } => format!("query {}", sql.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// What the checks look at.
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

    /// Every file is sound, whatever it holds.
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
            pointer: None,
            name: CheckKind::Integrity.to_string(),
            outcome: Outcome::Passed,
            notes: Vec::new(),
        };
        result.conclude(findings, self.unread_databases());
        result
    }

    /// A difference is only proven once the databases had their time: what is late is not lost.
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
                "the run was cut before the databases had settled, so what differs may be late and not lost: {first}"
            ));
        } else {
            result.notes.extend(stuck);
        }
    }

    /// The databases that were still busy after settling, and what each waits for.
    fn stuck(&self) -> Vec<String> {
        let Some(settle) = &self.record.settle else { return Vec::new() };
        let mut stuck: Vec<_> = settle.stuck.iter().collect();
        stuck.sort_by_key(|stuck| stuck.database);
        stuck
            .into_iter()
            .map(|stuck| {
                let unsent = match stuck.unsent {
                    Some(true) => "has changes to send",
                    Some(false) => "has sent everything",
                    None => "could not say whether it has changes to send",
                };
                format!(
                    "database {} was not quiet after {}: it {unsent}, and {} of its last two receives brought rows or failed; what it misses may be late and not lost",
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

    /// The user whose rows a database holds; without row-level security all are one group.
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

/// Whether the run ended before its work was done, by no fault of the system under test.
pub(crate) fn was_cut(record: &Record) -> bool {
    match record.ended.map(|ended| ended.reason) {
        None | Some(EndReason::TimeLimit | EndReason::Interrupted) => true,
        Some(EndReason::Done | EndReason::Stopped) => false,
    }
}

impl CheckResult {
    /// Findings fail a check; without any, a part that could not be looked at leaves it open.
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

    /// Its findings; none when it holds or was not done.
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
