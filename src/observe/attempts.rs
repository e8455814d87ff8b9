//! Hostile phases: what each of their writes attempted, what the policies say about it, and whether it arrived. The
//! policies are evaluated here, by SQLite, and not by the server under test.

use std::collections::HashSet;
use std::ops::DerefMut;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::columns::{list_of, literals_of};
use crate::plan::{Plan, TablePlan};
use crate::record::{Attempt, Operation, WorkerRecord};
use crate::session::open_reader;
use crate::sql::quote;

/// Attempts that did not arrive and that a database's record keeps; the others are counted.
const KEPT: usize = 1000;

/// Keeps the tables as they are before a hostile phase.
pub(crate) fn before(connection: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    for (index, table) in plan.tables.iter().enumerate() {
        let kept = kept(index);
        connection.execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.{kept};
             CREATE TEMP TABLE {kept} AS SELECT * FROM main.{};
             CREATE INDEX temp.{} ON {kept}({});",
            quote(&table.name),
            quote(&format!("hostile key {index}")),
            list_of(&table.primary_key),
        ))?;
    }
    Ok(())
}

/// What the phase attempted since [`before`]: what the policies deny of it, and how much they allow.
pub(crate) fn attempts(
    connection: &Connection,
    plan: &Plan,
    iteration: u64,
    phase: &str,
) -> rusqlite::Result<(Vec<Attempt>, u64)> {
    let (mut denied, mut allowed) = (Vec::new(), 0);
    for (index, table) in plan.tables.iter().enumerate() {
        let kept = kept(index);
        for operation in [Operation::Insert, Operation::Update, Operation::Delete] {
            let mut statement = connection.prepare(&changed(table, &kept, operation))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if row.get(2)? {
                    allowed += 1;
                    continue;
                }
                denied.push(Attempt {
                    iteration,
                    phase: phase.to_owned(),
                    table: table.name.clone(),
                    operation,
                    key: row.get(0)?,
                    row: row.get(1)?,
                    arrived: None,
                });
            }
        }
        connection.execute_batch(&format!("DROP TABLE temp.{kept}"))?;
    }
    Ok((denied, allowed))
}

/// The name of a table's copy, which no table of a scenario has.
fn kept(index: usize) -> String {
    quote(&format!("hostile before {index}"))
}

/// SQL for the rows that an operation changed: key and row as SQL literals, and whether the policy allows it.
fn changed(table: &TablePlan, kept: &str, operation: Operation) -> String {
    let name = quote(&table.name);
    let policies = table.policies.clone().unwrap_or_default();
    let allowed =
        |policy: Option<String>| policy.map_or_else(|| "0".to_owned(), |policy| format!("coalesce(({policy}), 0)"));
    let literals = |alias: &str, columns: &[String]| {
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({alias}.{})", quote(column))).collect();
        quoted.join(" || ', ' || ")
    };
    let each = |columns: &[String], compare: &str, between: &str| {
        let pairs: Vec<String> =
            columns.iter().map(|column| format!("OLD.{0} {compare} NEW.{0}", quote(column))).collect();
        pairs.join(between)
    };
    let same_key = each(&table.primary_key, "IS", " AND ");
    match operation {
        Operation::Insert => format!(
            "SELECT {}, {}, {} FROM main.{name} AS NEW WHERE NOT EXISTS (SELECT 1 FROM temp.{kept} AS OLD WHERE {same_key})",
            literals("NEW", &table.primary_key),
            literals("NEW", &table.columns),
            allowed(policies.insert),
        ),
        Operation::Update => format!(
            "SELECT {}, {}, {} FROM main.{name} AS NEW JOIN temp.{kept} AS OLD ON {same_key} WHERE {}",
            literals("NEW", &table.primary_key),
            literals("NEW", &table.columns),
            allowed(policies.update),
            each(&table.columns, "IS NOT", " OR "),
        ),
        Operation::Delete => format!(
            "SELECT {}, NULL, {} FROM temp.{kept} AS OLD WHERE NOT EXISTS (SELECT 1 FROM main.{name} AS NEW WHERE {same_key})",
            literals("OLD", &table.primary_key),
            allowed(policies.delete),
        ),
    }
}

/// Looks on the server's copy which denied attempts of the workers arrived; of those that did not, some are kept.
pub(crate) fn look_for_arrivals<W: DerefMut<Target = WorkerRecord>>(
    plan: &Plan,
    copy: &Path,
    workers: impl Iterator<Item = W>,
) -> rusqlite::Result<()> {
    let server = open_reader(copy, "")?;
    for mut worker in workers {
        let never_there: HashSet<(String, String)> =
            worker.attempts.iter().filter(|attempt| attempt.operation == Operation::Insert).map(key).collect();
        for attempt in &mut worker.attempts {
            let Some(table) = plan.tables.iter().find(|table| table.name == attempt.table) else { continue };
            let there = row(&server, table, &attempt.key)?;
            attempt.arrived = Some(match attempt.operation {
                Operation::Insert | Operation::Update => there == attempt.row,
                Operation::Delete => there.is_none() && !never_there.contains(&key(attempt)),
            });
        }
        let (all, mut kept) = (worker.attempts.len(), 0);
        worker.attempts.retain(|attempt| {
            kept += 1;
            kept <= KEPT || attempt.arrived == Some(true)
        });
        worker.attempts_beyond = (all - worker.attempts.len()) as u64;
    }
    Ok(())
}

fn key(attempt: &Attempt) -> (String, String) {
    (attempt.table.clone(), attempt.key.clone())
}

/// The row under a key.
fn row(server: &Connection, table: &TablePlan, key: &str) -> rusqlite::Result<Option<String>> {
    let (row, columns) = (literals_of(&table.columns), list_of(&table.primary_key));
    let sql = format!("SELECT {row} FROM main.{} WHERE ({columns}) = ({key})", quote(&table.name));
    server.query_row(&sql, [], |row| row.get(0)).optional()
}
