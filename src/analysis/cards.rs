//! Cards for the server's engineers: per group of failures on the server's side, what it takes to find them in the
//! server's own logs.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{ErrorGroup, ErrorTable, Scene};
use crate::failure::{FailureKind, Side};
use crate::record::{Event, StepKind, WorkerRecord};

/// Groups that get a card.
const CARDS: usize = 10;
/// Requests on a card.
const REQUESTS: usize = 5;
/// Jobs on a card.
const JOBS: usize = 10;

/// A group of failures on the server's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// What failed.
    pub kind: FailureKind,
    /// The message of the first, in full.
    pub message: String,
    /// The jobs that failed, as the server names them, the first ones.
    pub jobs: Vec<String>,
    /// Requests that met it, the first ones.
    pub requests: Vec<Request>,
    /// How many there are in all.
    pub total: u64,
}

/// A request that met a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The database.
    pub database: u32,
    /// Its site id, once known.
    pub site_id: Option<String>,
    /// The how manyeth sync call of that database it was, from 1.
    pub order: u64,
    /// What was called.
    pub step: StepKind,
    /// The iteration, counted from 1; 0 outside of them.
    pub iteration: u64,
    /// The phase.
    pub phase: String,
    /// When it was made, by this machine's clock.
    pub from: Timestamp,
    /// When its answer was there.
    pub until: Timestamp,
    /// The job, as the server names it.
    pub job: Option<String>,
    /// When that failed, as the server tells.
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
        site_id: worker.site_id.clone(),
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
    }
}
