//! The shapes that an altered table had before, and what a row in one of them is in the present one. As with CloudSync, a
//! message in a shape that its reader once had is understood, and one in a shape that it never had is not. Columns are the
//! same if their names are: one that was renamed is a new one. It must not know who sends what.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, params};

use super::merge::Versions;
use super::shape::{Shape, join};
use super::wire::{Cell, Malformed, OwnedCell};

/// The table of shapes; CloudSync calls its own so, too.
pub(crate) const TABLE: &str = "cloudsync_schema_versions";

/// A table's row in an earlier shape.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// How many cells a living row has in it.
    pub(crate) width: usize,
    /// Of each present column, its place among the cells of then.
    cells: Vec<Option<usize>>,
    /// Of each present column that has versions, its place among those of then.
    versions: Vec<Option<usize>>,
    /// What stands for the present columns that were not there: their defaults.
    defaults: Vec<OwnedCell>,
}

impl Earlier {
    /// The cells of a living row as they are now.
    pub(crate) fn cells<'c>(&'c self, cells: &[Cell<'c>]) -> Vec<Cell<'c>> {
        let defaults = self.defaults.iter().map(OwnedCell::cell);
        let places = self.cells.iter().zip(defaults);
        places.map(|(place, default)| place.and_then(|place| cells.get(place).copied()).unwrap_or(default)).collect()
    }

    /// The versions of a row as they are now. Whoever wrote it did not know the new columns: any other state of these is
    /// later.
    pub(crate) fn versions(&self, bytes: Option<&[u8]>) -> Result<Versions, Malformed> {
        Ok(Versions::read(bytes)?.rearranged(&self.versions, 0))
    }
}

/// Keeps the shape that a table had until now.
pub(crate) fn remember(connection: &Connection, shape: &Shape) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS main.{TABLE}(name TEXT NOT NULL COLLATE NOCASE, hash INTEGER NOT NULL,
             columns TEXT NOT NULL, counted TEXT NOT NULL, PRIMARY KEY (name, hash)) WITHOUT ROWID"
    ))?;
    let names: Vec<&str> = shape.columns.iter().map(|column| column.name.as_str()).collect();
    connection
        .execute(
            &format!("INSERT OR REPLACE INTO main.{TABLE} VALUES (?1, ?2, ?3, ?4)"),
            params![shape.name, shape.hash.cast_signed(), list(&names), list(&counted(shape))],
        )
        .map(drop)
}

/// How rows came in the shape with this hash, if the table once had it.
pub(crate) fn recall(connection: &Connection, shape: &Shape, hash: u64) -> rusqlite::Result<Option<Earlier>> {
    let kept = connection.prepare_cached("SELECT 1 FROM main.sqlite_schema WHERE name = ?1")?.exists([TABLE])?;
    if !kept {
        return Ok(None);
    }
    let known: Option<(String, String)> = connection
        .prepare_cached(&format!("SELECT columns, counted FROM main.{TABLE} WHERE name = ?1 AND hash = ?2"))?
        .query_row(params![shape.name, hash.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((columns, counted_then)) = known else { return Ok(None) };
    let read = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap_or_default();
    let columns = read(&columns);
    let now: Vec<&str> = shape.columns.iter().map(|column| column.name.as_str()).collect();
    Ok(Some(Earlier {
        width: columns.len(),
        cells: places(&now, &columns),
        versions: places(&counted(shape), &read(&counted_then)),
        defaults: defaults(connection, shape)?,
    }))
}

/// Of each column that has versions now, where it stood among those of the shape before.
pub(crate) fn moves(before: &Shape, now: &Shape) -> Vec<Option<usize>> {
    places(&counted(now), &counted(before))
}

/// Whether the table has columns that were not there before.
pub(crate) fn has_new_columns(before: &Shape, now: &Shape) -> bool {
    let known = |name: &str| before.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    now.columns.iter().any(|column| !known(&column.name))
}

/// SQL that gives the versions in a table's column `cs_versions` their new order.
pub(crate) fn rearrange(table: &str, places: &[Option<usize>]) -> String {
    let places = serde_json::json!(places);
    format!(
        "UPDATE main.{table} SET cs_versions = cloudsync_rearranged(cs_versions, '{places}') WHERE cs_versions IS NOT NULL;"
    )
}

/// The names of the columns that have versions.
fn counted(shape: &Shape) -> Vec<&str> {
    shape.changed().map(|column| shape.columns[column].name.as_str()).collect()
}

fn list(names: &[&str]) -> String {
    serde_json::json!(names).to_string()
}

fn places(now: &[&str], then: &[impl AsRef<str>]) -> Vec<Option<usize>> {
    now.iter().map(|name| then.iter().position(|known| known.as_ref().eq_ignore_ascii_case(name))).collect()
}

/// The defaults of all columns.
fn defaults(connection: &Connection, shape: &Shape) -> rusqlite::Result<Vec<OwnedCell>> {
    let expressions =
        join(&shape.columns, ", ", |_, column| format!("({})", column.default.as_deref().unwrap_or("NULL")));
    connection.query_row(&format!("SELECT {expressions}"), [], |row| {
        let cell = |at| row.get_ref(at).map(|value: ValueRef<'_>| Cell::from(value).into());
        (0..shape.columns.len()).map(cell).collect()
    })
}
