//! An administrator's ALTER TABLE: what the hub notes of the rows of a synced table becomes true of the table as it is
//! then. It must not know how a request is answered.

use rusqlite::functions::FunctionFlags;
use rusqlite::types::Null;
use rusqlite::{Connection, TransactionBehavior};

use super::super::history;
use super::super::shape::companion;
use super::database::Database;
use super::refusal::{GENERIC, Refusal};
use super::switch::check_policy;
use super::tracked::{self, SERVER, Tracked};
use crate::sql::{one_line, quote};

/// Whether a statement alters a table.
pub(super) fn is_alter(sql: &str) -> bool {
    let line = one_line(sql);
    let mut words = line.split(' ');
    let next = words.next().zip(words.next());
    next.is_some_and(|(first, second)| first.eq_ignore_ascii_case("alter") && second.eq_ignore_ascii_case("table"))
}

/// Alters a table. All of it happens, or nothing.
pub(super) fn alter(database: &Database, sql: &str) -> Result<(), Refusal> {
    let mut worker = database.connect()?;
    let transaction = worker.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut before = Vec::new();
    for name in tracked::names(&transaction)? {
        before.extend(Tracked::read(&transaction, &name)?);
    }
    transaction.execute_batch(sql)?;
    for before in &before {
        let name = &before.shape.name;
        let Some(now) = Tracked::read(&transaction, name)? else {
            let detail = format!("the table {name} is synced and cannot be renamed: switch its sync off first");
            return Err(Refusal::new(400, GENERIC, detail));
        };
        if now.shape.columns != before.shape.columns {
            carry_over(&transaction, before, &now)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Adds the functions that CloudSync wants around an ALTER TABLE. Here it needs none.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let synced = tracked::names(connection)?;
    for name in ["cloudsync_begin_alter", "cloudsync_commit_alter"] {
        let synced = synced.clone();
        connection.create_scalar_function(name, 1, FunctionFlags::SQLITE_UTF8, move |context| {
            let table: String = context.get::<Option<String>>(0)?.unwrap_or_else(|| "(null)".to_owned());
            if synced.iter().any(|name| name.eq_ignore_ascii_case(&table)) {
                return Ok(Null);
            }
            Err(rusqlite::Error::UserFunctionError(format!("Unable to find table {table}").into()))
        })?;
    }
    Ok(())
}

/// What is noted of the rows becomes true of the table as it is now. As with CloudSync, every row is new to everybody where
/// a column is.
fn carry_over(connection: &Connection, before: &Tracked, now: &Tracked) -> Result<(), Refusal> {
    let policies = &now.policies;
    for policy in [&policies.insert, &policies.update, &policies.delete].into_iter().flatten() {
        check_policy(connection, &now.shape, policy)?;
    }
    if let Some(policy) = &policies.select {
        connection.prepare(&format!("SELECT 1 FROM main.{} WHERE ({policy})", quote(&now.shape.name))).map(drop)?;
    }
    history::remember(connection, &before.shape)?;
    let live = companion(&now.shape.name, "_cloudsync");
    connection.execute_batch(&history::rearrange(&live, &history::moves(&before.shape, &now.shape)))?;
    if history::has_new_columns(&before.shape, &now.shape) {
        connection.execute_batch(&format!(
            "UPDATE main.{live} AS cs_live SET cs_site = {SERVER}, cs_seq = cs_new.number + (SELECT seq FROM cloudsync_state)
                 FROM (SELECT cs_row AS place, row_number() OVER (ORDER BY cs_seq) AS number FROM main.{live}) AS cs_new
                 WHERE cs_live.cs_row = cs_new.place;
             UPDATE cloudsync_state SET seq = seq + (SELECT count(*) FROM main.{live});"
        ))?;
    }
    connection.execute_batch("UPDATE cloudsync_state SET generation = generation + 1")?;
    Ok(())
}
