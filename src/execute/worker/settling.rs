//! A worker after its last step: the rounds to settle, and leaving.

use super::state::Worker;
use crate::session::{SyncCall, Synced};

/// The phase's name under which the rounds after the last iteration are recorded.
const SETTLE: &str = "settle";

/// What a round brought to one database.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Round {
    /// Changes were sent.
    pub(crate) sent: bool,
    /// Rows were received, or there are more to receive.
    pub(crate) received: bool,
    /// A call failed.
    pub(crate) failed: bool,
}

impl Round {
    pub(crate) fn is_quiet(self) -> bool {
        !self.sent && !self.received && !self.failed
    }
}

impl Worker<'_> {
    /// One round: send, receive all there is. `was_quiet` says that the round before brought nothing.
    pub(crate) fn settle_round(&mut self, was_quiet: bool) -> Round {
        self.iteration = 0;
        self.settled = was_quiet;
        if !self.open() {
            return Round { failed: true, ..Round::default() };
        }
        let sent = self.call(SETTLE, &SyncCall::send());
        let received = self.call(SETTLE, &SyncCall::receive(None));
        let failed = |synced: &Option<Synced>| synced.as_ref().is_none_or(|synced| !synced.failures.is_empty());
        Round {
            sent: sent.as_ref().is_some_and(|sent| sent.chunks > 0),
            received: received.as_ref().is_some_and(|received| received.rows > 0 || !received.complete),
            failed: failed(&sent) || failed(&received),
        }
    }

    /// Closes for good. Gives whether there is still something to send, when it can be asked.
    pub(crate) fn leave(&mut self) -> Option<bool> {
        let session = self.session.as_ref()?;
        let unsent = self.run.plan.syncs().then(|| session.unsent());
        self.close();
        self.log.flush();
        unsent?.ok().flatten()
    }
}
