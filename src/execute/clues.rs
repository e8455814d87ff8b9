//! What else can be learnt about the rows that differ: whether they still wait to be sent, whether the server remembers
//! their deletion, and what the extension's clocks say. Best effort: what cannot be asked stays unknown.

use std::collections::HashSet;

use rusqlite::Connection;

use super::Run;
use super::contents::text_of;
use crate::plan::{TablePlan, quote};
use crate::record::{CellClock, Difference, Holder, RowDifference, Tombstones};
use crate::session::{Opening, Session, open_reader};

/// Rows of a table whose clocks are looked at.
const CLOCKED_ROWS: usize = 5;
/// Databases whose clocks are looked at.
const CLOCKED_DATABASES: usize = 4;

/// Adds what can be learnt about a table's differing rows.
pub(super) fn gather(run: &Run<'_>, table: &TablePlan, difference: &mut Difference) {
    let databases: Vec<u32> = difference.rows.first().map_or_else(Vec::new, |row| {
        let index = |holder| match holder {
            Holder::Database(index) => Some(index),
            Holder::Server | Holder::Bootstrap => None,
        };
        row.holders.iter().filter_map(|held| index(held.holder)).collect()
    });
    for database in &databases {
        let waiting = open_reader(&run.database_file(*database), "")
            .and_then(|reader| keys_in(&reader, &format!("{}_cloudsync", table.name), table, &difference.rows));
        let Ok(waiting) = waiting else { continue };
        for row in &mut difference.rows {
            let held = row.holders.iter_mut().find(|held| held.holder == Holder::Database(*database));
            if let Some(held) = held {
                held.unsent = Some(waiting.contains(&row.key));
            }
        }
    }
    if let Some(buried) = buried(run, table, &difference.rows) {
        for row in &mut difference.rows {
            row.tombstone = Some(buried.contains(&row.key));
        }
    }
    if run.target.facts.kind == "cloudsync" {
        for row in difference.rows.iter_mut().take(CLOCKED_ROWS) {
            for database in databases.iter().take(CLOCKED_DATABASES) {
                row.clocks.extend(clocks(run, *database, table, &row.key).unwrap_or_default());
            }
        }
    }
}

/// The columns in which the embedded target keeps keys.
fn key_columns(table: &TablePlan) -> Vec<String> {
    (1..=table.primary_key.len()).map(|at| format!("cs_pk{at}")).collect()
}

/// SQL for those of the rows' keys that a bookkeeping table has.
fn keys_sql(companion: &str, table: &TablePlan, rows: &[RowDifference]) -> String {
    let columns = key_columns(table);
    let keys: Vec<String> = rows.iter().map(|row| format!("({})", row.key)).collect();
    format!(
        "SELECT {} AS k FROM {} WHERE ({}) IN (VALUES {})",
        text_of(&columns),
        quote(companion),
        columns.join(", "),
        keys.join(", "),
    )
}

fn keys_in(
    reader: &Connection,
    companion: &str,
    table: &TablePlan,
    rows: &[RowDifference],
) -> rusqlite::Result<HashSet<String>> {
    // A name in double quotes that is no column would be a text: then nothing would wait, and that would be a lie.
    let known = reader.prepare(&format!("SELECT cs_pk1 FROM {} LIMIT 0", quote(companion)));
    known?;
    let mut statement = reader.prepare(&keys_sql(companion, table, rows))?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn buried(run: &Run<'_>, table: &TablePlan, rows: &[RowDifference]) -> Option<HashSet<String>> {
    let (admin, database) = run.target.admin.as_ref()?;
    let companion = format!("{}_cloudsync_tombstones", table.name);
    admin.sql(Some(database), &format!("SELECT cs_pk1 FROM {} LIMIT 1", quote(&companion))).ok()?;
    let found = admin.sql(Some(database), &keys_sql(&companion, table, rows)).ok()?;
    Some(found.iter().filter_map(|row| row.get("k")?.as_str().map(str::to_owned)).collect())
}

/// How many deletions the server remembers, of the tables for which it can say.
pub(super) fn tombstones(run: &Run<'_>) -> Vec<Tombstones> {
    let Some((admin, database)) = &run.target.admin else { return Vec::new() };
    let count = |sql: &str| admin.sql(Some(database), sql).ok()?.first()?.get("n")?.as_u64();
    let of = |table: &TablePlan| {
        let own = quote(&format!("{}_cloudsync_tombstones", table.name));
        let rows = count(&format!("SELECT count(*) AS n FROM {own}")).or_else(|| count(&dead_rows_sql(&table.name)))?;
        Some(Tombstones { table: table.name.clone(), rows })
    };
    run.plan.tables.iter().filter_map(of).collect()
}

/// SQL for how many rows of a table the extension remembers as deleted: those with an even causal length.
fn dead_rows_sql(table: &str) -> String {
    let name = table.replace('\'', "''");
    format!("SELECT count(DISTINCT pk) AS n FROM cloudsync_changes WHERE tbl = '{name}' AND cl % 2 = 0")
}

/// What the extension knows about the cells of a row, in one database.
fn clocks(run: &Run<'_>, database: u32, table: &TablePlan, key: &str) -> Option<Vec<CellClock>> {
    let file = run.database_file(database);
    let opening =
        Opening { file: &file, loader: &run.target.loader, pragmas: &run.plan.pragmas, settings: &[], network: None };
    let session = Session::open(&opening).ok()?;
    let clocks = clocks_in(session.connection(), database, &table.name, key);
    session.close().ok()?;
    clocks.ok()
}

fn clocks_in(connection: &Connection, database: u32, table: &str, key: &str) -> rusqlite::Result<Vec<CellClock>> {
    let mut statement = connection.prepare(&format!(
        "SELECT col_name, col_version, db_version, lower(hex(site_id)), cl, seq FROM cloudsync_changes \
         WHERE tbl = ?1 AND pk = cloudsync_pk_encode({key}) ORDER BY col_name"
    ))?;
    let clock = |row: &rusqlite::Row<'_>| {
        Ok(CellClock {
            database,
            column: row.get(0)?,
            col_version: row.get(1)?,
            db_version: row.get(2)?,
            site_id: row.get(3)?,
            cl: row.get(4)?,
            seq: row.get(5)?,
        })
    };
    statement.query_map([table], clock)?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Loader;

    /// The extension's path, or a word about why there is none.
    #[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
    fn extension(test: &str) -> Option<Loader> {
        let path = std::env::var_os("STRESS_CLOUDSYNC_EXTENSION").filter(|path| !path.is_empty());
        if path.is_none() {
            eprintln!("skipped: {test}: STRESS_CLOUDSYNC_EXTENSION is not set");
        }
        path.map(|path| Loader::Extension(path.into()))
    }

    /// Column, its version, the database's, causal length and place.
    fn told<'a>(clocks: &'a [CellClock]) -> Vec<(&'a str, i64, i64, i64, i64)> {
        let tell =
            |clock: &'a CellClock| (clock.column.as_str(), clock.col_version, clock.db_version, clock.cl, clock.seq);
        clocks.iter().map(tell).collect()
    }

    #[test]
    fn the_real_extension_tells_the_clocks_of_written_changed_and_deleted_rows() {
        let Some(loader) = extension("the_real_extension_tells_the_clocks_of_written_changed_and_deleted_rows") else {
            return;
        };
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let file = directory.path().join("db1.db");
        let opening = Opening { file: &file, loader: &loader, pragmas: &[], settings: &[], network: None };
        let session = Session::open(&opening).expect("the extension loads");
        let connection = session.connection();
        let sql = "CREATE TABLE \"it's\" (id TEXT NOT NULL, at INTEGER NOT NULL, name TEXT, value INTEGER, \
                   PRIMARY KEY (id, at))";
        connection.execute_batch(sql).expect("a table");
        let site: String =
            connection.query_row("SELECT cloudsync_init('it''s')", [], |row| row.get(0)).expect("it is tracked");
        for sql in [
            "INSERT INTO \"it's\" VALUES ('a', 1, 'x', 1), ('b', -2, 'y', 2), ('c', 3, 'z', 3), ('d', 4, 'w', 4)",
            "UPDATE \"it's\" SET value = 9 WHERE id = 'b'",
            "DELETE FROM \"it's\" WHERE id IN ('c', 'd')",
            "INSERT INTO \"it's\" VALUES ('d', 4, 'v', 5)",
        ] {
            connection.execute_batch(sql).expect("a write");
        }
        session.close().expect("it closes");

        // As after a run: a session of its own, which has not seen the writes.
        let session = Session::open(&opening).expect("it opens again");
        let clocks = |key| clocks_in(session.connection(), 1, "it's", key).expect("the extension tells");
        let changed = clocks("'b', -2");
        assert_eq!(told(&changed), [("name", 1, 1, 1, 2), ("value", 2, 2, 1, 0)]);
        assert!(changed.iter().all(|clock| clock.site_id == site && !clock.is_of_a_dead_row()), "{changed:?}");
        let deleted = clocks("'c', 3");
        assert_eq!(told(&deleted), [("__[RIP]__", 2, 3, 2, 0)]);
        assert!(deleted[0].is_of_a_dead_row());
        let back = clocks("'d', 4");
        assert_eq!(told(&back), [("__[RIP]__", 3, 4, 3, 0), ("name", 1, 4, 3, 1), ("value", 1, 4, 3, 2)]);
        assert_eq!(clocks("'nobody', 1"), []);
        let dead: i64 = session
            .connection()
            .query_row(&dead_rows_sql("it's"), [], |row| row.get("n"))
            .expect("deletions are counted");
        assert_eq!(dead, 1);
        session.close().expect("it closes");
    }
}
