//! Storing a push: one write transaction, each accepted row under the next sequence number. It must not know HTTP.

use rusqlite::{CachedStatement, Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};

use super::super::fault::Faults;
use super::super::wire::{Cell, LastFailure, PushAnswer, PushHead, Reader, RowHead, SiteId, site_text};
use super::StoreError;
use super::database::Worker;
use super::policy::{Caller, Gate};
use super::tracked::{SERVER, Tracked};
use crate::scenario::FaultKind;

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
struct Rows<'a> {
    tracked: &'a Tracked,
    gate: Gate<'a>,
    faults: &'a Faults,
    site: &'a SiteId,
    /// The site's number.
    id: i64,
    mode: Mode,
    tally: Tally,
    failure: Option<LastFailure>,
    /// Whether a new row may have some to remove.
    has_tombstones: bool,
    upsert: CachedStatement<'a>,
    exists: CachedStatement<'a>,
    touch: CachedStatement<'a>,
    place: CachedStatement<'a>,
    forget: CachedStatement<'a>,
    erase: CachedStatement<'a>,
    bury: CachedStatement<'a>,
    unbury: CachedStatement<'a>,
    exhume: CachedStatement<'a>,
    old: CachedStatement<'a>,
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
            tracked,
            gate: Gate::open(connection, tracked, caller)?,
            faults,
            site,
            id,
            mode,
            tally: Tally { seq, ..Tally::default() },
            failure: None,
            has_tombstones: connection.prepare_cached(&format!("SELECT 1 FROM main.{dead}"))?.exists([])?,
            upsert: connection.prepare_cached(&sql.upsert)?,
            exists: connection.prepare_cached(&sql.exists)?,
            touch: connection.prepare_cached(&sql.touch)?,
            place: connection.prepare_cached(&sql.place)?,
            forget: connection.prepare_cached(&sql.forget)?,
            erase: connection.prepare_cached(&sql.erase)?,
            bury: connection.prepare_cached(&sql.bury)?,
            unbury: connection.prepare_cached(&sql.unbury)?,
            exhume: connection.prepare_cached(&format!("DELETE FROM main.{dead} WHERE cs_seq = ?1"))?,
            old: connection.prepare_cached(&sql.old)?,
        })
    }

    /// Stores the rows whose version is above `known`, and returns the highest.
    fn store(&mut self, reader: &mut Reader<'_>, rows: u32, known: i64) -> Result<i64, StoreError> {
        let shape = &self.tracked.shape;
        let may_drop = self.faults.has(FaultKind::DropRow);
        let (mut cells, mut key) = (Vec::new(), Vec::new());
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
            if head.deleted {
                self.delete(&cells)?;
            } else {
                key.clear();
                key.extend(shape.keys.iter().map(|&column| cells[column]));
                self.write(&cells, &key)?;
            }
        }
        if reader.is_empty() { Ok(version) } else { Err(StoreError::Malformed) }
    }

    fn next(&mut self) -> i64 {
        self.tally.seq += if self.mode == Mode::ClockBack { -1 } else { 1 };
        self.tally.seq
    }

    fn write(&mut self, cells: &[Cell<'_>], key: &[Cell<'_>]) -> rusqlite::Result<()> {
        let watched = !self.tracked.watched.is_empty();
        let exists = (watched || self.gate.is_closed()) && self.is_live(key)?;
        if self.gate.is_closed() {
            let allowed = if exists { self.gate.may_update(cells, key)? } else { self.gate.may_insert(cells)? };
            if !allowed && !self.is_policy_ignored() {
                self.tally.denied += 1;
                return Ok(());
            }
        }
        let moved = watched && exists && self.leaves_sight(cells, key)?;
        let tombstone = if moved {
            let seq = self.next();
            run(&mut self.unbury, seq, SERVER, key)?;
            // From the server, so that the writer, too, drops a row that it no longer sees.
            run(&mut self.bury, seq, SERVER, key)?;
            self.has_tombstones = true;
            Some(seq)
        } else {
            None
        };
        for (i, cell) in cells.iter().enumerate() {
            self.upsert.raw_bind_parameter(i + 1, cell)?;
        }
        if let Err(error) = self.upsert.raw_execute() {
            if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
                return Err(error);
            }
            if let Some(seq) = tombstone {
                self.exhume.execute([seq])?;
            }
            self.tally.failed += 1;
            self.failure = Some(last_failure("database_error", text_of(&error)));
            return Ok(());
        }
        let seq = self.next();
        self.tally.pushed += 1;
        let is_new = run(&mut self.touch, seq, self.id, key)? == 0;
        if is_new {
            run(&mut self.place, seq, self.id, key)?;
        }
        if is_new && self.has_tombstones || moved {
            run(&mut self.unbury, seq, self.id, key)?;
        }
        Ok(())
    }

    fn delete(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<()> {
        if self.gate.is_closed() && self.is_live(key)? && !self.gate.may_delete(key)? && !self.is_policy_ignored() {
            self.tally.denied += 1;
            return Ok(());
        }
        if self.faults.has(FaultKind::ResurrectRows)
            && self.is_live(key)?
            && self.faults.strikes(FaultKind::ResurrectRows, self.site)
        {
            let seq = self.next();
            return run(&mut self.touch, seq, self.id, key).map(drop);
        }
        if run(&mut self.forget, 0, self.id, key)? == 0 {
            return Ok(());
        }
        let seq = self.next();
        self.tally.pushed += 1;
        self.has_tombstones = true;
        if !self.tracked.watched.is_empty() {
            // Without watched columns a live row has no tombstones.
            run(&mut self.unbury, seq, self.id, key)?;
        }
        run(&mut self.bury, seq, self.id, key)?;
        run(&mut self.erase, seq, self.id, key).map(drop)
    }

    fn is_policy_ignored(&self) -> bool {
        self.faults.has(FaultKind::IgnorePolicy) && self.faults.strikes(FaultKind::IgnorePolicy, self.site)
    }

    fn is_live(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<bool> {
        bind(&mut self.exists, 0, 0, key)?;
        let mut rows = self.exists.raw_query();
        Ok(rows.next()?.is_some())
    }

    /// Whether a column that the select policy reads gets another value.
    fn leaves_sight(&mut self, cells: &[Cell<'_>], key: &[Cell<'_>]) -> rusqlite::Result<bool> {
        bind(&mut self.old, 0, 0, key)?;
        let mut rows = self.old.raw_query();
        let Some(row) = rows.next()? else { return Ok(false) };
        for (i, &column) in self.tracked.watched.iter().enumerate() {
            if Cell::from(row.get_ref(i)?) != cells[column] {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Binds what the statements of [`Tracked`] share: sequence number, site, key.
fn bind(statement: &mut CachedStatement<'_>, seq: i64, site: i64, key: &[Cell<'_>]) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, seq)?;
    statement.raw_bind_parameter(2, site)?;
    for (i, cell) in key.iter().enumerate() {
        statement.raw_bind_parameter(i + 3, cell)?;
    }
    Ok(())
}

fn run(statement: &mut CachedStatement<'_>, seq: i64, site: i64, key: &[Cell<'_>]) -> rusqlite::Result<usize> {
    bind(statement, seq, site, key)?;
    statement.raw_execute()
}

/// SQLite's own text.
fn text_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
