//! Sending: the present state of the dirty rows, in chunks by version. It must not know how a chunk travels.
//!
//! Nothing is remembered about a chunk under way. The hub ignores versions it has seen, so after a lost answer or a crash
//! the same rows simply go out again.

use crate::sql::quote;
use std::ops::Range;

use rusqlite::{Connection, ErrorCode};
use serde_json::{Map, Value, json};

use super::super::merge::Versions;
use super::super::shape::{Shape, companion, join};
use super::super::wire::{
    Bytes, Cell, LastFailure, MAX_BYTES, PushAnswer, PushHead, Reader, RowHead, RowState, SiteId, TableHead, message,
    put,
};
use super::error::{check_interrupt, failure};
use super::state::Network;
use super::transport::Verb;
use super::{capture, local, triggers};

const EMPTY_ANSWER: &str = "cloudsync_network_send_changes unable to apply changes to remote host.";

/// What one call did.
#[derive(Default)]
struct Sent {
    chunks: u64,
    bytes: u64,
    server: Option<i64>,
    failure: Option<LastFailure>,
}

/// `cloudsync_network_send_changes()`.
pub(super) fn send(connection: &Connection, network: &mut Network) -> rusqlite::Result<Map<String, Value>> {
    if !connection.is_autocommit() {
        // What the transaction wrote may be rolled back, and its versions be given to other changes.
        return Err(failure("cloudsync_network_send_changes cannot run inside an open transaction: commit it first"));
    }
    let site = local::require_site(connection)?;
    let shapes = local::shapes(connection)?;
    let mut sent = Sent::default();
    let mut versions = 0;
    for shape in &shapes {
        let last = local::table_version(connection, &shape.name)?;
        versions += last;
        send_table(connection, network, &site, shape, last, &mut sent)?;
    }
    if sent.chunks == 0 {
        sent.server = Some(server_version(connection, network)?);
    }
    let server = sent.server.unwrap_or(-1);
    let status = match server {
        ..0 => "error",
        _ if server < versions => "out-of-sync",
        _ => "synced",
    };
    let mut answer = Map::new();
    answer.insert("status".to_owned(), json!(status));
    answer.insert("localVersion".to_owned(), json!(versions));
    answer.insert("serverVersion".to_owned(), json!(server));
    answer.insert("chunks".to_owned(), json!(sent.chunks));
    answer.insert("bytes".to_owned(), json!(sent.bytes));
    if let Some(failure) = sent.failure {
        answer.insert("lastFailure".to_owned(), json!(failure));
    }
    Ok(answer)
}

/// Sends a table's dirty rows up to version `last`; what the hub took is removed even when a later chunk fails.
fn send_table(
    connection: &Connection,
    network: &mut Network,
    site: &SiteId,
    shape: &Shape,
    last: i64,
    sent: &mut Sent,
) -> rusqlite::Result<()> {
    let mut acknowledged = 0;
    let result = send_chunks(connection, network, site, shape, last, &mut acknowledged, sent);
    if acknowledged > 0 {
        let stored = local::in_savepoint(connection, || {
            connection.prepare_cached("UPDATE cloudsync_site SET acks = acks + 1")?.execute([])?;
            capture::acknowledge(connection, shape, acknowledged)
        });
        match stored {
            // Another connection holds the write lock. The rows go out again and are ignored.
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {}
            Err(error) if result.is_ok() => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    result
}

fn send_chunks(
    connection: &Connection,
    network: &mut Network,
    site: &SiteId,
    shape: &Shape,
    last: i64,
    acknowledged: &mut i64,
    sent: &mut Sent,
) -> rusqlite::Result<()> {
    let is_filtered = local::option(connection, &shape.name, local::FILTER)?.is_some();
    let sql = dirty_rows(shape, is_filtered);
    let mut from = 0;
    loop {
        check_interrupt(connection)?;
        let mut rows = Vec::new();
        let (count, until) = read_chunk(connection, shape, &sql, from..last, network.push_rows, &mut rows)?;
        if count == 0 {
            return Ok(());
        }
        let bytes = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let table = TableHead { name: &shape.name, hash: shape.hash };
        let body = message(&PushHead { site: *site, table: Some(table), rows: count }, rows);
        let (transport, endpoint) = network.open(connection)?;
        let answer =
            transport.call(&endpoint, Verb::Push, &body).map_err(|refusal| refusal.into_error(EMPTY_ANSWER))?;
        sent.chunks += 1;
        sent.bytes += bytes;
        let Some(answer) = read_answer(&answer) else {
            sent.server = Some(-1);
            return Ok(());
        };
        sent.server = Some(answer.total);
        sent.failure = answer.failure.or(sent.failure.take());
        *acknowledged = answer.version.min(until).max(*acknowledged);
        if answer.version < until {
            return Ok(());
        }
        from = until;
    }
}

/// Appends the next dirty rows to `rows`: how many, and the version of the last.
fn read_chunk(
    connection: &Connection,
    shape: &Shape,
    sql: &str,
    versions: Range<i64>,
    most: u32,
    rows: &mut Vec<u8>,
) -> rusqlite::Result<(u32, i64)> {
    let width = shape.columns.len();
    let mut statement = connection.prepare_cached(sql)?;
    let mut dirty = statement.query([versions.start, versions.end])?;
    let (mut count, mut until) = (0, versions.start);
    while let Some(row) = dirty.next()? {
        until = row.get(0)?;
        let bytes = row.get_ref(2)?.as_blob_or_null()?;
        let state = state_of(row.get(1)?, bytes)?;
        put(rows, &RowHead { version: until, state });
        let first = if matches!(state, RowState::Live(_)) { 3 } else { 3 + width };
        for cell in first..first + state.cells(width, shape.keys.len()) {
            put(rows, &Cell::from(row.get_ref(cell)?));
        }
        count += 1;
        if count == most || rows.len() >= MAX_BYTES {
            break;
        }
    }
    Ok((count, until))
}

/// What a dirty row is. What was written while nobody captured changes does not count: neither a row that is there although
/// its deletion was captured, nor versions of a row that is gone.
fn state_of(is_there: bool, bytes: Option<&[u8]>) -> rusqlite::Result<RowState<'_>> {
    let mut versions = Versions::read(bytes).map_err(|_| failure("the versions of a row cannot be read"))?;
    if is_there && versions.is_live() {
        return Ok(RowState::Live(bytes.map(Bytes)));
    }
    if versions.is_live() {
        versions.delete();
    }
    Ok(RowState::Dead(versions.life()))
}

/// Dirty keys with the rows as they are now, in one read: local version, whether the row is there, the row's versions, its
/// columns, its key.
/// Of a row that came before it matched the filter, a column goes out once it was written; the default stands for the others.
fn dirty_rows(shape: &Shape, is_filtered: bool) -> String {
    let changed: Vec<usize> = shape.changed().collect();
    let columns = join(&shape.columns, ", ", |place, column| {
        let name = quote(&column.name);
        let version = changed.iter().position(|&changed| changed == place && !shape.keys.contains(&place));
        match version.filter(|_| is_filtered) {
            Some(version) => format!(
                "CASE WHEN cloudsync_is_captured(v.cs_versions, {version}) THEN t.{name} ELSE ({}) END",
                column.default.as_deref().unwrap_or("NULL")
            ),
            None => format!("t.{name}"),
        }
    });
    let first_key = quote(&shape.columns[shape.keys[0]].name);
    format!(
        "SELECT d.version, t.{first_key} IS NOT NULL, v.cs_versions, {columns}, {keys} FROM main.{companion} AS d
         LEFT JOIN main.{table} AS t ON {same} LEFT JOIN main.{versions} AS v ON {same_versions}
         WHERE d.version > ?1 AND d.version <= ?2 AND d.cs_pk1 IS NOT NULL ORDER BY d.version",
        keys = shape.companion_key_list("d."),
        companion = companion(&shape.name, "_cloudsync"),
        table = quote(&shape.name),
        same = shape.key_match("t.", |i| format!("d.cs_pk{}", i + 1)),
        versions = triggers::versions(&shape.name),
        same_versions = join(&shape.keys, " AND ", |i, _| format!("v.cs_pk{0} = d.cs_pk{0}", i + 1)),
    )
}

fn read_answer(body: &[u8]) -> Option<PushAnswer> {
    Reader::open(body).and_then(|mut reader| reader.take()).ok()
}

/// Asks how far the hub is.
pub(super) fn server_version(connection: &Connection, network: &mut Network) -> rusqlite::Result<i64> {
    let site = local::require_site(connection)?;
    let body = message(&PushHead { site, table: None, rows: 0 }, Vec::new());
    let (transport, endpoint) = network.open(connection)?;
    let answer = transport.call(&endpoint, Verb::Push, &body);
    let answer = answer.map_err(|refusal| refusal.into_error("unable to retrieve current status from remote host."))?;
    Ok(read_answer(&answer).map_or(-1, |answer| answer.total))
}

/// Whether changes exist that the hub does not have. Without local changes it asks nobody.
pub(super) fn has_unsent(connection: &Connection, network: &mut Network) -> rusqlite::Result<bool> {
    let version = local::version(connection)?;
    Ok(version > 0 && (has_dirty(connection)? || server_version(connection, network)? < version))
}

fn has_dirty(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = local::tables(connection)?;
    let sql = join(tables, " UNION ALL ", |_, table| {
        format!("SELECT 1 FROM main.{} WHERE cs_pk1 IS NOT NULL", companion(&table, "_cloudsync"))
    });
    if sql.is_empty() { Ok(false) } else { connection.prepare(&sql)?.exists([]) }
}
