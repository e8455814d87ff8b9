//! Totals of what the run actually did, as opposed to what its scale asks for.

use super::{SETTLE, Scene};
use crate::record::{Event, StepKind};

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
    /// Payload bytes of all sync calls.
    pub bytes: u64,
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
            self.bytes = self.bytes.saturating_add(event.bytes);
        }
        let settling = event.phase == SETTLE;
        let count = match event.step {
            StepKind::Delete => return add(&mut self.deleted, event.rows),
            StepKind::Insert => return add(&mut self.inserted, event.rows),
            StepKind::Update => return add(&mut self.updated, event.rows),
            StepKind::Query => return add(&mut self.queried, event.rows),
            StepKind::Send => &mut self.sends,
            StepKind::Receive => &mut self.receives,
            StepKind::Check => &mut self.checks,
            StepKind::Sync => &mut self.syncs,
            StepKind::Open
            | StepKind::Barrier
            | StepKind::Wait
            | StepKind::Pace
            | StepKind::Admin
            | StepKind::Close => return,
        };
        add(if settling { &mut self.settling } else { count }, 1);
        match event.step {
            StepKind::Receive | StepKind::Check | StepKind::Sync => add(&mut self.received, event.rows),
            StepKind::Send
            | StepKind::Open
            | StepKind::Delete
            | StepKind::Insert
            | StepKind::Update
            | StepKind::Query
            | StepKind::Barrier
            | StepKind::Wait
            | StepKind::Pace
            | StepKind::Admin
            | StepKind::Close => {}
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
