//! Isolation while the run goes on: the rows that the select policy forbids, counted before and after a receive, so
//! that a row which came and went is seen. What a database wrote itself is there before and does not count.

use rusqlite::Connection;

use super::budget::Budget;
use super::columns::literals_of;
use super::contents::{self, Rows};
use crate::plan::{CheckKind, CheckPlan, Elsewhere, Plan, TablePlan};

/// Keys that are kept of the rows that were there before; with more of them, new ones cannot be named.
const KNOWN: usize = 100;
/// Keys of new rows that are named.
const NAMED: usize = 5;

/// A database's watch over its receives.
pub(crate) struct Watch {
    tables: Vec<TableWatch>,
    budget: Budget,
}

struct TableWatch {
    table: String,
    count: String,
    keys: String,
}

/// What was there before a receive, table by table.
pub(crate) struct Before(Vec<(u64, Vec<String>)>);

/// Forbidden rows that a receive brought.
pub(crate) struct Brought {
    pub(crate) table: String,
    pub(crate) before: u64,
    pub(crate) after: u64,
    pub(crate) keys: Vec<String>,
}

impl Watch {
    /// Only where isolation is checked.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let asked = plan.checks.iter().map(CheckPlan::kind).any(|kind| kind == CheckKind::Isolation);
        let table = |table: &TablePlan| {
            let source = contents::source(plan, table, Rows::Forbidden);
            TableWatch {
                table: table.name.clone(),
                count: format!("SELECT count(*) {source}"),
                keys: format!("SELECT {} {source} LIMIT ?1", literals_of(&table.primary_key)),
            }
        };
        // Where other rows decide, a row can become forbidden without having come.
        let lasting = plan.tables.iter().filter(|table| table.policies_depend_on == Elsewhere::Nothing);
        let tables: Vec<TableWatch> = lasting.map(table).collect();
        (plan.rls && asked && !tables.is_empty()).then(|| Self { tables, budget: Budget::new(1) })
    }

    /// Counts what is there before a receive; nothing when it is not looked at, or cannot be.
    pub(crate) fn before(&mut self, connection: &Connection) -> Option<Before> {
        let tables = &self.tables;
        self.budget.spend(|| {
            let read = |table: &TableWatch| {
                let rows = count(connection, table)?;
                let keys =
                    if (1..=KNOWN as u64).contains(&rows) { keys(connection, table, KNOWN)? } else { Vec::new() };
                Ok((rows, keys))
            };
            tables.iter().map(read).collect::<rusqlite::Result<_>>().ok().map(Before)
        })
    }

    /// What the receive brought; nothing when it could not be looked at.
    pub(crate) fn after(&mut self, connection: &Connection, before: &Before) -> Option<Vec<Brought>> {
        let tables = &self.tables;
        self.budget.charge(|| {
            let mut brought = Vec::new();
            for (table, (rows_before, known)) in tables.iter().zip(&before.0) {
                let after = count(connection, table).ok()?;
                if after > *rows_before {
                    let keys = new_keys(connection, table, *rows_before, known).unwrap_or_default();
                    brought.push(Brought { table: table.table.clone(), before: *rows_before, after, keys });
                }
            }
            Some(brought)
        })
    }
}

fn count(connection: &Connection, table: &TableWatch) -> rusqlite::Result<u64> {
    connection.prepare_cached(&table.count)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn keys(connection: &Connection, table: &TableWatch, most: usize) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(&table.keys)?
        .query_map([i64::try_from(most).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect()
}

fn new_keys(
    connection: &Connection,
    table: &TableWatch,
    before: u64,
    known: &[String],
) -> rusqlite::Result<Vec<String>> {
    if before > known.len() as u64 {
        return Ok(Vec::new());
    }
    let mut keys = keys(connection, table, known.len() + NAMED)?;
    keys.retain(|key| !known.contains(key));
    keys.truncate(NAMED);
    Ok(keys)
}
