//! Change capture: triggers note the key of every changed row in `<table>_cloudsync` under a number that only grows, its
//! local version, and in `<table>_cloudsync_versions` how often the row and its columns were written. A row that is not
//! found there was inserted once, or never.
//!
//! The companion holds dirty keys and one marker row with NULL keys, whose version is the last acknowledged one: without
//! it, versions would start again at 1 after an acknowledgement emptied the table, and the hub would ignore them.

use crate::sql::quote;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::shape::{Column, Shape, companion, join};
use super::super::wire::SiteId;
use super::error::failure;
use super::local;

/// Skips the check of single-column integer keys.
const SKIP_INTEGER_KEY: i64 = 1;
/// Skips the check of NOT NULL columns without a default.
const SKIP_DEFAULTS: i64 = 2;

/// What the triggers are called after.
const EVENTS: [&str; 6] = ["insert", "update", "rekey", "delete", "over", "rekey_over"];
/// What the table of the rows' versions is called after.
const VERSIONS: &str = "_cloudsync_versions";

/// Makes a table take part; does nothing when it already does.
pub(super) fn init(
    connection: &Connection,
    table: &str,
    algorithm: Option<&str>,
    flags: Option<i64>,
) -> rusqlite::Result<SiteId> {
    let shape = check(connection, table, algorithm, flags.unwrap_or(0))?;
    if let Some(site) = local::site(connection)?
        && is_installed(connection, table)?
    {
        return Ok(site);
    }
    local::in_savepoint(connection, || {
        let site = local::create(connection)?;
        let floor = forget_companion(connection, table)?;
        connection.execute(
            "INSERT INTO cloudsync_tables(name, active, enabled) VALUES (?1, 1, 1) ON CONFLICT(name) DO UPDATE SET active = 1, enabled = 1",
            [table],
        )?;
        connection.execute_batch(&create_companions(&shape))?;
        mark(connection, &shape, floor)?;
        connection.execute_batch(&back_fill(&shape))?;
        connection.execute_batch(&create_triggers(&shape))?;
        // What others wrote to this table may lie before the cursor.
        connection.execute("UPDATE cloudsync_site SET cursor = 0, acks = acks + 1", [])?;
        Ok(site)
    })
}

/// Whether a table that takes part has a UNIQUE constraint besides its key.
pub(super) fn has_unique(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(local::shapes(connection)?.iter().any(|shape| shape.has_unique))
}

/// Whether the table has triggers besides those of capture.
pub(super) fn has_own_triggers(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger' AND lower(tbl_name) = lower(?1)
             AND lower(name) NOT IN (SELECT lower('cloudsync_' || value || '_' || ?1) FROM json_each(?2))",
        )?
        .exists([table, &serde_json::json!(EVENTS).to_string()])
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
        None | Some("cls") => {}
        Some(name @ ("gos" | "dws" | "aws")) => {
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
        |(i, column): (usize, &Column)| column.not_null && !column.has_default && !shape.keys.contains(&i);
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
        connection.execute_batch(&drop_triggers(table))?;
        if enabled {
            connection.execute_batch(&create_triggers(&shape))?;
        }
        Ok(())
    })
}

/// Ends the table's part. With the last table everything goes, the site id too.
pub(super) fn cleanup(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    if !local::is_initialised(connection)? {
        return Ok(());
    }
    local::in_savepoint(connection, || {
        connection.execute_batch(&drop_triggers(table))?;
        forget_companion(connection, table)?;
        connection.execute("UPDATE cloudsync_tables SET active = 0 WHERE name = ?1", [table])?;
        if local::tables(connection)?.is_empty() {
            connection.execute_batch(
                "DROP TABLE cloudsync_settings; DROP TABLE cloudsync_site; DROP TABLE cloudsync_tables;",
            )?;
        }
        Ok(())
    })
}

/// Makes everything be sent and received again.
pub(super) fn reset(connection: &Connection) -> rusqlite::Result<()> {
    local::require_site(connection)?;
    local::in_savepoint(connection, || {
        for shape in local::shapes(connection)? {
            connection.execute_batch(&back_fill(&shape))?;
            connection.execute_batch(&format!(
                "INSERT INTO main.{} SELECT {} FROM main.{} WHERE cloudsync_is_dead(cs_versions) {}",
                target(&shape),
                shape.companion_key_list(""),
                versions(&shape.name),
                on_conflict(&shape)
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

/// The table of a table's rows' versions, quoted.
pub(super) fn versions(table: &str) -> String {
    companion(table, VERSIONS)
}

/// Marks every row of the table.
fn back_fill(shape: &Shape) -> String {
    let keys = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let table = quote(&shape.name);
    format!("INSERT INTO main.{} SELECT {keys} FROM main.{table} WHERE 1 {}", target(shape), on_conflict(shape))
}

/// `"t_cloudsync"(cs_pk1, …)`.
fn target(shape: &Shape) -> String {
    format!("{}({})", companion(&shape.name, "_cloudsync"), shape.companion_key_list(""))
}

/// A key that is already dirty moves to a new version. Not `INSERT OR REPLACE`: inside a trigger the conflict clause of
/// the outer statement wins, and under `INSERT OR IGNORE` the change would be lost; an upsert is never overridden.
fn on_conflict(shape: &Shape) -> String {
    format!(
        "ON CONFLICT({}) DO UPDATE SET version = (SELECT max(version) + 1 FROM {})",
        shape.companion_key_list(""),
        companion(&shape.name, "_cloudsync")
    )
}

fn create_triggers(shape: &Shape) -> String {
    let table = quote(&shape.name);
    let keys = |row: &str| join(shape.key_columns(), ", ", |_, column| format!("{row}.{}", quote(&column.name)));
    let mark = |row: &str| format!("INSERT INTO {} VALUES ({}) {};", target(shape), keys(row), on_conflict(shape));
    let trigger = |event: &str| companion(&format!("cloudsync_{event}_{}", shape.name), "");
    // Only what fires for REPLACE has to ask; RAISE says that what the statement has done so far is undone then.
    let ask = if shape.has_unique {
        "SELECT RAISE(ABORT, 'replaced rows are not captured') WHERE NOT cloudsync_captures_replaced();"
    } else {
        ""
    };
    let key_columns = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let key_changed =
        join(shape.key_columns(), " OR ", |_, column| format!("OLD.{0} IS NOT NEW.{0}", quote(&column.name)));
    let count = Count::new(shape);
    let there = shape.key_match("", |i| format!("NEW.{}", quote(&shape.columns[shape.keys[i]].name)));
    let there = format!("EXISTS (SELECT 1 FROM {table} WHERE {there})");
    format!(
        "CREATE TRIGGER {over} BEFORE INSERT ON {table} WHEN {there} AND NOT cloudsync_is_applying() BEGIN {note} END;
         CREATE TRIGGER {rekey_over} BEFORE UPDATE OF {key_columns} ON {table}
             WHEN ({key_changed}) AND {there} AND NOT cloudsync_is_applying() BEGIN {note} END;
         CREATE TRIGGER {insert} AFTER INSERT ON {table} WHEN NOT cloudsync_is_applying()
             BEGIN {ask} {refuse_insert} {mark_new} {inserted} END;
         CREATE TRIGGER {update} AFTER UPDATE ON {table} WHEN NOT ({key_changed}) AND NOT cloudsync_is_applying()
             BEGIN {ask} {mark_new} {updated} END;
         CREATE TRIGGER {rekey} AFTER UPDATE OF {key_columns} ON {table} WHEN ({key_changed}) AND NOT cloudsync_is_applying()
             BEGIN {ask} {refuse_update} {mark_old} {deleted} {mark_new} {inserted} END;
         CREATE TRIGGER {delete} AFTER DELETE ON {table} WHEN NOT cloudsync_is_applying() BEGIN {mark_old} {deleted} END;",
        over = trigger("over"),
        rekey_over = trigger("rekey_over"),
        insert = trigger("insert"),
        update = trigger("update"),
        rekey = trigger("rekey"),
        delete = trigger("delete"),
        note = count.note(),
        inserted = count.inserted(),
        updated = count.updated(),
        deleted = count.deleted(),
        refuse_insert = refuse(shape, "Insert"),
        refuse_update = refuse(shape, "Update"),
        mark_new = mark("NEW"),
        mark_old = mark("OLD"),
    )
}

/// A statement of a trigger that refuses a key with NULL.
fn refuse(shape: &Shape, event: &str) -> String {
    let nullable: Vec<&Column> = shape.key_columns().filter(|column| !column.not_null).collect();
    if nullable.is_empty() {
        return String::new();
    }
    let is_null = join(&nullable, " OR ", |_, column| format!("NEW.{} IS NULL", quote(&column.name)));
    let text = format!("{event} aborted because primary key in table {} contains NULL values.", shape.name);
    format!("SELECT RAISE(ABORT, '{}') WHERE {is_null};", text.replace('\'', "''"))
}

/// The statements by which triggers count the versions of a row.
struct Count<'s> {
    shape: &'s Shape,
    versions: String,
    width: usize,
}

impl<'s> Count<'s> {
    fn new(shape: &'s Shape) -> Self {
        Self { shape, versions: versions(&shape.name), width: shape.changed().count() }
    }

    /// The row that is about to be replaced is there: without an entry it would look as if it never was.
    fn note(&self) -> String {
        let Self { versions, .. } = self;
        format!("INSERT INTO {versions}({}) VALUES ({}) ON CONFLICT DO NOTHING;", self.columns(), self.keys("NEW"))
    }

    fn inserted(&self) -> String {
        let Self { versions, width, .. } = self;
        format!(
            "UPDATE {versions} SET cs_versions = cloudsync_inserted(cs_versions, {width}) WHERE {};",
            self.same("NEW")
        )
    }

    fn updated(&self) -> String {
        self.put("NEW", |known| format!("cloudsync_updated({known}, {}, {})", self.width, self.shape.written()))
    }

    fn deleted(&self) -> String {
        self.put("OLD", |known| format!("cloudsync_deleted({known})"))
    }

    /// Not `INSERT OR REPLACE`: the conflict clause of the outer statement would be stronger.
    fn put(&self, row: &str, count: impl Fn(&str) -> String) -> String {
        let Self { versions, .. } = self;
        let counted = count(&format!("(SELECT cs_versions FROM {versions} WHERE {})", self.same(row)));
        let keys = self.columns();
        format!(
            "INSERT INTO {versions}({keys}, cs_versions) SELECT {}, {counted} WHERE true
             ON CONFLICT({keys}) DO UPDATE SET cs_versions = excluded.cs_versions;",
            self.keys(row)
        )
    }

    fn columns(&self) -> String {
        self.shape.companion_key_list("")
    }

    fn keys(&self, row: &str) -> String {
        join(self.shape.key_columns(), ", ", |_, column| format!("{row}.{}", quote(&column.name)))
    }

    fn same(&self, row: &str) -> String {
        let name = |column: &Column| quote(&column.name);
        join(self.shape.key_columns(), " AND ", |i, column| format!("cs_pk{} = {row}.{}", i + 1, name(column)))
    }
}

fn drop_triggers(table: &str) -> String {
    EVENTS
        .map(|event| format!("DROP TRIGGER IF EXISTS main.{};", companion(&format!("cloudsync_{event}_{table}"), "")))
        .concat()
}
