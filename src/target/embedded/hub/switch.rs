//! What an administrator switches on and off per table: sync, row-level security, and its policies.

use crate::sql::quote;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::json;

use super::super::shape::Shape;
use super::command::Operation;
use super::database::Database;
use super::refusal::Refusal;
use super::reply::text;
use super::tracked::Tracked;
use super::{companion, policy};

/// Switches sync of a table on or off.
pub(super) fn set_sync(database: &Database, table: &str, enable: bool) -> Result<(), String> {
    database
        .with(|worker| -> Result<Option<String>, rusqlite::Error> {
            let transaction = worker.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if enable {
                let shape = Shape::read(&transaction, table)?;
                if let Some(refusal) = companion::refusal(shape.as_ref(), table) {
                    return Ok(Some(refusal));
                }
                if let Some(shape) = shape {
                    companion::enable(&transaction, shape)?;
                }
            } else {
                companion::disable(&transaction, table)?;
            }
            transaction.flush_prepared_statement_cache();
            transaction.commit()?;
            Ok(None)
        })
        .map_err(|error| text(&error))?
        .map_or(Ok(()), Err)
}

/// Switches row-level security of a table on or off. Its policies stay.
pub(super) fn set_rls(database: &Database, table: &str, enable: bool) -> Result<(), Refusal> {
    database.with(|worker| {
        worker.connection.execute(
            "INSERT INTO cloudsync_rls(name, enabled) VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET enabled = ?2",
            rusqlite::params![table, enable],
        )?;
        worker.connection.execute("UPDATE cloudsync_state SET generation = generation + 1", [])?;
        Ok(())
    })
}

/// Sets one policy of a table.
pub(super) fn set_policy(
    database: &Database,
    table: &str,
    operation: Operation,
    expression: &str,
) -> Result<(), Refusal> {
    database.with(|worker| {
        let shape = Shape::read(&worker.connection, table)?;
        let shape = shape.ok_or_else(|| Refusal::new(404, 10001, format!("Table {table} does not exist")))?;
        let columns = match operation {
            Operation::Select => Some(policy::columns_read(&mut worker.connection, table, expression)?),
            Operation::Insert | Operation::Update | Operation::Delete => {
                check_policy(&worker.connection, &shape, expression)?;
                None
            }
        };
        let transaction = worker.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let column = operation.column();
        transaction.execute(
            &format!(
                "INSERT INTO cloudsync_rls(name, enabled, \"{column}\") VALUES (?1, 0, ?2) ON CONFLICT(name) DO UPDATE SET \"{column}\" = ?2"
            ),
            [table, expression],
        )?;
        if let Some(columns) = columns {
            transaction
                .execute("UPDATE cloudsync_rls SET columns = ?2 WHERE name = ?1", [table, &json!(columns).to_string()])?;
            if let Some(tracked) = Tracked::read(&transaction, table)? {
                companion::watch(&transaction, &tracked)?;
            }
        }
        transaction.execute("UPDATE cloudsync_state SET generation = generation + 1", [])?;
        transaction.commit()?;
        Ok(())
    })
}

/// Refuses an expression that SQLite does not understand, now and not at the first push.
pub(super) fn check_policy(connection: &Connection, shape: &Shape, expression: &str) -> rusqlite::Result<()> {
    let table = quote(&shape.name);
    let sql = format!("SELECT ({expression}) FROM main.{table} AS OLD, main.{table} AS NEW");
    connection.prepare(&sql).map(drop)
}
