//! Answering a pull: one read transaction, all tables merged by sequence number, one page. It must not know HTTP.

use std::sync::Arc;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, OptionalExtension, Rows, TransactionBehavior};

use super::super::fault::Faults;
use super::super::wire::{
    Bytes, Cell, MAX_BYTES, PageHead, PageRow, PageTable, PullRequest, Reader, RowState, TableHead, message, put,
    site_text,
};
use super::database::Worker;
use super::error::StoreError;
use super::policy::Caller;
use super::push::table_version;
use super::tracked::Tracked;
use crate::scenario::FaultKind;

/// A page and how many rows it has.
pub(super) struct Page {
    pub(super) body: Vec<u8>,
    pub(super) rows: u32,
    /// Whether no more follow.
    pub(super) complete: bool,
}

/// What is withheld on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Normal,
    /// Planted: the page's rows are left out, and the cursor moves past them.
    Skip,
    /// Planted: nothing new, and no more to come.
    Stale,
}

/// A query that is under way.
struct Source {
    table: u16,
    deleted: bool,
    tracked: Arc<Tracked>,
    sql: String,
}

/// Reads the next page for a site.
pub(super) fn pull(
    worker: &mut Worker,
    caller: &Caller,
    body: &[u8],
    faults: &Faults,
    most: u32,
    mode: Mode,
) -> Result<Page, StoreError> {
    let request: PullRequest<'_> = Reader::open(body)?.take()?;
    worker.identify(caller);
    let transaction = worker.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let seq: i64 = transaction.prepare_cached("SELECT seq FROM cloudsync_state")?.query_row([], |row| row.get(0))?;
    let site: Option<i64> = transaction
        .prepare_cached("SELECT id FROM cloudsync_sites WHERE site = ?1")?
        .query_row([site_text(&request.site)], |row| row.get(0))
        .optional()?;
    let site = site.unwrap_or(-1);
    let leak = *caller != Caller::Admin && faults.has(FaultKind::LeakRows);
    let mut sources = Vec::new();
    let mut tables = Vec::new();
    for name in &request.tables {
        let Some(tracked) = worker.cache.get(&transaction, name)? else { continue };
        let table = u16::try_from(tables.len()).map_err(|_| StoreError::Malformed)?;
        tables.push(PageTable {
            head: TableHead { name, hash: tracked.shape.hash },
            acknowledged: table_version(&transaction, site, name)?,
        });
        // No policy, no rows; administrators see all.
        let policy = match (caller, &tracked.policies.select) {
            (Caller::Admin, _) => "1",
            (Caller::User(_), Some(policy)) if tracked.rls => policy.as_str(),
            (Caller::User(_), Some(_) | None) if leak => "0",
            (Caller::User(_), Some(_) | None) => continue,
        };
        let (live, dead) = (tracked.live_rows(policy, leak), tracked.tombstones(policy));
        sources.push(Source { table, deleted: false, tracked: Arc::clone(&tracked), sql: live });
        sources.push(Source { table, deleted: true, tracked, sql: dead });
    }
    let mut statements = Vec::with_capacity(sources.len());
    for source in &sources {
        statements.push(transaction.prepare_cached(&source.sql)?);
    }
    let mut cursors = Vec::with_capacity(sources.len());
    for (source, statement) in sources.iter().zip(&mut statements) {
        cursors.push(Cursor::open(source, statement, request.cursor, site)?);
    }
    let struck = |_: i64| leak && faults.strikes(FaultKind::LeakRows, &request.site);
    let (mut rows, mut count, mut last) = (Vec::new(), 0, request.cursor);
    let mut complete = true;
    while let Some(next) = cursors.iter_mut().filter(|cursor| cursor.seq.is_some()).min_by_key(|cursor| cursor.seq) {
        if count == most || rows.len() >= MAX_BYTES {
            complete = false;
            break;
        }
        last = next.seq.unwrap_or(last);
        if next.put(&mut rows, struck)? {
            count += 1;
        }
        next.advance()?;
    }
    // All that was seen counts as received, also what this user may not see: it is not looked at again.
    let mut cursor = if complete { seq.max(request.cursor) } else { last };
    match mode {
        Mode::Normal => {}
        Mode::Skip => (rows, count) = (Vec::new(), 0),
        Mode::Stale => (rows, count, cursor, complete) = (Vec::new(), 0, request.cursor, true),
    }
    let head = PageHead { cursor, complete, rows: count, tables };
    Ok(Page { body: message(&head, rows), rows: count, complete })
}

/// A running query, standing on its next row.
struct Cursor<'s> {
    source: &'s Source,
    rows: Rows<'s>,
    seq: Option<i64>,
}

impl<'s> Cursor<'s> {
    fn open<'c>(
        source: &'s Source,
        statement: &'s mut CachedStatement<'c>,
        after: i64,
        site: i64,
    ) -> rusqlite::Result<Self>
    where
        'c: 's,
    {
        let mut cursor = Self { source, rows: statement.query([after, site])?, seq: None };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        self.rows.advance()?;
        self.seq = self.rows.get().map(|row| row.get(0)).transpose()?;
        Ok(())
    }

    /// Appends the row; not when its user may not see it and no fault lets it through.
    fn put(&self, rows: &mut Vec<u8>, leak: impl Fn(i64) -> bool) -> rusqlite::Result<bool> {
        let Some(row) = self.rows.get() else { return Ok(false) };
        if !row.get::<_, bool>(1)? && !leak(row.get(0)?) {
            return Ok(false);
        }
        let state = match row.get_ref(2)? {
            versions if !self.source.deleted => RowState::Live(versions.as_blob_or_null()?.map(Bytes)),
            ValueRef::Integer(life) => RowState::Dead(u64::try_from(life).unwrap_or(0)),
            _ => RowState::Hidden,
        };
        put(rows, &PageRow { table: self.source.table, state });
        let shape = &self.source.tracked.shape;
        for column in 3..3 + state.cells(shape.columns.len(), shape.keys.len()) {
            put(rows, &Cell::from(row.get_ref(column)?));
        }
        Ok(true)
    }
}
