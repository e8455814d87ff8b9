//! Which run was judged, and on what.

use std::time::Duration;

use super::Scene;
use crate::record::{EndReason, Machine, TargetFacts};

/// A run, with its scenario, its target and its machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's description.
    pub description: String,
    /// The path of the scenario, as given on the command line.
    pub path: String,
    /// The seed of all generated values.
    pub seed: u64,
    /// The planned number of databases.
    pub databases: u64,
    /// The planned number of users, with row-level security.
    pub users: Option<u64>,
    /// The planned number of iterations of each database.
    pub iterations: u64,
    /// The planned `scale.rows`.
    pub rows: u64,
    /// The pragmas of every connection, as `name = value`.
    pub pragmas: Vec<String>,
    /// The version of `stress` that ran.
    pub stress: String,
    /// The facts that the target reported about itself.
    pub target: TargetFacts,
    /// The machine.
    pub machine: Machine,
    /// The start of the run.
    pub started: jiff::Timestamp,
    /// The duration of the run; up to its last recorded step if the record has no end.
    pub duration: Duration,
    /// The reason why the run ended; `None` if it was killed.
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
