//! The checks on the data: what databases and server held at the end, compared. Pure: from a record and a plan to
//! findings. It must not know what a finding means for the verdict.

mod data;
mod fates;
mod hostile;
mod isolation;
mod query;
mod result;
mod scene;
mod trace;

pub use result::{CheckResult, Finding, Outcome};
pub(crate) use scene::{databases, was_cut};
pub use trace::{Hop, RowState, TracedRow};

use std::collections::BTreeSet;

use crate::plan::{CheckKind, CheckPlan, Plan};
use crate::record::Record;
use scene::Scene;

/// Does every check of the plan on what the record holds, in the plan's order; behind them, whether the files are sound.
pub fn verify(record: &Record, plan: &Plan) -> Vec<CheckResult> {
    let Some(state) = &record.state else {
        let reason = "the data were not looked at: the run ended before";
        let undone = |check: &CheckPlan| match check.kind() {
            // What a receive brought was seen when it came.
            CheckKind::Isolation if plan.rls => {
                let mut result = CheckResult::new(check, Outcome::Passed);
                result.conclude(isolation::seen(record), Some(reason.to_owned()));
                result
            }
            CheckKind::Isolation
            | CheckKind::Converged
            | CheckKind::Server
            | CheckKind::Bootstrap
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

/// A note that concerns several checks is made with the first of them.
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
}

#[cfg(test)]
mod tests;
