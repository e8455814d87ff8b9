//! Rows held against the select policy, and which of them came from elsewhere. All are decided in SQL, however many
//! there are; some are named.

use std::path::Path;

use rusqlite::Connection;

use super::columns::literals_of;
use super::contents::{self, Rows};
use super::denied;
use super::subject::Subject;
use crate::plan::TablePlan;
use crate::record::{DatabaseState, ForbiddenRow};
use crate::sql::quote;

/// Forbidden rows that are named per database and table; the others are counted.
const NAMED: usize = 20;

/// The keys under examination; the name is no table of a scenario.
const HELD: &str = "temp.\"forbidden rows held\"";

/// Counts in `held` how many forbidden rows came from elsewhere, and names some. A leak must have come from somewhere:
/// a row that nobody else has was written here, and the server did not take it.
pub(super) fn examine(
    subject: &Subject<'_>,
    held: &mut DatabaseState,
    server: Option<&Path>,
) -> rusqlite::Result<Vec<ForbiddenRow>> {
    let reader = subject.reader(&subject.database_file(held.database), held.user)?;
    let others = subject.plan.databases.iter().filter(|other| other.user != held.user);
    let mut elsewhere: Vec<_> = others.map(|other| subject.database_file(other.index)).collect();
    elsewhere.extend(server.map(Path::to_path_buf));
    let mut found = Vec::new();
    for (table, state) in subject.plan.tables.iter().zip(&mut held.tables).filter(|(_, state)| state.forbidden > 0) {
        gather(subject, &reader, table)?;
        for file in &elsewhere {
            mark(subject, &reader, table, file)?;
        }
        let count = format!("SELECT count(*) FROM {HELD} WHERE leaked");
        state.leaked = Some(reader.query_row(&count, [], |row| row.get::<_, i64>(0))?.unsigned_abs());
        let named = name(&reader, table, held.database)?;
        found.extend(named);
    }
    Ok(found)
}

/// Notes the keys of the forbidden rows.
fn gather(subject: &Subject<'_>, reader: &Connection, table: &TablePlan) -> rusqlite::Result<()> {
    reader.execute_batch(&format!(
        "DROP TABLE IF EXISTS {HELD}; CREATE TABLE {HELD} AS SELECT {}, 0 AS leaked {}",
        keys(table),
        contents::source(subject.plan, table, Rows::Forbidden),
    ))
}

/// The key's columns under names that no table of the scenario has.
fn keys(table: &TablePlan) -> String {
    let named =
        table.primary_key.iter().enumerate().map(|(at, column)| format!("{} AS \"held key {at}\"", quote(column)));
    named.collect::<Vec<_>>().join(", ")
}

/// `key = "held key 0" AND …`, for the keys of `schema`'s table.
fn same_key(table: &TablePlan, schema: &str) -> String {
    let name = quote(&table.name);
    let same = |(at, column): (usize, &String)| format!("{schema}.{name}.{} = \"held key {at}\"", quote(column));
    table.primary_key.iter().enumerate().map(same).collect::<Vec<_>>().join(" AND ")
}

/// Marks the rows that another holder has too, and that the reader's user may not see there either.
fn mark(subject: &Subject<'_>, reader: &Connection, table: &TablePlan, file: &Path) -> rusqlite::Result<()> {
    reader.execute("ATTACH ?1 AS elsewhere", [file.to_string_lossy()])?;
    let marked = reader.execute(
        &format!(
            "UPDATE {HELD} SET leaked = 1 WHERE NOT leaked AND EXISTS (SELECT 1 {} AND {}{})",
            contents::source_in(subject.plan, table, Rows::Forbidden, "elsewhere"),
            same_key(table, "elsewhere"),
            // What was written here in another's name is told as an attempt that arrived.
            denied::condition(subject.plan, table),
        ),
        [],
    );
    let detached = reader.execute_batch("DETACH elsewhere");
    marked.and(detached)
}

/// Names some of them, leaked ones first.
fn name(reader: &Connection, table: &TablePlan, database: u32) -> rusqlite::Result<Vec<ForbiddenRow>> {
    let sql = format!(
        "SELECT {}, {}, leaked FROM main.{} JOIN {HELD} ON {} ORDER BY leaked DESC, 1 LIMIT {NAMED}",
        literals_of(&table.primary_key),
        literals_of(&table.columns),
        quote(&table.name),
        same_key(table, "main"),
    );
    let mut statement = reader.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(ForbiddenRow {
            database,
            table: table.name.clone(),
            key: row.get(0)?,
            row: row.get(1)?,
            leaked: row.get(2)?,
        })
    })?;
    rows.collect()
}
