//! `cloudsync_begin_alter` and `cloudsync_commit_alter`: between the two, a synced table may be altered. As with CloudSync,
//! a savepoint lies around both, nothing is captured between them, and columns are told apart by their names: one that came
//! or was renamed begins anew, and every row is sent again.

use std::sync::PoisonError;

use rusqlite::Connection;

use super::super::history;
use super::super::shape::{Shape, companion};
use super::error::failure;
use super::state::State;
use super::{capture, local, triggers};
use crate::sql::quote;

/// What CloudSync calls its own.
const SAVEPOINT: &str = "cloudsync_alter";

/// The table may be altered from now on.
pub(super) fn begin(connection: &Connection, state: &State, table: Option<&str>) -> rusqlite::Result<()> {
    let shape = find(connection, table)?;
    connection.execute_batch(&format!("SAVEPOINT {SAVEPOINT}; {}", triggers::drop(&shape.name)))?;
    let mut altering = state.altering.lock().unwrap_or_else(PoisonError::into_inner);
    // What began before and was rolled back.
    altering.retain(|known| known.name != shape.name);
    altering.push(shape);
    Ok(())
}

/// The table was altered: capture goes on with its present columns.
pub(super) fn commit(connection: &Connection, state: &State, table: Option<&str>) -> rusqlite::Result<()> {
    let now = find(connection, table)?;
    let before = {
        let mut altering = state.altering.lock().unwrap_or_else(PoisonError::into_inner);
        altering.iter().position(|known| known.name == now.name).map(|place| altering.swap_remove(place))
    };
    let release = format!("RELEASE {SAVEPOINT}");
    // Without a savepoint, SQLite's own error says so.
    let Some(before) = before else { return connection.execute_batch(&release) };
    let done = carry_over(connection, &before, &now).and_then(|()| connection.execute_batch(&release));
    if done.is_err() {
        // The error that is told is the first one.
        let _ = connection.execute_batch(&format!("ROLLBACK TO {SAVEPOINT}; {release}"));
    }
    done
}

/// The table of this name, which takes part.
fn find(connection: &Connection, table: Option<&str>) -> rusqlite::Result<Shape> {
    let unknown = || failure(format!("Unable to find table {}", table.unwrap_or("(null)")));
    let same = |name: &String| table.is_some_and(|table| name.eq_ignore_ascii_case(table));
    let name = local::tables(connection)?.into_iter().find(same).ok_or_else(unknown)?;
    Shape::read(connection, &name)?.ok_or_else(unknown)
}

/// What is known of the rows becomes true of the table as it is now.
fn carry_over(connection: &Connection, before: &Shape, now: &Shape) -> rusqlite::Result<()> {
    check_filter(connection, now)?;
    history::remember(connection, before)?;
    let versions = companion(&now.name, triggers::VERSIONS);
    connection.execute_batch(&history::rearrange(&versions, &history::moves(before, now)))?;
    if history::has_new_columns(before, now) {
        connection.execute_batch(&capture::back_fill(connection, now)?)?;
    }
    capture::renew_triggers(connection, now)?;
    // A page that was fetched before is fetched again.
    connection.execute("UPDATE cloudsync_site SET acks = acks + 1", []).map(drop)
}

/// Whether the filter still finds its columns.
fn check_filter(connection: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    let Some(filter) = local::option(connection, &shape.name, local::FILTER)? else { return Ok(()) };
    let prepared = connection.prepare(&format!("SELECT 1 FROM main.{} WHERE ({filter})", quote(&shape.name)));
    prepared.map(drop).map_err(|error| {
        let why = match error {
            rusqlite::Error::SqlInputError { msg, .. } => msg,
            other => other.to_string(),
        };
        failure(format!("An error occurred while adding {} table information to global context ({why})", shape.name))
    })
}
