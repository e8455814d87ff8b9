//! `/v2/weblite/sql`: statements and commands of administrators, and reads of token users under their policies. Blobs are
//! answered as lower-case hexadecimal text, infinities as `inf` and `-inf`, which JSON has no number for.

use crate::sql::quote;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Statement, ToSql};
use serde_json::{Map, Value, json};

use super::alter;
use super::command::{self, Command};
use super::database::{Database, Worker};
use super::note;
use super::policy::Caller;
use super::refusal::{GENERIC, Refusal};
use super::registry::{Registry, RegistryError};
use super::reply::{AUTH, Reply};
use super::switch::{set_policy, set_rls, set_sync};
use super::tracked::{self, Tracked};
use super::turn;

/// Code of a command that is none.
const COMMAND: i32 = 10002;
/// The longest that the SQL of a request may run: an administrator's, and a user's.
pub(super) const TIME: Duration = Duration::from_secs(30);
pub(super) const USER_TIME: Duration = Duration::from_secs(10);
/// The largest value of a statement, and the largest answer, in bytes.
const LARGEST: [usize; 2] = [64 << 20, 128 << 20];
const USER_LARGEST: [usize; 2] = [16 << 20, 16 << 20];

/// A request.
#[derive(Debug, Default)]
pub(super) struct Query {
    sql: String,
    database: Option<String>,
    bind: Vec<Value>,
}

impl Query {
    pub(super) fn from_json(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
        let sql = body.get("sql").and_then(Value::as_str).ok_or("the body has no `sql`")?.to_owned();
        let database = body.get("database").and_then(Value::as_str).map(str::to_owned);
        let bind = body.get("bind").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Self { sql, database, bind })
    }

    pub(super) fn from_query(query: &str) -> Self {
        Self {
            sql: parameter(query, "sql").unwrap_or_default(),
            database: parameter(query, "database"),
            bind: Vec::new(),
        }
    }
}

/// A parameter of a URL's query, decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(hex(rest.next())? * 16 + hex(rest.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Answers a request: the result of its last statement.
pub(super) fn answer(registry: &Registry, caller: Caller, query: Result<Query, String>) -> Reply {
    let time = if caller == Caller::Admin { TIME } else { USER_TIME };
    let query = match query {
        Ok(query) => query,
        Err(problem) => return Reply::error(400, GENERIC, &problem),
    };
    match Session::new(registry, caller).run(&query) {
        Ok((data, metadata)) => Reply::json(200, &json!({ "data": data, "metadata": metadata })),
        Err(_) if turn::is_over() => {
            let detail = format!("the SQL was ended after {} s, the longest that it may run here", time.as_secs());
            Reply::error(408, GENERIC, &detail)
        }
        Err(refusal) => Reply::error(refusal.status, refusal.code, &refusal.detail),
    }
}

/// One request: like a connection of its own to the server.
struct Session<'a> {
    registry: &'a Registry,
    caller: Caller,
    database: Option<Arc<Database>>,
    worker: Option<Worker>,
}

impl<'a> Session<'a> {
    fn new(registry: &'a Registry, caller: Caller) -> Self {
        Self { registry, caller, database: None, worker: None }
    }

    fn run(mut self, query: &Query) -> Result<(Value, Value), Refusal> {
        if let Some(name) = &query.database {
            self.choose(name)?;
        }
        let mut bind = query.bind.iter();
        let mut result = (json!("OK"), Vec::new(), 0);
        for statement in command::split(&query.sql) {
            result = match command::parse(statement).map_err(|problem| Refusal::new(400, COMMAND, problem))? {
                Some(command) => {
                    let data = self.command(command)?;
                    let rows = data.as_array().map_or(0, Vec::len);
                    (data, Vec::new(), rows)
                }
                None if self.caller == Caller::Admin && alter::is_alter(statement) => {
                    self.alter(statement)?;
                    (json!("OK"), Vec::new(), 0)
                }
                None => self.sql(statement, &mut bind)?,
            };
        }
        let (data, columns, rows) = result;
        let metadata = json!({
            "database": self.database.as_ref().map(|database| &database.name), "sql": query.sql,
            "version": format!("embedded-{}", env!("CARGO_PKG_VERSION")),
            "numberOfRows": rows, "numberOfColumns": columns.len(), "columns": columns,
        });
        Ok((data, metadata))
    }

    fn choose(&mut self, name: &str) -> Result<(), Refusal> {
        self.worker = None;
        self.database = Some(self.registry.database(name)?);
        Ok(())
    }

    fn database(&self) -> Result<Arc<Database>, Refusal> {
        let missing =
            || Refusal::new(400, GENERIC, "no database is chosen: send `database`, or USE DATABASE name first");
        self.database.clone().ok_or_else(missing)
    }

    /// The connection for plain SQL.
    fn worker(&mut self) -> Result<&mut Worker, Refusal> {
        if self.worker.is_none() {
            let mut worker = self.database()?.connect()?;
            worker.identify(&self.caller);
            // What does not fit goes to a file, and not to memory.
            worker.connection.pragma_update(None, "temp_store", "FILE")?;
            let [value, _] = self.largest();
            worker.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(value).unwrap_or(i32::MAX))?;
            match self.caller {
                Caller::Admin => {
                    alter::register(&worker.connection)?;
                    track_changes(&worker)?;
                }
                Caller::User(_) => restrict(&mut worker)?,
            }
            self.worker = Some(worker);
        }
        self.worker.as_mut().ok_or_else(|| Refusal::new(500, GENERIC, "no connection"))
    }

    /// Alters a table. On a connection of its own: the temporary triggers of this one know the columns of before.
    fn alter(&mut self, sql: &str) -> Result<(), Refusal> {
        if self.worker.take().is_some_and(|worker| !worker.connection.is_autocommit()) {
            return Err(Refusal::new(
                400,
                GENERIC,
                "a table cannot be altered in an open transaction: commit it first",
            ));
        }
        alter::alter(self.database()?.as_ref(), sql)
    }

    /// The largest value, and the largest answer.
    fn largest(&self) -> [usize; 2] {
        if self.caller == Caller::Admin { LARGEST } else { USER_LARGEST }
    }

    fn sql<'v>(
        &mut self,
        sql: &str,
        bind: &mut impl Iterator<Item = &'v Value>,
    ) -> Result<(Value, Vec<Value>, usize), Refusal> {
        let [_, most] = self.largest();
        let worker = self.worker()?;
        let mut statement = worker.connection.prepare(sql)?;
        for index in 1..=statement.parameter_count() {
            let Some(value) = bind.next() else { break };
            statement.raw_bind_parameter(index, Json(value))?;
        }
        if statement.column_count() == 0 {
            statement.raw_execute()?;
            return Ok((json!("OK"), Vec::new(), 0));
        }
        let rows = rows(&mut statement, most)?;
        let columns = statement.column_names().map(|name| json!({ "name": name })).collect();
        let count = rows.len();
        Ok((Value::Array(rows), columns, count))
    }

    fn command(&mut self, command: Command) -> Result<Value, Refusal> {
        if self.caller != Caller::Admin && !matches!(command, Command::UseDatabase { .. } | Command::UnuseDatabase) {
            return Err(Refusal::new(403, AUTH, "authorization denied: an access token cannot run commands"));
        }
        match command {
            Command::CreateDatabase { name, if_not_exists } => match self.registry.create(&name) {
                Err(RegistryError::Exists(_)) if if_not_exists => {}
                created => created?,
            },
            Command::RemoveDatabase { name, if_exists } => {
                self.worker = None;
                match self.registry.remove(&name) {
                    Err(RegistryError::Missing(_)) if if_exists => {}
                    removed => removed?,
                }
            }
            Command::UseDatabase { name } => self.choose(&name)?,
            Command::UnuseDatabase => (self.worker, self.database) = (None, None),
            Command::ListDatabases => {
                return Ok(self.registry.names()?.into_iter().map(|name| json!({ "name": name })).collect());
            }
            Command::ListTables => return list_tables(self.database()?.as_ref()),
            Command::Sync { table, enable } => {
                // Its temporary triggers know the tables of before.
                self.worker = None;
                set_sync(self.database()?.as_ref(), &table, enable)
                    .map_err(|detail| Refusal::new(400, GENERIC, detail))?;
            }
            Command::Rls { database, table, enable } => {
                self.worker = None;
                set_rls(self.registry.database(&database)?.as_ref(), &table, enable)?;
            }
            Command::Policy { database, table, operation, expression } => {
                self.worker = None;
                set_policy(self.registry.database(&database)?.as_ref(), &table, operation, &expression)?;
            }
        }
        Ok(json!("OK"))
    }
}

/// All rows, which may hold so many bytes.
fn rows(statement: &mut Statement<'_>, most: usize) -> Result<Vec<Value>, Refusal> {
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.raw_query();
    let (mut objects, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (i, name) in names.iter().enumerate() {
            let value = row.get_ref(i)?;
            bytes += room(name, value);
            object.insert(name.clone(), json_of(value));
        }
        if bytes > most {
            return Err(Refusal::new(
                413,
                GENERIC,
                format!("the answer is larger than {most} bytes: ask for fewer rows"),
            ));
        }
        objects.push(Value::Object(object));
    }
    Ok(objects)
}

/// About what a value takes in an answer.
fn room(name: &str, value: ValueRef<'_>) -> usize {
    const EACH: usize = 64;
    EACH + name.len()
        + match value {
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
            ValueRef::Text(text) => text.len(),
            ValueRef::Blob(blob) => 2 * blob.len(),
        }
}

fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) if number.is_infinite() => json!(number.to_string()),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(blob) => json!(crate::session::hex(blob)),
    }
}

/// A bound JSON value; what SQLite has no type for goes as its JSON text.
struct Json<'a>(&'a Value);

impl ToSql for Json<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match self.0 {
            Value::Null => SqlValue::Null,
            Value::Bool(flag) => SqlValue::Integer(i64::from(*flag)),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => SqlValue::Integer(integer),
                None => SqlValue::Real(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => SqlValue::Text(text.clone()),
            other @ (Value::Array(_) | Value::Object(_)) => SqlValue::Text(other.to_string()),
        }))
    }
}

/// Makes an administrator's own changes to synced tables known to sync.
fn track_changes(worker: &Worker) -> rusqlite::Result<()> {
    let connection = &worker.connection;
    // Or rows that REPLACE removes would fire no delete trigger.
    connection.execute_batch("PRAGMA recursive_triggers = ON")?;
    for name in tracked::names(connection)? {
        if let Some(tracked) = Tracked::read(connection, &name)? {
            connection.execute_batch(&note::admin_triggers(&tracked))?;
        }
    }
    Ok(())
}

/// Lets a token user read what the select policies allow, and nothing else.
///
/// A temporary view stands before each table. Only an inner view with a name that nobody can guess may read the table
/// itself: SQLite names a view or CTE that reads to the authorizer, and a user could call a CTE like the table.
fn restrict(worker: &mut Worker) -> rusqlite::Result<()> {
    let secret = format!("rls_{}_", uuid::Uuid::new_v4().simple());
    for table in table_names(worker)? {
        let (enabled, policies, _) = tracked::read_policies(&worker.connection, &table)?;
        let policy = policies.select.filter(|_| enabled).unwrap_or_else(|| "0".to_owned());
        let inner = quote(&format!("{secret}{table}"));
        let table = quote(&table);
        worker.connection.execute_batch(&format!(
            "CREATE TEMP VIEW {inner} AS SELECT * FROM main.{table} WHERE ({policy});
             CREATE TEMP VIEW {table} AS SELECT * FROM temp.{inner};"
        ))?;
    }
    worker.connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Function { .. } => turn::judge(&context),
        AuthAction::Read { table_name, .. } => {
            let by_view = context.accessor.is_some_and(|accessor| accessor.starts_with(&secret));
            let is_own = context.database_name == Some("temp") && !table_name.starts_with("sqlite_");
            if by_view || is_own { Authorization::Allow } else { Authorization::Deny }
        }
        _ => Authorization::Deny,
    }))
}

/// The tables that are the user's: neither SQLite's nor the hub's.
fn table_names(worker: &Worker) -> rusqlite::Result<Vec<String>> {
    let mut statement = worker.connection.prepare(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         AND name NOT LIKE 'cloudsync\\_%' ESCAPE '\\' AND name NOT LIKE '%\\_cloudsync' ESCAPE '\\'
         AND name NOT LIKE '%\\_cloudsync\\_tombstones' ESCAPE '\\' ORDER BY name",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn list_tables(database: &Database) -> Result<Value, Refusal> {
    database.with(|worker| {
        let mut statement = worker.connection.prepare(
            "SELECT schema, name, type, ncol, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        rows(&mut statement, LARGEST[1]).map(Value::Array)
    })
}
