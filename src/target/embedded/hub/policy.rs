//! Row-level security: who asks, and whether the policies of a table let a row pass. SQLite evaluates the expressions.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{CachedStatement, Connection};

use super::super::shape::{join, quote};
use super::super::wire::Cell;
use super::tracked::{Tracked, place_of};

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

/// The write policies of a table for one caller, asked together with what has to be known of the row as it is. A policy
/// that is missing, or is not true, denies; nobody asks an administrator.
pub(super) struct Gate<'a> {
    /// The columns of the new row.
    insert: Option<CachedStatement<'a>>,
    /// The columns of the new row; place, verdict, watched columns of the old one.
    update: CachedStatement<'a>,
    /// The key; place, verdict.
    delete: CachedStatement<'a>,
}

/// A row that is there.
pub(super) struct Found {
    /// Its place.
    pub(super) place: i64,
    /// Whether the policy lets it be changed.
    pub(super) allowed: bool,
    /// Whether a column that the select policy reads gets another value.
    pub(super) moves: bool,
}

impl<'a> Gate<'a> {
    pub(super) fn open(connection: &'a Connection, tracked: &Tracked, caller: &Caller) -> rusqlite::Result<Self> {
        let shape = &tracked.shape;
        let policies = &tracked.policies;
        let is_open = *caller == Caller::Admin;
        let verdict = |policy: &Option<String>| match policy {
            _ if is_open => "true".to_owned(),
            Some(policy) if tracked.rls => format!("({policy}) IS TRUE"),
            Some(_) | None => "false".to_owned(),
        };
        let table = quote(&shape.name);
        let place = place_of(shape, "OLD");
        let new = join(&shape.columns, ", ", |i, column| format!("?{} AS {}", i + 1, quote(&column.name)));
        let old = join(&tracked.watched, "", |_, &i| format!(", OLD.{}", quote(&shape.columns[i].name)));
        let insert = format!("SELECT {} FROM (SELECT {new}) AS NEW", verdict(&policies.insert));
        let update = format!(
            "SELECT {place}, {}{old} FROM main.{table} AS OLD, (SELECT {new}) AS NEW WHERE {}",
            verdict(&policies.update),
            shape.key_match("OLD.", |i| format!("?{}", shape.keys[i] + 1))
        );
        let delete = format!(
            "SELECT {place}, {} FROM main.{table} AS OLD WHERE {}",
            verdict(&policies.delete),
            shape.key_match("OLD.", |i| format!("?{}", i + 1))
        );
        Ok(Self {
            insert: if is_open { None } else { Some(connection.prepare_cached(&insert)?) },
            update: connection.prepare_cached(&update)?,
            delete: connection.prepare_cached(&delete)?,
        })
    }

    /// Whether a new row may be stored.
    pub(super) fn may_insert(&mut self, cells: &[Cell<'_>]) -> rusqlite::Result<bool> {
        let Some(insert) = &mut self.insert else { return Ok(true) };
        bind(insert, 1, cells)?;
        let mut rows = insert.raw_query();
        rows.next()?.map_or(Ok(false), |row| row.get(0))
    }

    /// The row with the key of this new one, which has `watched` among its columns.
    pub(super) fn find(&mut self, cells: &[Cell<'_>], watched: &[usize]) -> rusqlite::Result<Option<Found>> {
        bind(&mut self.update, 1, cells)?;
        let mut rows = self.update.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut moves = false;
        for (i, &column) in watched.iter().enumerate() {
            moves |= Cell::from(row.get_ref(i + 2)?) != cells[column];
        }
        Ok(Some(Found { place: row.get(0)?, allowed: row.get(1)?, moves }))
    }

    /// The row with this key, that is to be deleted.
    pub(super) fn find_deleted(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<Option<Found>> {
        bind(&mut self.delete, 1, key)?;
        let mut rows = self.delete.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Found { place: row.get(0)?, allowed: row.get(1)?, moves: false }))
    }
}

/// Binds values from a parameter on.
pub(super) fn bind(statement: &mut CachedStatement<'_>, first: usize, cells: &[Cell<'_>]) -> rusqlite::Result<()> {
    for (i, cell) in cells.iter().enumerate() {
        statement.raw_bind_parameter(first + i, cell)?;
    }
    Ok(())
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
