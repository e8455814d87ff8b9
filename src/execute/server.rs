//! The server's rows, copied page by page through its administrator's SQL into a local file, so that both sides are
//! compared by the same means, and policies are evaluated here and not by the server under test.

use std::path::Path;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use super::column_list;
use crate::failure::{Call, RawError};
use crate::plan::{Plan, TablePlan, quote};
use crate::session::raw_error;
use crate::target::admin::Admin;

/// So many users are looked at by reading all rows for each.
const FEW_USERS: usize = 4;
/// Rows of the first page; later ones grow or shrink towards [`PAGE_BYTES`].
const FIRST_PAGE: usize = 500;
const LARGEST_PAGE: usize = 20_000;
/// What a page should hold.
const PAGE_BYTES: usize = 1024 * 1024;

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

fn copy_table(admin: &Admin, database: &str, table: &TablePlan, local: &mut Connection) -> Result<(), RawError> {
    let sqlite = |error: rusqlite::Error| raw_error(Call::Admin, &error);
    // Quoted by SQLite itself, every value keeps its type on the way through JSON.
    let columns: Vec<String> =
        table.columns.iter().enumerate().map(|(at, column)| format!("quote({}) AS c{at}", quote(column))).collect();
    let keys: Vec<usize> =
        table.primary_key.iter().filter_map(|key| table.columns.iter().position(|column| column == key)).collect();
    let key_columns = column_list(&table.primary_key);
    let places = vec!["?"; table.columns.len()].join(", ");
    let insert = format!("INSERT INTO {} ({}) VALUES ({places})", quote(&table.name), column_list(&table.columns));
    let mut after = String::new();
    let mut page = FIRST_PAGE;
    loop {
        let sql = format!(
            "SELECT {} FROM {} {after} ORDER BY {key_columns} LIMIT {page}",
            columns.join(", "),
            quote(&table.name)
        );
        let rows = admin.sql(Some(database), &sql)?;
        let transaction = local.transaction().map_err(sqlite)?;
        let mut bytes = 0;
        {
            let mut statement = transaction.prepare_cached(&insert).map_err(sqlite)?;
            for row in &rows {
                let literals: Vec<&str> = (0..columns.len())
                    .map(|at| {
                        row.get(&format!("c{at}"))
                            .and_then(Value::as_str)
                            .ok_or_else(|| odd(table, "a value is missing"))
                    })
                    .collect::<Result<_, RawError>>()?;
                bytes += literals.iter().map(|literal| literal.len()).sum::<usize>();
                let values = literals.iter().map(|literal| parse(literal).ok_or_else(|| odd(table, literal)));
                let values: Vec<SqlValue> = values.collect::<Result<_, RawError>>()?;
                statement.execute(params_from_iter(values)).map_err(sqlite)?;
                after = keys.iter().map(|at| literals[*at]).collect::<Vec<_>>().join(", ");
            }
        }
        transaction.commit().map_err(sqlite)?;
        if rows.len() < page {
            return Ok(());
        }
        after = format!("WHERE ({key_columns}) > ({after})");
        page = if bytes < PAGE_BYTES { page * 2 } else { page / 2 }.clamp(1, LARGEST_PAGE);
    }
}

fn odd(table: &TablePlan, literal: &str) -> RawError {
    let message = format!("a row of the server's table `{}` could not be understood: {literal}", table.name);
    RawError { call: Call::Admin, sqlite: None, http: None, message }
}

/// An SQL literal, as `quote()` writes it.
fn parse(literal: &str) -> Option<SqlValue> {
    if literal == "NULL" {
        return Some(SqlValue::Null);
    }
    if let Some(text) = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Some(SqlValue::Text(text.replace("''", "'")));
    }
    if let Some(digits) = literal.strip_prefix("X'").and_then(|rest| rest.strip_suffix('\'')) {
        let bytes =
            digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        return bytes.collect::<Option<Vec<u8>>>().map(SqlValue::Blob);
    }
    let integer = literal.parse().ok().map(SqlValue::Integer);
    integer.or_else(|| literal.parse().ok().map(SqlValue::Real))
}

#[cfg(test)]
mod tests {
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
            SqlValue::Text("it's 'é' NULL".to_owned()),
            SqlValue::Blob(vec![0, 255, 16]),
        ];
        for value in values {
            let quoted: String = connection.query_row("SELECT quote(?1)", [&value], |row| row.get(0)).expect("quotes");
            assert_eq!(parse(&quoted), Some(value), "{quoted}");
        }
    }
}
