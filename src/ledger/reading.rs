//! Reading a database's ledger back, key by key.

use std::io;

use super::entry::Entry;
use super::keeper::Kept;
use super::merge::Merge;

/// A ledger that is being read.
pub(crate) struct Reading<'a> {
    merge: Merge<'a>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(kept: &'a Kept) -> io::Result<Self> {
        Ok(Self { merge: Merge::of(&kept.runs)? })
    }

    /// The next key, in ascending order.
    pub(crate) fn key(&self) -> Option<u128> {
        self.merge.key()
    }

    /// What the database wrote under the next key, in order.
    pub(crate) fn take(&mut self, key: u128) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.merge.take(key, &mut entries)?;
        Ok(entries)
    }
}
