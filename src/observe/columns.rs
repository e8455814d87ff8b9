//! A table's columns as SQL.

use crate::sql::quote;

/// Columns as a list: `"id", "name"`.
pub(super) fn list_of(columns: &[String]) -> String {
    columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
}

/// Columns as one text of SQL literals: `'a', 1`.
pub(super) fn literals_of(columns: &[String]) -> String {
    columns.iter().map(|column| format!("quote({})", quote(column))).collect::<Vec<_>>().join(" || ', ' || ")
}
