//! Each database's part in the run.

use super::Scene;
use super::errors::Occurrence;
use crate::record::WorkerRecord;

/// One database's part in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSummary {
    /// The database, counted from 1.
    pub database: u32,
    /// Its user, counted from 1.
    pub user: u32,
    /// Its site id, once known.
    pub site_id: Option<String>,
    /// Iterations completed.
    pub iterations: u64,
    /// Whether every step of the scenario was done.
    pub completed: bool,
    /// The message of the panic that ended it.
    pub crash: Option<String>,
    /// Rows deleted, inserted and updated.
    pub rows: u64,
    /// Its calls of `send`, settling included.
    pub sends: Calls,
    /// Its calls of `receive`, `check` and `sync`, settling included.
    pub receives: Calls,
    /// Failures that count.
    pub errors: u64,
}

/// Calls made, and how many failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls made.
    pub made: u64,
    /// Calls that failed.
    pub failed: u64,
}

pub(super) fn summaries(scene: &Scene<'_>, occurrences: &[Occurrence<'_>]) -> Vec<DatabaseSummary> {
    let absent = scene
        .plan
        .databases
        .iter()
        .filter(|plan| !scene.workers.iter().any(|worker| worker.database == plan.index))
        .map(|plan| WorkerRecord { database: plan.index, user: plan.user, ..WorkerRecord::default() });
    let mut summaries: Vec<DatabaseSummary> = scene.workers.iter().map(|worker| of(worker, occurrences)).collect();
    summaries.extend(absent.map(|worker| of(&worker, occurrences)));
    summaries.sort_by_key(|summary| summary.database);
    summaries
}

fn of(worker: &WorkerRecord, occurrences: &[Occurrence<'_>]) -> DatabaseSummary {
    let mut summary = DatabaseSummary {
        database: worker.database,
        user: worker.user,
        site_id: worker.site_id.clone(),
        iterations: worker.iterations,
        completed: worker.completed && worker.crash.is_none(),
        crash: worker.crash.clone(),
        rows: 0,
        sends: Calls::default(),
        receives: Calls::default(),
        errors: occurrences.iter().filter(|one| one.counts && one.database == Some(worker.database)).count() as u64,
    };
    for event in &worker.events {
        if event.step.changes_rows() {
            summary.rows = summary.rows.saturating_add(event.rows);
        }
        let calls = match (event.step.receives(), event.step.sends()) {
            (true, _) => &mut summary.receives,
            (false, true) => &mut summary.sends,
            (false, false) => continue,
        };
        calls.made += 1;
        calls.failed += u64::from(!event.failures.is_empty());
    }
    summary
}
