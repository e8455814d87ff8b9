//! A prepared statement of a session: what is bound to it, and its executions.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{self as sqlite, Connection};

use super::driver::Batch;
use super::error::raw_error;
use crate::failure::{Call, RawError};

/// A prepared statement.
pub(crate) enum Statement<'s> {
    Local(&'s Connection, sqlite::Statement<'s>),
    Driver(Batch<'s>),
}

fn raw<T>(done: sqlite::Result<T>) -> Result<T, RawError> {
    done.map_err(|error| raw_error(Call::Sql, &error))
}

impl<'s> Statement<'s> {
    /// Of a connection of this process.
    pub(super) fn local(connection: &'s Connection, sql: &str) -> Result<Self, RawError> {
        raw(connection.prepare(sql)).map(|statement| Self::Local(connection, statement))
    }

    /// The names of its parameters, such as `:id`, with their numbers from 1.
    pub(crate) fn parameters(&self) -> Vec<(usize, String)> {
        match self {
            Self::Local(_, statement) => {
                let name = |index| Some((index, statement.parameter_name(index)?.to_owned()));
                (1..=statement.parameter_count()).filter_map(name).collect()
            }
            Self::Driver(batch) => (1..).zip(batch.names.iter().cloned()).collect(),
        }
    }

    /// Binds a value to a parameter by its number.
    pub(crate) fn bind(&mut self, index: usize, value: ValueRef<'_>) -> Result<(), RawError> {
        match self {
            Self::Local(_, statement) => raw(statement.raw_bind_parameter(index, ToSqlOutput::Borrowed(value))),
            Self::Driver(batch) => {
                batch.bind(index, value);
                Ok(())
            }
        }
    }

    /// Executes it. Gives the rows that were changed, or read when it only reads. Executions may wait for
    /// [`Self::finish`].
    pub(crate) fn run(&mut self) -> Result<u64, RawError> {
        match self {
            Self::Local(connection, statement) => raw(execute(connection, statement)),
            Self::Driver(batch) => batch.run(),
        }
    }

    /// Sees that no execution waits. Gives the rows of those that did.
    pub(crate) fn finish(&mut self) -> Result<u64, RawError> {
        match self {
            Self::Local(..) => Ok(0),
            Self::Driver(batch) => batch.finish(),
        }
    }

    /// The rows that executions changed which had waited together with one that failed. They stay unless a transaction is
    /// taken back.
    pub(crate) const fn stayed(&self) -> u64 {
        match self {
            Self::Local(..) => 0,
            Self::Driver(batch) => batch.stayed,
        }
    }
}

fn execute(connection: &Connection, statement: &mut sqlite::Statement<'_>) -> sqlite::Result<u64> {
    if statement.column_count() == 0 {
        return statement.raw_execute().map(|rows| rows as u64);
    }
    let readonly = statement.readonly();
    let mut read = 0;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {
        read += 1;
    }
    drop(rows);
    Ok(if readonly { read } else { connection.changes() })
}
