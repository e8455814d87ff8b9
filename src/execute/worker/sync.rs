//! A worker's sync calls.

use super::state::{Flow, Worker};
use crate::plan::{ReceivePlan, SyncPlan};
use crate::record::StepKind;
use crate::scenario::ReceiveUntil;
use crate::session::{SyncCall, Synced};

impl Worker<'_> {
    /// Does one entry of a step's `sync`.
    pub(super) fn sync(&mut self, phase: &str, plan: &SyncPlan) -> Flow {
        match plan {
            SyncPlan::Send => drop(self.call(phase, &SyncCall::send())),
            SyncPlan::Receive(receive) => self.receive(phase, receive)?,
            SyncPlan::Sync(options) => {
                let arguments =
                    options.map_or_else(String::new, |(wait, tries)| format!("{}, {tries}", wait.as_millis()));
                drop(self.call(phase, &SyncCall::new(StepKind::Sync, "sync", &arguments)));
            }
            SyncPlan::Wait(wait) => self.pause(phase, *wait)?,
        }
        Ok(())
    }

    fn receive(&mut self, phase: &str, plan: &ReceivePlan) -> Flow {
        let most = plan.max_chunks.map_or_else(String::new, |most| most.to_string());
        let call = if plan.check {
            SyncCall::new(StepKind::Check, "check_changes", &most)
        } else {
            SyncCall::new(StepKind::Receive, "receive_changes", &most)
        };
        let Some(until) = plan.until else {
            drop(self.call(phase, &call));
            return Ok(());
        };
        let mut quiet = 0;
        for attempt in 1..=plan.attempts {
            self.go_on()?;
            let Some(synced) = self.call(phase, &call) else { return Ok(()) };
            quiet = if synced.rows == 0 && synced.complete { quiet + 1 } else { 0 };
            let enough = match until {
                ReceiveUntil::Rows => synced.rows > 0,
                ReceiveUntil::Quiet => quiet >= 2,
            };
            if enough {
                return Ok(());
            }
            // A capped call that took its chunks has more waiting: only an empty one is worth a pause.
            if attempt < plan.attempts && synced.rows == 0 {
                self.pause(phase, plan.every)?;
            }
        }
        Ok(())
    }

    /// Makes a sync call, again where a rule says so, and records it.
    pub(super) fn call(&mut self, phase: &str, call: &SyncCall) -> Option<Synced> {
        let mut attempt = 1;
        loop {
            let connection = self.session.as_ref()?.connection();
            let before = if call.step.receives() {
                self.watch.as_mut().and_then(|watch| watch.before(connection))
            } else {
                None
            };
            let at = self.run.journal.now();
            let synced = call.make(self.session.as_ref()?, self.settled, self.versions);
            self.versions = synced.versions.or(self.versions);
            if let Some(ledger) = self.ledger.as_mut().filter(|_| call.step.sends()) {
                match synced.failures.is_empty() {
                    true => ledger.acknowledge(self.run.journal.now()),
                    // Otherwise the rows wait, and go out again.
                    false if synced.answered => ledger.refuse(),
                    false => {}
                }
            }
            let mut event = self.event(phase, call.step, at);
            let kind = if synced.failures.is_empty() { "" } else { " error" };
            self.note(&event, &format!("{}{kind}: {}", call.step.as_str(), synced.text));
            if self.was_cut(&synced.failures) {
                return None;
            }
            let again = self.retry(&synced.failures, attempt);
            event.rows = synced.rows;
            event.chunks = synced.chunks;
            event.bytes = synced.bytes;
            event.attempt = attempt;
            event.retried = again.is_some();
            event.failures.clone_from(&synced.failures);
            self.record(event);
            if let Some(before) = before {
                self.look_for_leaks(phase, &before);
            }
            match again {
                Some(backoff) if self.run.control.sleep(backoff) => attempt += 1,
                _ => return Some(synced),
            }
        }
    }
}
