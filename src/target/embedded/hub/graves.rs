//! Rows that are gone: deletions that are pushed, and the tombstones that tell of them.

use super::super::merge::Versions;
use super::super::wire::Cell;
use super::error::StoreError;
use super::policy::bind;
use super::rows::{Mode, Rows, unbury};
use crate::scenario::FaultKind;

impl Rows<'_> {
    pub(super) fn delete(&mut self, key: &[Cell<'_>], life: u64) -> Result<(), StoreError> {
        let Some(row) = self.gate.delete(key)? else { return Ok(self.deepen(key, life)?) };
        // Planted: deleted as if that were done now.
        let life = if self.mode == Mode::Again { row.versions.life() + 1 } else { life };
        if self.deny(row.allowed) || row.versions.life() >= life {
            return Ok(());
        }
        let seq = self.start()?;
        if self.faults.has(FaultKind::ResurrectRows) && self.faults.strikes(FaultKind::ResurrectRows, self.site) {
            let mut versions = Versions::dead(life);
            versions.insert(self.tracked.changed.len());
            return Ok(self.touch(seq, self.id, row.place, &versions)?);
        }
        self.tally.pushed += 1;
        Ok(self.remove(seq, self.id, row.place, life, key.iter().copied())?)
    }

    /// Notes that a row was deleted which is not there.
    fn deepen(&mut self, key: &[Cell<'_>], life: u64) -> rusqlite::Result<()> {
        match self.buried(key)? {
            None => self.bury_unseen(self.id, key, life, None),
            Some(known) if known >= life => Ok(()),
            Some(_) => {
                for (old, _) in self.tombstones(key)?.into_iter().filter(|(_, life)| life.is_some()) {
                    let seq = self.next();
                    self.deepen.execute([seq, self.id, signed(life), old])?;
                }
                Ok(())
            }
        }
    }

    /// Writes a tombstone of a row that is not there, for those who would see these cells.
    pub(super) fn bury_unseen(
        &mut self,
        by: i64,
        key: &[Cell<'_>],
        life: u64,
        cells: Option<&[Cell<'_>]>,
    ) -> rusqlite::Result<()> {
        let seq = self.next();
        for (i, value) in [seq, by, signed(life)].into_iter().enumerate() {
            self.bury_unseen.raw_bind_parameter(i + 1, value)?;
        }
        bind(&mut self.bury_unseen, 4, key)?;
        for (i, &column) in self.tracked.watched.iter().enumerate() {
            let value = cells.map_or(Cell::Null, |cells| cells[column]);
            self.bury_unseen.raw_bind_parameter(4 + key.len() + i, value)?;
        }
        self.has_tombstones = true;
        self.bury_unseen.raw_execute().map(drop)
    }

    /// Removes a row and leaves a tombstone by a site.
    pub(super) fn remove<'k>(
        &mut self,
        seq: i64,
        by: i64,
        place: i64,
        life: u64,
        key: impl Iterator<Item = Cell<'k>>,
    ) -> rusqlite::Result<()> {
        // Without watched columns a live row has no tombstones.
        if self.has_tombstones && !self.tracked.watched.is_empty() {
            unbury(&mut self.unbury, place, key)?;
        }
        self.has_tombstones = true;
        self.bury.execute([seq, by, place, signed(life)])?;
        self.erase.execute([place])?;
        self.end()?;
        self.forget.execute([place]).map(drop)
    }

    /// How often a row came and went that is not there.
    pub(super) fn buried(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<Option<u64>> {
        if !self.has_tombstones {
            return Ok(None);
        }
        Ok(self.tombstones(key)?.into_iter().filter_map(|(_, life)| life).max())
    }

    /// Sequence number and life of the tombstones under a key.
    pub(super) fn tombstones(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<Vec<(i64, Option<u64>)>> {
        bind(&mut self.buried, 1, key)?;
        let mut rows = self.buried.raw_query();
        let mut tombstones = Vec::new();
        while let Some(row) = rows.next()? {
            let life: Option<i64> = row.get(1)?;
            tombstones.push((row.get(0)?, life.map(|life| u64::try_from(life).unwrap_or(0))));
        }
        Ok(tombstones)
    }
}

/// SQLite's integers have a sign.
fn signed(life: u64) -> i64 {
    i64::try_from(life).unwrap_or(i64::MAX)
}
