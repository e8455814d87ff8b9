//! Rows of a database whose foreign keys lead nowhere, as SQLite finds them. A sync that applies rows without their
//! parents leaves such rows also where foreign keys are enforced: SQLite checks them only when a statement writes.

use rusqlite::{Connection, OptionalExtension, Row};

use super::columns::{list_of, literals_of};
use crate::failure::{self, Call};
use crate::plan::Plan;
use crate::record::{ForeignKeys, Orphan};
use crate::session::raw_error;
use crate::sql::quote;

/// Rows that are named per database; the others are counted.
const NAMED: usize = 20;

/// A line of `PRAGMA foreign_key_check`.
struct Line {
    table: String,
    rowid: Option<i64>,
    parent: String,
    /// Which of the table's foreign keys.
    key: i64,
}

/// Looks for such rows in a database.
pub(super) fn check(reader: &Connection, plan: &Plan) -> ForeignKeys {
    look(reader, plan).unwrap_or_else(|error| ForeignKeys {
        failure: Some(failure::classify(&raw_error(Call::Sql, &error))),
        ..ForeignKeys::default()
    })
}

fn look(reader: &Connection, plan: &Plan) -> rusqlite::Result<ForeignKeys> {
    let mut statement = reader.prepare("PRAGMA main.foreign_key_check")?;
    let mut lines = statement.query([])?;
    let mut found = ForeignKeys::default();
    while let Some(row) = lines.next()? {
        found.total += 1;
        if found.orphans.len() < NAMED {
            let line = Line { table: row.get(0)?, rowid: row.get(1)?, parent: row.get(2)?, key: row.get(3)? };
            // SQLite does not tell the rows of a table without rowids apart: they are named by their place.
            let same = |other: &&Orphan| (&other.table, &other.parent) == (&line.table, &line.parent);
            let place = found.orphans.iter().filter(same).count();
            let key = key(reader, plan, &line, place)?;
            found.orphans.push(Orphan { table: line.table, rowid: line.rowid, key, parent: line.parent });
        }
    }
    Ok(found)
}

/// The primary key of such a row, where the plan knows its table.
fn key(reader: &Connection, plan: &Plan, line: &Line, place: usize) -> rusqlite::Result<Option<String>> {
    let Some(table) = plan.tables.iter().find(|table| table.name.eq_ignore_ascii_case(&line.table)) else {
        return Ok(None);
    };
    let (key, name) = (literals_of(&table.primary_key), quote(&table.name));
    let first = |row: &Row<'_>| row.get::<_, String>(0);
    if let Some(rowid) = line.rowid {
        let sql = format!("SELECT {key} FROM main.{name} WHERE rowid = ?1");
        return reader.query_row(&sql, [rowid], first).optional();
    }
    let columns = columns(reader, line)?;
    let filled: Vec<String> = columns.iter().map(|(own, _)| format!("{} IS NOT NULL", quote(own))).collect();
    let parents: Vec<String> = columns.iter().map(|(_, parent)| parent.clone()).collect();
    let own: Vec<String> = columns.iter().map(|(own, _)| own.clone()).collect();
    let sql = format!(
        "SELECT {key} FROM main.{name} WHERE {} AND ({}) NOT IN (SELECT {} FROM main.{}) ORDER BY 1 LIMIT 1 OFFSET {place}",
        filled.join(" AND "),
        list_of(&own),
        list_of(&parents),
        quote(&line.parent),
    );
    reader.query_row(&sql, [], first).optional()
}

/// The columns of a foreign key, each with the parent's column.
fn columns(reader: &Connection, line: &Line) -> rusqlite::Result<Vec<(String, String)>> {
    // A key that names no columns of the parent refers to the parent's primary key.
    let sql = "SELECT \"from\", coalesce(\"to\", (SELECT name FROM pragma_table_info(?2) WHERE pk = seq + 1)) \
               FROM pragma_foreign_key_list(?1) WHERE id = ?3 ORDER BY seq";
    let mut statement = reader.prepare(sql)?;
    let pairs = statement.query_map((&line.table, &line.parent, line.key), |row| Ok((row.get(0)?, row.get(1)?)))?;
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(tables: &[(&str, &str)], rows: &str) -> ForeignKeys {
        let declared: Vec<_> = tables.iter().map(|(name, sql)| serde_json::json!({"name": name, "sql": sql})).collect();
        let scenario = serde_json::json!({
            "version": 1, "name": "keys", "schema": {"tables": declared},
            "phases": [{"name": "wait", "wait": "1s"}],
        });
        let (plan, _) =
            Plan::new(&serde_json::from_value(scenario).expect("a scenario"), &crate::plan::Grant::default())
                .expect("a plan");
        let connection = crate::session::open_reader(std::path::Path::new(":memory:"), "").expect("memory");
        connection.execute_batch("PRAGMA foreign_keys = off").expect("a pragma");
        for (_, sql) in tables {
            connection.execute_batch(sql).expect("a table");
        }
        connection.execute_batch(rows).expect("rows");
        check(&connection, &plan)
    }

    #[test]
    fn orphans_are_named_by_their_rowid_or_key() {
        let parent = ("parent", "CREATE TABLE parent (id TEXT PRIMARY KEY, n INTEGER)");
        let rows = "INSERT INTO parent VALUES ('a', 1);
            INSERT INTO child VALUES ('x', 'a'), ('y', 'gone'), ('z', NULL), ('w', 'lost')";
        let with = found(
            &[parent, ("child", "CREATE TABLE child (id TEXT PRIMARY KEY, up TEXT REFERENCES parent (id))")],
            rows,
        );
        let named = |found: &ForeignKeys| -> Vec<(Option<i64>, Option<String>)> {
            found.orphans.iter().map(|orphan| (orphan.rowid, orphan.key.clone())).collect()
        };
        assert_eq!(with.total, 2);
        assert_eq!(named(&with), [(Some(2), Some("'y'".into())), (Some(4), Some("'w'".into()))]);
        let child = "CREATE TABLE child (id TEXT PRIMARY KEY, up TEXT REFERENCES parent) WITHOUT ROWID";
        let without = found(&[parent, ("child", child)], rows);
        assert_eq!(named(&without), [(None, Some("'w'".into())), (None, Some("'y'".into()))]);
        assert!(without.orphans.iter().all(|orphan| orphan.table == "child" && orphan.parent == "parent"));
    }

    #[test]
    fn many_orphans_are_counted_and_a_key_that_fits_no_parent_is_told() {
        let parent = ("parent", "CREATE TABLE parent (id TEXT PRIMARY KEY, n INTEGER)");
        let child = "CREATE TABLE child (id TEXT PRIMARY KEY, up TEXT REFERENCES parent (id))";
        let rows = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1200)
            INSERT INTO child SELECT 'c' || x, 'gone' FROM n";
        let many = found(&[parent, ("child", child)], rows);
        assert_eq!((many.total, many.orphans.len(), many.failure), (1200, NAMED, None));
        let child = "CREATE TABLE child (id TEXT PRIMARY KEY, up INTEGER REFERENCES parent (n))";
        let odd = found(&[parent, ("child", child)], "INSERT INTO child VALUES ('x', 1)");
        assert!(odd.failure.is_some_and(|failure| failure.message.contains("foreign key mismatch")));
    }
}
