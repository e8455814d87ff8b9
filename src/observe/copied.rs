//! The rows of a driver's databases, and of its server, copied into local files, so that all holders are looked at by the
//! same means. It must not know what they are compared with.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rusqlite::Connection;

use super::columns::{insert_into, list_of};
use super::subject::Subject;
use crate::failure::{Call, RawError};
use crate::plan::{DatabasePlan, Plan, TablePlan};
use crate::session::driver::{Ability, Driver};
use crate::session::{Credential, Rows, Session, raw_error};
use crate::sql::quote;
use crate::target::Device;

/// Copies the databases of a driver into the files that are looked at, in the plan's order. Nothing is to be done for
/// others.
pub(super) fn databases(subject: &Subject<'_>) -> Vec<Result<(), RawError>> {
    let all = &subject.plan.databases;
    match subject.target.driver() {
        None => vec![Ok(()); all.len()],
        Some(_) => subject.pool.install(|| all.par_iter().map(|one| database(subject, one)).collect()),
    }
}

fn database(subject: &Subject<'_>, database: &DatabasePlan) -> Result<(), RawError> {
    let file = subject.own_file(database.index);
    let device = Device { number: database.index, user: subject.user_id(database.user), file: &file };
    let session = subject.target.open(subject.plan, device, &Credential::Nothing)?;
    self::session(subject.plan, &session, &subject.database_file(database.index))?;
    session.close()
}

/// Copies an open database of a driver into a file beside its own, and gives that; its own file for others.
pub(super) fn beside(plan: &Plan, session: &Session, file: &Path) -> Result<PathBuf, RawError> {
    if session.connection().is_some() {
        return Ok(file.to_owned());
    }
    let copy = file.with_extension("held.db");
    self::session(plan, session, &copy)?;
    Ok(copy)
}

/// Copies the server's rows, if a driver can ask for them.
pub(super) fn server(plan: &Plan, driver: &Driver, file: &Path) -> Result<bool, RawError> {
    if !driver.does(Ability::ServerQuery) {
        return Ok(false);
    }
    copy(plan, file, |sql| driver.server_query(sql)).map(|()| true)
}

fn session(plan: &Plan, session: &Session, file: &Path) -> Result<(), RawError> {
    copy(plan, file, |sql| session.query(sql))
}

/// Copies all tables into a new file. A copy that is not whole is none: nobody may take its rows for all.
fn copy(plan: &Plan, file: &Path, ask: impl Fn(&str) -> Result<Rows, RawError>) -> Result<(), RawError> {
    tables(plan, file, ask).inspect_err(|_| drop(std::fs::remove_file(file)))
}

fn tables(plan: &Plan, file: &Path, ask: impl Fn(&str) -> Result<Rows, RawError>) -> Result<(), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Sql, &error);
    let mut local = Connection::open(file).map_err(sqlite)?;
    // The file is thrown away after the comparison.
    local
        .execute_batch("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA foreign_keys = off")
        .map_err(sqlite)?;
    for table in &plan.tables {
        local.execute_batch(&table.in_the_end()).map_err(sqlite)?;
        let columns = list_of(&table.columns);
        let rows = ask(&format!("SELECT {columns} FROM {}", quote(&table.name)))?;
        store(table, &mut local, rows).map_err(|error| {
            let message = sqlite(error).message;
            RawError::said(Call::Sql, format!("the rows of `{}` cannot be those of one table: {message}", table.name))
        })?;
    }
    Ok(())
}

fn store(table: &TablePlan, local: &mut Connection, rows: Rows) -> rusqlite::Result<()> {
    let insert = insert_into(&quote(&table.name), &table.columns);
    let transaction = local.transaction()?;
    let mut statement = transaction.prepare(&insert)?;
    for row in rows {
        statement.execute(rusqlite::params_from_iter(row))?;
    }
    drop(statement);
    transaction.commit()
}
