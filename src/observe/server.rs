//! The server's rows, copied page by page through its administrator's SQL into a local file, so that both sides are
//! compared by the same means, and policies are evaluated here and not by the server under test.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value as SqlValue};
use serde_json::Value;

use super::columns::{list_of, literals_of};
use crate::failure::{Call, RawError};
use crate::plan::{Plan, TablePlan};
use crate::session::raw_error;
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
    for table in &plan.tables {
        local.execute_batch(&table.sql).map_err(sqlite)?;
        copy_table(admin, database, table, &mut local)?;
        if plan.users.len() > FEW_USERS {
            index_policy(table, &local).map_err(sqlite)?;
        }
    }
    Ok(())
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
fn copy_table(admin: &Admin, database: &str, table: &TablePlan, local: &mut Connection) -> Result<(), RawError> {
    let keys: Vec<usize> =
        table.primary_key.iter().filter_map(|key| table.columns.iter().position(|column| column == key)).collect();
    let key_columns = list_of(&table.primary_key);
    let fetch = |after: &str, page: usize| {
        // Quoted by SQLite itself, every value keeps its type on the way through JSON.
        let (literals, table) = (literals_of(&table.columns), quote(&table.name));
        let sql = format!("SELECT {literals} AS literals FROM {table} {after} ORDER BY {key_columns} LIMIT {page}");
        admin.sql(Some(database), &sql)
    };
    let mut page = FIRST_PAGE;
    let mut rows = fetch("", page)?;
    loop {
        let texts = rows.iter().map(|row| row.get("literals").and_then(Value::as_str));
        let texts: Vec<&str> = texts.collect::<Option<_>>().ok_or_else(|| odd(table, "a row is missing"))?;
        let last = texts.last().filter(|_| texts.len() == page).map(|last| literals(last).collect::<Vec<_>>());
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        page = if bytes < PAGE_BYTES { page * 2 } else { page / 2 }.clamp(1, LARGEST_PAGE);
        let next = || {
            let Some(last) = last else { return Ok(None) };
            let key = keys.iter().map(|at| last.get(*at).copied()).collect::<Option<Vec<_>>>();
            let key = key.ok_or_else(|| odd(table, "a column is missing"))?.join(", ");
            fetch(&format!("WHERE ({key_columns}) > ({key})"), page).map(Some)
        };
        let (stored, next) = rayon::join(|| store(table, local, &texts), next);
        stored?;
        match next? {
            Some(next) => rows = next,
            None => return Ok(()),
        }
    }
}

/// Stores rows, each as the literals of its columns.
fn store(table: &TablePlan, local: &mut Connection, rows: &[&str]) -> Result<(), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Admin, &error);
    let places = vec!["?"; table.columns.len()].join(", ");
    let insert = format!("INSERT INTO {} ({}) VALUES ({places})", quote(&table.name), list_of(&table.columns));
    let transaction = local.transaction().map_err(sqlite)?;
    let mut statement = transaction.prepare_cached(&insert).map_err(sqlite)?;
    for row in rows {
        let mut columns = 0;
        for literal in literals(row) {
            columns += 1;
            let value = parse(literal).filter(|_| columns <= table.columns.len()).ok_or_else(|| odd(table, row))?;
            statement.raw_bind_parameter(columns, value).map_err(sqlite)?;
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

/// The literals of a row: what stands between commas that are not within quotes.
fn literals(row: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    row.split(move |letter| {
        quoted ^= letter == '\'';
        letter == ',' && !quoted
    })
    .map(str::trim_start)
}

/// An SQL literal, as `quote()` writes it.
fn parse(literal: &str) -> Option<ToSqlOutput<'_>> {
    if literal == "NULL" {
        return Some(ToSqlOutput::Owned(SqlValue::Null));
    }
    if let Some(text) = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let unescaped = text.contains('\'').then(|| text.replace("''", "'"));
        return Some(unescaped.map_or_else(|| text.into(), |text| ToSqlOutput::Owned(SqlValue::Text(text))));
    }
    if let Some(digits) = literal.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\'')) {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
        return bytes.map(|bytes| ToSqlOutput::Owned(SqlValue::Blob(bytes)));
    }
    let integer = literal.parse().ok().map(SqlValue::Integer);
    integer.or_else(|| literal.parse().ok().map(SqlValue::Real)).map(ToSqlOutput::Owned)
}

#[cfg(test)]
mod tests {
    use rusqlite::params_from_iter;

    use super::*;

    #[test]
    fn a_value_survives_being_quoted_and_parsed() {
        let connection = Connection::open_in_memory().expect("memory");
        let values = [
            SqlValue::Null,
            SqlValue::Integer(-7),
            SqlValue::Integer(i64::MAX),
            SqlValue::Real(0.1 + 0.2),
            SqlValue::Real(-1e300),
            SqlValue::Text("it's 'é', NULL".to_owned()),
            SqlValue::Text(String::new()),
            SqlValue::Text(",  ',' ''".to_owned()),
            SqlValue::Blob(vec![0, 255, 16]),
        ];
        let all = vec!["quote(?)"; values.len()].join(" || ', ' || ");
        let row: String = connection
            .query_row(&format!("SELECT {all}"), params_from_iter(&values), |row| row.get(0))
            .expect("quotes");
        let parsed: Vec<SqlValue> = literals(&row)
            .map(|literal| {
                let value = parse(literal).unwrap_or_else(|| panic!("{literal} is a literal"));
                connection.query_row("SELECT ?1", [value], |row| row.get(0)).expect("a value")
            })
            .collect();
        assert_eq!(parsed, values, "{row}");
    }
}
