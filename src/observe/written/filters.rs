//! On which side of its table's filter a key was written, asked of SQLite here and not of the databases.

use std::path::Path;

use rusqlite::Connection;

use super::judge::Writes;
use super::mixture::Row;
use super::policies::put;
use crate::plan::{Plan, TablePlan};
use crate::session::open_reader;

/// Where the rows lie that were written under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// All of them match the filter, or there is none.
    Inside,
    /// None of them matches: they stay where they were written.
    Outside,
    /// Some match, and what of the others arrives elsewhere depends on when it was sent.
    Both,
}

/// Answers about rows of tables that have a filter.
pub(super) struct Filters(Connection);

impl Filters {
    /// None where no table has a filter.
    pub(super) fn open(plan: &Plan) -> rusqlite::Result<Option<Self>> {
        if plan.tables.iter().all(|table| table.filter.is_none()) {
            return Ok(None);
        }
        let connection = open_reader(Path::new(":memory:"), "")?;
        connection.execute_batch("PRAGMA foreign_keys = off")?;
        plan.tables.iter().try_for_each(|table| connection.execute_batch(&table.in_the_end()))?;
        Ok(Some(Self(connection)))
    }

    /// Where the rows lie that were written under a key of a table.
    pub(super) fn side(&self, table: &TablePlan, writes: &[Writes<'_>]) -> rusqlite::Result<Side> {
        let Some(filter) = &table.filter else { return Ok(Side::Inside) };
        let sql = format!("SELECT count(*) FROM main.{} WHERE ({filter})", crate::sql::quote(&table.name));
        let (mut inside, mut outside) = (false, false);
        for row in writes.iter().flat_map(|writes| &writes.entries).filter_map(|entry| entry.row.as_ref()) {
            put(&self.0, "main", table, Some(Row { policy: 0, bytes: &row.bytes }))?;
            let matches: bool = self.0.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
            inside |= matches;
            outside |= !matches;
        }
        Ok(match (inside, outside) {
            (true, true) => Side::Both,
            (false, true) => Side::Outside,
            (_, false) => Side::Inside,
        })
    }
}
