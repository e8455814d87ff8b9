//! Which rows are not the same for all who should hold them: all holders' rows, read side by side in the order of
//! their keys, so that any number of rows costs no memory.

use std::path::Path;

use rusqlite::{Connection, Row, Rows as Cursor};

use super::contents::{Rows, literals};
use super::subject::Subject;
use crate::plan::TablePlan;
use crate::record::{Difference, Holder, Holding, RowDifference};
use crate::session::open_reader;

/// Differing rows that are named; the others are counted.
const NAMED: usize = 20;

/// Compares a table among its holders, as `user` may see it.
pub(super) fn compare(
    subject: &Subject<'_>,
    user: u32,
    table: &TablePlan,
    holders: &[(Holder, &Path)],
) -> rusqlite::Result<Difference> {
    let connections: Vec<Connection> =
        holders.iter().map(|(_, file)| open_reader(file, subject.user_id(user))).collect::<rusqlite::Result<_>>()?;
    let sql = literals(subject.plan, table, Rows::Allowed);
    let mut statements: Vec<_> = connections.iter().map(|one| one.prepare(&sql)).collect::<rusqlite::Result<_>>()?;
    let mut cursors: Vec<Cursor<'_>> =
        statements.iter_mut().map(|one| one.query([])).collect::<rusqlite::Result<_>>()?;
    let mut heads: Vec<Option<(String, String)>> = cursors.iter_mut().map(next).collect::<rusqlite::Result<_>>()?;
    let mut difference = Difference { user, table: table.name.clone(), total: 0, rows: Vec::new() };
    while let Some(key) = heads.iter().flatten().map(|(key, _)| key).min().cloned() {
        let at_key = |head: &Option<(String, String)>| {
            head.as_ref().filter(|(other, _)| *other == key).map(|(_, row)| row.clone())
        };
        let rows: Vec<Option<String>> = heads.iter().map(at_key).collect();
        if rows.windows(2).any(|pair| pair[0] != pair[1]) {
            difference.total += 1;
            if difference.rows.len() < NAMED {
                let holdings = holders.iter().zip(&rows).map(|((holder, _), row)| Holding {
                    holder: *holder,
                    row: row.clone(),
                    unsent: None,
                });
                difference.rows.push(RowDifference {
                    key: key.clone(),
                    holders: holdings.collect(),
                    tombstone: None,
                    clocks: Vec::new(),
                    writes: None,
                });
            }
        }
        for ((head, cursor), row) in heads.iter_mut().zip(&mut cursors).zip(&rows) {
            if row.is_some() {
                *head = next(cursor)?;
            }
        }
    }
    Ok(difference)
}

fn next(cursor: &mut Cursor<'_>) -> rusqlite::Result<Option<(String, String)>> {
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    cursor.next()?.map(read).transpose()
}
