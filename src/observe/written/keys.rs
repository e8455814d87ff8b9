//! Keys, rows and writes as a person reads them.

use std::collections::HashMap;
use std::io;

use rusqlite::types::ValueRef;

use super::super::subject::Subject;
use super::held::HeldRow;
use super::judge::Writes;
use crate::ledger::RowForm;
use crate::plan::{Plan, TablePlan};
use crate::record::{Difference, LastWrite};
use crate::session::{decode, literal, open_reader};

/// An encoded row, as SQL literals in column order.
pub(super) fn row_literals(bytes: &[u8]) -> String {
    literals(decode(bytes).unwrap_or_default())
}

/// The primary key of an encoded row, as SQL literals.
pub(super) fn key_literals(table: &TablePlan, bytes: &[u8]) -> String {
    let row = decode(bytes).unwrap_or_default();
    literals(table.key.iter().filter_map(|column| row.get(column.place).copied()))
}

/// A row under a key, encoded: the one that is there, or one that was written.
pub(super) fn some_row<'r>(writes: &'r [Writes<'_>], row: Option<&'r HeldRow>) -> Option<&'r [u8]> {
    let written = || writes.iter().flat_map(|writes| &writes.entries).find_map(|entry| entry.row.as_ref());
    row.map(|row| row.bytes.as_slice()).or_else(|| written().map(|row| row.bytes.as_slice()))
}

fn literals<'v>(values: impl IntoIterator<Item = ValueRef<'v>>) -> String {
    let mut text = String::new();
    for (place, value) in values.into_iter().enumerate() {
        text.push_str(if place > 0 { ", " } else { "" });
        literal(value, &mut text);
    }
    text
}

/// What a database last wrote under a key.
pub(super) fn last_write(writes: &Writes<'_>) -> Option<LastWrite> {
    let entry = writes.last()?;
    let segment = writes.ledger.segments.get(entry.segment as usize)?;
    Some(LastWrite {
        database: writes.database.index,
        iteration: segment.iteration,
        phase: segment.phase.clone(),
        row: entry.row.as_ref().map(|row| row_literals(&row.bytes)),
        acknowledged: writes.ledger.is_acknowledged(entry.segment, None),
    })
}

/// Adds to rows that differ what each database last wrote under their keys.
pub(crate) fn last_writes(subject: &Subject<'_>, differences: &mut [Difference]) -> io::Result<()> {
    if !subject.plan.keeps_ledger() || subject.ledgers.iter().any(|ledger| ledger.broken.is_some()) {
        return Ok(());
    }
    let wanted = wanted(subject.plan, differences).map_err(io::Error::other)?;
    let mut found: HashMap<u128, Vec<LastWrite>> = wanted.iter().map(|(key, ..)| (*key, Vec::new())).collect();
    for (database, ledger) in subject.plan.databases.iter().zip(subject.ledgers).filter(|_| !wanted.is_empty()) {
        let mut reading = ledger.read()?;
        while let Some(key) = reading.key() {
            let entries = reading.take(key)?;
            let Some(found) = found.get_mut(&key) else { continue };
            found.extend(last_write(&Writes { database, ledger, entries, allowed: Vec::new() }));
        }
    }
    for (key, difference, row) in wanted {
        differences[difference].rows[row].writes = found.get(&key).cloned();
    }
    Ok(())
}

/// The keys of the rows that differ, with the places of difference and row. Of tables that are altered, nobody noted what
/// was written.
fn wanted(plan: &Plan, differences: &[Difference]) -> rusqlite::Result<Vec<(u128, usize, usize)>> {
    let connection = open_reader(std::path::Path::new(":memory:"), "")?;
    let mut wanted = Vec::new();
    for (place, difference) in differences.iter().enumerate() {
        let own = |table: &TablePlan| table.name == difference.table && !table.altered;
        let Some(table) = plan.tables.iter().position(own) else { continue };
        for (index, row) in difference.rows.iter().enumerate() {
            let width = plan.tables[table].key.len();
            let key = connection.query_row(&format!("SELECT {}", row.key), [], |values| {
                let values: Vec<ValueRef<'_>> = (0..width).map(|at| values.get_ref(at)).collect::<Result<_, _>>()?;
                Ok(RowForm::of_key(&plan.tables, table, &values))
            })?;
            wanted.push((key, place, index));
        }
    }
    Ok(wanted)
}
