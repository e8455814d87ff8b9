//! What is judged: a record beside the plan that it was made by.

use crate::plan::Plan;
use crate::record::{Event, Record, WorkerRecord};

/// The name of settling, in place of a phase's name.
pub(super) const SETTLE: &str = "settle";

/// The data to judge, with the workers in ascending order.
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

    /// The events of the load: all events except those of settling.
    pub(super) fn load(&self) -> impl Iterator<Item = (&'a WorkerRecord, &'a Event)> {
        self.events().filter(|(_, event)| event.phase != SETTLE)
    }

    /// The end of the run, or its last recorded event, in microseconds since the start.
    pub(super) fn end(&self) -> u64 {
        let last_event = self.events().map(|(_, event)| event.at.saturating_add(event.took)).max();
        let ended = self.record.ended.map(|ended| ended.at);
        ended.or(last_event).unwrap_or_default()
    }
}
