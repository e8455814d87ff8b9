//! Cards for the server's engineers: for each group of server failures, the facts that find them in the server's logs.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{ErrorGroup, ErrorTable, Scene};
use crate::failure::{FailureKind, Side};
use crate::record::{Event, StepKind, WorkerRecord};

/// The maximum number of cards.
const CARDS: usize = 10;
/// The maximum number of requests on a card.
const REQUESTS: usize = 5;
/// The maximum number of jobs on a card.
const JOBS: usize = 10;

/// The facts about a group of failures on the server side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The full message of the first failure.
    pub message: String,
    /// The server's ids of the first failed jobs.
    pub jobs: Vec<String>,
    /// The first requests that failed, in order of time.
    pub requests: Vec<Request>,
    /// The number of requests that failed.
    pub total: u64,
}

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The number of the database, from 1.
    pub database: u32,
    /// The site id of the database, if known.
    pub site_id: Option<String>,
    /// The position of the request among the sync calls of its database, from 1.
    pub order: u64,
    /// The call.
    pub step: StepKind,
    /// The number of the iteration, from 1; 0 outside iterations.
    pub iteration: u64,
    /// The phase.
    pub phase: String,
    /// The start of the request, by the clock of this machine.
    pub from: Timestamp,
    /// The arrival of the answer, by the clock of this machine.
    pub until: Timestamp,
    /// The server's id of the failed job, if any.
    pub job: Option<String>,
    /// The time at which the job failed, as the server reports it.
    pub failed_at: Option<String>,
}

pub(super) fn cards(scene: &Scene<'_>, errors: &ErrorTable) -> Vec<Card> {
    let of_server = |group: &&ErrorGroup| group.side == Side::Server;
    errors.groups.iter().filter(of_server).take(CARDS).map(|group| card(scene, group)).collect()
}

fn card(scene: &Scene<'_>, group: &ErrorGroup) -> Card {
    let mut requests: Vec<(u64, Request)> = Vec::new();
    let mut jobs = BTreeSet::new();
    for worker in &scene.workers {
        let mut order = 0;
        for event in &worker.events {
            order += u64::from(event.step.is_sync());
            let fits = |failure: &&crate::failure::Failure| {
                (failure.kind, failure.side, &failure.fingerprint) == (group.kind, group.side, &group.fingerprint)
            };
            for failure in event.failures.iter().filter(fits) {
                jobs.extend(failure.job.clone());
                let request = request(scene, worker, event, order);
                requests.push((
                    event.at,
                    Request { job: failure.job.clone(), failed_at: failure.failed_at.clone(), ..request },
                ));
            }
        }
    }
    requests.sort_by_key(|(at, request)| (*at, request.database));
    let total = requests.len() as u64;
    Card {
        kind: group.kind,
        message: group.sample.clone(),
        jobs: jobs.into_iter().take(JOBS).collect(),
        requests: requests.into_iter().take(REQUESTS).map(|(_, request)| request).collect(),
        total,
    }
}

fn request(scene: &Scene<'_>, worker: &WorkerRecord, event: &Event, order: u64) -> Request {
    let started = scene.record.started;
    let moment = |at: u64| started.checked_add(Duration::from_micros(at)).unwrap_or(started);
    Request {
        database: worker.database,
        site_id: site_id(worker, event),
        order,
        step: event.step,
        iteration: event.iteration,
        phase: event.phase.clone(),
        from: moment(event.at),
        until: moment(event.at.saturating_add(event.took)),
        job: None,
        failed_at: None,
    }
}

/// The site id that a database had at an event: a logout gives it another.
fn site_id(worker: &WorkerRecord, event: &Event) -> Option<String> {
    let before = worker.events.iter().take_while(|other| other.at < event.at);
    let logouts = before.filter(|other| other.step == StepKind::Logout && other.failures.is_empty()).count();
    worker.former_site_ids.get(logouts).or(worker.site_id.as_ref()).cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::analysis::analyze;
    use crate::failure::{Call, classify_answer};
    use crate::fixture::{fail, plan, record};
    use crate::record::StepKind;

    #[test]
    fn a_card_has_what_finds_the_failure_in_the_servers_logs() {
        let plan = plan(2);
        let mut record = record(&plan);
        let answer = json!({"send": {"status": "syncing", "serverVersion": 1, "lastFailure": {"jobId": 44,
            "code": "internal_error", "message": "boom", "retryable": false, "failedAt": "2026-09-01T12:00:01Z"}}});
        let failure = classify_answer(Call::Send, &answer, false).remove(0);
        fail(&mut record, 2, 2, "insert", StepKind::Send, failure);
        let cards = analyze(&record, &plan).cards;
        assert_eq!((cards.len(), cards[0].total, &cards[0].jobs[..]), (1, 1, &["44".to_owned()][..]));
        let request = &cards[0].requests[0];
        // Six calls in iteration 1, two after the delete of iteration 2.
        assert_eq!((request.database, request.order, request.iteration), (2, 9, 2));
        assert_eq!(request.failed_at.as_deref(), Some("2026-09-01T12:00:01Z"));
        assert!(request.from > record.started && request.until > request.from);
        assert_eq!(request.site_id, record.workers[1].site_id);
        // A request before a logout was made by the former device, one after it by the present one.
        record.workers[1].former_site_ids = vec!["former".to_owned()];
        let site = |record: &crate::record::Record| analyze(record, &plan).cards[0].requests[0].site_id.clone();
        let (first, last) = (record.workers[1].events[0].clone(), record.workers[1].events.len());
        let end = record.workers[1].events[last - 1].at + 1;
        let logout = |at| crate::record::Event { step: StepKind::Logout, at, failures: Vec::new(), ..first.clone() };
        record.workers[1].events.push(logout(end));
        assert_eq!(site(&record).as_deref(), Some("former"));
        record.workers[1].events.pop();
        record.workers[1].events.insert(0, logout(first.at));
        assert_eq!(site(&record), record.workers[1].site_id);
    }
}
