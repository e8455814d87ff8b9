//! Row-level security: who asks, and whether the policies of a table let a row pass. SQLite evaluates the expressions.

use crate::sql::quote;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{CachedStatement, Connection};

use super::super::merge::{Merged, Versions, merge_cells};
use super::super::shape::{companion, join};
use super::super::wire::{Cell, OwnedCell};
use super::error::StoreError;
use super::tracked::{Tracked, is_true, place_of};

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
    /// Given the columns of a new row: place of the row with its key, verdict, that row's versions, and its columns.
    write: CachedStatement<'a>,
    /// Given a key: place of its row, verdict, and versions.
    delete: CachedStatement<'a>,
}

/// What storing a row would do.
pub(super) struct Found {
    /// Whether the policy lets it happen.
    pub(super) allowed: bool,
    /// The row that is there.
    pub(super) there: Option<There>,
}

/// A row that is there.
pub(super) struct There {
    pub(super) place: i64,
    /// Whether a column that the select policy reads gets another value.
    pub(super) moves: bool,
    /// What comes of it and the new one.
    pub(super) merged: Merged,
    /// The cells of both.
    pub(super) both: Vec<OwnedCell>,
}

/// A row that may be deleted.
pub(super) struct Deletable {
    pub(super) place: i64,
    /// Whether the policy lets it happen.
    pub(super) allowed: bool,
    pub(super) versions: Versions,
}

impl<'a> Gate<'a> {
    pub(super) fn open(connection: &'a Connection, tracked: &Tracked, caller: &Caller) -> rusqlite::Result<Self> {
        let shape = &tracked.shape;
        let policies = &tracked.policies;
        let verdict = |policy: &Option<String>| match policy {
            _ if *caller == Caller::Admin => "1".to_owned(),
            Some(policy) if tracked.rls => is_true(policy),
            Some(_) | None => "0".to_owned(),
        };
        let table = quote(&shape.name);
        let place = place_of(shape, "OLD");
        let new = join(&shape.columns, ", ", |i, column| format!("?{} AS {}", i + 1, quote(&column.name)));
        let versions =
            format!("(SELECT cs_versions FROM main.{} WHERE cs_row = {place})", companion(&shape.name, "_cloudsync"));
        let old = shape.column_list("OLD.");
        let first_key = quote(&shape.columns[shape.keys[0]].name);
        let write = format!(
            "SELECT {place}, CASE WHEN OLD.{first_key} IS NULL THEN {} ELSE {} END, {versions}, {old}
             FROM (SELECT {new}) AS NEW LEFT JOIN main.{table} AS OLD ON {}",
            verdict(&policies.insert),
            verdict(&policies.update),
            shape.key_match("OLD.", |i| format!("?{}", shape.keys[i] + 1))
        );
        let delete = format!(
            "SELECT {place}, {}, {versions} FROM main.{table} AS OLD WHERE {}",
            verdict(&policies.delete),
            shape.key_match("OLD.", |i| format!("?{}", i + 1))
        );
        Ok(Self { write: connection.prepare_cached(&write)?, delete: connection.prepare_cached(&delete)? })
    }

    /// What storing a row would do.
    pub(super) fn write(
        &mut self,
        cells: &[Cell<'_>],
        versions: &Versions,
        tracked: &Tracked,
    ) -> Result<Found, StoreError> {
        bind(&mut self.write, 1, cells)?;
        let mut rows = self.write.raw_query();
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let allowed = row.get(1)?;
        let Some(place) = row.get(0)? else { return Ok(Found { allowed, there: None }) };
        let held = Versions::read(row.get_ref(2)?.as_blob_or_null().map_err(rusqlite::Error::from)?)?;
        let old: Vec<Cell<'_>> =
            (0..cells.len()).map(|i| row.get_ref(i + 3).map(Cell::from)).collect::<rusqlite::Result<_>>()?;
        let moves = tracked.watched.iter().any(|&column| old[column] != cells[column]);
        let (merged, both) = merge_cells(&held, versions, &tracked.shape, &tracked.changed, &old, cells);
        Ok(Found { allowed, there: Some(There { place, moves, merged, both }) })
    }

    /// The row with this key, if there is one, and whether it may be deleted.
    pub(super) fn delete(&mut self, key: &[Cell<'_>]) -> Result<Option<Deletable>, StoreError> {
        bind(&mut self.delete, 1, key)?;
        let mut rows = self.delete.raw_query();
        let Some(row) = rows.next()? else { return Ok(None) };
        let versions = Versions::read(row.get_ref(2)?.as_blob_or_null().map_err(rusqlite::Error::from)?)?;
        Ok(Some(Deletable { place: row.get(0)?, allowed: row.get(1)?, versions }))
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
    super::turn::bind(connection)?;
    prepared?;
    let columns = columns.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(columns.clone())
}
