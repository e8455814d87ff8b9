//! Row-level security: who asks, and whether the policies of a table let a row pass. SQLite evaluates the expressions.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{CachedStatement, Connection};

use super::super::shape::{join, quote};
use super::super::wire::Cell;
use super::tracked::Tracked;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// The api key: no policy applies.
    Admin,
    /// A token.
    User(User),
}

/// The user of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: String,
    /// What `auth_json()` gives.
    pub(super) json: String,
}

impl Caller {
    pub(super) fn user_id(&self) -> Option<&str> {
        match self {
            Self::Admin => None,
            Self::User(user) => Some(&user.id),
        }
    }
}

/// The user a connection works for at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity(Arc<Mutex<Option<User>>>);

impl Identity {
    /// Adds `auth_userid()` and `auth_json()` to a connection. They give NULL to an administrator.
    pub(super) fn register(connection: &Connection) -> rusqlite::Result<Self> {
        // Within one run of a statement they do not change: SQLite may call them once instead of for every row.
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
        let identity = Self::default();
        let own = identity.clone();
        connection.create_scalar_function("auth_userid", 0, flags, move |_| {
            Ok(own.with(|user| user.map(|user| user.id.clone())))
        })?;
        let own = identity.clone();
        connection.create_scalar_function("auth_json", 0, flags, move |_| {
            Ok(own.with(|user| user.map(|user| user.json.clone())))
        })?;
        Ok(identity)
    }

    pub(super) fn set(&self, caller: &Caller) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = match caller {
            Caller::Admin => None,
            Caller::User(user) => Some(user.clone()),
        };
    }

    fn with<T>(&self, read: impl FnOnce(Option<&User>) -> T) -> T {
        read(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref())
    }
}

/// The write policies of a table for one caller.
pub(super) struct Gate<'a> {
    /// Nobody asks an administrator.
    closed: bool,
    insert: Option<CachedStatement<'a>>,
    update: Option<CachedStatement<'a>>,
    delete: Option<CachedStatement<'a>>,
}

impl<'a> Gate<'a> {
    pub(super) fn open(connection: &'a Connection, tracked: &Tracked, caller: &Caller) -> rusqlite::Result<Self> {
        let mut gate = Self { closed: *caller != Caller::Admin, insert: None, update: None, delete: None };
        if !gate.closed || !tracked.rls {
            return Ok(gate);
        }
        let shape = &tracked.shape;
        let table = quote(&shape.name);
        let new = join(&shape.columns, ", ", |i, column| format!("?{} AS {}", i + 1, quote(&column.name)));
        let width = shape.columns.len();
        let key = |first: usize| shape.key_match("OLD.", |i| format!("?{}", first + i));
        let prepare = |sql: String| connection.prepare_cached(&sql).map(Some);
        if let Some(policy) = &tracked.policies.insert {
            gate.insert = prepare(format!("SELECT ({policy}) IS TRUE FROM (SELECT {new}) AS NEW"))?;
        }
        if let Some(policy) = &tracked.policies.update {
            let key = key(width + 1);
            gate.update = prepare(format!(
                "SELECT ({policy}) IS TRUE FROM main.{table} AS OLD, (SELECT {new}) AS NEW WHERE {key}"
            ))?;
        }
        if let Some(policy) = &tracked.policies.delete {
            gate.delete = prepare(format!("SELECT ({policy}) IS TRUE FROM main.{table} AS OLD WHERE {}", key(1)))?;
        }
        Ok(gate)
    }

    /// Whether rows have to be asked about.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn may_insert(&mut self, cells: &[Cell<'_>]) -> rusqlite::Result<bool> {
        ask(self.insert.as_mut(), cells, &[])
    }

    pub(super) fn may_update(&mut self, cells: &[Cell<'_>], key: &[Cell<'_>]) -> rusqlite::Result<bool> {
        ask(self.update.as_mut(), cells, key)
    }

    pub(super) fn may_delete(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<bool> {
        ask(self.delete.as_mut(), &[], key)
    }
}

/// A policy that is missing, or is not true, denies.
fn ask(statement: Option<&mut CachedStatement<'_>>, cells: &[Cell<'_>], key: &[Cell<'_>]) -> rusqlite::Result<bool> {
    let Some(statement) = statement else { return Ok(false) };
    let most = statement.parameter_count();
    for (i, cell) in cells.iter().chain(key).enumerate().take(most) {
        statement.raw_bind_parameter(i + 1, cell)?;
    }
    let mut rows = statement.raw_query();
    let row = rows.next()?;
    row.map_or(Ok(false), |row| row.get(0))
}

/// The columns of `table` that an expression over it reads; an error when it is no valid expression.
pub(super) fn columns_read(connection: &mut Connection, table: &str, policy: &str) -> rusqlite::Result<Vec<String>> {
    let columns = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&columns);
    let name = table.to_owned();
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if let AuthAction::Read { table_name, column_name } = context.action
            && table_name.eq_ignore_ascii_case(&name)
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if !seen.iter().any(|known| known == column_name) {
                seen.push(column_name.to_owned());
            }
        }
        Authorization::Allow
    }))?;
    let prepared = connection.prepare(&format!("SELECT 1 FROM main.{} WHERE ({policy})", quote(table))).map(drop);
    connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
    prepared?;
    let columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(columns.clone())
}
