//! Whether a worker's events follow each other as one thread makes them, and tries as the rules of `errors:` say.

use std::collections::HashMap;

use crate::plan::{Plan, StepPlan, rule::rule_for};
use crate::record::{Ended, Event, StepKind, WorkerRecord};
use crate::scenario::{ErrorAction, ErrorActionOptions};

/// The steps of a plan by name.
pub(super) struct Steps<'a> {
    by_name: HashMap<&'a str, (usize, &'a StepPlan, bool)>,
}

impl<'a> Steps<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let once = |steps: &'a [StepPlan], repeated: bool| steps.iter().map(move |step| (step, repeated));
        let all = once(&plan.setup, false).chain(once(&plan.phases, true)).chain(once(&plan.teardown, false));
        let named = all.enumerate().map(|(place, (step, repeated))| (step.name.as_str(), (place, step, repeated)));
        Self { by_name: named.collect() }
    }

    /// Its place among all steps, the step, and whether it is one of the iterations.
    pub(super) fn get(&self, name: &str) -> Option<(usize, &'a StepPlan, bool)> {
        self.by_name.get(name).copied()
    }

    /// All of them, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &'a StepPlan, bool)> {
        self.by_name.values().copied()
    }
}

/// Whether this only says that a template of a step could not be rendered. It is recorded within the step.
pub(super) fn is_aside(event: &Event) -> bool {
    event.step == StepKind::Query && !event.failures.is_empty()
}

/// One thread does one thing after the other, and nothing after the end.
pub(super) fn times(worker: &WorkerRecord, ended: Option<Ended>) -> Vec<String> {
    let mut found = Vec::new();
    let index = worker.database;
    let end = |event: &Event| event.at.saturating_add(event.took);
    let limit = ended.map_or(u64::MAX, |ended| ended.at);
    if let Some(event) = worker.events.iter().find(|event| end(event) > limit) {
        found.push(format!("database {index}: {} ended after the run", said(event)));
    }
    let mut before = 0;
    for event in worker.events.iter().filter(|event| !is_aside(event)) {
        if event.at < before {
            found.push(format!("database {index}: {} began before the event ahead of it had ended", said(event)));
            break;
        }
        before = end(event);
    }
    found
}

/// Every further try follows one that a rule had tried again, and nothing else.
pub(super) fn attempts(plan: &Plan, worker: &WorkerRecord, done: bool) -> Vec<String> {
    let mut found = Vec::new();
    let index = worker.database;
    // A run that ends, or a crash, can come between two tries.
    let whole = done && worker.crash.is_none();
    let mut open: Option<&Event> = None;
    for event in &worker.events {
        if event.retried && !can_be_retried(plan, event) {
            found.push(format!(
                "database {index}: {} was tried again, but no rule under `errors:` says so",
                said(event)
            ));
        }
        let follows = open.is_some_and(|open| {
            let same = (open.iteration, &open.phase, open.step) == (event.iteration, &event.phase, event.step);
            same && u64::from(event.attempt) == u64::from(open.attempt) + 1
        });
        if !follows && open.is_some() && event.attempt == 1 && is_aside(event) && !event.retried {
            continue;
        }
        if event.attempt != 1 && !follows {
            let try_before = "does not follow the try before it";
            found.push(format!("database {index}: try {} of {} {try_before}", event.attempt, said(event)));
        }
        if let Some(open) = open.filter(|_| !follows && whole) {
            found.push(format!("database {index}: {} was tried again, but the next try is missing", said(open)));
        }
        open = event.retried.then_some(event);
    }
    if let Some(open) = open.filter(|_| whole) {
        found.push(format!("database {index}: {} was tried again, but the next try is missing", said(open)));
    }
    found
}

/// Whether a rule has one of its failures tried again this often.
fn can_be_retried(plan: &Plan, event: &Event) -> bool {
    event.failures.iter().filter_map(|failure| rule_for(&plan.errors, failure)).any(|rule| {
        rule.actions.iter().any(|action| match action {
            ErrorAction::Options(ErrorActionOptions::Retry(retry)) => event.attempt <= retry.times,
            ErrorAction::Name(_) => false,
        })
    })
}

/// Which event it is: `send of phase insert in iteration 3`.
pub(super) fn said(event: &Event) -> String {
    let iteration = if event.iteration == 0 { String::new() } else { format!(" in iteration {}", event.iteration) };
    format!("{} of phase {}{iteration}", event.step.as_str(), event.phase)
}
