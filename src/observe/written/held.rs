//! The rows that somebody holds, as digests in the order of their keys.

use rusqlite::Connection;

use super::super::columns::list_of;
use super::super::contents::{self, Rows};
use crate::ledger::RowForm;
use crate::plan::{Plan, TablePlan};
use crate::record::Holder;

/// A row that somebody holds.
#[derive(Debug, Clone)]
pub(super) struct HeldRow {
    /// The digest of table and key.
    pub(super) key: u128,
    /// The digest of the row.
    pub(super) digest: u128,
    /// The row, as [`crate::session::encode`] writes its columns.
    pub(super) bytes: Vec<u8>,
}

/// The rows of a holder, taken in the order of their keys.
pub(super) struct Source {
    pub(super) holder: Holder,
    /// Whether a row that is missing here is missing.
    pub(super) whole: bool,
    rows: std::vec::IntoIter<HeldRow>,
}

impl Source {
    pub(super) fn new(holder: Holder, whole: bool, rows: Vec<HeldRow>) -> Self {
        Self { holder, whole, rows: rows.into_iter() }
    }

    /// The next key.
    pub(super) fn key(&self) -> Option<u128> {
        self.rows.as_slice().first().map(|row| row.key)
    }

    /// The row under the next key.
    pub(super) fn take(&mut self, key: u128) -> Option<HeldRow> {
        if self.key() == Some(key) { self.rows.next() } else { None }
    }
}

/// All rows of all tables, as far as they are meant.
pub(super) fn rows(connection: &Connection, plan: &Plan, meant: Rows) -> rusqlite::Result<Vec<HeldRow>> {
    let mut held = Vec::new();
    // What was written to a table before it was altered has other columns.
    let tables = plan.tables.iter().zip(RowForm::all(&plan.tables));
    for (table, form) in tables.filter(|(table, _)| !table.altered) {
        read(connection, plan, table, &form, meant, &mut held)?;
    }
    held.sort_unstable_by_key(|row| row.key);
    Ok(held)
}

fn read(
    connection: &Connection,
    plan: &Plan,
    table: &TablePlan,
    form: &RowForm,
    meant: Rows,
    held: &mut Vec<HeldRow>,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT {} {}", list_of(&table.columns), contents::source(plan, table, meant));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut buffer = Vec::new();
    while let Some(row) = rows.next()? {
        // A column that the statement names is there.
        let value = |column: usize| row.get_ref(column).unwrap_or(rusqlite::types::ValueRef::Null);
        let mut bytes = Vec::new();
        let digest = form.encode(value, &mut bytes);
        held.push(HeldRow { key: form.key(value, &mut buffer), digest, bytes });
    }
    Ok(())
}
