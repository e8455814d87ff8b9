//! A summary of the run for each database.

use super::Scene;
use super::errors::Occurrence;
use crate::record::WorkerRecord;

/// What one database did in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSummary {
    /// The number of the database, from 1.
    pub database: u32,
    /// The number of its user, from 1.
    pub user: u32,
    /// Its site id, if known.
    pub site_id: Option<String>,
    /// The number of completed iterations.
    pub iterations: u64,
    /// Whether the database ran every step of the scenario.
    pub completed: bool,
    /// The message of the panic that ended its worker, if any.
    pub crash: Option<String>,
    /// The number of rows deleted, inserted and updated.
    pub rows: u64,
    /// The calls of `send`, settling included.
    pub sends: Calls,
    /// The calls of `receive`, `check` and `sync`, settling included.
    pub receives: Calls,
    /// The number of failures that count in `errors.total`.
    pub errors: u64,
}

/// The number of calls, and the number of failed ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// All calls.
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
