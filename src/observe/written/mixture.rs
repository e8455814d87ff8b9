//! Rows as they come of several where columns are merged: each column is that of one of them, and in a text that is merged
//! block by block each block.

use std::collections::HashSet;

use rusqlite::types::ValueRef;

use crate::ledger::RowForm;
use crate::plan::{BlockPlan, Plan};
use crate::session::{decode, encode};

/// Mixtures of some rows that are looked at. Of more, nobody knows what the policies say.
const MOST: usize = 32;

/// What comes of rows of several writers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mixing<'p> {
    /// The row of one of them.
    Rows,
    /// A row in which each column is that of one of them; in these columns, each block is.
    Columns(&'p [BlockPlan]),
}

impl<'p> Mixing<'p> {
    /// In a table of the plan.
    pub(super) fn of(merges_columns: bool, plan: &'p Plan, table: usize) -> Self {
        if merges_columns { Self::Columns(&plan.tables[table].blocks) } else { Self::Rows }
    }
}

/// A row with the digest of the columns that policies read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'r> {
    pub(super) policy: u64,
    pub(super) bytes: &'r [u8],
}

/// A row of columns of several.
pub(super) struct Mixture {
    policy: u64,
    bytes: Vec<u8>,
}

impl Mixture {
    pub(super) fn of(row: Row<'_>) -> Self {
        Self { policy: row.policy, bytes: row.bytes.to_vec() }
    }

    pub(super) fn row(&self) -> Row<'_> {
        Row { policy: self.policy, bytes: &self.bytes }
    }
}

/// Whether each column of a row is that of one of the others, or in a column of blocks, each block. `several` says that the
/// others are of more than one writer: the text of one is never mixed with its own earlier ones.
pub(super) fn is_mixture<'r>(
    row: &[u8],
    others: impl Iterator<Item = &'r [u8]>,
    blocks: &[BlockPlan],
    several: bool,
) -> bool {
    let rows: Vec<Vec<ValueRef<'_>>> = others.map(|bytes| decode(bytes).unwrap_or_default()).collect();
    decode(row).unwrap_or_default().iter().enumerate().all(|(column, value)| {
        let mut others = rows.iter().filter_map(|row| row.get(column));
        others.clone().any(|other| same_bytes(*other, *value))
            || several
                && blocks
                    .iter()
                    .find(|block| block.place == column)
                    .is_some_and(|block| is_text_of(*value, &mut others, block.separator().as_bytes()))
    })
}

/// Whether each block of a text is a block of one of the others. A text of which no block is left is NULL, or empty in a
/// column that cannot be NULL: that is what two leave that have no block in common.
fn is_text_of<'v>(value: ValueRef<'v>, others: &mut dyn Iterator<Item = &ValueRef<'v>>, separator: &[u8]) -> bool {
    let others: Vec<HashSet<&[u8]>> = others.map(|other| blocks_of(*other, separator)).collect();
    let is_nothing =
        || others.iter().enumerate().any(|(i, one)| others[i + 1..].iter().any(|other| one.is_disjoint(other)));
    match value {
        ValueRef::Null | ValueRef::Text([]) => is_nothing(),
        ValueRef::Text(_) => {
            blocks_of(value, separator).iter().all(|block| others.iter().any(|other| other.contains(block)))
        }
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => false,
    }
}

/// The blocks of a text.
fn blocks_of<'v>(value: ValueRef<'v>, separator: &[u8]) -> HashSet<&'v [u8]> {
    let ValueRef::Text(mut rest) = value else { return HashSet::new() };
    let mut blocks = HashSet::new();
    while let Some(end) = rest.windows(separator.len()).position(|window| window == separator) {
        blocks.insert(&rest[..end]);
        rest = &rest[end + separator.len()..];
    }
    blocks.insert(rest);
    blocks
}

/// All mixtures of some rows that differ in the columns that policies read; none when they are too many, as they are where a
/// policy reads a text that is merged block by block.
pub(super) fn mixtures(rows: &[Row<'_>], form: &RowForm, blocks: &[BlockPlan]) -> Option<Vec<Mixture>> {
    let decoded: Vec<Vec<ValueRef<'_>>> = rows.iter().map(|row| decode(row.bytes).unwrap_or_default()).collect();
    let mut mixed: Vec<Vec<ValueRef<'_>>> = decoded.first().cloned().into_iter().collect();
    for &column in form.policy_columns() {
        let mut values: Vec<ValueRef<'_>> = Vec::new();
        for value in decoded.iter().filter_map(|row| row.get(column)) {
            if !values.iter().any(|known| same_bytes(*known, *value)) {
                values.push(*value);
            }
        }
        let is_mixed = values.len() > 1 && blocks.iter().any(|block| block.place == column);
        if is_mixed || mixed.len() * values.len() > MOST {
            return None;
        }
        mixed = mixed.iter().flat_map(|row| values.iter().map(|value| with(row, column, *value))).collect();
    }
    let encoded = |row: Vec<ValueRef<'_>>| {
        let (mut bytes, value) = (Vec::new(), |column: usize| row[column]);
        let policy = form.policy(value, &mut bytes);
        form.encode(value, &mut bytes);
        Mixture { policy, bytes }
    };
    Some(mixed.into_iter().map(encoded).collect())
}

/// A row with another value in a column.
fn with<'v>(row: &[ValueRef<'v>], column: usize, value: ValueRef<'v>) -> Vec<ValueRef<'v>> {
    let mut row = row.to_vec();
    row[column] = value;
    row
}

/// Whether two rows are the same in some columns.
pub(super) fn same_columns(a: &[u8], b: &[u8], columns: &[usize]) -> bool {
    let values = |bytes| decode(bytes).unwrap_or_default();
    let (a, b) = (values(a), values(b));
    columns.iter().all(|column| match (a.get(*column), b.get(*column)) {
        (Some(a), Some(b)) => same_bytes(*a, *b),
        _ => false,
    })
}

fn same_bytes(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    let encoded = |value| {
        let mut bytes = Vec::new();
        encode(value, &mut bytes);
        bytes
    };
    encoded(a) == encoded(b)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::{Grant, Plan};

    fn bytes(values: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in values {
            encode(ValueRef::Text(value.as_bytes()), &mut bytes);
        }
        bytes
    }

    #[test]
    fn a_mixture_has_each_column_of_one_of_the_others() {
        let (one, other) = (bytes(&["k", "a", "b"]), bytes(&["k", "c", "d"]));
        let is = |row: &[&str]| is_mixture(&bytes(row), [one.as_slice(), other.as_slice()].into_iter(), &[], true);
        assert!(is(&["k", "a", "b"]) && is(&["k", "a", "d"]) && is(&["k", "c", "b"]));
        assert!(!is(&["k", "b", "a"]) && !is(&["k", "a", "e"]) && !is(&["l", "a", "b"]));
        assert!(!is_mixture(&one, std::iter::empty(), &[], true));
    }

    #[test]
    fn a_text_of_blocks_has_each_block_of_one_of_several_writers() {
        let (one, other) = (bytes(&["k", "A\nb\nc"]), bytes(&["k", "a\nb\nC"]));
        let blocks = [BlockPlan { place: 1, delimiter: None }];
        let is = |text: &str, blocks: &[BlockPlan], several| {
            is_mixture(&bytes(&["k", text]), [one.as_slice(), other.as_slice()].into_iter(), blocks, several)
        };
        assert!(is("A\nb\nC", &blocks, true) && is("a\nC", &blocks, true));
        assert!(!is("A\nb\nC~", &blocks, true) && !is("A\nd\nC", &blocks, true) && !is("A\nbC", &blocks, true));
        assert!(!is("A\nb\nC", &blocks, false), "one writer's texts are never mixed");
        assert!(!is("A\nb\nC", &[], true), "the column is merged as a whole");
        assert!(!is("A\nb\nC", &[BlockPlan { place: 1, delimiter: Some("||".to_owned()) }], true));
        assert!(!is("", &blocks, true), "`b` stays, for both have it");
        let (one, other) = (bytes(&["k", "a"]), bytes(&["k", "b"]));
        assert!(is_mixture(&bytes(&["k", ""]), [one.as_slice(), other.as_slice()].into_iter(), &blocks, true));
    }

    #[test]
    fn what_policies_read_is_mixed_in_every_way_until_the_ways_are_too_many() {
        let scenario = serde_json::json!({
            "version": 1, "name": "mixtures",
            "schema": { "tables": [{ "name": "t", "sql": "CREATE TABLE t (id TEXT PRIMARY KEY, a, b, c)" }] },
            "rls": { "policies": { "t": { "select": "a = b", "insert": "1", "update": "1", "delete": "1" } } },
            "phases": [{ "sync": ["send"] }],
        });
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        let (plan, _) = Plan::new(&scenario, &Grant::default()).expect("a plan");
        let form = &RowForm::all(&plan.tables)[0];
        let mixed = |rows: &[Vec<u8>]| {
            let rows: Vec<Row<'_>> = rows.iter().map(|bytes| Row { policy: 0, bytes }).collect();
            mixtures(&rows, form, &[])
        };
        let made = mixed(&[bytes(&["k", "a", "b", "x"]), bytes(&["k", "c", "d", "y"])]).expect("they are few");
        let found: Vec<&[u8]> = made.iter().map(|one| one.row().bytes).collect();
        // What no policy reads is that of the first.
        let all = [["a", "b"], ["a", "d"], ["c", "b"], ["c", "d"]].map(|[a, b]| bytes(&["k", a, b, "x"]));
        assert_eq!(found, all.each_ref().map(Vec::as_slice));
        let policies: BTreeSet<u64> = made.iter().map(|one| one.row().policy).collect();
        assert_eq!(policies.len(), all.len());
        let many = |count: usize| -> Vec<Vec<u8>> {
            (0..count).map(|one| bytes(&["k", &format!("a{one}"), &format!("b{one}"), "x"])).collect()
        };
        assert_eq!(mixed(&many(5)).map(|mixed| mixed.len()), Some(25));
        assert!(mixed(&many(6)).is_none());
        assert!(mixed(&[]).is_some_and(|mixed| mixed.is_empty()));
    }
}
