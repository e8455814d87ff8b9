//! Whether the workers are those of the plan, did as much as they say, and settled.

use std::collections::BTreeMap;

use crate::figure::counted;
use crate::plan::Plan;
use crate::record::{Counted, Record, WorkerRecord};

/// One worker for each database of the plan, and no other.
pub(super) fn of_the_plan(plan: &Plan, workers: &[&WorkerRecord]) -> Vec<String> {
    let mut found = Vec::new();
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    let users: BTreeMap<u32, u32> = plan.databases.iter().map(|database| (database.index, database.user)).collect();
    for worker in workers {
        *times.entry(worker.database).or_default() += 1;
        match users.get(&worker.database) {
            None => found.push(format!("the record has database {}, which the plan does not have", worker.database)),
            Some(user) if *user != worker.user => found.push(format!(
                "database {} is of user {} in the record, and of user {user} in the plan",
                worker.database, worker.user
            )),
            Some(_) => {}
        }
    }
    for index in users.keys() {
        match times.get(index) {
            None => found.push(format!("the record does not have database {index} of the plan")),
            Some(1) => {}
            Some(times) => found.push(format!("the record has database {index} {times} times")),
        }
    }
    found
}

/// What a worker says that it did. `done` says that nothing ended the run early.
pub(super) fn work(plan: &Plan, worker: &WorkerRecord, done: bool) -> Vec<String> {
    let mut found = Vec::new();
    let (index, made, wanted) = (worker.database, worker.iterations, plan.iterations);
    if worker.completed && made != wanted || made > wanted {
        let completed = if worker.completed { "completed with " } else { "recorded with " };
        found.push(format!("database {index} is {completed}{}, and the plan has {wanted}", counted(made, "iteration")));
    }
    if done && !worker.completed && worker.crash.is_none() {
        let why = "although its worker did not crash, and nothing ended the run early";
        found.push(format!("database {index} is not completed, {why}"));
    }
    if let Some(counts) = worker.counted {
        let here = Counted::of(&worker.events);
        for (noun, counted, here) in [
            ("events", counts.events, here.events),
            ("events with failures", counts.failing, here.failing),
            ("failures", counts.failures, here.failures),
        ] {
            if counted != here {
                found.push(format!("database {index}: the run counted {counted} {noun}, and the record has {here}"));
            }
        }
    }
    found
}

/// The rounds after the last iteration.
pub(super) fn settling(record: &Record, plan: &Plan, done: bool) -> Vec<String> {
    let mut found = Vec::new();
    let Some(settle) = &record.settle else {
        if done && plan.syncs() {
            found.push("the run ended with all work done, but the record does not say how it settled".to_owned());
        }
        return found;
    };
    if !plan.syncs() {
        found.push("the databases settled, although the plan makes no sync call".to_owned());
    }
    if settle.rounds > plan.settle.rounds {
        let most = plan.settle.rounds;
        found.push(format!("settling took {} rounds, and the plan has at most {most}", settle.rounds));
    }
    let end = record.ended.map_or(u64::MAX, |ended| ended.at);
    if settle.at.saturating_add(settle.took) > end {
        found.push("settling ended after the run".to_owned());
    }
    let mut seen = Vec::new();
    for stuck in &settle.stuck {
        let index = stuck.database;
        if !plan.databases.iter().any(|database| database.index == index) {
            found.push(format!("database {index} did not settle, but the plan does not have it"));
        }
        if seen.contains(&index) {
            found.push(format!("database {index} is listed twice as not settled"));
        }
        seen.push(index);
    }
    found
}
