//! What a worker does to its database's part in the sync without calling the server: it logs out, or has everything sent
//! and received again.

use super::state::Worker;
use crate::failure::{self, Call, RawError};
use crate::record::StepKind;

impl Worker<'_> {
    /// Deletes the local rows, takes a new site id, and logs in again as the same user.
    pub(super) fn log_out(&mut self, phase: &str) {
        let at = self.run.journal.now();
        let Some(session) = &self.session else { return };
        let done = session.call(Call::Open, "SELECT cloudsync_network_logout()", &[]).and_then(|_| {
            self.run.target.log_in(session, self.database)?;
            session.call(Call::Open, "SELECT lower(hex(cloudsync_siteid()))", &[])
        });
        // Also after an error, since nobody knows how far it came: what was not sent until now may be lost.
        if let Some(ledger) = &mut self.ledger {
            ledger.log_out();
        }
        // The versions of a new device begin anew.
        self.versions = None;
        let done = done.map(|site| {
            let Some(site) = site else { return };
            self.run.target.name_site(&site, self.database.index);
            let mut worker = self.run.journal.worker(self.index);
            let former = worker.site_id.replace(site);
            worker.former_site_ids.extend(former);
        });
        self.done(phase, StepKind::Logout, at, done);
    }

    /// Has everything sent and received again.
    pub(super) fn reset_sync_version(&mut self, phase: &str) {
        let at = self.run.journal.now();
        let Some(session) = &self.session else { return };
        let done = session.call(Call::Open, "SELECT cloudsync_network_reset_sync_version()", &[]);
        self.done(phase, StepKind::ResetSyncVersion, at, done.map(drop));
    }

    fn done(&mut self, phase: &str, step: StepKind, at: u64, done: Result<(), RawError>) {
        let mut event = self.event(phase, step, at);
        match done {
            Ok(()) => self.note(&event, step.as_str()),
            Err(error) => {
                self.note(&event, &format!("{} error: {}", step.as_str(), error.message));
                event.failures.push(failure::classify(&error));
            }
        }
        if !self.was_cut(&event.failures) {
            self.record(event);
        }
    }
}
