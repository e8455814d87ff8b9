//! Whether a record agrees with itself and with its plan. A record that was cut, damaged or edited can lack the very
//! facts that speak against a run, so that no verdict may rest on it. Every disagreement is one sentence that says
//! where. No real record disagrees, however its run ended: each rule here follows from how the executor records.

mod counts;
mod events;
mod places;
mod rows;
mod state;
mod workers;

use super::Scene;
use crate::record::EndReason;
use events::Steps;

/// The places where the record disagrees with itself or with its plan.
pub(super) fn disagreements(scene: &Scene<'_>) -> Vec<String> {
    let Scene { record, plan, workers } = scene;
    let done = record.ended.is_some_and(|ended| ended.reason == EndReason::Done);
    let mut found = workers::of_the_plan(plan, workers);
    let steps = Steps::of(plan);
    for worker in workers {
        found.extend(workers::work(plan, worker, done));
        found.extend(places::of_events(plan, &steps, worker));
        found.extend(events::times(worker, record.ended));
        found.extend(events::attempts(plan, worker, done));
        found.extend(counts::of_steps(plan, &steps, worker, done));
    }
    found.extend(workers::settling(record, plan, done));
    match &record.state {
        Some(held) => {
            found.extend(state::holders(plan, held, record.failures.len()));
            found.extend(state::numbers(plan, held));
            found.extend(state::differences(plan, held, &record.failures));
            found.extend(state::answers(plan, held));
            found.extend(rows::gone(plan, workers, held));
        }
        None if done => {
            found.push("the run ended with all work done, but the record does not say what the databases held".into());
        }
        None => {}
    }
    found
}
