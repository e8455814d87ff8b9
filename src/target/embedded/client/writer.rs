//! Merging received rows of one table into the file. It must not know pages.

use std::rc::Rc;

use rusqlite::{CachedStatement, Connection};

use super::super::history::{self, Earlier};
use super::super::merge::{Merged, Versions, merge_cells};
use super::super::shape::{Shape, companion, join};
use super::super::wire::{Bytes, Cell, OwnedCell, PageTable, RowState};
use super::error::failure;
use super::{capture, triggers};
use crate::sql::quote;

/// What happens when another row holds a value that must be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflict {
    /// The row is not written.
    Fail,
    /// The other row goes.
    Replace,
}

/// A table of a page and the statements that write it.
pub(super) struct Writer<'c, 's> {
    connection: &'c Connection,
    shape: &'s Shape,
    /// How the page's rows are to be read, where the hub's table still has a shape that this one had before.
    earlier: Option<Rc<Earlier>>,
    /// The columns that have versions.
    changed: Vec<usize>,
    /// Whether rows wait to be sent.
    has_dirty: bool,
    /// Whether anything is known of any row. Of others, what the hub has is never older than what is here.
    knows: bool,
    /// Given a key: whether the row is dirty, whether it has versions, and which.
    known: CachedStatement<'c>,
    /// Given a key: the row's columns.
    held: CachedStatement<'c>,
    /// Writes a row, or only a row that is there already.
    upsert: CachedStatement<'c>,
    /// Writes a row that is not there yet.
    insert: Option<CachedStatement<'c>>,
    delete: CachedStatement<'c>,
    /// Notes the versions of a row: its key, versions.
    note: CachedStatement<'c>,
    /// Forgets the versions of a row.
    forget: CachedStatement<'c>,
}

/// What is known of a row here.
struct Known {
    is_dirty: bool,
    /// Its versions; none if they are not noted.
    noted: Option<Versions>,
}

impl Known {
    const NOTHING: Self = Self { is_dirty: false, noted: None };

    /// The versions of what is held, if it may be newer than what the hub has.
    fn versions(&self) -> Option<Versions> {
        // A row that was inserted here has no versions noted.
        self.noted.clone().or_else(|| self.is_dirty.then(Versions::default))
    }
}

impl<'c, 's> Writer<'c, 's> {
    /// None where the table never had the shape that the page has.
    pub(super) fn open(
        connection: &'c Connection,
        shapes: &'s [Shape],
        table: &PageTable<'_>,
        triggers: bool,
    ) -> rusqlite::Result<Option<Self>> {
        let shape = shapes.iter().find(|shape| shape.name.eq_ignore_ascii_case(table.head.name));
        let hash = table.head.hash;
        let Some(shape) = shape else { return Ok(None) };
        let earlier = if shape.hash == hash {
            None
        } else {
            let Some(earlier) = history::recall(connection, shape, hash)? else { return Ok(None) };
            Some(Rc::new(earlier))
        };
        let (dirty, versions) = (companion(&shape.name, "_cloudsync"), triggers::versions(&shape.name));
        let mut any_dirty = connection
            .prepare_cached(&format!("SELECT 1 FROM main.{dirty} WHERE version > ?1 AND cs_pk1 IS NOT NULL"))?;
        if any_dirty.exists([0])? {
            capture::acknowledge(connection, shape, table.acknowledged)?;
        }
        let has_dirty = any_dirty.exists([table.acknowledged])?;
        let knows = has_dirty || connection.prepare_cached(&format!("SELECT 1 FROM main.{versions}"))?.exists([])?;
        let same = |prefix: &str| join(&shape.keys, " AND ", |i, _| format!("{prefix}cs_pk{0} = ?{0}", i + 1));
        let is_dirty = format!("LEFT JOIN main.{dirty} AS d ON {}", same("d."));
        let (is_dirty, dirty_key) = if has_dirty { (is_dirty.as_str(), "d.cs_pk1") } else { ("", "NULL") };
        let same_row = shape.key_match("", |i| format!("?{}", i + 1));
        let name = quote(&shape.name);
        let (upsert, insert) = if triggers {
            match shape.update_and_insert() {
                (Some(update), insert) => (update, Some(insert)),
                (None, insert) => (insert, None),
            }
        } else {
            (shape.upsert(), None)
        };
        let prepare = |sql: String| connection.prepare_cached(&sql);
        let keys = shape.companion_key_list("");
        let parameters = join(0..=shape.keys.len(), ", ", |i, _| format!("?{}", i + 1));
        Ok(Some(Self {
            connection,
            shape,
            earlier,
            changed: shape.changed().collect(),
            has_dirty,
            knows,
            known: prepare(format!(
                "SELECT {dirty_key} IS NOT NULL, v.cs_pk1 IS NOT NULL, v.cs_versions FROM (SELECT 1)
                 {is_dirty} LEFT JOIN main.{versions} AS v ON {}",
                same("v.")
            ))?,
            held: prepare(format!("SELECT {} FROM main.{name} WHERE {same_row}", shape.column_list("")))?,
            upsert: prepare(upsert)?,
            insert: insert.map(prepare).transpose()?,
            delete: prepare(format!("DELETE FROM main.{name} WHERE {same_row}"))?,
            note: prepare(format!(
                "INSERT INTO main.{versions}({keys}, cs_versions) VALUES ({parameters})
                 ON CONFLICT({keys}) DO UPDATE SET cs_versions = ?{}",
                shape.keys.len() + 1
            ))?,
            forget: prepare(format!("DELETE FROM main.{versions} WHERE {}", same("")))?,
        }))
    }

    /// How many cells of a row follow its head.
    pub(super) fn cells(&self, state: RowState<'_>) -> usize {
        let columns = self.earlier.as_ref().map_or(self.shape.columns.len(), |earlier| earlier.width);
        state.cells(columns, self.shape.keys.len())
    }

    /// Whether rows wait to be sent.
    pub(super) fn has_dirty(&self) -> bool {
        self.has_dirty
    }

    /// Merges a row: how many rows changed.
    pub(super) fn write(
        &mut self,
        state: RowState<'_>,
        cells: &[Cell<'_>],
        conflict: Conflict,
    ) -> rusqlite::Result<u64> {
        if let (RowState::Live(bytes), Some(earlier)) = (state, self.earlier.clone()) {
            let versions = earlier.versions(bytes.map(|Bytes(bytes)| bytes)).map_err(|_| unreadable())?.write();
            let state = RowState::Live(versions.as_deref().map(Bytes));
            return self.write_present(state, &earlier.cells(cells), conflict);
        }
        self.write_present(state, cells, conflict)
    }

    /// The same for a row in the present shape.
    fn write_present(&mut self, state: RowState<'_>, cells: &[Cell<'_>], conflict: Conflict) -> rusqlite::Result<u64> {
        let key: Vec<Cell<'_>> = match state {
            RowState::Live(_) => self.shape.keys.iter().map(|&column| cells[column]).collect(),
            RowState::Dead(_) | RowState::Hidden => cells.to_vec(),
        };
        let known = if self.knows { self.known(&key)? } else { Known::NOTHING };
        match state {
            RowState::Hidden if known.is_dirty => Ok(0),
            RowState::Hidden => {
                self.forget_versions(&known, &key)?;
                self.remove(&key)
            }
            RowState::Dead(life) if known.versions().is_some_and(|held| held.life() >= life) => Ok(0),
            RowState::Dead(life) => {
                self.note_versions(&key, Versions::dead(life).write().as_deref())?;
                self.remove(&key)
            }
            RowState::Live(bytes) => self.put(&known, &key, bytes, cells, conflict),
        }
    }

    fn put(
        &mut self,
        known: &Known,
        key: &[Cell<'_>],
        bytes: Option<Bytes<'_>>,
        cells: &[Cell<'_>],
        conflict: Conflict,
    ) -> rusqlite::Result<u64> {
        let bytes = bytes.map(|Bytes(bytes)| bytes);
        let width = self.changed.len();
        // A row in an earlier shape says nothing of the columns that are new here.
        let is_partial = self.earlier.is_some();
        if let Some(held) = known.versions().or_else(|| is_partial.then(Versions::default)) {
            let other = Versions::read(bytes).map_err(|_| unreadable())?;
            // The hub has seen what is not dirty, and merged it or refused it.
            if known.is_dirty || is_partial || held.is_ahead_of(&other, width) {
                match self.merge(key, &held, &other, cells)? {
                    (Merged::Held, _) => return Ok(0),
                    (Merged::Other, _) => {}
                    (Merged::Both(versions), both) => {
                        let both: Vec<Cell<'_>> = both.iter().map(OwnedCell::cell).collect();
                        let rows = self.store(&both, conflict)?;
                        self.note_versions(key, versions.write().as_deref())?;
                        return Ok(rows);
                    }
                }
            }
        }
        let rows = self.store(cells, conflict)?;
        match bytes {
            Some(_) => self.note_versions(key, bytes)?,
            None => self.forget_versions(known, key)?,
        }
        Ok(rows)
    }

    /// Merges a living row with the one that is held; where each gives something, the columns of both.
    fn merge(
        &mut self,
        key: &[Cell<'_>],
        held: &Versions,
        other: &Versions,
        cells: &[Cell<'_>],
    ) -> rusqlite::Result<(Merged, Vec<OwnedCell>)> {
        bind(&mut self.held, key)?;
        let mut rows = self.held.raw_query();
        // A row may be missing whose deletion nobody captured.
        let Some(row) = rows.next()? else {
            return Ok((if held.life() > other.life() { Merged::Held } else { Merged::Other }, Vec::new()));
        };
        let row: Vec<Cell<'_>> =
            (0..cells.len()).map(|column| row.get_ref(column).map(Cell::from)).collect::<rusqlite::Result<_>>()?;
        Ok(merge_cells(held, other, self.shape, &self.changed, &row, cells))
    }

    fn known(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<Known> {
        bind(&mut self.known, key)?;
        let mut rows = self.known.raw_query();
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let noted = if row.get(1)? {
            let versions = Versions::read(row.get_ref(2)?.as_blob_or_null()?);
            Some(versions.map_err(|_| failure("the versions of a row cannot be read"))?)
        } else {
            None
        };
        Ok(Known { is_dirty: row.get(0)?, noted })
    }

    fn store(&mut self, values: &[Cell<'_>], conflict: Conflict) -> rusqlite::Result<u64> {
        if conflict == Conflict::Replace {
            let sql = format!(
                "INSERT OR REPLACE INTO main.{}({}) VALUES ({})",
                quote(&self.shape.name),
                self.shape.column_list(""),
                self.shape.parameters()
            );
            let mut replace = self.connection.prepare_cached(&sql)?;
            bind(&mut replace, values)?;
            return replace.raw_execute().map(|_| 1);
        }
        bind(&mut self.upsert, values)?;
        let rows = self.upsert.raw_execute()?;
        let rows = match &mut self.insert {
            Some(insert) if rows == 0 => {
                bind(insert, values)?;
                insert.raw_execute()?
            }
            _ => rows,
        };
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    fn remove(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<u64> {
        bind(&mut self.delete, key)?;
        self.delete.raw_execute().map(|rows| u64::try_from(rows).unwrap_or(0))
    }

    fn note_versions(&mut self, key: &[Cell<'_>], versions: Option<&[u8]>) -> rusqlite::Result<()> {
        bind(&mut self.note, key)?;
        self.note.raw_bind_parameter(key.len() + 1, versions)?;
        self.note.raw_execute().map(drop)?;
        self.knows = true;
        Ok(())
    }

    fn forget_versions(&mut self, known: &Known, key: &[Cell<'_>]) -> rusqlite::Result<()> {
        if known.noted.is_none() {
            return Ok(());
        }
        bind(&mut self.forget, key)?;
        self.forget.raw_execute().map(drop)
    }
}

fn unreadable() -> rusqlite::Error {
    failure("the versions of a received row cannot be read")
}

fn bind(statement: &mut CachedStatement<'_>, values: &[Cell<'_>]) -> rusqlite::Result<()> {
    values.iter().enumerate().try_for_each(|(i, value)| statement.raw_bind_parameter(i + 1, value))
}
