//! Change capture: triggers note the key of every changed row in `<table>_cloudsync` under a number that only grows, its
//! local version, and in `<table>_cloudsync_versions` how often the row and its columns were written. A row that is not
//! found there was inserted once, or never.
//!
//! The companion holds dirty keys and a marker row with NULL keys, whose version is the last acknowledged one: without
//! it, versions would start again at 1 after an acknowledgement emptied the table, and the hub would ignore them.

use crate::sql::quote;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::history;
use super::super::shape::{Column, Shape, companion, join};
use super::super::wire::SiteId;
use super::error::failure;
use super::local;
use super::triggers::{self, GROW_ONLY, VERSIONS, on_conflicts, target, versions};

/// Skips the check of single-column integer keys.
const SKIP_INTEGER_KEY: i64 = 1;
/// Skips the check of NOT NULL columns without a default.
const SKIP_DEFAULTS: i64 = 2;

/// The largest version that can be asked for: sums of versions stay numbers.
const LARGEST_VERSION: i64 = 1 << 48;

/// Merges the columns of rows, as every table does that says nothing.
const LAST_WRITER_WINS: &str = "cls";

/// Makes a table take part; does nothing when it already does.
pub(super) fn init(
    connection: &Connection,
    table: &str,
    algorithm: Option<&str>,
    flags: Option<i64>,
) -> rusqlite::Result<SiteId> {
    let shape = check(connection, table, algorithm, flags.unwrap_or(0))?;
    let algorithm = algorithm.unwrap_or(LAST_WRITER_WINS);
    if let Some(site) = local::site(connection)?
        && is_installed(connection, table)?
    {
        return match local::option(connection, table, local::ALGORITHM)? {
            Some(known) if known != algorithm => {
                Err(failure("The function cloudsync_cleanup(table) must be called before changing a table algorithm"))
            }
            _ => Ok(site),
        };
    }
    local::in_savepoint(connection, || {
        let site = local::create(connection)?;
        let floor = forget_companion(connection, table)?;
        local::set_option(connection, table, local::ALGORITHM, Some(algorithm))?;
        connection.execute(
            "INSERT INTO cloudsync_tables(name, active, enabled) VALUES (?1, 1, 1) ON CONFLICT(name) DO UPDATE SET active = 1, enabled = 1",
            [table],
        )?;
        fill_companions(connection, &shape, floor)?;
        connection.execute_batch(&triggers::create(connection, &shape)?)?;
        // What others wrote to this table may lie before the cursor.
        connection.execute("UPDATE cloudsync_site SET cursor = 0, acks = acks + 1", [])?;
        Ok(site)
    })
}

/// Forgets what was captured, and marks every row of the table that takes part.
pub(super) fn start_anew(connection: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    let floor = forget_companion(connection, &shape.name)?;
    fill_companions(connection, shape, floor)
}

fn fill_companions(connection: &Connection, shape: &Shape, floor: i64) -> rusqlite::Result<()> {
    connection.execute_batch(&create_companions(shape))?;
    mark(connection, shape, floor)?;
    connection.execute_batch(&back_fill(connection, shape)?)?;
    if let Some(filter) = local::option(connection, &shape.name, local::FILTER)? {
        connection.execute_batch(&triggers::note_outside(shape, &filter))?;
    }
    note_blocks(connection, shape)
}

/// Notes the blocks of the rows that are there, where none are noted.
pub(super) fn note_blocks(connection: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    let blocks = local::block_columns(connection, shape)?;
    if blocks.is_empty() {
        return Ok(());
    }
    connection.execute_batch(&triggers::note_blocks(shape, &blocks))
}

/// Whether a table from which rows can be removed has a UNIQUE constraint besides its key.
pub(super) fn has_unique(connection: &Connection) -> rusqlite::Result<bool> {
    for shape in local::shapes(connection)?.iter().filter(|shape| shape.has_unique) {
        if local::option(connection, &shape.name, local::ALGORITHM)?.as_deref() != Some(GROW_ONLY) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the file, or this connection, has triggers besides those of capture.
pub(super) fn has_own_triggers(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM (SELECT type, name, tbl_name FROM main.sqlite_schema
                            UNION ALL SELECT type, name, tbl_name FROM temp.sqlite_schema)
             WHERE type = 'trigger' AND lower(name) NOT IN
                 (SELECT lower('cloudsync_' || value || '_' || tbl_name) FROM json_each(?1))",
        )?
        .exists([serde_json::json!(triggers::EVENTS).to_string()])
}

/// Lets SQLite fire the delete trigger also for a row that REPLACE removes for another UNIQUE column.
pub(super) fn capture_replaced(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA recursive_triggers = ON")
}

/// The rules for tables, in the texts of the public function.
fn check(connection: &Connection, table: &str, algorithm: Option<&str>, flags: i64) -> rusqlite::Result<Shape> {
    if table.chars().count() > 512 {
        return Err(failure("Table name cannot be longer than 512 characters"));
    }
    match algorithm {
        None | Some(LAST_WRITER_WINS | GROW_ONLY) => {}
        Some(name @ ("dws" | "aws")) => {
            return Err(failure(format!("CRDT algorithm {name} is not yet supported")));
        }
        Some(name) => return Err(failure(format!("Unknown CRDT algorithm name {name}"))),
    }
    let shape = Shape::read(connection, table)?.ok_or_else(|| failure(format!("Table {table} does not exist")))?;
    if table.to_lowercase().ends_with("_cloudsync") {
        return Err(failure(
            "An error occurred while trying to compile prepared SQL statements (no such column: db_version)",
        ));
    }
    if shape.keys.is_empty() {
        return Err(failure(format!(
            "Rowid only tables are not supported, all primary keys must be explicitly set and declared as NOT NULL (table {table})"
        )));
    }
    if shape.keys.len() > 128 {
        return Err(failure("No more than 128 columns can be used to form a composite primary key"));
    }
    let is_integer = |column: &Column| column.declared.to_uppercase().contains("INT");
    if flags & SKIP_INTEGER_KEY == 0 && shape.keys.len() == 1 && shape.key_columns().all(is_integer) {
        return Err(failure(format!(
            "Table {table} uses a single-column INTEGER primary key. For CRDT replication, primary keys must be globally unique. Consider using a TEXT primary key with UUIDs or ULID to avoid conflicts across nodes. If you understand the risk and still want to use this INTEGER primary key, set the third argument of the cloudsync_init function to 1 to skip this check."
        )));
    }
    let lacks_default =
        |(i, column): (usize, &Column)| column.not_null && column.default.is_none() && !shape.keys.contains(&i);
    if flags & SKIP_DEFAULTS == 0 && shape.columns.iter().enumerate().any(lacks_default) {
        return Err(failure(format!(
            "All non-primary key columns declared as NOT NULL must have a DEFAULT value. (table {table})"
        )));
    }
    Ok(shape)
}

/// Whether the table takes part, its companions exist, and so do its triggers unless it is disabled.
fn is_installed(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM cloudsync_tables AS t WHERE t.name = ?1 AND t.active
             AND 2 = (SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND lower(name) IN (lower(?2), lower(?4)))
             AND (NOT t.enabled OR EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND lower(name) = lower(?3)))",
        )?
        .exists(params![
            table,
            format!("{table}_cloudsync"),
            format!("cloudsync_insert_{table}"),
            format!("{table}{VERSIONS}")
        ])
}

/// Whether changes of the table are captured.
pub(super) fn is_enabled(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    if !local::is_initialised(connection)? {
        return Ok(false);
    }
    connection.prepare_cached("SELECT 1 FROM cloudsync_tables WHERE name = ?1 AND active AND enabled")?.exists([table])
}

/// Starts or stops capture. What is written while it is off is never sent.
pub(super) fn set_enabled(connection: &Connection, table: &str, enabled: bool) -> rusqlite::Result<()> {
    if !local::tables(connection)?.iter().any(|name| name.eq_ignore_ascii_case(table)) {
        return Ok(());
    }
    let Some(shape) = Shape::read(connection, table)? else { return Ok(()) };
    local::in_savepoint(connection, || {
        connection.execute("UPDATE cloudsync_tables SET enabled = ?2 WHERE name = ?1", params![table, enabled])?;
        renew_triggers(connection, &shape)
    })
}

/// Makes the triggers of a table as its options want them; none while it is disabled.
pub(super) fn renew_triggers(connection: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    connection.execute_batch(&triggers::drop(&shape.name))?;
    if is_enabled(connection, &shape.name)? {
        connection.execute_batch(&triggers::create(connection, shape)?)?;
    }
    Ok(())
}

/// Ends the table's part. With the last table everything goes, the site id too.
pub(super) fn cleanup(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    if !local::is_initialised(connection)? {
        return Ok(());
    }
    local::in_savepoint(connection, || {
        connection.execute_batch(&triggers::drop(table))?;
        forget_companion(connection, table)?;
        connection.execute("UPDATE cloudsync_tables SET active = 0 WHERE name = ?1", [table])?;
        connection.execute("DELETE FROM cloudsync_table_settings WHERE tbl_name = ?1", [table])?;
        if local::tables(connection)?.is_empty() {
            connection.execute_batch(
                "DROP TABLE cloudsync_settings; DROP TABLE cloudsync_site; DROP TABLE cloudsync_tables; DROP TABLE cloudsync_table_settings;",
            )?;
            connection.execute_batch(&format!("DROP TABLE IF EXISTS main.{}", history::TABLE))?;
        }
        Ok(())
    })
}

/// Makes everything be sent and received again.
pub(super) fn reset(connection: &Connection) -> rusqlite::Result<()> {
    local::require_site(connection)?;
    local::in_savepoint(connection, || {
        for shape in local::shapes(connection)? {
            connection.execute_batch(&back_fill(connection, &shape)?)?;
            connection.execute_batch(&format!(
                "INSERT INTO main.{} SELECT {} FROM main.{} WHERE cloudsync_is_dead(cs_versions) {}",
                target(&shape),
                shape.companion_key_list(""),
                versions(&shape.name),
                on_conflicts(&shape)
            ))?;
        }
        connection.execute("UPDATE cloudsync_site SET cursor = 0, acks = acks + 1", [])?;
        Ok(())
    })
}

/// Deletes all rows of the tables and all settings, and takes a new site id. The caller silences the triggers.
pub(super) fn logout(connection: &Connection) -> rusqlite::Result<()> {
    local::require_site(connection)?;
    local::in_savepoint(connection, || {
        for table in local::tables(connection)? {
            connection.execute_batch(&format!(
                "DELETE FROM main.{}; DELETE FROM main.{}; DELETE FROM main.{};",
                quote(&table),
                companion(&table, "_cloudsync"),
                versions(&table)
            ))?;
        }
        let site = uuid::Uuid::now_v7().into_bytes();
        connection.execute("UPDATE cloudsync_site SET site = ?1, cursor = 0, acks = acks + 1", [site])?;
        connection.execute("UPDATE cloudsync_tables SET floor = 0", [])?;
        connection.execute("DELETE FROM cloudsync_settings", [])?;
        Ok(())
    })
}

/// Everything up to `version` has reached the hub: removes it and leaves the marker.
pub(super) fn acknowledge(connection: &Connection, shape: &Shape, version: i64) -> rusqlite::Result<()> {
    let companion = companion(&shape.name, "_cloudsync");
    if local::table_version(connection, &shape.name)? <= version {
        // Without WHERE, SQLite empties the table page by page instead of row by row.
        connection.prepare_cached(&format!("DELETE FROM main.{companion}"))?.execute([])?;
    } else {
        connection.prepare_cached(&format!("DELETE FROM main.{companion} WHERE version <= ?1"))?.execute([version])?;
    }
    mark(connection, shape, version)
}

/// Writes the marker row.
fn mark(connection: &Connection, shape: &Shape, version: i64) -> rusqlite::Result<()> {
    let companion = companion(&shape.name, "_cloudsync");
    connection
        .prepare_cached(&format!("INSERT OR REPLACE INTO main.{companion}(version) VALUES (?1)"))?
        .execute([version])
        .map(drop)
}

/// The version of the next change, which is at least `least`: a second marker makes the hole. One that no change has used
/// goes with the next acknowledgement.
pub(super) fn next_version(connection: &Connection, least: i64) -> rusqlite::Result<i64> {
    if least > LARGEST_VERSION {
        return Err(failure(format!("the version {least} is too large: at most {LARGEST_VERSION}")));
    }
    let tables = local::tables(connection)?;
    let before = local::version(connection)?;
    let hole = least.saturating_sub(before).saturating_sub(1).max(0);
    if hole > 0 {
        local::in_savepoint(connection, || {
            tables.iter().try_for_each(|table| {
                let version = local::table_version(connection, table)?.saturating_add(hole);
                let companion = companion(table, "_cloudsync");
                connection.execute(&format!("INSERT INTO main.{companion}(version) VALUES (?1)"), [version]).map(drop)
            })
        })?;
    }
    Ok(before.saturating_add(hole).saturating_add(1))
}

/// Drops the companion and returns (and keeps) the version below which the next one must not start.
fn forget_companion(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let name = companion(table, "_cloudsync");
    let exists = connection
        .prepare_cached("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND lower(name) = lower(?1)")?
        .exists([format!("{table}_cloudsync")])?;
    if exists {
        let version = local::table_version(connection, table)?;
        connection
            .execute("UPDATE cloudsync_tables SET floor = max(floor, ?2) WHERE name = ?1", params![table, version])?;
        // The statement that read the version must be gone, or the table counts as in use.
        connection.flush_prepared_statement_cache();
        connection.execute_batch(&format!("DROP TABLE main.{name}; DROP TABLE IF EXISTS main.{}", versions(table)))?;
    }
    let floor = connection
        .query_row("SELECT floor FROM cloudsync_tables WHERE name = ?1", [table], |row| row.get(0))
        .optional()?;
    Ok(floor.unwrap_or(0))
}

fn create_companions(shape: &Shape) -> String {
    let (definitions, keys) = (shape.companion_keys(), shape.companion_key_list(""));
    format!(
        "CREATE TABLE main.{}(version INTEGER PRIMARY KEY, {definitions}, UNIQUE ({keys}));
         CREATE TABLE main.{}({definitions}, cs_versions BLOB, PRIMARY KEY ({keys})) WITHOUT ROWID;",
        companion(&shape.name, "_cloudsync"),
        versions(&shape.name),
    )
}

/// SQL that marks every row of the table that takes part.
pub(super) fn back_fill(connection: &Connection, shape: &Shape) -> rusqlite::Result<String> {
    let keys = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let table = quote(&shape.name);
    let filter = local::option(connection, &shape.name, local::FILTER)?.unwrap_or_else(|| "1".to_owned());
    let (target, on_conflict) = (target(shape), on_conflicts(shape));
    Ok(format!("INSERT INTO main.{target} SELECT {keys} FROM main.{table} WHERE ({filter}) {on_conflict}"))
}
