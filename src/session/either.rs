//! A session: an open database from open to the guaranteed close, and what is done with it. Nobody outside this room
//! knows whether SQLite does it in this process or a driver elsewhere. It must not know what is run, or why.

use rusqlite::types::Value;
use rusqlite::{Connection, InterruptHandle};

use super::connection::{Local, Network, Opening};
use super::credential::Credential;
use super::driver::{Interruption, Remote};
use super::error::raw_error;
use super::statement::Statement;
use super::value::to_owned;
use super::writes::OnWrite;
use crate::failure::{Call, RawError};

/// An open database.
pub struct Session(pub(super) Either);

pub(super) enum Either {
    Local(Local),
    Driver(Remote),
}

/// A handle by which another thread interrupts what a session does.
pub(crate) enum Interrupt {
    Local(InterruptHandle),
    Driver(Interruption),
}

impl Interrupt {
    /// Of a connection that is no session's.
    pub(crate) fn of(connection: &Connection) -> Self {
        Self::Local(connection.get_interrupt_handle())
    }

    pub(crate) fn interrupt(&self) {
        match self {
            Self::Local(handle) => handle.interrupt(),
            Self::Driver(interruption) => interruption.interrupt(),
        }
    }
}

/// The rows of a query.
pub(crate) type Rows = Vec<Vec<Value>>;

impl Session {
    /// Opens a connection of this process. On an error everything that was done is undone in the right order.
    pub fn open(opening: &Opening<'_>) -> Result<Self, RawError> {
        Local::open(opening).map(|local| Self(Either::Local(local)))
    }

    /// Of a database that a driver has opened.
    pub(crate) const fn of_driver(remote: Remote) -> Self {
        Self(Either::Driver(remote))
    }

    /// The connection, where it is one of this process.
    pub fn connection(&self) -> Option<&Connection> {
        match &self.0 {
            Either::Local(local) => Some(local.connection()),
            Either::Driver(_) => None,
        }
    }

    /// A handle by which another thread interrupts what runs here.
    pub(crate) fn interrupt(&self) -> Interrupt {
        match &self.0 {
            Either::Local(local) => Interrupt::Local(local.interrupt_handle()),
            Either::Driver(remote) => Interrupt::Driver(remote.interruption()),
        }
    }

    /// Has every row heard of that is written from now on, whoever writes it but a sync function. Gives false where nobody can tell.
    pub(crate) fn hear_writes(&mut self, on_write: OnWrite) -> bool {
        match &mut self.0 {
            Either::Local(local) => {
                local.hear_writes(on_write);
                true
            }
            Either::Driver(_) => false,
        }
    }

    /// Logs in again after a logout, which forgot the settings, the server and the credential.
    pub(crate) fn log_in(
        &self,
        network: &Network,
        credential: &Credential,
        settings: &[(String, String)],
    ) -> Result<(), RawError> {
        match &self.0 {
            Either::Local(local) => local.log_in(network, credential, settings),
            Either::Driver(_) => Err(not_there(Call::Open, "logout")),
        }
    }

    /// Runs a statement and passes over its rows.
    pub fn run(&self, call: Call, sql: &str) -> Result<(), RawError> {
        match &self.0 {
            Either::Local(local) => local.run(call, sql),
            Either::Driver(remote) => {
                let mut statement = remote.prepare(sql, true)?;
                statement.run()?;
                statement.finish().map(drop)
            }
        }
    }

    /// Calls a sync function: one scalar as text; NULL as no text.
    pub fn call(&self, call: Call, sql: &str, parameters: &[&str]) -> Result<Option<String>, RawError> {
        match &self.0 {
            Either::Local(local) => local.call(call, sql, parameters),
            Either::Driver(_) => Err(not_there(call, sql)),
        }
    }

    /// Prepares a statement. `alone` says that no other one is executed between its executions.
    pub(crate) fn prepare(&self, sql: &str, alone: bool) -> Result<Statement<'_>, RawError> {
        match &self.0 {
            Either::Local(local) => Statement::local(local.connection(), sql),
            Either::Driver(remote) => remote.prepare(sql, alone).map(Statement::Driver),
        }
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) -> Result<(), RawError> {
        match &self.0 {
            Either::Local(local) => execute(local, "BEGIN"),
            Either::Driver(remote) => remote.begin(),
        }
    }

    /// Commits the transaction.
    pub(crate) fn commit(&self) -> Result<(), RawError> {
        match &self.0 {
            Either::Local(local) => execute(local, "COMMIT"),
            Either::Driver(remote) => remote.commit(),
        }
    }

    /// Takes the transaction back.
    pub(crate) fn roll_back(&self) -> Result<(), RawError> {
        match &self.0 {
            Either::Local(local) => execute(local, "ROLLBACK"),
            Either::Driver(remote) => remote.rollback(),
        }
    }

    /// Whether no transaction is open.
    pub(crate) fn is_autocommit(&self) -> bool {
        match &self.0 {
            Either::Local(local) => local.connection().is_autocommit(),
            Either::Driver(remote) => !remote.began(),
        }
    }

    /// The rows of a query.
    pub(crate) fn query(&self, sql: &str) -> Result<Rows, RawError> {
        let local = match &self.0 {
            Either::Local(local) => local,
            Either::Driver(remote) => return remote.query(sql),
        };
        let read = || {
            let mut statement = local.connection().prepare(sql)?;
            let columns = statement.column_count();
            let mut found = statement.query([])?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push((0..columns).map(|column| row.get_ref(column).map(to_owned)).collect::<Result<_, _>>()?);
            }
            Ok(rows)
        };
        read().map_err(|error| local.hide(raw_error(Call::Sql, &error)))
    }

    /// The error of a statement of the scenario, which may have called a sync function.
    pub(crate) fn hide(&self, error: RawError) -> RawError {
        match &self.0 {
            Either::Local(local) => local.hide(error),
            // Hidden where it was heard.
            Either::Driver(_) => error,
        }
    }

    /// Whether there is something that was not sent, where that can be asked.
    pub(crate) fn unsent(&self) -> Result<Option<bool>, RawError> {
        match &self.0 {
            Either::Local(local) => {
                // The extension asks the server for it.
                let answer = local.call(Call::Send, "SELECT cloudsync_network_has_unsent_changes()", &[])?;
                Ok(answer.map(|answer| answer != "0"))
            }
            Either::Driver(remote) => remote.unsent(),
        }
    }

    /// Closes the database; everything that belongs to it is tried, and the first error is given.
    pub fn close(self) -> Result<(), RawError> {
        match self.0 {
            Either::Local(local) => local.close(),
            Either::Driver(remote) => remote.close(),
        }
    }
}

fn execute(local: &Local, sql: &str) -> Result<(), RawError> {
    local.connection().execute_batch(sql).map_err(|error| raw_error(Call::Sql, &error))
}

/// Validation refuses it before.
fn not_there(call: Call, what: &str) -> RawError {
    RawError::said(call, format!("a driver's database cannot do this: {what}"))
}
