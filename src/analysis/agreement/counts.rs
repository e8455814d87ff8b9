//! Whether every step was run as often as the plan says.

use std::collections::{BTreeSet, HashMap};

use super::events::Steps;
use super::places::is_beside;
use crate::plan::{Action, Plan, ReceivePlan, StepPlan, SyncPlan};
use crate::record::{Event, StepKind, WorkerRecord};
use crate::scenario::Kind;
use crate::template::Number;

/// How often one repetition of a step does something.
#[derive(Clone, Copy)]
struct Times {
    kind: StepKind,
    least: u64,
    /// None where nothing limits it.
    most: Option<u64>,
}

/// A step's place among all, the step, and whether it is one of the iterations.
type Planned<'a> = (usize, &'a StepPlan, bool);

/// First tries by iteration, step and kind.
type Tries = HashMap<(u64, usize, StepKind), u64>;

/// A worker's events of each step, as many as the plan says. `done` says that nothing ended the run early.
pub(super) fn of_steps(plan: &Plan, steps: &Steps<'_>, worker: &WorkerRecord, done: bool) -> Vec<String> {
    let mut tries = Tries::new();
    for event in worker.events.iter().filter(|event| event.attempt == 1) {
        if let Some((place, ..)) = steps.get(&event.phase) {
            *tries.entry((event.iteration, place, event.step)).or_default() += 1;
        }
    }
    let whole = done && worker.completed && worker.crash.is_none();
    let mut all: Vec<Planned<'_>> = steps.all().filter(|(_, step, _)| !is_beside(&step.name)).collect();
    all.sort_by_key(|(place, ..)| *place);
    let needed = all.iter().any(|(_, step, _)| least(step, worker.database).is_some());
    if whole && worker.events.is_empty() && needed {
        return vec![format!("database {} is completed, but has no events", worker.database)];
    }
    let mut found = too_many(&all, worker, &tries);
    let unopened = unopened(worker);
    for (place, step, repeated) in all {
        let iterations = match (repeated, whole) {
            (true, true) => 1..=plan.iterations,
            // What a cut left undone in an iteration kept the next one from its end.
            (true, false) => 1..=worker.iterations.min(plan.iterations).saturating_sub(1),
            (false, true) => 0..=0,
            (false, false) => continue,
        };
        let Some(repeat) = least(step, worker.database) else { continue };
        for times in times(step).into_iter().filter(|times| times.least > 0) {
            let wanted = times.least.saturating_mul(repeat);
            let made = |iteration: &u64| tries.get(&(*iteration, place, times.kind)).copied().unwrap_or_default();
            let lacking = |iteration: &u64| made(iteration) < wanted && !unopened.contains(iteration);
            if let Some(iteration) = iterations.clone().find(lacking) {
                let at_least = format!("the plan has at least {wanted}");
                found.push(sentence(worker, iteration, step, times.kind, made(&iteration), &at_least));
            }
        }
    }
    found
}

/// How often a step is at least repeated in a database; none where the plan does not say that it is.
fn least(step: &StepPlan, database: u32) -> Option<u64> {
    match (&step.repeat, &step.when, &step.action) {
        (Number::Rendered(_), _, _) | (_, Some(_), _) => None,
        // SQL on the server is done once, by the first database.
        (Number::Fixed(_), None, Action::Admin(_)) if database != 1 => None,
        (Number::Fixed(times), None, _) => Some(*times).filter(|times| *times > 0),
    }
}

/// How often it is at most repeated.
fn most(step: &StepPlan, database: u32) -> Option<u64> {
    match (&step.repeat, &step.action) {
        (_, Action::Admin(_)) if step.when.is_none() && database != 1 => Some(0),
        (Number::Fixed(times), _) => Some(*times),
        (Number::Rendered(_), _) => None,
    }
}

/// Iterations in which a session could not be opened: what needs one was not done.
fn unopened(worker: &WorkerRecord) -> BTreeSet<u64> {
    let failed = |event: &&Event| event.step == StepKind::Open && !event.failures.is_empty();
    worker.events.iter().filter(failed).map(|event| event.iteration).collect()
}

/// What a worker did more often than the plan says.
fn too_many(steps: &[Planned<'_>], worker: &WorkerRecord, tries: &Tries) -> Vec<String> {
    let limits: HashMap<usize, (&StepPlan, Vec<Times>)> =
        steps.iter().map(|(place, step, _)| (*place, (*step, times(step)))).collect();
    let mut found = Vec::new();
    for ((iteration, place, kind), made) in tries {
        let Some((step, times)) = limits.get(place) else { continue };
        // Without an entry, one repetition does it never.
        let once = times.iter().find(|times| times.kind == *kind).map_or(Some(0), |times| times.most);
        let wanted = match (once, most(step, worker.database)) {
            (Some(0), _) => 0,
            (Some(once), Some(repeat)) => once.saturating_mul(repeat),
            (None, _) | (_, None) => continue,
        };
        if *made > wanted {
            let at_most = format!("the plan has at most {wanted}");
            found.push((*place, *iteration, sentence(worker, *iteration, step, *kind, *made, &at_most)));
        }
    }
    found.sort();
    found.into_iter().map(|(_, _, sentence)| sentence).collect()
}

fn sentence(
    worker: &WorkerRecord,
    iteration: u64,
    step: &StepPlan,
    kind: StepKind,
    made: u64,
    planned: &str,
) -> String {
    let iteration = if iteration == 0 { String::new() } else { format!(" in iteration {iteration}") };
    let (database, kind, name) = (worker.database, kind.as_str(), &step.name);
    let events = if made == 1 { "event" } else { "events" };
    format!("database {database}: phase {name}{iteration} has {made} {kind} {events}, and {planned}")
}

/// What one repetition of a step does.
fn times(step: &StepPlan) -> Vec<Times> {
    // A template that cannot be rendered is recorded as a query of its step.
    let unlimited = [StepKind::Wait, StepKind::Pace, StepKind::Query];
    let mut all: Vec<Times> = unlimited.map(|kind| Times { kind, least: 0, most: None }).to_vec();
    let mut add = |kind: StepKind, least: u64, most: u64| match all.iter_mut().find(|times| times.kind == kind) {
        Some(times) => {
            times.least += least;
            times.most = times.most.map(|all| all.saturating_add(most));
        }
        None => all.push(Times { kind, least, most: Some(most) }),
    };
    match &step.action {
        Action::Sql(sql) => {
            let kind: Kind = sql.kind;
            add(StepKind::of(kind), 1, 1);
        }
        // What the run's limit cuts is not recorded.
        Action::Admin(_) => add(StepKind::Admin, 0, 1),
        Action::Alter(_) => add(StepKind::Alter, 1, 1),
        Action::Wait(_) | Action::Nothing => {}
    }
    if step.crash.is_some() {
        add(StepKind::Crash, 0, 1);
    }
    if step.barrier.is_some() {
        add(StepKind::Barrier, 0, 1);
    }
    for call in &step.sync {
        match call {
            SyncPlan::Send => add(StepKind::Send, 1, 1),
            SyncPlan::Sync(_) => add(StepKind::Sync, 1, 1),
            SyncPlan::Receive(ReceivePlan { check, until, attempts, every: _, max_chunks: _ }) => {
                let kind = if *check { StepKind::Check } else { StepKind::Receive };
                let most = until.as_ref().map_or(1, |_| u64::from(*attempts));
                add(kind, most.min(1), most);
            }
            SyncPlan::Logout => add(StepKind::Logout, 1, 1),
            SyncPlan::ResetSyncVersion => add(StepKind::ResetSyncVersion, 1, 1),
            SyncPlan::Wait(_) => {}
        }
    }
    all
}
