//! Receiving: page by page, each applied in one savepoint together with the cursor. It must not know how a page travels,
//! nor how a row is merged: that is `writer`.

use std::collections::BTreeSet;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, params};
use serde_json::{Map, Value, json};

use super::super::shape::Shape;
use super::super::wire::{Cell, PageHead, PageRow, PullRequest, Reader, RowState, SiteId, message};
use super::error::{check_interrupt, failure};
use super::local;
use super::state::State;
use super::transport::Verb;
use super::writer::{Conflict, Writer};

/// How often a page is fetched again because another connection to the file moved the cursor meanwhile.
const MAX_RACES: u32 = 20;

/// What one call did.
#[derive(Default)]
struct Received {
    rows: u64,
    tables: BTreeSet<String>,
    chunks: u64,
    bytes: u64,
    complete: bool,
    error: Option<String>,
}

/// `cloudsync_network_receive_changes([max_chunks])`.
pub(super) fn receive(
    connection: &Connection,
    state: &State,
    max_chunks: Option<i64>,
) -> rusqlite::Result<Map<String, Value>> {
    let site = local::require_site(connection)?;
    let max_chunks = max_chunks.and_then(|chunks| u64::try_from(chunks).ok()).filter(|&chunks| chunks > 0);
    // Rows arrive in the order of their last change, not parents first; the hub's state is consistent at the end.
    let foreign_keys = connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY)?;
    if foreign_keys {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    }
    let received = receive_pages(connection, state, &site, max_chunks);
    if foreign_keys {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    }
    let received = received?;
    let mut answer = Map::new();
    answer.insert("rows".to_owned(), json!(received.rows));
    answer.insert("tables".to_owned(), json!(received.tables));
    answer.insert("chunks".to_owned(), json!(received.chunks));
    answer.insert("bytes".to_owned(), json!(received.bytes));
    answer.insert("complete".to_owned(), json!(received.complete));
    if let Some(error) = received.error {
        answer.insert("error".to_owned(), json!(error));
    }
    Ok(answer)
}

fn receive_pages(
    connection: &Connection,
    state: &State,
    site: &SiteId,
    max_chunks: Option<u64>,
) -> rusqlite::Result<Received> {
    let shapes = local::shapes(connection)?;
    let mut received = Received::default();
    let mut races = 0;
    let mut pages = 0;
    while max_chunks.is_none_or(|most| pages < most) {
        let position = Position::read(connection)?;
        let tables = shapes.iter().map(|shape| shape.name.as_str()).collect();
        let body = message(&PullRequest { site: *site, cursor: position.cursor, tables }, Vec::new());
        let answer = {
            let mut network = state.network();
            let (transport, endpoint) = network.open(connection)?;
            transport.call(&endpoint, Verb::Pull, &body).map_err(|refusal| refusal.into_error("Memory error."))?
        };
        let unreadable = || failure("cloudsync_network_receive_changes: unable to parse check response.");
        let mut reader = Reader::open(&answer).map_err(|_| unreadable())?;
        let head: PageHead<'_> = reader.take().map_err(|_| unreadable())?;
        // A change of the triggers makes SQLite prepare every statement again: not for an empty page.
        let silence = (head.rows > 0).then(|| state.silence(connection)).transpose()?;
        let triggers = silence.as_ref().is_some_and(|silence| silence.has_others);
        let applied =
            local::in_savepoint(connection, || apply(connection, &shapes, &position, &head, reader, triggers));
        drop(silence);
        match applied {
            Ok(Some(rows)) => {
                received.rows += rows;
                received.complete = head.complete;
            }
            Ok(None) if races < MAX_RACES => {
                races += 1;
                continue;
            }
            Ok(None) => received.error = Some("other connections to this file kept receiving".to_owned()),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => return Err(error),
            Err(error) => received.error = Some(message_of(&error)),
        }
        if received.error.is_some() {
            received.complete = false;
            break;
        }
        pages += 1;
        if head.rows > 0 {
            received.chunks += 1;
            received.bytes += u64::try_from(answer.len()).unwrap_or(u64::MAX);
            received.tables.extend(head.tables.iter().map(|table| table.head.name.to_owned()));
        }
        if head.complete {
            break;
        }
        check_interrupt(connection)?;
    }
    Ok(received)
}

/// Where the file stands when a page is asked for.
struct Position {
    cursor: i64,
    acks: i64,
}

impl Position {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached("SELECT cursor, acks FROM cloudsync_site")?;
        statement.query_row([], |row| Ok(Self { cursor: row.get(0)?, acks: row.get(1)? }))
    }
}

/// Applies a page: how many rows were written, or `None` when the file moved on since the page was asked for. `triggers`
/// says that the file has some of its own.
fn apply(
    connection: &Connection,
    shapes: &[Shape],
    position: &Position,
    head: &PageHead<'_>,
    mut reader: Reader<'_>,
    triggers: bool,
) -> rusqlite::Result<Option<u64>> {
    // First of all a write, so that the lock is taken before anything is decided.
    let moved = connection
        .prepare_cached("UPDATE cloudsync_site SET cursor = ?1 WHERE cursor = ?2 AND acks = ?3")?
        .execute(params![head.cursor, position.cursor, position.acks])?;
    if moved == 0 {
        return Ok(None);
    }
    let mut writers = Vec::with_capacity(head.tables.len());
    for table in &head.tables {
        match Writer::open(connection, shapes, table, triggers)? {
            Some(writer) => writers.push(writer),
            // Nothing comes in the shape that is unknown here.
            None if head.rows == 0 => return Ok(Some(0)),
            None => {
                let hash = table.head.hash;
                let text = format!("Cannot apply the received payload because the schema hash is unknown {hash}.");
                return Err(failure(text));
            }
        }
    }
    let malformed = |_| failure("cloudsync_network_receive_changes: invalid inline payload in check response.");
    let mut cells = Vec::new();
    let mut postponed: Vec<(usize, RowState<'_>, Vec<Cell<'_>>)> = Vec::new();
    let mut applied = 0;
    for _ in 0..head.rows {
        let row: PageRow<'_> = reader.take().map_err(malformed)?;
        let index = usize::from(row.table);
        let writer = writers.get_mut(index).ok_or_else(|| malformed(super::super::wire::Malformed))?;
        reader.cells(writer.cells(row.state), &mut cells).map_err(malformed)?;
        match writer.write(row.state, &cells, Conflict::Fail) {
            Ok(rows) => applied += rows,
            // The row that still holds the value may come later in this page.
            Err(error) if is_unique_violation(&error) => postponed.push((index, row.state, cells.clone())),
            Err(error) => return Err(error),
        }
    }
    for (index, state, cells) in postponed {
        applied += match writers[index].write(state, &cells, Conflict::Fail) {
            // The value is still taken by a row whose newer state is on a later page: that row gives way. Not while rows
            // wait to be sent, for one of those may be the one to go.
            Err(error) if is_unique_violation(&error) && !writers[index].has_dirty() => {
                writers[index].write(state, &cells, Conflict::Replace)?
            }
            done => done?,
        };
    }
    Ok(Some(applied))
}

fn is_unique_violation(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
}

/// SQLite's own text.
fn message_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
