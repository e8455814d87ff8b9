//! Which run was judged, and on what.

use std::time::Duration;

use super::Scene;
use crate::record::{EndReason, Machine, TargetFacts};

/// Which run it was, and on what.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's one line.
    pub description: String,
    /// The scenario's path as given.
    pub path: String,
    /// The seed of every generated value.
    pub seed: u64,
    /// Databases planned.
    pub databases: u64,
    /// Users planned, when row-level security is on.
    pub users: Option<u64>,
    /// Iterations planned, of each database.
    pub iterations: u64,
    /// Rows per iteration.
    pub rows: u64,
    /// The pragmas of every database's connections, as `name = value`: part of what is measured.
    pub pragmas: Vec<String>,
    /// The version of `stress` that ran.
    pub stress: String,
    /// The target, as it presented itself.
    pub target: TargetFacts,
    /// The machine.
    pub machine: Machine,
    /// When it started.
    pub started: jiff::Timestamp,
    /// From start to finish; to the last thing recorded when it has no end.
    pub duration: Duration,
    /// How it ended; absent when it was killed.
    pub ended: Option<EndReason>,
}

impl Run {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let Scene { record, plan, .. } = scene;
        Self {
            id: record.id.clone(),
            scenario: plan.name.clone(),
            description: plan.description.clone(),
            path: record.path.clone(),
            seed: plan.seed,
            databases: plan.databases.len() as u64,
            users: plan.rls.then_some(plan.users.len() as u64),
            iterations: plan.iterations,
            rows: plan.rows,
            pragmas: plan.pragmas.iter().map(|pragma| pragma.trim_start_matches("PRAGMA ").to_owned()).collect(),
            stress: record.stress.clone(),
            target: record.target.clone(),
            machine: record.machine.clone(),
            started: record.started,
            duration: Duration::from_micros(scene.end()),
            ended: record.ended.map(|ended| ended.reason),
        }
    }
}
