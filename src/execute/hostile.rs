//! Hostile phases: what each of their writes attempted, what the policies say about it, and whether it arrived. The
//! policies are evaluated here, by SQLite, and not by the server under test.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension};

use super::Run;
use crate::plan::{Plan, TablePlan, quote};
use crate::record::{Attempt, Operation};
use crate::session::open_reader;

/// Attempts that did not arrive and that a database's record keeps; the others are counted.
const KEPT: usize = 1000;
/// The function by which readers leave rows of denied attempts out.
const LEFT_OUT: &str = "stress_left_out";

/// Keeps the tables as they are before a hostile phase.
pub(super) fn before(connection: &Connection, plan: &Plan) -> rusqlite::Result<()> {
    for (index, table) in plan.tables.iter().enumerate() {
        let kept = kept(index);
        let keys: Vec<String> = table.primary_key.iter().map(|column| quote(column)).collect();
        connection.execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.{kept};
             CREATE TEMP TABLE {kept} AS SELECT * FROM main.{};
             CREATE INDEX temp.{} ON {kept}({});",
            quote(&table.name),
            quote(&format!("hostile key {index}")),
            keys.join(", "),
        ))?;
    }
    Ok(())
}

/// What the phase attempted since [`before`]: what the policies deny of it, and how much they allow.
pub(super) fn attempts(
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

/// Rows of denied attempts: they stay where they were written, and so differ from the server by right.
#[derive(Clone, Default)]
pub(super) struct Denied(Arc<HashSet<(String, String)>>);

impl Denied {
    /// Those of all databases.
    pub(super) fn of(run: &Run<'_>) -> Self {
        let mut keys = HashSet::new();
        for index in 0..run.plan.databases.len() {
            let worker = run.journal.worker(index);
            keys.extend(worker.attempts.iter().map(|attempt| (attempt.table.clone(), attempt.key.clone())));
        }
        Self(Arc::new(keys))
    }

    /// Opens a database for reading, without the rows of denied attempts where only allowed rows are meant.
    pub(super) fn open_reader(&self, file: &Path, user_id: &str) -> rusqlite::Result<Connection> {
        let reader = open_reader(file, user_id)?;
        let denied = Arc::clone(&self.0);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        reader.create_scalar_function(LEFT_OUT, 2, flags, move |context| {
            Ok(denied.contains(&(context.get(0)?, context.get(1)?)))
        })?;
        Ok(reader)
    }
}

/// The condition that leaves the rows of denied attempts out; none in a run without hostile phases.
pub(super) fn condition(plan: &Plan, table: &TablePlan) -> String {
    if !plan.is_hostile() {
        return String::new();
    }
    let name = table.name.replace('\'', "''");
    format!(" AND NOT {LEFT_OUT}('{name}', {})", super::contents::text_of(&table.primary_key))
}

/// Looks on the server's copy which denied attempts arrived; of those that did not, some are kept.
pub(super) fn look_for_arrivals(run: &Run<'_>, copy: &Path) -> rusqlite::Result<()> {
    let server = open_reader(copy, "")?;
    for index in 0..run.plan.databases.len() {
        let mut worker = run.journal.worker(index);
        let never_there: HashSet<(String, String)> = worker
            .attempts
            .iter()
            .filter(|attempt| attempt.operation == Operation::Insert)
            .map(|attempt| (attempt.table.clone(), attempt.key.clone()))
            .collect();
        for attempt in &mut worker.attempts {
            let Some(table) = run.plan.tables.iter().find(|table| table.name == attempt.table) else { continue };
            let columns: Vec<String> = table.primary_key.iter().map(|column| quote(column)).collect();
            let sql = format!(
                "SELECT {} FROM main.{} WHERE ({}) = ({})",
                super::contents::text_of(&table.columns),
                quote(&table.name),
                columns.join(", "),
                attempt.key,
            );
            let there: Option<String> = server.query_row(&sql, [], |row| row.get(0)).optional()?;
            attempt.arrived = Some(match attempt.operation {
                Operation::Insert | Operation::Update => there == attempt.row,
                Operation::Delete => {
                    there.is_none() && !never_there.contains(&(attempt.table.clone(), attempt.key.clone()))
                }
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
