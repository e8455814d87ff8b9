//! A worker's session: opened when a step needs it, closed as the scenario says.

use super::state::Worker;
use crate::failure;
use crate::record::StepKind;
use crate::session::{define_auth, raw_error};
use crate::target::Device;

/// The phase's name under which opening and closing is recorded.
const SESSION: &str = "session";

impl Worker<'_> {
    /// Opens a session unless one is open. Gives whether there is one.
    pub(super) fn open(&mut self) -> bool {
        if self.session.is_some() {
            return true;
        }
        let at = self.run.journal.now();
        let (target, plan) = (self.run.target, self.run.plan);
        let user = &plan.users[self.database.user as usize - 1].id;
        let device = Device { number: self.database.index, user, file: &self.file };
        let opened = target.open(plan, device, target.credential(self.database));
        let mut event = self.event(SESSION, StepKind::Open, at);
        let opened = opened.and_then(|session| {
            if let Some(connection) = session.connection().filter(|_| self.watch.is_some()) {
                define_auth(connection, user).map_err(|error| raw_error(failure::Call::Open, &error))?;
            }
            Ok(session)
        });
        match opened {
            Ok(mut session) => {
                if let Some(ledger) = &mut self.ledger {
                    ledger.listen(&mut session);
                }
                self.run.watchdog.connection(self.index, Some(session.interrupt()));
                self.session = Some(session);
            }
            Err(error) => {
                self.note(&event, &format!("open error: {}", error.message));
                event.failures.push(failure::classify(&error));
            }
        }
        self.record(event);
        self.session.is_some()
    }

    /// Closes the session, in the right order whatever happened in it.
    pub(crate) fn close(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.run.watchdog.connection(self.index, None);
        let at = self.run.journal.now();
        let closed = session.close();
        let mut event = self.event(SESSION, StepKind::Close, at);
        if let Err(error) = closed {
            self.note(&event, &format!("close error: {}", error.message));
            event.failures.push(failure::classify(&error));
        }
        self.record(event);
    }
}
