//! What a database file knows of its sync: its site id, the cursor, settings, and which tables take part. Only names
//! and plain values; rows are the business of `capture`, `send` and `apply`.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::block_column::BlockColumn;
use super::super::shape::{Shape, companion};
use super::super::wire::SiteId;
use super::error::failure;

/// Creates the bookkeeping tables, and the site id if there is none.
///
/// `cloudsync_site` has one row. `cursor` is the hub's sequence number up to which everything was received; `acks` counts
/// acknowledgements, so that a page fetched before one is not applied after it by another connection.
/// `cloudsync_tables.floor` is the last version of a table whose companion is gone, below which it must not start again.
/// `cloudsync_table_settings` has the options of a table where CloudSync keeps them, so that both are asked alike.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<SiteId> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS cloudsync_settings(key TEXT PRIMARY KEY NOT NULL, value TEXT) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS cloudsync_site(
             one INTEGER PRIMARY KEY CHECK (one = 1), site BLOB NOT NULL, cursor INTEGER NOT NULL DEFAULT 0, acks INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE IF NOT EXISTS cloudsync_tables(
             position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, active INTEGER NOT NULL, enabled INTEGER NOT NULL,
             floor INTEGER NOT NULL DEFAULT 0);
         CREATE TABLE IF NOT EXISTS cloudsync_table_settings(
             tbl_name TEXT NOT NULL COLLATE NOCASE, col_name TEXT NOT NULL COLLATE NOCASE, key TEXT, value TEXT,
             PRIMARY KEY(tbl_name, col_name, key));",
    )?;
    let site = uuid::Uuid::now_v7().into_bytes();
    connection.execute("INSERT INTO cloudsync_site(one, site) VALUES (1, ?1) ON CONFLICT DO NOTHING", [site])?;
    require_site(connection)
}

/// The site id, if the file has one.
pub(super) fn site(connection: &Connection) -> rusqlite::Result<Option<SiteId>> {
    if !is_initialised(connection)? {
        return Ok(None);
    }
    connection.query_row("SELECT site FROM cloudsync_site", [], |row| row.get(0)).optional()
}

/// The site id, or the error of a file that was never initialised.
pub(super) fn require_site(connection: &Connection) -> rusqlite::Result<SiteId> {
    let site = site(connection)?;
    site.ok_or_else(|| failure("cloudsync is not initialized: call SELECT cloudsync_init('<table_name>') first"))
}

/// Whether the bookkeeping tables exist.
pub(super) fn is_initialised(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM main.sqlite_schema WHERE name = 'cloudsync_site'")?.exists([])
}

/// A setting's text.
pub(super) fn setting(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    if !is_initialised(connection)? {
        return Ok(None);
    }
    let value = connection
        .prepare_cached("SELECT value FROM cloudsync_settings WHERE key = ?1")?
        .query_row([key], |row| row.get::<_, Option<String>>(0))
        .optional()?;
    Ok(value.flatten())
}

/// Sets a setting, or removes it; silently nothing before the first init, as the public function.
pub(super) fn set(connection: &Connection, key: &str, value: Option<&str>) -> rusqlite::Result<()> {
    if !is_initialised(connection)? {
        return Ok(());
    }
    if value.is_some() {
        connection
            .execute("INSERT OR REPLACE INTO cloudsync_settings(key, value) VALUES (?1, ?2)", params![key, value])?;
    } else {
        connection.execute("DELETE FROM cloudsync_settings WHERE key = ?1", [key])?;
    }
    Ok(())
}

/// The option of a table that says which rows take part.
pub(super) const FILTER: &str = "filter";
/// The option of a table or a column that says how it is merged.
pub(super) const ALGORITHM: &str = "algo";

/// What that option of a column says if its texts are merged block by block.
pub(super) const BLOCK: &str = "block";
/// The option of such a column that says what stands between two blocks.
const DELIMITER: &str = "delimiter";
/// What stands there where nothing is said.
const LINE: &str = "\n";
/// Instead of a column, in an option of the table.
const TABLE: &str = "*";

/// An option of a table.
pub(super) fn option(connection: &Connection, table: &str, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT value FROM cloudsync_table_settings WHERE tbl_name = ?1 AND col_name = ?2 AND key = ?3",
        )?
        .query_row([table, TABLE, key], |row| row.get(0))
        .optional()
}

/// Sets an option of a table, or removes it.
pub(super) fn set_option(connection: &Connection, table: &str, key: &str, value: Option<&str>) -> rusqlite::Result<()> {
    set_column_option(connection, (table, TABLE), key, value)
}

/// Sets an option of a column, or removes it.
pub(super) fn set_column_option(
    connection: &Connection,
    (table, column): (&str, &str),
    key: &str,
    value: Option<&str>,
) -> rusqlite::Result<()> {
    let sql = match value {
        Some(_) => "INSERT OR REPLACE INTO cloudsync_table_settings VALUES (?1, ?2, ?3, ?4)",
        None => {
            "DELETE FROM cloudsync_table_settings WHERE tbl_name = ?1 AND col_name = ?2 AND key = ?3 AND ?4 IS NULL"
        }
    };
    connection.execute(sql, params![table, column, key, value]).map(drop)
}

/// The columns of a table whose texts are merged block by block.
pub(super) fn block_columns(connection: &Connection, shape: &Shape) -> rusqlite::Result<Vec<BlockColumn>> {
    let mut statement = connection.prepare_cached(
        "SELECT a.col_name, coalesce(nullif(d.value, ''), ?5) FROM cloudsync_table_settings AS a
         LEFT JOIN cloudsync_table_settings AS d ON d.tbl_name = a.tbl_name AND d.col_name = a.col_name AND d.key = ?4
         WHERE a.tbl_name = ?1 AND a.key = ?2 AND a.value = ?3",
    )?;
    let mut columns = Vec::new();
    let mut rows = statement.query([shape.name.as_str(), ALGORITHM, BLOCK, DELIMITER, LINE])?;
    while let Some(row) = rows.next()? {
        let (name, delimiter): (String, String) = (row.get(0)?, row.get(1)?);
        columns.extend(BlockColumn::of(shape, &name, delimiter.as_bytes()));
    }
    Ok(columns)
}

/// The names of the tables that take part, in the order of their init.
pub(super) fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    if !is_initialised(connection)? {
        return Ok(Vec::new());
    }
    let mut statement =
        connection.prepare_cached("SELECT name FROM cloudsync_tables WHERE active ORDER BY position")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The shapes of the tables that take part.
pub(super) fn shapes(connection: &Connection) -> rusqlite::Result<Vec<Shape>> {
    let mut shapes = Vec::new();
    for name in tables(connection)? {
        let shape = Shape::read(connection, &name)?;
        shapes.push(shape.ok_or_else(|| failure(format!("Table {name} does not exist")))?);
    }
    Ok(shapes)
}

/// The last version given to a change of the table: that of a dirty row, or the last acknowledged one.
pub(super) fn table_version(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let companion = companion(table, "_cloudsync");
    let sql = format!(
        "SELECT coalesce((SELECT version FROM main.{companion} WHERE cs_pk1 IS NOT NULL ORDER BY version DESC LIMIT 1), \
         (SELECT min(version) FROM main.{companion}), 0)"
    );
    connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
}

/// The sum of the tables' versions: grows with every change.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    tables(connection)?.iter().map(|table| table_version(connection, table)).sum()
}

/// Runs `work` inside a savepoint: all of it happens, or nothing.
pub(super) fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce() -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("SAVEPOINT cloudsync")?;
    let result = work().and_then(|value| connection.execute_batch("RELEASE cloudsync").map(|()| value));
    if result.is_err() {
        // Some errors have already rolled everything back; then there is no savepoint left to undo.
        let _ = connection.execute_batch("ROLLBACK TO cloudsync; RELEASE cloudsync");
    }
    result
}
