//! The server's rows, copied page by page through its administrator's SQL into a local file, so that both sides are
//! compared by the same means, and policies are evaluated here and not by the server under test.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde_json::{Map, Value};

use super::columns::{are_same, columns_sql, compared, insert_into, keys_of, list_of};
use super::pieces::{Piece, SIGNED_ZERO, pieces_of, values};
use crate::failure::{Call, RawError};
use crate::plan::{Plan, TablePlan};
use crate::session::{literal, raw_error};
use crate::sql::quote;
use crate::target::admin::Admin;

/// So many users are looked at by reading all rows for each.
const FEW_USERS: usize = 4;
/// Rows of the first page; later ones grow or shrink towards [`PAGE_BYTES`].
const FIRST_PAGE: usize = 500;
const LARGEST_PAGE: usize = 10_000;
/// What a page should hold.
const PAGE_BYTES: usize = 512 * 1024;

/// Copies all tables into `file`.
pub(super) fn copy(plan: &Plan, admin: &Admin, database: &str, file: &Path) -> Result<(), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Admin, &error);
    let mut local = Connection::open(file).map_err(sqlite)?;
    // The file is thrown away after the comparison.
    local
        .execute_batch("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA foreign_keys = off")
        .map_err(sqlite)?;
    let signed =
        |rows: Vec<Map<String, Value>>| rows.first().and_then(|row| row.get("signed")) == Some(&Value::from(1));
    let signed_zero = admin.sql(Some(database), SIGNED_ZERO).is_ok_and(signed);
    for table in &plan.tables {
        if let Some(other) = other_table(admin, database, table)? {
            local.execute_batch(&other.sql).map_err(sqlite)?;
            copy_table(admin, database, &other, signed_zero, &mut local)?;
            continue;
        }
        local.execute_batch(&table.in_the_end()).map_err(sqlite)?;
        copy_table(admin, database, table, signed_zero, &mut local)?;
        if plan.users.len() > FEW_USERS {
            index_policy(table, &local).map_err(sqlite)?;
        }
    }
    Ok(())
}

/// The server's table, where it has other columns than the first database in the end.
fn other_table(admin: &Admin, database: &str, table: &TablePlan) -> Result<Option<TablePlan>, RawError> {
    if !table.altered {
        return Ok(None);
    }
    let mut name = String::new();
    literal(ValueRef::Text(table.name.as_bytes()), &mut name);
    let rows = admin.sql(Some(database), &columns_sql(&name))?;
    let name = |row: &Map<String, Value>| Some(row.get("name")?.as_str()?.to_owned());
    let columns: Vec<String> = rows.iter().filter_map(name).collect();
    if are_same(&columns, &table.columns) {
        return Ok(None);
    }
    let (name, key) = (quote(&table.name), list_of(&table.primary_key));
    let sql = format!("CREATE TABLE {name}({}, PRIMARY KEY ({key}))", list_of(&columns));
    Ok(Some(TablePlan { sql, columns, ..table.clone() }))
}

/// Lets SQLite seek to the rows of one user of many: an index on each column that the select policy names.
fn index_policy(table: &TablePlan, local: &Connection) -> rusqlite::Result<()> {
    let policy = table.policies.as_ref().and_then(|policies| policies.select.as_deref()).unwrap_or_default();
    let words = policy.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    for (place, column) in table.columns.iter().enumerate() {
        if words.clone().any(|word| word.eq_ignore_ascii_case(column)) {
            let index = quote(&format!("{}_policy_{place}", table.name));
            local.execute_batch(&format!("CREATE INDEX {index} ON {}({})", quote(&table.name), quote(column)))?;
        }
    }
    Ok(())
}

/// A page is stored while the next one is on its way.
fn copy_table(
    admin: &Admin,
    database: &str,
    table: &TablePlan,
    signed_zero: bool,
    local: &mut Connection,
) -> Result<(), RawError> {
    let keys = keys_of(local, table).map_err(|error| raw_error(Call::Admin, &error))?;
    let (key, pieces) = (compared(&keys), pieces_of(&table.columns, signed_zero));
    let fetch = |after: &str, page: usize| {
        let table = quote(&table.name);
        let sql = format!("SELECT {pieces} AS pieces FROM {table} {after} ORDER BY {key} LIMIT {page}");
        admin.sql(Some(database), &sql)
    };
    let mut page = FIRST_PAGE;
    let mut rows = fetch("", page)?;
    loop {
        let texts = rows.iter().map(|row| row.get("pieces").and_then(Value::as_str));
        let texts: Vec<&str> = texts.collect::<Option<_>>().ok_or_else(|| odd(table, "a row is missing"))?;
        let last = texts.last().filter(|_| texts.len() == page);
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        page = if bytes < PAGE_BYTES { page * 2 } else { page / 2 }.clamp(1, LARGEST_PAGE);
        let next = || {
            let Some(last) = last else { return Ok(None) };
            fetch(&format!("WHERE ({key}) > ({})", key_of(table, last)?), page).map(Some)
        };
        let (stored, next) = rayon::join(|| store(table, local, &texts), next);
        stored?;
        match next? {
            Some(next) => rows = next,
            None => return Ok(()),
        }
    }
}

/// The key of a row for a comparison. A sign before each literal takes the affinity from it: the column's alone counts.
fn key_of(table: &TablePlan, row: &str) -> Result<String, RawError> {
    let values: Option<Vec<Piece<'_>>> = values(row).collect();
    let values = values.ok_or_else(|| odd(table, row))?;
    let mut key = String::new();
    for column in &table.primary_key {
        let at = table.columns.iter().position(|name| name == column);
        let value = at.and_then(|at| values.get(at)).map(Piece::value).ok_or_else(|| odd(table, row))?;
        if value == ValueRef::Null {
            // Nothing is greater than NULL: the rows behind it would be passed over.
            return Err(odd(table, "a column of its primary key is NULL"));
        }
        key.push_str(if key.is_empty() { "+" } else { ", +" });
        literal(value, &mut key);
    }
    Ok(key)
}

/// Stores rows, each as the pieces of its columns.
fn store(table: &TablePlan, local: &mut Connection, rows: &[&str]) -> Result<(), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Admin, &error);
    let insert = insert_into(&quote(&table.name), &table.columns);
    let transaction = local.transaction().map_err(sqlite)?;
    let mut statement = transaction.prepare_cached(&insert).map_err(sqlite)?;
    for row in rows {
        let mut columns = 0;
        for piece in values(row) {
            columns += 1;
            let piece = piece.filter(|_| columns <= table.columns.len()).ok_or_else(|| odd(table, row))?;
            statement.raw_bind_parameter(columns, ToSqlOutput::Borrowed(piece.value())).map_err(sqlite)?;
        }
        if columns < table.columns.len() {
            return Err(odd(table, row));
        }
        statement.raw_execute().map_err(sqlite)?;
    }
    drop(statement);
    transaction.commit().map_err(sqlite)
}

fn odd(table: &TablePlan, row: &str) -> RawError {
    let message = format!("a row of the server's table `{}` could not be understood: {row}", table.name);
    RawError::said(Call::Admin, message)
}
