//! One database of a driver: what a session does, as operations of the protocol. It must not know who asks for it.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, Statement};
use serde_json::{Map, Value};

use super::super::error::raw_error;
use super::message::{Ability, Changed, Hello, Moved, Op, Options, Rows, Unsent, VERSION};
use super::process::{InFlight, Process};
use super::value::{from_json, to_json};
use crate::failure::{Call, RawError};

/// Lists of values in one request.
const BATCH: usize = 1000;

/// A driver that has introduced itself.
#[derive(Debug, Clone)]
pub(crate) struct Driver {
    pub(super) process: Process,
    pub(crate) hello: Arc<Hello>,
    /// What each database has in flight, whoever opened it: a request that was never answered stays in the way.
    flights: Arc<Mutex<HashMap<u32, Arc<InFlight>>>>,
}

impl Driver {
    /// Has a driver introduce itself.
    pub(crate) fn meet(
        process: Process,
        settings: &Map<String, Value>,
        databases: u32,
        directory: &str,
    ) -> Result<Self, RawError> {
        let op = Op::Hello { version: VERSION, settings, databases, directory };
        let hello = ask(&process, Call::Open, op, &InFlight::default())?;
        Ok(Self { process, hello: Arc::new(hello), flights: Arc::default() })
    }

    /// Whether the driver can be asked for something.
    pub(crate) fn does(&self, ability: Ability) -> bool {
        self.hello.does.contains(&ability)
    }

    /// Whether it is of no use any more: it ended, or broke the protocol.
    pub(crate) fn is_broken(&self) -> bool {
        self.process.is_broken()
    }

    pub(super) fn flight(&self, db: u32) -> Arc<InFlight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry(db).or_default())
    }

    /// Reads rows on the server.
    pub(crate) fn server_query(&self, sql: &str) -> Result<Vec<Vec<Sql>>, RawError> {
        let flight = InFlight::default();
        rows(&self.process, Call::Admin, Op::ServerQuery { sql, params: &[] }, &flight)
    }

    /// Ends the driver. Gives what it did wrong that no request told.
    pub(crate) fn end(&self) -> Option<String> {
        self.process.end()
    }
}

/// An open database of a driver.
pub(crate) struct Remote {
    driver: Driver,
    db: u32,
    flight: Arc<InFlight>,
    /// The tables as they are at first, without rows: what SQLite says about a statement before the engine has it.
    form: Connection,
    /// Whether a transaction was begun here.
    began: Cell<bool>,
    open: bool,
}

/// Cuts off what a database of a driver is doing.
#[derive(Debug, Clone)]
pub(crate) struct Interruption {
    driver: Driver,
    flight: Arc<InFlight>,
}

impl Interruption {
    pub(crate) fn interrupt(&self) {
        self.driver.process.interrupt(&self.flight, self.driver.does(Ability::Interrupt));
    }
}

/// Executes one operation whose answer is one object.
fn ask<T: serde::de::DeserializeOwned>(
    process: &Process,
    call: Call,
    op: Op<'_>,
    flight: &InFlight,
) -> Result<T, RawError> {
    let name = op.name();
    let mut answered = process.ask(call, op, flight)?;
    match answered.error {
        Some(error) => Err(process.told(call, error)),
        None => process.given(call, name, answered.given.pop().unwrap_or_default()),
    }
}

/// Reads rows, of which the answer may have several lines.
fn rows(process: &Process, call: Call, op: Op<'_>, flight: &InFlight) -> Result<Vec<Vec<Sql>>, RawError> {
    let name = op.name();
    let answered = process.ask(call, op, flight)?;
    match answered.error {
        Some(error) => Err(process.told(call, error)),
        None => read_rows(process, call, name, answered.given),
    }
}

/// The rows of an answer's lines.
pub(super) fn read_rows(
    process: &Process,
    call: Call,
    name: &str,
    lines: Vec<Map<String, Value>>,
) -> Result<Vec<Vec<Sql>>, RawError> {
    let mut all = Vec::new();
    for given in lines {
        let part: Rows = process.given(call, name, given)?;
        for row in part.rows {
            if row.len() != part.columns.len() {
                let wrong = format!(
                    "its answer to `{name}` has {} columns and a row of {} values",
                    part.columns.len(),
                    row.len()
                );
                return Err(process.broke(call, &wrong));
            }
            let values: Option<Vec<Sql>> = row.into_iter().map(from_json).collect();
            all.push(
                values.ok_or_else(|| {
                    process.broke(call, &format!("its answer to `{name}` has a value of no known form"))
                })?,
            );
        }
    }
    Ok(all)
}

impl Remote {
    /// Opens a database, counted from 1.
    pub(crate) fn open(driver: &Driver, db: u32, file: &str, user: &str, tables: &[String]) -> Result<Self, RawError> {
        let raw = |error: rusqlite::Error| raw_error(Call::Open, &error);
        let form = Connection::open_in_memory().map_err(raw)?;
        rusqlite::vtab::series::load_module(&form).map_err(raw)?;
        tables.iter().try_for_each(|sql| form.execute_batch(sql)).map_err(raw)?;
        let mut remote =
            Self { driver: driver.clone(), db, flight: driver.flight(db), form, began: Cell::new(false), open: false };
        remote.done(Call::Open, Op::Open { db, file, user, tables })?;
        remote.open = true;
        Ok(remote)
    }

    pub(crate) fn interruption(&self) -> Interruption {
        Interruption { driver: self.driver.clone(), flight: Arc::clone(&self.flight) }
    }

    /// An operation whose answer says nothing.
    fn done(&self, call: Call, op: Op<'_>) -> Result<(), RawError> {
        ask::<Map<String, Value>>(&self.driver.process, call, op, &self.flight).map(drop)
    }

    pub(crate) fn began(&self) -> bool {
        self.began.get()
    }

    pub(crate) fn begin(&self) -> Result<(), RawError> {
        self.done(Call::Sql, Op::Begin { db: self.db })?;
        self.began.set(true);
        Ok(())
    }

    pub(crate) fn commit(&self) -> Result<(), RawError> {
        self.done(Call::Sql, Op::Commit { db: self.db })?;
        self.began.set(false);
        Ok(())
    }

    pub(crate) fn rollback(&self) -> Result<(), RawError> {
        self.began.set(false);
        self.done(Call::Sql, Op::Rollback { db: self.db })
    }

    /// Prepares a statement. `alone` says that no other one runs in between, so that its executions go out together.
    pub(crate) fn prepare(&self, sql: &str, alone: bool) -> Result<Batch<'_>, RawError> {
        let prepared = self.form.prepare(sql).map_err(|error| raw_error(Call::Sql, &error))?;
        let names = parameters(&prepared);
        Ok(Batch {
            remote: self,
            sql: sql.to_owned(),
            values: vec![Value::Null; names.len()],
            names,
            rows: Vec::new(),
            most: if alone { BATCH } else { 1 },
            stayed: 0,
        })
    }

    /// The rows of a query.
    pub(crate) fn query(&self, sql: &str) -> Result<Vec<Vec<Sql>>, RawError> {
        rows(&self.driver.process, Call::Sql, Op::Query { db: self.db, sql, params: &[] }, &self.flight)
    }

    pub(crate) fn moved(&self, call: Call, max_chunks: Option<u64>) -> Result<Moved, RawError> {
        let (db, options) = (self.db, Options { max_chunks });
        let op = match call {
            Call::Send => Op::Send { db, options },
            Call::Sync => Op::Sync { db, options },
            Call::Receive | Call::Open | Call::Sql | Call::Close | Call::Admin => Op::Receive { db, options },
        };
        ask(&self.driver.process, call, op, &self.flight)
    }

    /// Whether there are changes that were not sent, where the driver knows.
    pub(crate) fn unsent(&self) -> Result<Option<bool>, RawError> {
        if !self.driver.does(Ability::Unsent) {
            return Ok(None);
        }
        let unsent: Unsent = ask(&self.driver.process, Call::Send, Op::Unsent { db: self.db }, &self.flight)?;
        Ok(unsent.unsent)
    }

    pub(crate) fn close(mut self) -> Result<(), RawError> {
        self.shut()
    }

    fn shut(&mut self) -> Result<(), RawError> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        if self.began() {
            // A step that was cut off left its transaction open.
            let _ = self.rollback();
        }
        self.done(Call::Close, Op::Close { db: self.db })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Only after an error or a panic: there is nobody left to tell.
        let _ = self.shut();
    }
}

/// The names of a statement's parameters, in their order; `?3` for one that has none.
fn parameters(statement: &Statement<'_>) -> Vec<String> {
    let name = |index| statement.parameter_name(index).map_or_else(|| format!("?{index}"), str::to_owned);
    (1..=statement.parameter_count()).map(name).collect()
}

/// A statement of a driver's database. Its executions go out together.
pub(crate) struct Batch<'s> {
    remote: &'s Remote,
    sql: String,
    pub(crate) names: Vec<String>,
    /// What is bound for the next execution.
    values: Vec<Value>,
    rows: Vec<Vec<Value>>,
    /// So many executions go out at once.
    most: usize,
    /// The rows that an execution changed before another one failed, and that stay.
    pub(crate) stayed: u64,
}

impl Batch<'_> {
    /// Binds a value to a parameter, counted from 1.
    pub(crate) fn bind(&mut self, index: usize, value: ValueRef<'_>) {
        if let Some(place) = self.values.get_mut(index - 1) {
            *place = to_json(value);
        }
    }

    /// Executes it with what is bound; maybe only with the next ones. Gives the rows that were changed by now.
    pub(crate) fn run(&mut self) -> Result<u64, RawError> {
        self.rows.push(self.values.clone());
        if self.rows.len() < self.most { Ok(0) } else { self.finish() }
    }

    /// Sends the executions that wait. Gives the rows that they changed.
    pub(crate) fn finish(&mut self) -> Result<u64, RawError> {
        if self.rows.is_empty() {
            return Ok(0);
        }
        let rows = std::mem::take(&mut self.rows);
        let (process, db) = (&self.remote.driver.process, self.remote.db);
        let op = Op::Exec { db, sql: &self.sql, names: &self.names, rows: &rows };
        let mut answered = process.ask(Call::Sql, op, &self.remote.flight)?;
        let Changed { changed } = process.given(Call::Sql, "exec", answered.given.pop().unwrap_or_default())?;
        match answered.error {
            Some(error) => {
                self.stayed = changed;
                Err(process.told(Call::Sql, error))
            }
            None => Ok(changed),
        }
    }
}
