//! Totals of what the run actually did, as opposed to what its scale asks for.

use super::{SETTLE, Scene};
use crate::record::{Event, Total};

/// Totals of what the run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows deleted.
    pub deleted: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows read.
    pub queried: u64,
    /// Calls of `send`, settling excluded.
    pub sends: u64,
    /// Calls of `receive`, settling excluded.
    pub receives: u64,
    /// Calls of `check`, settling excluded.
    pub checks: u64,
    /// Calls of `sync`, settling excluded.
    pub syncs: u64,
    /// Sync calls of settling.
    pub settling: u64,
    /// Sync calls that failed, settling included.
    pub failed: u64,
    /// Rows received, as the target counts them.
    pub received: u64,
    /// Payload chunks of all sync calls.
    pub chunks: u64,
    /// Payload bytes of all sync calls.
    pub bytes: u64,
    /// Sync calls whose answer said that there is more to receive.
    pub incomplete: u64,
}

impl Totals {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let mut totals = Self::default();
        for (_, event) in scene.events() {
            totals.add(event);
        }
        totals
    }

    fn add(&mut self, event: &Event) {
        if event.step.is_sync() {
            self.failed += u64::from(!event.failures.is_empty());
            self.incomplete += u64::from(event.incomplete);
            add(&mut self.chunks, event.chunks);
            add(&mut self.bytes, event.bytes);
        }
        let Some(total) = event.step.total() else { return };
        let (settling, more) = if event.step.is_sync() { (event.phase == SETTLE, 1) } else { (false, event.rows) };
        let sum = match total {
            Total::Deleted => &mut self.deleted,
            Total::Inserted => &mut self.inserted,
            Total::Updated => &mut self.updated,
            Total::Queried => &mut self.queried,
            Total::Sends => &mut self.sends,
            Total::Receives => &mut self.receives,
            Total::Checks => &mut self.checks,
            Total::Syncs => &mut self.syncs,
        };
        add(if settling { &mut self.settling } else { sum }, more);
        if event.step.receives() {
            add(&mut self.received, event.rows);
        }
    }

    /// Rows deleted, inserted and updated.
    pub const fn changed(&self) -> u64 {
        self.deleted.saturating_add(self.inserted).saturating_add(self.updated)
    }

    /// Rows deleted, inserted, updated and read.
    pub const fn crud(&self) -> u64 {
        self.changed().saturating_add(self.queried)
    }

    /// All sync calls, settling excluded.
    pub const fn sync_calls(&self) -> u64 {
        self.sends + self.receives + self.checks + self.syncs
    }
}

/// Adds without overflow, because a damaged record can hold any number.
fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}
