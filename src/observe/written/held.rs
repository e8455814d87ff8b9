//! The rows that somebody holds, as digests in the order of their keys.

use rusqlite::Connection;

use super::super::columns::list_of;
use super::super::contents::{self, Rows};
use crate::ledger::{RowForm, State};
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
    rows: HeldRows,
}

impl Source {
    pub(super) fn new(holder: Holder, whole: bool, rows: HeldRows) -> Self {
        Self { holder, whole, rows }
    }

    /// The next key.
    pub(super) fn key(&self) -> Option<u128> {
        self.rows.places.get(self.rows.next).map(|place| place.key)
    }

    /// The row under the next key.
    pub(super) fn take(&mut self, key: u128) -> Option<HeldRow> {
        if self.key() == Some(key) { self.rows.next() } else { None }
    }
}

/// Rows in the order of their keys. They can be millions: none has memory of its own, and none moves while others come.
#[derive(Default)]
pub(super) struct HeldRows {
    places: Vec<Place>,
    chunks: Vec<Vec<u8>>,
    next: usize,
}

/// The size of a chunk of rows, in bytes. A longer row has one of its own.
const CHUNK: usize = 1 << 20;

/// Where a row's bytes are.
struct Place {
    key: u128,
    chunk: u32,
    start: u32,
    length: u32,
}

impl HeldRows {
    fn push(&mut self, key: u128, bytes: &[u8]) {
        if self.chunks.last().is_none_or(|chunk| chunk.capacity() - chunk.len() < bytes.len()) {
            self.chunks.push(Vec::with_capacity(bytes.len().max(CHUNK)));
        }
        let number = self.chunks.len() - 1;
        let chunk = &mut self.chunks[number];
        // A row of SQLite is shorter, and memory ends before the chunks do.
        let [number, start, length] =
            [number, chunk.len(), bytes.len()].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        chunk.extend_from_slice(bytes);
        self.places.push(Place { key, chunk: number, start, length });
    }
}

impl Iterator for HeldRows {
    type Item = HeldRow;

    fn next(&mut self) -> Option<HeldRow> {
        let place = self.places.get(self.next)?;
        self.next += 1;
        let bytes = self.chunks[place.chunk as usize][place.start as usize..][..place.length as usize].to_vec();
        let State { digest, bytes } = State::of(bytes);
        Some(HeldRow { key: place.key, digest, bytes })
    }
}

/// All rows of all tables, as far as they are meant.
pub(super) fn rows(connection: &Connection, plan: &Plan, meant: Rows) -> rusqlite::Result<HeldRows> {
    let mut held = HeldRows::default();
    // What was written to a table before it was altered has other columns.
    let tables = plan.tables.iter().zip(RowForm::all(&plan.tables));
    for (table, form) in tables.filter(|(table, _)| !table.altered) {
        read(connection, plan, table, &form, meant, &mut held)?;
    }
    held.places.sort_unstable_by_key(|place| place.key);
    Ok(held)
}

fn read(
    connection: &Connection,
    plan: &Plan,
    table: &TablePlan,
    form: &RowForm,
    meant: Rows,
    held: &mut HeldRows,
) -> rusqlite::Result<()> {
    let source = contents::source(plan, table, meant);
    let count = connection.query_row(&format!("SELECT count(*) {source}"), [], |row| row.get::<_, i64>(0))?;
    held.places.reserve_exact(usize::try_from(count).unwrap_or(0));
    let mut statement = connection.prepare(&format!("SELECT {} {source}", list_of(&table.columns)))?;
    let mut rows = statement.query([])?;
    let (mut bytes, mut buffer) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        // A column that the statement names is there.
        let value = |column: usize| row.get_ref(column).unwrap_or(rusqlite::types::ValueRef::Null);
        form.encode_row(value, &mut bytes);
        held.push(form.key(value, &mut buffer), &bytes);
    }
    Ok(())
}
