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
mod traced;
mod written;

pub(crate) use result::{CheckResult, Finding, Outcome};
pub(crate) use scene::{databases, was_cut};
pub(crate) use traced::{Hop, RowState, TracedRow};

use std::collections::BTreeSet;

use crate::figure::counted;
use crate::plan::{CheckKind, CheckPlan, Plan};
use crate::record::{ForeignKeys, Orphan, Record};
use scene::Scene;

/// Rows without a parent that a finding names.
const NAMED_ORPHANS: usize = 5;

/// Makes every check of the plan on the data in the record, in the plan's order, and after them those of the files.
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
            | CheckKind::Integrity
            | CheckKind::ForeignKeys => CheckResult::new(check, Outcome::NotChecked(reason.to_owned())),
        };
        return plan.checks.iter().map(undone).collect();
    };
    let scene = Scene { record, plan, state };
    let mut results: Vec<CheckResult> =
        plan.checks.iter().enumerate().map(|(index, check)| scene.check(index, check)).collect();
    if !plan.checks.is_empty() {
        // The files of a driver's engine are its own.
        results.extend((!plan.target.kind().is_driven()).then(|| scene.integrity()));
        results.extend(plan.foreign_keys.then(|| scene.foreign_keys()));
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
            CheckKind::Integrity | CheckKind::ForeignKeys => {}
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
        let mut result = CheckResult::of_files(CheckKind::Integrity);
        result.conclude(findings, self.unread_databases());
        result
    }

    /// Checks that no row of a database refers to a row that is not there.
    fn foreign_keys(&self) -> CheckResult {
        let mut findings = Vec::new();
        let mut open = self.unread_databases();
        for database in self.databases() {
            let index = database.database;
            match &database.foreign_keys {
                None => open = open.or_else(|| Some(format!("the record does not have those of database {index}"))),
                Some(ForeignKeys { failure: Some(failure), .. }) => {
                    open = open.or_else(|| Some(format!("database {index}: {}", failure.message)));
                }
                Some(keys) if keys.total == 0 => {}
                Some(keys) => {
                    findings.push(Finding { total: keys.total, ..Finding::new(orphans(index, keys)) });
                }
            }
        }
        let mut result = CheckResult::of_files(CheckKind::ForeignKeys);
        result.conclude(findings, open);
        self.tell_late_from_lost(&mut result);
        result
    }

    /// Turns a failed check into an open one if the run was cut before settling: a late row is not a lost row.
    fn tell_late_from_lost(&self, result: &mut CheckResult) {
        let data = match result.check {
            CheckKind::Converged
            | CheckKind::Server
            | CheckKind::Bootstrap
            | CheckKind::Written
            | CheckKind::Query
            | CheckKind::ForeignKeys => true,
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
}

/// Rows of a database that refer to rows which are not there.
fn orphans(database: u32, keys: &ForeignKeys) -> String {
    let said = |orphan: &Orphan| {
        let key = orphan.key.as_ref().map(|key| format!("key {key}"));
        let rowid = orphan.rowid.map(|rowid| format!("rowid {rowid}"));
        let place: Vec<String> = rowid.into_iter().chain(key).collect();
        let place = if place.is_empty() { String::new() } else { format!(" ({})", place.join(", ")) };
        format!("{}{place} → {}", orphan.table, orphan.parent)
    };
    let named: Vec<String> = keys.orphans.iter().take(NAMED_ORPHANS).map(said).collect();
    let more = if keys.total > named.len() as u64 { ", …" } else { "" };
    let (rows, verb) = (counted(keys.total, "row"), if keys.total == 1 { "refers" } else { "refer" });
    format!(
        "database {database}: {rows} {verb} to a parent row that is not there, although foreign keys are enforced: {}{more}",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests;
