//! What the real extension knows about rows, asked through its public functions and its table `cloudsync_changes`: which
//! wait to be sent, whose deletion is remembered, and their clocks. Best effort: what cannot be asked stays unknown.

use std::collections::HashSet;

use rusqlite::Connection;

use super::subject::Subject;
use crate::plan::TablePlan;
use crate::record::{CellClock, RowDifference};

/// Those of the rows' keys that wait to be sent in a database: changes of its own, behind the point up to which it has
/// sent. A deletion is one.
pub(super) fn waiting(
    subject: &Subject<'_>,
    database: u32,
    table: &TablePlan,
    rows: &[RowDifference],
) -> Option<HashSet<String>> {
    asked(subject, database, |connection| waiting_in(connection, &table.name, rows))
}

/// What the extension knows about the cells of a row, in one database.
pub(super) fn clocks(subject: &Subject<'_>, database: u32, table: &TablePlan, key: &str) -> Option<Vec<CellClock>> {
    asked(subject, database, |connection| clocks_in(connection, database, &table.name, key))
}

/// Those of the rows' keys whose deletion the server remembers.
pub(super) fn buried(subject: &Subject<'_>, table: &TablePlan, rows: &[RowDifference]) -> Option<HashSet<String>> {
    let (admin, database) = subject.target.admin.as_ref()?;
    let found = admin.sql(Some(database), &buried_sql(&table.name, rows)).ok()?;
    Some(found.iter().filter_map(|row| row.get("k")?.as_str().map(str::to_owned)).collect())
}

/// SQL for how many rows of a table the extension remembers as deleted: those with an even causal length.
pub(super) fn dead_rows_sql(table: &str) -> String {
    let name = table.replace('\'', "''");
    format!("SELECT count(DISTINCT pk) AS n FROM cloudsync_changes WHERE tbl = '{name}' AND cl % 2 = 0")
}

/// Asks a database of the run, without a network.
fn asked<T>(subject: &Subject<'_>, database: u32, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
    let file = subject.database_file(database);
    let session = subject.target.functions()?.open(subject.plan, &file, None).ok()?;
    let answer = session.connection().map(ask)?;
    session.close().ok()?;
    answer.ok()
}

/// SQL for the rows' keys that have changes `c`. Key by key, for which the extension has an index: to walk through the
/// changes of 50,000 rows takes it a second.
fn changes_of(table: &str, rows: &[RowDifference]) -> String {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let keys: Vec<String> =
        rows.iter().map(|row| format!("({}, cloudsync_pk_encode({}))", literal(&row.key), row.key)).collect();
    format!(
        "WITH keys(k, pk) AS (VALUES {}) SELECT DISTINCT k FROM keys CROSS JOIN cloudsync_changes AS c \
         ON c.tbl = {} AND c.pk = keys.pk",
        keys.join(", "),
        literal(table)
    )
}

fn waiting_in(connection: &Connection, table: &str, rows: &[RowDifference]) -> rusqlite::Result<HashSet<String>> {
    // Both are texts, and absent in a database that has never sent.
    let sent = |key: &str| -> rusqlite::Result<i64> {
        let sql = "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM cloudsync_settings WHERE key = ?1), 0)";
        connection.query_row(sql, [key], |row| row.get(0))
    };
    let sent = (sent("send_dbversion")?, sent("send_seq")?);
    let mut statement = connection.prepare(&format!(
        "{} WHERE c.site_id = cloudsync_siteid() AND (c.db_version, c.seq) > (?1, ?2)",
        changes_of(table, rows)
    ))?;
    statement.query_map([sent.0, sent.1], |row| row.get(0))?.collect()
}

fn buried_sql(table: &str, rows: &[RowDifference]) -> String {
    format!("{} WHERE c.cl % 2 = 0", changes_of(table, rows))
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
    use crate::session::{Loader, Opening, Session};

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
        let connection = session.connection().expect("SQLite in this process");
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
        let clocks = |key| {
            clocks_in(session.connection().expect("SQLite in this process"), 1, "it's", key)
                .expect("the extension tells")
        };
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
            .expect("SQLite in this process")
            .query_row(&dead_rows_sql("it's"), [], |row| row.get("n"))
            .expect("deletions are counted");
        assert_eq!(dead, 1);
        session.close().expect("it closes");
    }

    #[test]
    fn the_real_extension_tells_which_rows_wait_to_be_sent_and_which_are_buried() {
        let Some(loader) = extension("the_real_extension_tells_which_rows_wait_to_be_sent") else { return };
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let file = directory.path().join("db1.db");
        let opening = Opening { file: &file, loader: &loader, pragmas: &[], settings: &[], network: None };
        let session = Session::open(&opening).expect("the extension loads");
        let connection = session.connection().expect("SQLite in this process");
        connection.execute_batch("CREATE TABLE t (id TEXT PRIMARY KEY, name TEXT)").expect("a table");
        connection.query_row("SELECT cloudsync_init('t')", [], |_| Ok(())).expect("it is tracked");
        let write = |sql: &str| connection.execute_batch(sql).expect("a write");
        write("INSERT INTO t VALUES ('sent', 'x'), ('changed', 'y'), ('it''s', 'z')");
        let row = |key: &str| RowDifference {
            key: key.to_owned(),
            holders: Vec::new(),
            tombstone: None,
            clocks: Vec::new(),
            writes: None,
        };
        let rows = ["'sent'", "'changed'", "'it''s'", "'nobody'"].map(row);
        let waiting = || {
            let mut keys: Vec<String> = waiting_in(connection, "t", &rows).expect("it tells").into_iter().collect();
            keys.sort();
            keys
        };
        assert_eq!(waiting(), ["'changed'", "'it''s'", "'sent'"], "nothing was sent yet");
        // As after a send of all there was.
        let sent =
            "INSERT OR REPLACE INTO cloudsync_settings (key, value) VALUES ('send_dbversion', '1'), ('send_seq', '99')";
        write(sent);
        assert_eq!(waiting(), [""; 0]);
        write("UPDATE t SET name = 'w' WHERE id = 'changed'");
        write("DELETE FROM t WHERE id = 'it''s'");
        assert_eq!(waiting(), ["'changed'", "'it''s'"]);
        let buried: String = connection.query_row(&buried_sql("t", &rows), [], |row| row.get("k")).expect("it tells");
        assert_eq!(buried, "'it''s'");
        session.close().expect("it closes");
    }
}
