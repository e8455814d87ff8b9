//! A worker's sync calls.

use std::time::Duration;

use super::super::phase::template_error;
use super::state::{Flow, Worker};
use crate::failure::{self, Call, Failure, FailureKind, RawError, Side};
use crate::observe::first_of;
use crate::plan::{ReceivePlan, StepPlan, SyncPlan, UntilPlan, UntilQueryPlan, is_same};
use crate::session::{SyncCall, Synced};
use crate::sql::one_line;
use crate::template::Scope;

/// What a query is to give after the last of several receives.
struct Awaited<'p> {
    query: &'p UntilQueryPlan,
    scope: Scope,
    /// Microseconds since the run's start.
    since: u64,
    /// How often it was received until now, this time included.
    calls: u32,
    /// Whether this is the last time.
    is_last: bool,
    /// Whether the value is there.
    came: bool,
}

impl Worker<'_> {
    /// Does one entry of a step's `sync`, in the step's repetition.
    pub(super) fn sync(&mut self, step: &StepPlan, plan: &SyncPlan, time: u64) -> Flow {
        let phase = &step.name;
        match plan {
            SyncPlan::Send => drop(self.call(phase, &SyncCall::send())),
            SyncPlan::Receive(receive) => self.receive(phase, receive, time)?,
            SyncPlan::Sync(options) => {
                drop(self.call(phase, &SyncCall::sync(*options)));
            }
            SyncPlan::Logout => self.log_out(phase),
            SyncPlan::ResetSyncVersion => self.reset_sync_version(phase),
            SyncPlan::Wait(wait) => self.pause(phase, *wait)?,
        }
        Ok(())
    }

    fn receive(&mut self, phase: &str, plan: &ReceivePlan, time: u64) -> Flow {
        let call = if plan.check { SyncCall::check(plan.max_chunks) } else { SyncCall::receive(plan.max_chunks) };
        let Some(until) = &plan.until else {
            drop(self.call(phase, &call));
            return Ok(());
        };
        let mut awaited = match until {
            UntilPlan::Rows | UntilPlan::Quiet => None,
            UntilPlan::Query(query) => {
                let (scope, since) = (self.scope_at(time), self.run.journal.now());
                Some(Awaited { query, scope, since, calls: 0, is_last: false, came: false })
            }
        };
        let mut quiet = 0;
        for attempt in 1..=plan.attempts {
            self.go_on()?;
            if let Some(awaited) = &mut awaited {
                awaited.is_last = attempt == plan.attempts;
            }
            let Some(synced) = self.call_and_ask(phase, &call, awaited.as_mut()) else { return Ok(()) };
            quiet = if synced.rows == 0 && synced.complete { quiet + 1 } else { 0 };
            let enough = match until {
                UntilPlan::Rows => synced.rows > 0,
                UntilPlan::Quiet => quiet >= 2,
                UntilPlan::Query(_) => awaited.as_ref().is_none_or(|awaited| awaited.came),
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
        self.call_and_ask(phase, call, None)
    }

    /// The same, and asks afterwards for what is awaited. That it did not come by the last call is a failure of that
    /// call.
    fn call_and_ask(&mut self, phase: &str, call: &SyncCall, mut awaited: Option<&mut Awaited<'_>>) -> Option<Synced> {
        let mut attempt = 1;
        loop {
            let before = match (self.session.as_ref()?.connection(), &mut self.watch) {
                (Some(connection), Some(watch)) if call.step.receives() => watch.before(connection),
                _ => None,
            };
            let at = self.run.journal.now();
            let mut synced = call.make(self.session.as_ref()?, self.settled, self.versions);
            self.versions = synced.versions.or(self.versions);
            if let Some(ledger) = self.ledger.as_mut().filter(|_| call.step.receives()) {
                ledger.forget_look();
            }
            if let Some(ledger) = self.ledger.as_mut().filter(|_| call.step.sends()) {
                match synced.failures.is_empty() {
                    true => ledger.acknowledge(self.run.journal.now()),
                    // Otherwise the rows wait, and go out again.
                    false if synced.answered => ledger.refuse(),
                    false => {}
                }
            }
            let mut event = self.event(phase, call.step, at);
            if let Some(awaited) = &mut awaited {
                // Asking is no part of the call's time.
                synced.failures.extend(self.look_for(awaited));
            }
            let kind = if synced.failures.is_empty() { "" } else { " error" };
            self.note(&event, &format!("{}{kind}: {}", call.step.as_str(), synced.text));
            if self.was_cut(&synced.failures) {
                return None;
            }
            let again = self.retry(&synced.failures, attempt);
            event.rows = synced.rows;
            event.chunks = synced.chunks;
            event.bytes = synced.bytes;
            event.incomplete = synced.answered && !synced.complete;
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

    /// Asks whether what is awaited has come. A query that fails, and one without its value at the end, is a failure.
    fn look_for(&self, awaited: &mut Awaited<'_>) -> Option<Failure> {
        awaited.calls += 1;
        let session = self.session.as_ref()?;
        let template = |problem| template_error(&problem);
        let asked = || -> Result<_, RawError> {
            let sql = awaited.query.sql(&awaited.scope).map_err(template)?;
            let wanted = awaited.query.equals(&awaited.scope).map_err(template)?;
            let answer = first_of(&session.query(&sql)?);
            Ok((sql, wanted, answer))
        };
        let (sql, wanted, (found, rows)) = match asked() {
            Ok(asked) => asked,
            Err(error) => return Some(failure::classify(&error)),
        };
        awaited.came = rows <= 1 && is_same(&found, &wanted);
        if awaited.came || !awaited.is_last {
            return None;
        }
        let took = Duration::from_micros(self.run.journal.now().saturating_sub(awaited.since));
        let found = match rows {
            0 => "no row".to_owned(),
            1 => found.to_string(),
            rows => format!("{rows} rows"),
        };
        let calls = match awaited.calls {
            1 => "1 call".to_owned(),
            calls => format!("{calls} calls"),
        };
        let said = format!(
            "`{}` returned {found}, expected {wanted}, after {calls} in {took:.1?}; raise `attempts` or `every` if the rows need longer",
            one_line(&sql),
        );
        // A text of the database can be anything, also a secret that a server sent.
        let said = session.hide(RawError::said(Call::Sql, said)).message;
        Some(Failure::new(FailureKind::NotReceived, Side::Server, said))
    }
}
