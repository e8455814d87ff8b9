//! Rows and writes as a person reads them, and the sources that are walked through key by key.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::super::subject::Subject;
use super::held::HeldRow;
use super::judge::Writes;
use crate::ledger::{Reading, RowForm};
use crate::plan::{Plan, TablePlan};
use crate::record::{Difference, Holder, LastWrite};
use crate::session::{decode, open_reader};

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

/// Makes SQL literals of encoded rows.
pub(super) struct Literals(Connection);

impl Literals {
    pub(super) fn new() -> rusqlite::Result<Self> {
        open_reader(Path::new(":memory:"), "").map(Self)
    }

    /// A row, as SQL literals in column order.
    pub(super) fn row(&self, bytes: &[u8]) -> rusqlite::Result<String> {
        self.all(decode(bytes).unwrap_or_default())
    }

    /// The primary key of a row, as SQL literals.
    pub(super) fn key(&self, table: &TablePlan, bytes: &[u8]) -> rusqlite::Result<String> {
        let row = decode(bytes).unwrap_or_default();
        self.all(table.key.iter().filter_map(|column| row.get(column.place).copied()))
    }

    /// What each database last wrote under a key.
    pub(super) fn last_writes(&self, writes: &[Writes<'_>]) -> rusqlite::Result<Vec<LastWrite>> {
        let last = |one: &Writes<'_>| {
            let entry = one.last()?;
            let segment = one.ledger.segments.get(entry.segment as usize)?;
            let row = entry.row.as_ref().map(|row| self.row(&row.bytes)).transpose();
            Some(row.map(|row| LastWrite {
                database: one.database.index,
                iteration: segment.iteration,
                phase: segment.phase.clone(),
                row,
                acknowledged: one.ledger.is_acknowledged(entry.segment, None),
            }))
        };
        writes.iter().filter_map(last).collect()
    }

    fn all<'v>(&self, values: impl IntoIterator<Item = ValueRef<'v>>) -> rusqlite::Result<String> {
        let mut statement = self.0.prepare_cached("SELECT quote(?1)")?;
        let mut literals = Vec::new();
        for value in values {
            statement.raw_bind_parameter(1, ToSqlOutput::Borrowed(value))?;
            let mut rows = statement.raw_query();
            literals.extend(rows.next()?.map(|row| row.get::<_, String>(0)).transpose()?);
        }
        Ok(literals.join(", "))
    }
}

/// Adds to rows that differ what each database last wrote under their keys.
pub(crate) fn last_writes(subject: &Subject<'_>, differences: &mut [Difference]) -> io::Result<()> {
    if !subject.plan.keeps_ledger() || subject.ledgers.iter().any(|ledger| ledger.broken.is_some()) {
        return Ok(());
    }
    let literals = Literals::new().map_err(io::Error::other)?;
    let wanted = wanted(&literals.0, subject.plan, differences).map_err(io::Error::other)?;
    let mut found: HashMap<u128, Vec<LastWrite>> = wanted.iter().map(|(key, ..)| (*key, Vec::new())).collect();
    for (database, ledger) in subject.plan.databases.iter().zip(subject.ledgers).filter(|_| !wanted.is_empty()) {
        let mut reading = Reading::of(ledger)?;
        while let Some(key) = reading.key() {
            let entries = reading.take(key)?;
            let Some(found) = found.get_mut(&key) else { continue };
            let writes = [Writes { database, ledger, entries, allowed: Vec::new() }];
            found.extend(literals.last_writes(&writes).map_err(io::Error::other)?);
        }
    }
    for (key, difference, row) in wanted {
        differences[difference].rows[row].writes = found.get(&key).cloned();
    }
    Ok(())
}

/// The keys of the rows that differ, with the places of difference and row.
fn wanted(
    connection: &Connection,
    plan: &Plan,
    differences: &[Difference],
) -> rusqlite::Result<Vec<(u128, usize, usize)>> {
    let forms = RowForm::all(&plan.tables);
    let mut wanted = Vec::new();
    for (place, difference) in differences.iter().enumerate() {
        let Some(table) = plan.tables.iter().position(|table| table.name == difference.table) else { continue };
        for (index, row) in difference.rows.iter().enumerate() {
            let key = connection.query_row(&format!("SELECT {}", row.key), [], |values| {
                let value = |column: usize| {
                    let at = plan.tables[table].key.iter().position(|key| key.place == column);
                    at.and_then(|at| values.get_ref(at).ok()).unwrap_or(ValueRef::Null)
                };
                Ok(forms[table].key(value, &mut Vec::new()))
            })?;
            wanted.push((key, place, index));
        }
    }
    Ok(wanted)
}
