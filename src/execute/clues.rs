//! What else can be learnt about the rows that differ: whether they still wait to be sent, whether the server remembers
//! their deletion, and what the extension's clocks say. Best effort: what cannot be asked stays unknown.

use std::collections::HashSet;

use rusqlite::Connection;

use super::Run;
use super::contents::text_of;
use crate::failure::Call;
use crate::plan::{TablePlan, quote};
use crate::record::{CellClock, Difference, Holder, RowDifference, Tombstones};
use crate::session::{Opening, Session, open_reader, raw_error};

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
        let extension = quote(&format!("{}_cloudsync", table.name));
        let rows = count(&format!("SELECT count(*) AS n FROM {own}")).or_else(|| {
            // The extension keeps a deletion as a mark among the row's cells, with an even causal length.
            count(&format!(
                "SELECT count(*) AS n FROM {extension} WHERE col_name = '__[RIP]__' AND col_version % 2 = 0"
            ))
        })?;
        Some(Tombstones { table: table.name.clone(), rows })
    };
    run.plan.tables.iter().filter_map(of).collect()
}

/// What the extension knows about the cells of a row, in one database.
fn clocks(run: &Run<'_>, database: u32, table: &TablePlan, key: &str) -> Option<Vec<CellClock>> {
    let file = run.database_file(database);
    let opening =
        Opening { file: &file, loader: &run.target.loader, pragmas: &run.plan.pragmas, settings: &[], network: None };
    let session = Session::open(&opening).ok()?;
    let sql = format!(
        "SELECT col_name, col_version, db_version, lower(hex(site_id)), cl, seq FROM cloudsync_changes \
         WHERE tbl = ?1 AND pk = cloudsync_pk_encode({key}) ORDER BY col_name"
    );
    let read = |connection: &Connection| -> rusqlite::Result<Vec<CellClock>> {
        let mut statement = connection.prepare(&sql)?;
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
        statement.query_map([&table.name], clock)?.collect()
    };
    let clocks = read(session.connection()).map_err(|error| raw_error(Call::Sql, &error));
    session.close().ok()?;
    clocks.ok()
}
