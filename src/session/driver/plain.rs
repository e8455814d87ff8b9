//! A driver asked request by request, also for what `stress` asks of none in a run. It must not know what the answers
//! should be.

use rusqlite::types::{Value as Sql, ValueRef};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::message::{Ability, Changed, Code, EngineError, Moved, Options, Promise, Unsent};
use super::remote::{Driver, read_rows};
use super::value::to_json;
use crate::failure::Call;

/// Nobody classifies these errors, so that they can all be of one call.
const CALL: Call = Call::Sql;

/// A driver, asked request by request. What fails is told in words.
pub(crate) struct Plain(Driver);

/// The answer to a request: its lines without their ids, and an error.
pub(crate) struct Reply {
    lines: Vec<Map<String, Value>>,
    error: Option<EngineError>,
}

impl Plain {
    pub(crate) fn new(driver: Driver) -> Self {
        Self(driver)
    }

    pub(crate) fn does(&self, ability: Ability) -> bool {
        self.0.does(ability)
    }

    pub(crate) fn promises(&self, promise: Promise) -> bool {
        self.0.hello.promises.contains(&promise)
    }

    /// Asks a database for an operation with these fields. Fails when there is no answer.
    pub(crate) fn ask(&self, db: u32, op: &str, fields: Value) -> Result<Reply, String> {
        let mut request = json!({ "id": 0, "op": op, "db": db });
        if let (Value::Object(request), Value::Object(fields)) = (&mut request, fields) {
            request.extend(fields);
        }
        let answered = self.0.process.request(CALL, op, &self.0.flight(db), |id| {
            request["id"] = id.into();
            serde_json::to_string(&request)
        });
        let answered = answered.map_err(|error| error.message)?;
        Ok(Reply { lines: answered.given, error: answered.error })
    }

    /// An operation that must succeed.
    fn lines(&self, db: u32, op: &str, fields: Value) -> Result<Vec<Map<String, Value>>, String> {
        let reply = self.ask(db, op, fields)?;
        match reply.error {
            None => Ok(reply.lines),
            Some(error) => Err(format!("`{op}` failed: {}", error.message)),
        }
    }

    fn one<T: DeserializeOwned>(&self, db: u32, op: &str, fields: Value) -> Result<T, String> {
        let given = self.lines(db, op, fields)?.pop().unwrap_or_default();
        self.0.process.given(CALL, op, given).map_err(|error| error.message)
    }

    /// An operation that must succeed, and gives nothing.
    pub(crate) fn done(&self, db: u32, op: &str, fields: Value) -> Result<(), String> {
        self.lines(db, op, fields).map(drop)
    }

    /// Executes a statement once for each list of values, and gives the rows that were changed.
    pub(crate) fn exec(&self, db: u32, sql: &str, names: &[&str], rows: &[Vec<Sql>]) -> Result<u64, String> {
        self.one(db, "exec", exec(sql, names, rows)).map(|Changed { changed }| changed)
    }

    /// Executes a statement that must fail. Gives the rows that were changed before and stay.
    pub(crate) fn exec_fails(&self, db: u32, sql: &str, names: &[&str], rows: &[Vec<Sql>]) -> Result<u64, String> {
        let reply = self.ask(db, "exec", exec(sql, names, rows))?;
        reply.fails().map_err(|wrong| format!("{wrong} for `{sql}`"))?;
        let given = reply.lines.into_iter().next_back().unwrap_or_default();
        let given = self.0.process.given(CALL, "exec", given).map_err(|error| error.message);
        given.map(|Changed { changed }| changed)
    }

    /// Reads rows.
    pub(crate) fn rows(&self, db: u32, sql: &str, params: &[Sql]) -> Result<Vec<Vec<Sql>>, String> {
        let lines = self.lines(db, "query", json!({ "sql": sql, "params": values(params) }))?;
        read_rows(&self.0.process, CALL, "query", lines).map_err(|error| error.message)
    }

    /// Reads rows on the server.
    pub(crate) fn server_rows(&self, sql: &str) -> Result<Vec<Vec<Sql>>, String> {
        self.0.server_query(sql).map_err(|error| format!("`server_query` failed: {}", error.message))
    }

    /// Makes a sync call.
    pub(crate) fn moved(&self, db: u32, op: &str, max_chunks: Option<u64>) -> Result<Moved, String> {
        self.one(db, op, json!({ "options": Options { max_chunks } }))
    }

    pub(crate) fn unsent(&self, db: u32) -> Result<Option<bool>, String> {
        self.one(db, "unsent", json!({})).map(|Unsent { unsent }| unsent)
    }

    /// Interrupts what a database is doing.
    pub(crate) fn interrupt(&self, db: u32) {
        self.0.process.interrupt(&self.0.flight(db), true);
    }

    /// Kills the driver, as `kill -9` does.
    pub(crate) fn kill(&self) {
        self.0.process.kill();
    }

    /// Ends the driver. Gives what it did wrong that no request told.
    pub(crate) fn end(&self) -> Option<String> {
        self.0.end()
    }
}

impl Reply {
    /// The error's message, where there is one and it says something.
    pub(crate) fn fails(&self) -> Result<&str, String> {
        match &self.error {
            Some(error) if error.message.trim().is_empty() => Err("the error has an empty message".to_owned()),
            Some(error) => Ok(&error.message),
            None => Err("it answered without an error".to_owned()),
        }
    }

    /// Whether it is the error of an interrupted request.
    pub(crate) fn is_interrupted(&self) -> bool {
        let code = self.error.as_ref().and_then(|error| error.code.as_ref());
        matches!(code, Some(Code::Text(code)) if code == "interrupted")
    }
}

fn exec(sql: &str, names: &[&str], rows: &[Vec<Sql>]) -> Value {
    json!({ "sql": sql, "names": names, "rows": rows.iter().map(|row| values(row)).collect::<Vec<_>>() })
}

fn values(row: &[Sql]) -> Vec<Value> {
    row.iter().map(|value| to_json(ValueRef::from(value))).collect()
}
