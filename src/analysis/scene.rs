//! What is judged: a record beside the plan that it was made by.

use crate::plan::Plan;
use crate::record::{Event, Record, WorkerRecord};

/// The name of the rounds after the last iteration, where a phase's name stands.
pub(super) const SETTLE: &str = "settle";

/// What is judged, the workers in index order.
pub(super) struct Scene<'a> {
    pub(super) record: &'a Record,
    pub(super) plan: &'a Plan,
    pub(super) workers: Vec<&'a WorkerRecord>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(record: &'a Record, plan: &'a Plan) -> Self {
        let mut workers: Vec<&WorkerRecord> = record.workers.iter().collect();
        workers.sort_by_key(|worker| worker.database);
        Self { record, plan, workers }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.workers.iter().flat_map(|worker| worker.events.iter().map(move |event| (*worker, event)))
    }

    /// The events of the load: all but those of settling.
    pub(super) fn load(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.events().filter(|(_, event)| event.phase != SETTLE)
    }

    /// Microseconds since the start until the last thing recorded.
    pub(super) fn end(&self) -> u64 {
        let last_event = self.events().map(|(_, event)| event.at.saturating_add(event.took)).max();
        let ended = self.record.ended.map(|ended| ended.at);
        ended.or(last_event).unwrap_or_default()
    }
}
