//! Whether every event is of a phase and an iteration that the plan has.

use std::collections::BTreeSet;

use super::events::{Steps, said};
use crate::plan::Plan;
use crate::record::{Event, StepKind, WorkerRecord};

/// What is recorded under a name that is no phase's, and whether that is done in iterations, too.
const BESIDE: [(&str, &[StepKind], bool); 4] = [
    ("session", &[StepKind::Open, StepKind::Close], true),
    ("settle", &[StepKind::Send, StepKind::Receive], false),
    ("iteration", &[StepKind::Pace], true),
    ("ramp-up", &[StepKind::Wait], false),
];

/// Whether the executor records under this name what is no step of the plan.
pub(super) fn is_beside(name: &str) -> bool {
    BESIDE.iter().any(|(beside, ..)| *beside == name)
}

/// Every event is of a phase and of an iteration that the plan has, and that the worker came to.
pub(super) fn of_events(plan: &Plan, steps: &Steps<'_>, worker: &WorkerRecord) -> Vec<String> {
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for event in &worker.events {
        let Some(problem) = problem(plan, steps, worker, event) else { continue };
        // One of a phase speaks for the others.
        if told.insert(&event.phase) {
            found.push(format!("database {}: {}, but {problem}", worker.database, said(event)));
        }
    }
    found
}

fn problem(plan: &Plan, steps: &Steps<'_>, worker: &WorkerRecord, event: &Event) -> Option<String> {
    let beside = BESIDE.iter().find(|(name, kinds, _)| *name == event.phase && kinds.contains(&event.step));
    let repeated = match (steps.get(&event.phase), beside) {
        // A phase of the same name as what stands beside the phases can be either.
        (Some(_), Some(_)) => return None,
        (Some((_, _, repeated)), None) => repeated,
        (None, Some((_, _, repeated))) => *repeated && event.iteration > 0,
        (None, None) => return Some("the plan does not have that".to_owned()),
    };
    if repeated != (event.iteration > 0) {
        let when = if repeated { "only in iterations" } else { "outside of the iterations" };
        return Some(format!("the plan has that {when}"));
    }
    if event.iteration > plan.iterations {
        return Some(format!("the plan has {} iterations", plan.iterations));
    }
    let reached = worker.iterations.saturating_add(1);
    (event.iteration > reached).then(|| format!("the database completed {} iterations", worker.iterations))
}
