//! What all parts of a run share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::alarm::Alarms;
use super::control::{Control, Watchdog};
use super::journal::Journal;
use super::progress::Progress;
use super::rendezvous::Rendezvous;
use crate::ledger::Kept;
use crate::observe::{self, Behind, Limits, Subject};
use crate::plan::Plan;
use crate::session::Interrupt;
use crate::target::Connected;

/// What all parts of a run share.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    pub(super) target: &'a Connected,
    pub(super) directory: &'a Path,
    pub(super) databases: &'a Path,
    pub(super) control: &'a Control,
    pub(super) progress: &'a Progress,
    pub(super) watchdog: Watchdog,
    pub(super) rendezvous: Rendezvous,
    pub(super) journal: Journal,
    pub(super) alarms: Alarms<'a>,
    /// As many threads as processors, for what need not be done by all databases at once.
    pub(super) few: rayon::ThreadPool,
}

impl Run<'_> {
    pub(super) fn database_file(&self, index: u32) -> PathBuf {
        observe::database_file(self.databases, index)
    }

    /// The file of a database's log.
    pub(super) fn log_file(&self, index: u32) -> PathBuf {
        self.directory.join("logs").join(format!("db{index}.log"))
    }

    /// The directory of what is only there to be looked at.
    pub(super) fn copies(&self) -> PathBuf {
        self.directory.join("databases")
    }

    /// The directory of the ledgers.
    pub(super) fn ledgers(&self) -> PathBuf {
        self.copies().join("ledgers")
    }

    /// What is looked at when the work is done, given what every database wrote.
    pub(super) fn subject<'s>(&'s self, ledgers: &'s [Kept]) -> Subject<'s> {
        Subject {
            plan: self.plan,
            target: self.target,
            databases: self.databases,
            copies: self.copies(),
            ledgers,
            behind: Behind::default(),
            pool: &self.few,
            limits: self,
        }
    }
}

impl Limits for Run<'_> {
    fn sleep(&self, time: Duration) -> bool {
        self.control.sleep(time)
    }

    fn left(&self) -> Duration {
        self.watchdog.left()
    }

    fn interrupt(&self, place: usize, handle: Option<Interrupt>) {
        self.watchdog.connection(place, handle);
    }
}
