//! Storing a push: one write transaction, each accepted row under the next sequence number. It must not know HTTP.

use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};

use super::super::fault::Faults;
use super::super::wire::{Cell, LastFailure, PushAnswer, PushHead, Reader, RowHead, SiteId, site_text};
use super::cascade::{self, Cascade};
use super::database::Worker;
use super::error::StoreError;
use super::policy::{Caller, Gate, bind};
use super::tracked::{SERVER, Tracked};
use crate::scenario::FaultKind;

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

/// Stores a push.
pub(super) fn push(
    worker: &mut Worker,
    caller: &Caller,
    body: &[u8],
    faults: &Faults,
    mode: Mode,
) -> Result<PushAnswer, StoreError> {
    let mut reader = Reader::open(body)?;
    let head: PushHead<'_> = reader.take()?;
    worker.identify(caller);
    let Some(table) = &head.table else { return Ok(answer_status(&worker.connection, &head.site)?) };
    let transaction = worker.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tracked = worker.cache.get(&transaction, table.name)?;
    let cascades = worker.cache.triggers();
    if worker.cascades != cascades {
        cascade::install(&transaction, cascades.is_some())?;
    }
    let site = find_site(&transaction, &head.site, caller)?;
    let known = table_version(&transaction, site, table.name)?;
    let refused = match &tracked {
        None => Some((
            "database_cloudsync_not_ready",
            format!("cloudsync is not initialized: call SELECT cloudsync_init('{}') on the server first", table.name),
        )),
        Some(tracked) if tracked.shape.hash != table.hash => Some((
            "internal_error",
            format!(
                "cloudsync operation failed: Cannot apply the received payload because the schema hash is unknown {}.",
                table.hash
            ),
        )),
        Some(_) => None,
    };
    let mut failure = refused.map(|(code, message)| last_failure(code, message));
    let mut version = known;
    if let Some(tracked) = tracked.filter(|_| failure.is_none()) {
        let mut stored = Rows::open(&transaction, &tracked, caller, faults, &head.site, site, mode)?;
        if cascades.is_some() {
            stored.cascade = Some(Cascade::open(&transaction, &tracked)?);
        }
        version = stored.store(&mut reader, head.rows, known)?;
        failure = stored.failure.take();
        let tally = stored.tally;
        drop(stored);
        if mode != Mode::Again {
            record(&transaction, site, table.name, version, &tally)?;
        }
        if mode != Mode::ClockBack {
            transaction.prepare_cached("UPDATE cloudsync_state SET seq = ?1")?.execute([tally.seq])?;
        }
    }
    let total = total_version(&transaction, site)?;
    transaction.commit()?;
    worker.cascades = cascades;
    Ok(PushAnswer { version, total, failure })
}

fn answer_status(connection: &Connection, site: &SiteId) -> rusqlite::Result<PushAnswer> {
    let id = connection
        .prepare_cached("SELECT id FROM cloudsync_sites WHERE site = ?1")?
        .query_row([site_text(site)], |row| row.get(0))
        .optional()?;
    let total = id.map_or(Ok(0), |id| total_version(connection, id))?;
    Ok(PushAnswer { version: 0, total, failure: None })
}

/// The site's number here; a new one the first time it is met.
fn find_site(connection: &Connection, site: &SiteId, caller: &Caller) -> rusqlite::Result<i64> {
    let text = site_text(site);
    let known = connection
        .prepare_cached("SELECT id FROM cloudsync_sites WHERE site = ?1")?
        .query_row([&text], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO cloudsync_sites(site, user) VALUES (?1, ?2)")?
        .insert(params![text, caller.user_id()])
}

/// The highest version taken from a site for a table.
pub(super) fn table_version(connection: &Connection, site: i64, table: &str) -> rusqlite::Result<i64> {
    let version = connection
        .prepare_cached("SELECT version FROM cloudsync_versions WHERE site = ?1 AND name = ?2")?
        .query_row(params![site, table], |row| row.get(0))
        .optional()?;
    Ok(version.unwrap_or(0))
}

fn total_version(connection: &Connection, site: i64) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(sum(version), 0) FROM cloudsync_versions WHERE site = ?1")?
        .query_row([site], |row| row.get(0))
}

fn record(connection: &Connection, site: i64, table: &str, version: i64, tally: &Tally) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO cloudsync_versions(site, name, version) VALUES (?1, ?2, ?3)")?
        .execute(params![site, table, version])?;
    connection
        .prepare_cached(
            "UPDATE cloudsync_sites SET pushed = pushed + ?2, denied = denied + ?3, failed = failed + ?4,
             version = (SELECT sum(version) FROM cloudsync_versions WHERE site = ?1) WHERE id = ?1",
        )?
        .execute(params![site, tally.pushed, tally.denied, tally.failed])?;
    Ok(())
}

fn last_failure(code: &str, message: String) -> LastFailure {
    LastFailure {
        job_id: uuid::Uuid::now_v7().to_string(),
        code: code.to_owned(),
        stage: "apply_payload".to_owned(),
        message,
        retryable: false,
        failed_at: jiff::Timestamp::now().to_string(),
    }
}

/// What became of the rows of a push.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// The last sequence number given.
    seq: i64,
    pushed: i64,
    denied: i64,
    failed: i64,
}

/// The statements of one push, held for its rows.
pub(super) struct Rows<'a> {
    pub(super) connection: &'a Connection,
    pub(super) tracked: &'a Tracked,
    gate: Gate<'a>,
    pub(super) faults: &'a Faults,
    pub(super) site: &'a SiteId,
    /// The site's number.
    id: i64,
    mode: Mode,
    tally: Tally,
    failure: Option<LastFailure>,
    /// Where the schema has triggers.
    cascade: Option<Cascade<'a>>,
    /// Whether a new row may have some to remove.
    has_tombstones: bool,
    pub(super) insert: CachedStatement<'a>,
    update: Option<CachedStatement<'a>>,
    place: CachedStatement<'a>,
    pub(super) touch: CachedStatement<'a>,
    observe: CachedStatement<'a>,
    bury: CachedStatement<'a>,
    unbury: CachedStatement<'a>,
    exhume: CachedStatement<'a>,
    erase: CachedStatement<'a>,
    forget: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    fn open(
        connection: &'a Connection,
        tracked: &'a Tracked,
        caller: &Caller,
        faults: &'a Faults,
        site: &'a SiteId,
        id: i64,
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
            faults,
            site,
            id,
            mode,
            tally: Tally { seq, ..Tally::default() },
            failure: None,
            cascade: None,
            has_tombstones: connection.prepare_cached(&format!("SELECT 1 FROM main.{dead}"))?.exists([])?,
            insert: connection.prepare_cached(&sql.insert)?,
            update: sql.update.as_ref().map(|sql| connection.prepare_cached(sql)).transpose()?,
            place: connection.prepare_cached(&sql.place)?,
            touch: connection.prepare_cached(&sql.touch)?,
            observe: connection.prepare_cached(&sql.observe)?,
            bury: connection.prepare_cached(&sql.bury)?,
            unbury: connection.prepare_cached(&sql.unbury)?,
            exhume: connection.prepare_cached(&format!("DELETE FROM main.{dead} WHERE cs_seq = ?1"))?,
            erase: connection.prepare_cached(&sql.erase)?,
            forget: connection.prepare_cached(&sql.forget)?,
        })
    }

    /// Stores the rows whose version is above `known`, and returns the highest.
    fn store(&mut self, reader: &mut Reader<'_>, rows: u32, known: i64) -> Result<i64, StoreError> {
        let shape = &self.tracked.shape;
        let may_drop = self.faults.has(FaultKind::DropRow);
        let may_plant = self.mode == Mode::Normal && self.faults.has_any(PLANTED);
        let mut cells = Vec::new();
        let mut version = known;
        for _ in 0..rows {
            let head: RowHead = reader.take()?;
            reader.cells(if head.deleted { shape.keys.len() } else { shape.columns.len() }, &mut cells)?;
            // Seen before: the answer was lost, or the message came twice.
            if head.version <= known && self.mode != Mode::Again {
                continue;
            }
            version = version.max(head.version);
            if self.mode == Mode::Forget || may_drop && self.faults.strikes(FaultKind::DropRow, self.site) {
                continue;
            }
            if let Some(cascade) = &mut self.cascade {
                let key: Vec<Cell<'_>> =
                    if head.deleted { cells.clone() } else { shape.keys.iter().map(|&key| cells[key]).collect() };
                cascade.push(&key)?;
            }
            let place = if head.deleted {
                self.delete(&cells)?;
                None
            } else {
                self.write(&cells)?
            };
            if may_plant {
                self.plant(place, &cells)?;
            }
        }
        if reader.is_empty() { Ok(version) } else { Err(StoreError::Malformed) }
    }

    fn next(&mut self) -> i64 {
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

    /// Stores a row: its place, if it was accepted.
    fn write(&mut self, cells: &[Cell<'_>]) -> rusqlite::Result<Option<i64>> {
        let found = self.gate.write(cells, &self.tracked.watched)?;
        if !found.allowed && !self.is_policy_ignored() {
            self.tally.denied += 1;
            return Ok(None);
        }
        match found.place {
            Some(place) => self.change(place, found.moves, cells),
            None => self.add(cells),
        }
    }

    /// Stores a row that was not there.
    fn add(&mut self, cells: &[Cell<'_>]) -> rusqlite::Result<Option<i64>> {
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
        self.note(seq, self.id, cells).map(Some)
    }

    /// Notes the row just inserted, as written by a site: its place.
    pub(super) fn note(&mut self, seq: i64, by: i64, cells: &[Cell<'_>]) -> rusqlite::Result<i64> {
        self.place.raw_bind_parameter(1, seq)?;
        self.place.raw_bind_parameter(2, by)?;
        for (i, &column) in self.tracked.noted.iter().enumerate() {
            self.place.raw_bind_parameter(i + 3, cells[column])?;
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
    fn change(&mut self, place: i64, moves: bool, cells: &[Cell<'_>]) -> rusqlite::Result<Option<i64>> {
        let keys = &self.tracked.shape.keys;
        let key = || keys.iter().map(|&column| cells[column]);
        let tombstone = if moves {
            let seq = self.next();
            unbury(&mut self.unbury, place, key())?;
            // From the server, so that the writer, too, drops a row that it no longer sees.
            self.bury.execute([seq, SERVER, place])?;
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
        self.touch.execute([seq, self.id, place])?;
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

    fn delete(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<()> {
        let Some((place, allowed)) = self.gate.delete(key)? else { return Ok(()) };
        if !allowed && !self.is_policy_ignored() {
            self.tally.denied += 1;
            return Ok(());
        }
        let seq = self.start()?;
        if self.faults.has(FaultKind::ResurrectRows) && self.faults.strikes(FaultKind::ResurrectRows, self.site) {
            return self.touch.execute([seq, self.id, place]).map(drop);
        }
        self.tally.pushed += 1;
        self.remove(seq, self.id, place, key.iter().copied())
    }

    /// Removes a row and leaves a tombstone by a site.
    pub(super) fn remove<'k>(
        &mut self,
        seq: i64,
        by: i64,
        place: i64,
        key: impl Iterator<Item = Cell<'k>>,
    ) -> rusqlite::Result<()> {
        // Without watched columns a live row has no tombstones.
        if self.has_tombstones && !self.tracked.watched.is_empty() {
            unbury(&mut self.unbury, place, key)?;
        }
        self.has_tombstones = true;
        self.bury.execute([seq, by, place])?;
        self.erase.execute([place])?;
        self.end()?;
        self.forget.execute([place]).map(drop)
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

    fn is_policy_ignored(&self) -> bool {
        self.faults.has(FaultKind::IgnorePolicy) && self.faults.strikes(FaultKind::IgnorePolicy, self.site)
    }
}

/// Removes the tombstones under a key that concern the same users as its row does now.
fn unbury<'k>(
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

/// SQLite's own text.
fn text_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
