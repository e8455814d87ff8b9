//! Planted failures of single rows: what the server does wrong to a row that it has just stored, and delivers to everybody,
//! the writer included. It must not know messages.

use rusqlite::ErrorCode;

use super::super::wire::{Bytes, Cell, OwnedCell};
use super::policy::bind;
use super::rows::Rows;
use super::tracked::SERVER;
use crate::scenario::FaultKind;

/// How many made-up keys are tried.
const TRIES: u8 = 8;
/// How far a made-up number is from the real one.
const FAR: i64 = 1 << 40;

impl Rows<'_> {
    /// Does wrong to a row where that was planted. `place` is none if the row was not stored; then nothing strikes.
    pub(super) fn plant(&mut self, place: Option<i64>, cells: &[Cell<'_>]) -> rusqlite::Result<()> {
        // Each is asked, so that each counts the row.
        let [invents, rewrites, loses] = [FaultKind::Invent, FaultKind::Rewrite, FaultKind::LoseEverywhere]
            .map(|kind| self.faults.has(kind) && self.faults.occurs(kind, self.site));
        let Some(place) = place else { return Ok(()) };
        if invents && self.invent(cells)? {
            self.faults.count();
        }
        if rewrites && self.rewrite(place, cells)? {
            self.faults.count();
        }
        if loses {
            let seq = self.start()?;
            let tracked = self.tracked;
            let mut versions = self.versions(place)?;
            versions.delete();
            self.remove(seq, SERVER, place, versions.life(), tracked.shape.keys.iter().map(|&key| cells[key]))?;
            self.faults.count();
        }
        Ok(())
    }

    /// Stores a copy of the row under a key that nobody gave, of the same type. The columns that the select policy reads
    /// stay, also in the key. False if no key can be made up, or no copy is accepted.
    fn invent(&mut self, cells: &[Cell<'_>]) -> rusqlite::Result<bool> {
        let tracked = self.tracked;
        let free = |key: &&usize| !tracked.watched.contains(key);
        let Some(&key) = tracked.shape.keys.iter().rev().find(free) else { return Ok(false) };
        for attempt in 1..=TRIES {
            let Some(made_up) = beside(cells[key], attempt) else { return Ok(false) };
            let mut row = cells.to_vec();
            row[key] = made_up.cell();
            bind(&mut self.insert, 1, &row)?;
            let seq = self.start()?;
            let inserted = self.insert.raw_execute();
            self.end()?;
            match inserted {
                Ok(rows) if rows > 0 => return self.note(seq, SERVER, None, &row).map(|_| true),
                Err(error) if is_refused(&error) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Changes the first column that takes another value, of those that are neither in the key nor read by the select
    /// policy. False if there is none.
    fn rewrite(&mut self, place: i64, cells: &[Cell<'_>]) -> rusqlite::Result<bool> {
        let tracked = self.tracked;
        for (column, &cell) in cells.iter().enumerate() {
            if tracked.shape.keys.contains(&column) || tracked.watched.contains(&column) {
                continue;
            }
            let mut set = self.connection.prepare_cached(&tracked.set(column))?;
            let other = other_than(cell);
            set.raw_bind_parameter(1, other.cell())?;
            set.raw_bind_parameter(2, place)?;
            let seq = self.start()?;
            let changed = set.raw_execute();
            self.end()?;
            match changed {
                Ok(rows) if rows > 0 => {
                    let mut versions = self.versions(place)?;
                    if let Some(place) = tracked.changed.iter().position(|&changed| changed == column) {
                        versions.replace(place, other.cell());
                    }
                    return self.touch(seq, SERVER, place, &versions).map(|()| true);
                }
                Err(error) if !is_refused(&error) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(false)
    }
}

fn is_refused(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

/// The value of a key beside that of a row, of the same type.
fn beside(cell: Cell<'_>, attempt: u8) -> Option<OwnedCell> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Integer(number) => OwnedCell::Integer(number.checked_add(FAR * i64::from(attempt))?),
        Cell::Real(number) => {
            let far = number + FAR as f64 * f64::from(attempt);
            return (far.is_finite() && (far - number) > 0.0).then_some(OwnedCell::Real(far));
        }
        Cell::Text(Bytes(text)) => OwnedCell::Text([text, format!("-invented-{attempt}").as_bytes()].concat()),
        Cell::Blob(Bytes(blob)) => OwnedCell::Blob([blob, &[attempt]].concat()),
    })
}

/// A value that is not this one.
fn other_than(cell: Cell<'_>) -> OwnedCell {
    match cell {
        Cell::Null => OwnedCell::Integer(1),
        Cell::Integer(number) => OwnedCell::Integer(number.wrapping_add(1)),
        Cell::Real(number) => OwnedCell::Real(if number == 0.0 { 1.0 } else { -number }),
        Cell::Text(Bytes(text)) => OwnedCell::Text([text, b"~"].concat()),
        Cell::Blob(Bytes(blob)) => OwnedCell::Blob([blob, &[0]].concat()),
    }
}
