//! What came of holding what is there against what was written.

use std::collections::BTreeMap;

use super::behind::Behind;
use crate::record::{Attempt, ForbiddenRow, WorkerRecord, WrittenState};

/// Rows that are named of each table; the others are counted.
pub(super) const NAMED: usize = 20;

/// What was found.
#[derive(Default)]
pub(crate) struct Examined {
    pub(crate) state: WrittenState,
    /// Rows that denied writes left behind.
    pub(crate) behind: Behind,
    /// Of each database that made any: its attempts against the policies.
    pub(crate) attempts: BTreeMap<u32, Attempts>,
    /// Of each database and table: the rows that its user's select policy forbids.
    pub(crate) forbidden: BTreeMap<(u32, usize), Forbidden>,
}

/// A database's attempts against the policies.
#[derive(Default)]
pub(crate) struct Attempts {
    pub(crate) denied: Vec<Attempt>,
    pub(crate) allowed: u64,
    /// Those about which the policies cannot be asked.
    pub(crate) doubtful: u64,
}

/// Attempts that did not arrive and that a database's record keeps; the others are counted.
const KEPT: usize = 1000;

impl Attempts {
    /// Puts them into the database's record: those that arrived, and some of the others.
    pub(crate) fn keep(mut self, record: &mut WorkerRecord) {
        let (all, mut kept) = (self.denied.len(), 0);
        self.denied.retain(|attempt| {
            kept += 1;
            kept <= KEPT || attempt.arrived == Some(true)
        });
        record.attempts_beyond = (all - self.denied.len()) as u64;
        record.attempts = self.denied;
        record.attempts_allowed = self.allowed;
        record.attempts_doubtful = self.doubtful;
    }
}

/// The rows of a table that a database holds against its user's select policy.
#[derive(Default)]
pub(crate) struct Forbidden {
    /// How many came from elsewhere.
    pub(crate) leaked: u64,
    /// How many came from elsewhere and may have been allowed then.
    pub(crate) lapsed: u64,
    /// Some of them.
    pub(super) named: Vec<ForbiddenRow>,
}

impl Forbidden {
    /// Some of them, those that came from elsewhere first.
    pub(crate) fn in_order(mut self) -> Vec<ForbiddenRow> {
        self.named.sort_by_key(|row| !row.leaked);
        self.named.truncate(NAMED);
        self.named
    }
}
