//! The companions of a synced table: made, filled and dropped. It must not know what a push or a pull is, nor how the
//! companions are kept up to date: that is `note`.

use crate::sql::quote;
use rusqlite::{Connection, params};

use super::super::shape::{Shape, companion, join};
use super::tracked::{SERVER, Tracked, old_column, read_policies, same_row};

/// Why a table cannot be synced.
pub(super) fn refusal(shape: Option<&Shape>, table: &str) -> Option<String> {
    match shape {
        None => Some(format!("Table {table} does not exist")),
        Some(shape) if shape.keys.is_empty() => Some(format!("Table {table} has no primary key")),
        Some(_) => None,
    }
}

/// Makes a table synced: companions, and a sequence number for each row that is there. The caller has a transaction.
pub(super) fn enable(connection: &Connection, shape: Shape) -> rusqlite::Result<()> {
    let table = shape.name.clone();
    let known = connection
        .prepare("SELECT 1 FROM cloudsync_tables AS t, main.sqlite_schema AS s WHERE t.name = ?1 AND lower(s.name) = lower(?2)")?
        .exists(params![table, format!("{table}_cloudsync")])?;
    if known {
        return Ok(());
    }
    disable(connection, &table)?;
    let (rls, policies, columns) = read_policies(connection, &table)?;
    let tracked = Tracked::new(shape, rls, policies, &columns);
    let shape = &tracked.shape;
    let (live, dead) = (companion(&table, "_cloudsync"), companion(&table, "_cloudsync_tombstones"));
    let (definitions, keys) = (shape.companion_keys(), shape.companion_key_list(""));
    let own_keys = join(shape.key_columns(), ", ", |_, column| quote(&column.name));
    let (live_keys, unique, filled, filling, place) = match shape.rowid {
        Some(rowid) => (String::new(), String::new(), String::new(), String::new(), rowid),
        None => (
            format!(", {definitions}"),
            format!(", UNIQUE ({keys})"),
            format!(", {keys}"),
            format!(", {own_keys}"),
            "NULL",
        ),
    };
    connection.execute("INSERT INTO cloudsync_tables(name) VALUES (?1)", [&table])?;
    connection.execute_batch(&format!(
        "CREATE TABLE main.{live}(cs_row INTEGER PRIMARY KEY, cs_seq INTEGER NOT NULL, cs_site INTEGER NOT NULL, cs_versions BLOB{live_keys}{unique});
         CREATE TABLE main.{dead}(cs_seq INTEGER PRIMARY KEY, cs_site INTEGER NOT NULL, cs_life INTEGER, {definitions});
         CREATE INDEX main.{index} ON {dead}({keys});
         INSERT INTO main.{live}(cs_row, cs_seq, cs_site{filled})
             SELECT {place}, (SELECT seq FROM cloudsync_state) + row_number() OVER (), {SERVER}{filling} FROM main.{table};
         UPDATE cloudsync_state SET seq = seq + (SELECT count(*) FROM main.{live}), generation = generation + 1;",
        index = companion(&table, "_cloudsync_tombstones_key"),
        table = quote(&table),
    ))?;
    watch(connection, &tracked)
}

/// Ends a table's sync. Its rows stay. The caller has a transaction.
pub(super) fn disable(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM cloudsync_tables WHERE name = ?1", [table])?;
    connection.execute("DELETE FROM cloudsync_versions WHERE name = ?1", [table])?;
    connection.execute("DELETE FROM cloudsync_blocks WHERE name = ?1", [table])?;
    connection.execute_batch(&format!(
        "DROP TABLE IF EXISTS main.{}; DROP TABLE IF EXISTS main.{}; UPDATE cloudsync_state SET generation = generation + 1;",
        companion(table, "_cloudsync"),
        companion(table, "_cloudsync_tombstones"),
    ))
}

/// Makes the companions hold what the select policy reads, and be found by it. The caller has a transaction.
pub(super) fn watch(connection: &Connection, tracked: &Tracked) -> rusqlite::Result<()> {
    let shape = &tracked.shape;
    for suffix in ["_cloudsync", "_cloudsync_tombstones"] {
        let table = format!("{}{suffix}", shape.name);
        for &column in &tracked.watched {
            let column = &shape.columns[column];
            let old = old_column(&column.name);
            let known = connection
                .prepare("SELECT 1 FROM pragma_table_info(?1) WHERE lower(name) = lower(?2)")?
                .exists(params![table, format!("cs_old_{}", column.name)])?;
            if !known {
                connection.execute_batch(&format!(
                    "ALTER TABLE main.{} ADD COLUMN {old} {} COLLATE {}",
                    quote(&table),
                    column.declared,
                    quote(&column.collation)
                ))?;
            }
        }
    }
    if !tracked.watched.is_empty() {
        let values = join(&tracked.watched, ", ", |_, &column| {
            let name = &shape.columns[column].name;
            format!("{} = cs_data.{}", old_column(name), quote(name))
        });
        connection.execute_batch(&format!(
            "UPDATE main.{} AS cs_live SET {values} FROM main.{} AS cs_data WHERE {}",
            companion(&shape.name, "_cloudsync"),
            quote(&shape.name),
            same_row(shape, "cs_data", "cs_live.cs_"),
        ))?;
    }
    index(connection, tracked, "_cloudsync", |policy| tracked.live_rows(policy, false))?;
    index(connection, tracked, "_cloudsync_tombstones", |policy| tracked.tombstones(policy))
}

/// Makes the index by which a pull finds what is new in a companion. It starts with the watched columns if SQLite can
/// then seek to one user's rows, for a policy like `user_id = auth_userid()`.
fn index(
    connection: &Connection,
    tracked: &Tracked,
    suffix: &str,
    pull: impl Fn(&str) -> String,
) -> rusqlite::Result<()> {
    let bare = format!("{}{suffix}_new", tracked.shape.name);
    let name = quote(&bare);
    let table = companion(&tracked.shape.name, suffix);
    let create = |old: &str| format!("CREATE INDEX main.{name} ON {table}({old}cs_seq, cs_site)");
    connection.execute_batch(&format!("DROP INDEX IF EXISTS main.{name}"))?;
    if let Some(policy) = tracked.policies.select.as_ref().filter(|_| !tracked.watched.is_empty()) {
        let old =
            join(&tracked.watched, "", |_, &column| format!("{}, ", old_column(&tracked.shape.columns[column].name)));
        connection.execute_batch(&create(&old))?;
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", pull(policy)))?;
        let mut steps = explained.query([rusqlite::types::Null, rusqlite::types::Null])?;
        while let Some(step) = steps.next()? {
            let step: String = step.get("detail")?;
            if step.contains(&bare) && step.contains("cs_seq>?") {
                return Ok(());
            }
        }
        drop(steps);
        drop(explained);
        connection.execute_batch(&format!("DROP INDEX main.{name}"))?;
    }
    // The tombstones' own key is the sequence number.
    if suffix == "_cloudsync" { connection.execute_batch(&create("")) } else { Ok(()) }
}
