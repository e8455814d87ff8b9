//! Merging the rows of a push into a table, each under the next sequence number if it changed anything. It must not know
//! messages beyond their rows; what is gone is the business of `graves`.

use std::borrow::Cow;

use rusqlite::types::Null;
use rusqlite::{CachedStatement, Connection, ErrorCode, params};

use super::super::block_column::BlockColumn;
use super::super::fault::Faults;
use super::super::history::Earlier;
use super::super::merge::{Merged, Versions};
use super::super::wire::{Bytes, Cell, LastFailure, OwnedCell, Reader, RowHead, RowState, SiteId};
use super::cascade::Cascade;
use super::error::StoreError;
use super::policy::{Caller, Gate, There, bind};
use super::shared::Shared;
use super::tracked::{SERVER, Tracked, learn_blocks};
use crate::scenario::{Denied, FaultKind};

/// The failures that are planted in rows that were stored.
const PLANTED: &[FaultKind] = &[FaultKind::Invent, FaultKind::Rewrite, FaultKind::LoseEverywhere];

/// How a push is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// As it should be.
    Normal,
    /// Planted: acknowledged, and thrown away.
    Forget,
    /// Planted: stored although it was before.
    Again,
    /// Planted: under sequence numbers that everyone has passed.
    ClockBack,
}

/// What became of the rows of a push.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// The last sequence number given.
    pub(super) seq: i64,
    pub(super) pushed: i64,
    pub(super) denied: i64,
    pub(super) failed: i64,
}

/// The statements of one push, held for its rows.
pub(super) struct Rows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) tracked: &'a Tracked,
    pub(super) gate: Gate<'a>,
    pub(super) faults: &'a Faults,
    /// Whether nothing is stored from a denied row on.
    pub(super) stops: bool,
    pub(super) site: &'a SiteId,
    /// The site's number.
    pub(super) id: i64,
    pub(super) mode: Mode,
    pub(super) tally: Tally,
    pub(super) failure: Option<LastFailure>,
    /// Where the schema has triggers.
    pub(super) cascade: Option<Cascade<'a>>,
    /// How the pushed rows are to be read, where their table still has a shape that the hub's had before.
    pub(super) earlier: Option<&'a Earlier>,
    /// Whether a row has told which columns are merged block by block.
    learned: bool,
    /// Whether a new row may have some to remove.
    pub(super) has_tombstones: bool,
    pub(super) insert: CachedStatement<'a>,
    pub(super) update: Option<CachedStatement<'a>>,
    pub(super) place: CachedStatement<'a>,
    pub(super) touch: CachedStatement<'a>,
    pub(super) versions: CachedStatement<'a>,
    pub(super) observe: CachedStatement<'a>,
    pub(super) bury: CachedStatement<'a>,
    pub(super) bury_unseen: CachedStatement<'a>,
    pub(super) buried: CachedStatement<'a>,
    pub(super) deepen: CachedStatement<'a>,
    pub(super) unbury: CachedStatement<'a>,
    pub(super) exhume: CachedStatement<'a>,
    pub(super) erase: CachedStatement<'a>,
    pub(super) forget: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn open(
        connection: &'a Connection,
        tracked: &'a Tracked,
        caller: &Caller,
        shared: &'a Shared,
        (site, id): (&'a SiteId, i64),
        mode: Mode,
    ) -> rusqlite::Result<Self> {
        let sql = &tracked.sql;
        let name = &tracked.shape.name;
        let dead = super::super::shape::companion(name, "_cloudsync_tombstones");
        let live = super::super::shape::companion(name, "_cloudsync");
        let seq = if mode == Mode::ClockBack {
            let lowest = format!(
                "SELECT min(0, coalesce((SELECT min(cs_seq) FROM {live}), 0), coalesce((SELECT min(cs_seq) FROM {dead}), 0))"
            );
            connection.query_row(&lowest, [], |row| row.get(0))?
        } else {
            connection.prepare_cached("SELECT seq FROM cloudsync_state")?.query_row([], |row| row.get(0))?
        };
        Ok(Self {
            connection,
            tracked,
            gate: Gate::open(connection, tracked, caller)?,
            faults: &shared.faults,
            stops: shared.denied == Denied::Stop,
            site,
            id,
            mode,
            tally: Tally { seq, ..Tally::default() },
            failure: None,
            cascade: None,
            earlier: None,
            learned: false,
            has_tombstones: connection.prepare_cached(&format!("SELECT 1 FROM main.{dead}"))?.exists([])?,
            insert: connection.prepare_cached(&sql.insert)?,
            update: sql.update.as_ref().map(|sql| connection.prepare_cached(sql)).transpose()?,
            place: connection.prepare_cached(&sql.place)?,
            touch: connection.prepare_cached(&sql.touch)?,
            observe: connection.prepare_cached(&sql.observe)?,
            versions: connection.prepare_cached(&sql.versions)?,
            bury: connection.prepare_cached(&sql.bury)?,
            bury_unseen: connection.prepare_cached(&sql.bury_unseen)?,
            buried: connection.prepare_cached(&sql.buried)?,
            deepen: connection.prepare_cached(&sql.deepen)?,
            unbury: connection.prepare_cached(&sql.unbury)?,
            exhume: connection.prepare_cached(&format!("DELETE FROM main.{dead} WHERE cs_seq = ?1"))?,
            erase: connection.prepare_cached(&sql.erase)?,
            forget: connection.prepare_cached(&sql.forget)?,
        })
    }

    /// Stores the rows whose version is above `known`, and returns the highest.
    pub(super) fn store(&mut self, reader: &mut Reader<'_>, rows: u32, known: i64) -> Result<i64, StoreError> {
        let shape = &self.tracked.shape;
        let may_drop = self.faults.has(FaultKind::DropRow);
        let may_plant = self.mode == Mode::Normal && self.faults.has_any(PLANTED);
        let earlier = self.earlier;
        let width = earlier.map_or(shape.columns.len(), |earlier| earlier.width);
        let mut received = Vec::new();
        let mut version = known;
        for _ in 0..rows {
            let head: RowHead<'_> = reader.take()?;
            reader.cells(head.state.cells(width, shape.keys.len()), &mut received)?;
            // Seen before: the answer was lost, or the message came twice.
            if head.version <= known && self.mode != Mode::Again {
                continue;
            }
            let (cells, bytes) = match (head.state, earlier) {
                (RowState::Live(bytes), Some(earlier)) => {
                    let versions = earlier.versions(bytes.map(|Bytes(bytes)| bytes))?;
                    (&earlier.cells(&received), versions.write().map(Cow::Owned))
                }
                (RowState::Live(bytes), None) => (&received, bytes.map(|Bytes(bytes)| Cow::Borrowed(bytes))),
                (RowState::Dead(_) | RowState::Hidden, _) => (&received, None),
            };
            let before = (version, self.tally.denied);
            version = version.max(head.version);
            if self.mode == Mode::Forget || may_drop && self.faults.strikes(FaultKind::DropRow, self.site) {
                continue;
            }
            if let Some(cascade) = &mut self.cascade {
                let key: Vec<Cell<'_>> = match head.state {
                    RowState::Live(_) => shape.keys.iter().map(|&key| cells[key]).collect(),
                    RowState::Dead(_) | RowState::Hidden => cells.clone(),
                };
                cascade.push(&key)?;
            }
            let place = match head.state {
                RowState::Live(_) => self.write(cells, bytes.as_deref())?,
                RowState::Dead(life) => {
                    self.delete(cells, life)?;
                    None
                }
                RowState::Hidden => return Err(StoreError::Malformed),
            };
            if self.stops && self.tally.denied > before.1 {
                let message = format!("42501: a row violates a row-level security policy of the table {}", shape.name);
                self.failure = Some(last_failure("database_permission_denied", message));
                return Ok(before.0);
            }
            if may_plant {
                self.plant(place, cells)?;
            }
        }
        if reader.is_empty() { Ok(version) } else { Err(StoreError::Malformed) }
    }

    pub(super) fn next(&mut self) -> i64 {
        self.tally.seq += if self.mode == Mode::ClockBack { -1 } else { 1 };
        self.tally.seq
    }

    /// The next number, from which triggers go on.
    pub(super) fn start(&mut self) -> rusqlite::Result<i64> {
        let seq = self.next();
        if let Some(cascade) = self.cascade.as_mut().filter(|_| self.mode != Mode::ClockBack) {
            cascade.start(seq)?;
        }
        Ok(seq)
    }

    /// Goes on from the numbers that triggers gave.
    pub(super) fn end(&mut self) -> rusqlite::Result<()> {
        if let Some(cascade) = self.cascade.as_mut().filter(|_| self.mode != Mode::ClockBack) {
            self.tally.seq = cascade.end()?;
        }
        Ok(())
    }

    /// Merges a row into what is there: its place, if it changed anything.
    fn write(&mut self, cells: &[Cell<'_>], bytes: Option<&[u8]>) -> Result<Option<i64>, StoreError> {
        let versions = Versions::read(bytes)?;
        let place = self.merge(cells, &versions, bytes)?;
        if place.is_some() {
            self.learn(&versions)?;
        }
        Ok(place)
    }

    fn merge(
        &mut self,
        cells: &[Cell<'_>],
        versions: &Versions,
        bytes: Option<&[u8]>,
    ) -> Result<Option<i64>, StoreError> {
        let found = self.gate.write(cells, versions, self.tracked)?;
        if self.mode == Mode::Again {
            return if self.deny(found.allowed) { Ok(None) } else { self.write_anew(cells, found.there) };
        }
        let Some(there) = found.there else {
            if self.deny(found.allowed) {
                return Ok(None);
            }
            let key = self.key(cells);
            if let Some(life) = self.buried(&key)?
                && life >= versions.life()
            {
                if self.tracked.rls {
                    // Its writer may not see the tombstone of the row as it was.
                    self.bury_unseen(SERVER, &key, life, Some(cells))?;
                }
                return Ok(None);
            }
            return Ok(self.add(cells, bytes)?);
        };
        match there.merged {
            Merged::Both(versions) => {
                let both: Vec<Cell<'_>> = there.both.iter().map(OwnedCell::cell).collect();
                let found = self.gate.write(&both, &versions, self.tracked)?;
                if self.deny(found.allowed) {
                    return Ok(None);
                }
                let moves = found.there.is_some_and(|there| there.moves);
                // From the server, so that the writer, too, gets what it did not have.
                Ok(self.change(there.place, moves, &both, versions.write().as_deref(), SERVER)?)
            }
            merged => {
                if self.deny(found.allowed) || merged == Merged::Held {
                    return Ok(None);
                }
                Ok(self.change(there.place, there.moves, cells, bytes, self.id)?)
            }
        }
    }

    /// Notes which columns are merged block by block, for what the server itself writes.
    fn learn(&mut self, versions: &Versions) -> rusqlite::Result<()> {
        let shape = &self.tracked.shape;
        for (place, blocks) in versions.block_columns().filter(|_| !self.learned) {
            let is_known = |known: &BlockColumn| known.place == place && known.delimiter == blocks.delimiter();
            if let Some(&column) = self.tracked.changed.get(place)
                && !self.tracked.blocks.iter().any(is_known)
            {
                learn_blocks(self.connection, shape, &shape.columns[column].name, blocks.delimiter())?;
            }
        }
        self.learned |= versions.block_columns().next().is_some();
        Ok(())
    }

    /// Planted: stores a row as if it were written now, whatever is there.
    fn write_anew(&mut self, cells: &[Cell<'_>], there: Option<There>) -> Result<Option<i64>, StoreError> {
        let width = self.tracked.changed.len();
        let mut versions = match &there {
            Some(there) => self.versions(there.place)?,
            None => Versions::dead(self.buried(&self.key(cells))?.unwrap_or(0)),
        };
        versions.insert(width);
        for (column, place) in self.tracked.changed.iter().enumerate() {
            versions.write_blocks(column, None, cells[*place]);
        }
        let bytes = versions.write();
        Ok(match there {
            Some(there) => self.change(there.place, there.moves, cells, bytes.as_deref(), self.id)?,
            None => self.add(cells, bytes.as_deref())?,
        })
    }

    pub(super) fn key<'k>(&self, cells: &[Cell<'k>]) -> Vec<Cell<'k>> {
        self.tracked.shape.keys.iter().map(|&column| cells[column]).collect()
    }

    /// Whether a policy denies what is being stored, which is counted.
    pub(super) fn deny(&mut self, allowed: bool) -> bool {
        let denied = !allowed && !self.is_policy_ignored();
        self.tally.denied += i64::from(denied);
        denied
    }

    /// Stores a row that was not there.
    fn add(&mut self, cells: &[Cell<'_>], versions: Option<&[u8]>) -> rusqlite::Result<Option<i64>> {
        bind(&mut self.insert, 1, cells)?;
        // Before what triggers write: a device receives it first, and its own triggers may write the same again.
        let seq = self.start()?;
        let inserted = self.insert.raw_execute();
        self.end()?;
        match inserted {
            // A trigger of the administrator's passed over it.
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return self.fail(error).map(|()| None),
        }
        self.tally.pushed += 1;
        self.note(seq, self.id, versions, cells).map(Some)
    }

    /// Notes the row just inserted, as written by a site: its place.
    pub(super) fn note(
        &mut self,
        seq: i64,
        by: i64,
        versions: Option<&[u8]>,
        cells: &[Cell<'_>],
    ) -> rusqlite::Result<i64> {
        self.place.raw_bind_parameter(1, seq)?;
        self.place.raw_bind_parameter(2, by)?;
        self.place.raw_bind_parameter(3, versions)?;
        for (i, &column) in self.tracked.noted.iter().enumerate() {
            self.place.raw_bind_parameter(i + 4, cells[column])?;
        }
        self.place.raw_execute()?;
        let place = self.connection.last_insert_rowid();
        if self.has_tombstones {
            let keys = &self.tracked.shape.keys;
            unbury(&mut self.unbury, place, keys.iter().map(|&column| cells[column]))?;
        }
        Ok(place)
    }

    /// Stores another state of a row.
    pub(super) fn change(
        &mut self,
        place: i64,
        moves: bool,
        cells: &[Cell<'_>],
        versions: Option<&[u8]>,
        by: i64,
    ) -> rusqlite::Result<Option<i64>> {
        let keys = &self.tracked.shape.keys;
        let key = || keys.iter().map(|&column| cells[column]);
        let tombstone = if moves {
            let seq = self.next();
            unbury(&mut self.unbury, place, key())?;
            // From the server, so that the writer, too, drops a row that it no longer sees.
            self.bury.execute(params![seq, SERVER, place, Null])?;
            Some(seq)
        } else {
            None
        };
        let seq = self.start()?;
        if let Some(update) = &mut self.update {
            bind(update, 1, cells)?;
            update.raw_bind_parameter(cells.len() + 1, place)?;
            let updated = update.raw_execute();
            self.end()?;
            if let Err(error) = updated {
                if let Some(seq) = tombstone {
                    self.exhume.execute([seq])?;
                }
                return self.fail(error).map(|()| None);
            }
        }
        self.tally.pushed += 1;
        self.touch.execute(params![seq, by, versions, place])?;
        if moves {
            self.has_tombstones = true;
            self.observe.raw_bind_parameter(1, place)?;
            for (i, &column) in self.tracked.watched.iter().enumerate() {
                self.observe.raw_bind_parameter(i + 2, cells[column])?;
            }
            self.observe.raw_execute()?;
            unbury(&mut self.unbury, place, key())?;
        }
        Ok(Some(place))
    }

    /// The versions of a row that is there.
    pub(super) fn versions(&mut self, place: i64) -> rusqlite::Result<Versions> {
        let bytes: Option<Vec<u8>> = self.versions.query_row([place], |row| row.get(0))?;
        // The hub wrote them, or checked them when they came.
        Ok(Versions::read(bytes.as_deref()).unwrap_or_default())
    }

    /// Gives a row another sequence number and other versions.
    pub(super) fn touch(&mut self, seq: i64, by: i64, place: i64, versions: &Versions) -> rusqlite::Result<()> {
        self.touch.execute(params![seq, by, versions.write(), place]).map(drop)
    }

    /// A constraint refuses the row: it is counted, and the push goes on.
    fn fail(&mut self, error: rusqlite::Error) -> rusqlite::Result<()> {
        if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
            return Err(error);
        }
        self.tally.failed += 1;
        self.failure = Some(last_failure("database_error", text_of(&error)));
        Ok(())
    }

    pub(super) fn is_policy_ignored(&self) -> bool {
        self.faults.has(FaultKind::IgnorePolicy) && self.faults.strikes(FaultKind::IgnorePolicy, self.site)
    }
}

/// SQLite's own text.
fn text_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

/// Why rows were not stored, in the words of the answer.
pub(super) fn last_failure(code: &str, message: String) -> LastFailure {
    LastFailure {
        job_id: uuid::Uuid::now_v7().to_string(),
        code: code.to_owned(),
        stage: "apply_payload".to_owned(),
        message,
        retryable: false,
        failed_at: jiff::Timestamp::now().to_string(),
    }
}

/// Removes the tombstones under a key that concern the same users as its row does now.
pub(super) fn unbury<'k>(
    statement: &mut CachedStatement<'_>,
    place: i64,
    key: impl Iterator<Item = Cell<'k>>,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, place)?;
    for (i, cell) in key.enumerate() {
        statement.raw_bind_parameter(i + 2, cell)?;
    }
    statement.raw_execute().map(drop)
}
