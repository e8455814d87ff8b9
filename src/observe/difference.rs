//! Which rows are not the same for all who should hold them: all holders' rows, read side by side in the order of
//! their keys, so that any number of rows costs no memory.

use std::path::Path;

use std::cmp::Ordering;

use rusqlite::{Connection, Rows as Cursor};

use super::columns::{Key, compared, keys_of, list_of, literals_of};
use super::contents::{Rows, source};
use super::order::{self, KeyValue};
use super::subject::Subject;
use crate::plan::{Collation, TablePlan};
use crate::record::{Difference, Holder, Holding, RowDifference};
use crate::session::{encode, open_reader};

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
    let keys = connections.first().map_or_else(|| Ok(Vec::new()), |first| keys_of(first, table))?;
    let collations: Vec<Collation> = keys.iter().map(|key| Collation::named(&key.collation)).collect();
    let sql = rows_sql(subject, table, &keys);
    let mut statements: Vec<_> = connections.iter().map(|one| one.prepare(&sql)).collect::<rusqlite::Result<_>>()?;
    let mut cursors: Vec<Cursor<'_>> =
        statements.iter_mut().map(|one| one.query([])).collect::<rusqlite::Result<_>>()?;
    let widths = (keys.len(), table.columns.len());
    let mut heads: Vec<Option<Head>> =
        cursors.iter_mut().map(|cursor| next(cursor, widths)).collect::<rusqlite::Result<_>>()?;
    let mut difference = Difference { user, table: table.name.clone(), total: 0, rows: Vec::new() };
    while let Some(first) = heads.iter().flatten().min_by(|a, b| a.compare(b, &collations)) {
        let at_key = |head: &&Head| head.compare(first, &collations).is_eq();
        let held: Vec<Option<&Head>> = heads.iter().map(|head| head.as_ref().filter(at_key)).collect();
        let there: Vec<bool> = held.iter().map(Option::is_some).collect();
        let rows = counted(subject, (user, table), first, holders, &held);
        if rows.windows(2).any(|pair| pair[0] != pair[1]) {
            difference.total += 1;
            if difference.rows.len() < NAMED {
                let holdings = holders.iter().zip(&rows).map(|((holder, _), row)| Holding {
                    holder: *holder,
                    row: row.clone(),
                    unsent: None,
                });
                difference.rows.push(RowDifference {
                    key: first.literals.clone(),
                    holders: holdings.collect(),
                    tombstone: None,
                    clocks: Vec::new(),
                    writes: None,
                });
            }
        }
        for ((head, cursor), there) in heads.iter_mut().zip(&mut cursors).zip(&there) {
            if *there {
                *head = next(cursor, widths)?;
            }
        }
    }
    Ok(difference)
}

/// The rows as they count: where a row is what a denied write left behind, the server's.
fn counted(
    subject: &Subject<'_>,
    (user, table): (u32, &TablePlan),
    first: &Head,
    holders: &[(Holder, &Path)],
    held: &[Option<&Head>],
) -> Vec<Option<String>> {
    let row = |place: usize| held[place].map(|head| head.row.clone());
    if subject.behind.is_empty() {
        return (0..held.len()).map(row).collect();
    }
    let server = holders.iter().position(|(holder, _)| *holder == Holder::Server);
    let key = subject.key_of(table, &first.key.iter().map(KeyValue::value).collect::<Vec<_>>());
    let is_left = |place: usize| {
        let left = subject.behind.of(user, holders[place].0).and_then(|behind| behind.get(&key));
        left.is_some_and(|left| left.is(held[place].map(|head| head.encoded.as_slice())))
    };
    (0..held.len()).map(|place| if is_left(place) { server.and_then(row) } else { row(place) }).collect()
}

/// SQL for a table's rows: the columns of the primary key, then key and row as SQL literals, then the columns, in the order
/// in which the key compares.
fn rows_sql(subject: &Subject<'_>, table: &TablePlan, keys: &[Key]) -> String {
    format!(
        "SELECT {}, {}, {}, {} {} ORDER BY {}",
        list_of(&table.primary_key),
        literals_of(&table.primary_key),
        literals_of(&table.columns),
        list_of(&table.columns),
        source(subject.plan, table, Rows::Allowed),
        compared(keys)
    )
}

/// The next row of a holder.
struct Head {
    key: Vec<KeyValue>,
    /// The key as SQL literals, here: another holder may have the same key in another form.
    literals: String,
    /// The whole row as SQL literals: no two rows have the same.
    row: String,
    /// The columns, as [`encode`] writes them.
    encoded: Vec<u8>,
}

impl Head {
    fn compare(&self, other: &Self, collations: &[Collation]) -> Ordering {
        let pairs = self.key.iter().zip(&other.key).zip(collations);
        pairs
            .map(|((a, b), collation)| order::compare(a, b, *collation))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

/// The next row, given the numbers of key columns and of all columns.
fn next(cursor: &mut Cursor<'_>, (keys, columns): (usize, usize)) -> rusqlite::Result<Option<Head>> {
    let Some(row) = cursor.next()? else { return Ok(None) };
    let key = (0..keys).map(|at| row.get_ref(at).map(KeyValue::from)).collect::<rusqlite::Result<_>>()?;
    let mut encoded = Vec::new();
    for column in 0..columns {
        encode(row.get_ref(keys + 2 + column)?, &mut encoded);
    }
    Ok(Some(Head { key, literals: row.get(keys)?, row: row.get(keys + 1)?, encoded }))
}
