//! The checks of the data: they compare what the databases and the server hold at the end of a run. Pure functions from a
//! record and a plan to findings. Nothing here knows what a finding means for the verdict.

mod data;
mod fates;
mod hostile;
mod isolation;
mod query;
mod result;
mod scene;
mod trace;
mod written;

pub(crate) use result::{CheckResult, Finding, Outcome};
pub(crate) use scene::{databases, was_cut};
pub(crate) use trace::{Hop, RowState, TracedRow};

use std::collections::BTreeSet;

use crate::plan::{CheckKind, CheckPlan, Plan};
use crate::record::Record;
use scene::Scene;

/// Makes every check of the plan on the data in the record, in the plan's order, and after them the integrity check.
pub(crate) fn verify(record: &Record, plan: &Plan) -> Vec<CheckResult> {
    let Some(state) = &record.state else {
        let reason = "the data were not read, because the run ended first";
        let undone = |check: &CheckPlan| match check.kind() {
            // Received rows were already checked during the run.
            CheckKind::Isolation if plan.rls => {
                let mut result = CheckResult::new(check, Outcome::Passed);
                result.conclude(isolation::seen(record), Some(reason.to_owned()));
                result
            }
            CheckKind::Isolation
            | CheckKind::Converged
            | CheckKind::Server
            | CheckKind::Bootstrap
            | CheckKind::Written
            | CheckKind::Query
            | CheckKind::Integrity => CheckResult::new(check, Outcome::NotChecked(reason.to_owned())),
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

impl Scene<'_> {
    fn check(&self, index: usize, check: &CheckPlan) -> CheckResult {
        let mut result = CheckResult::new(check, Outcome::Passed);
        match check.kind() {
            CheckKind::Converged => self.converged(&mut result),
            CheckKind::Server => self.server(&mut result),
            CheckKind::Isolation => self.isolation(&mut result),
            CheckKind::Bootstrap => self.bootstrap(&mut result),
            CheckKind::Written => self.written(&mut result),
            CheckKind::Query => query::check(self, index, check, &mut result),
            CheckKind::Integrity => {}
        }
        self.tell_late_from_lost(&mut result);
        result
    }

    /// Checks that no database file is damaged, nor the server's.
    fn integrity(&self) -> CheckResult {
        let databases = self.databases().into_iter();
        let databases =
            databases.map(|database| (format!("database {}", database.database), database.integrity.as_deref()));
        let server = self.state.server.iter().map(|server| ("the server".to_owned(), server.integrity.as_deref()));
        let findings: Vec<Finding> = databases
            .chain(server)
            .filter_map(|(holder, said)| said.filter(|said| said.trim() != "ok").map(|said| (holder, said)))
            .map(|(holder, said)| Finding::new(format!("{holder}: integrity_check says: {said}")))
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

    /// Turns a failed check into an open one if the run was cut before settling: a late row is not a lost row.
    fn tell_late_from_lost(&self, result: &mut CheckResult) {
        let data = match result.check {
            CheckKind::Converged | CheckKind::Server | CheckKind::Bootstrap | CheckKind::Query => true,
            CheckKind::Isolation | CheckKind::Written | CheckKind::Integrity => false,
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
}

#[cfg(test)]
mod tests;
