//! Rows as they come of several where columns are merged: each column is that of one of them.

use rusqlite::types::ValueRef;

use crate::ledger::RowForm;
use crate::session::{decode, encode};

/// Mixtures of some rows that are looked at. Of more, nobody knows what the policies say.
const MOST: usize = 32;

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

/// Whether each column of a row is that of one of the others.
pub(super) fn is_mixture<'r>(row: &[u8], others: impl Iterator<Item = &'r [u8]>) -> bool {
    let rows: Vec<Vec<ValueRef<'_>>> = others.map(|bytes| decode(bytes).unwrap_or_default()).collect();
    decode(row)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .all(|(column, value)| rows.iter().any(|row| row.get(column).is_some_and(|other| same_bytes(*other, *value))))
}

/// All mixtures of some rows that differ in the columns that policies read; none when they are too many.
pub(super) fn mixtures(rows: &[Row<'_>], form: &RowForm) -> Option<Vec<Mixture>> {
    let decoded: Vec<Vec<ValueRef<'_>>> = rows.iter().map(|row| decode(row.bytes).unwrap_or_default()).collect();
    let mut mixed: Vec<Vec<ValueRef<'_>>> = decoded.first().cloned().into_iter().collect();
    for &column in form.policy_columns() {
        let mut values: Vec<ValueRef<'_>> = Vec::new();
        for value in decoded.iter().filter_map(|row| row.get(column)) {
            if !values.iter().any(|known| same_bytes(*known, *value)) {
                values.push(*value);
            }
        }
        if mixed.len() * values.len() > MOST {
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
        let is = |row: &[&str]| is_mixture(&bytes(row), [one.as_slice(), other.as_slice()].into_iter());
        assert!(is(&["k", "a", "b"]) && is(&["k", "a", "d"]) && is(&["k", "c", "b"]));
        assert!(!is(&["k", "b", "a"]) && !is(&["k", "a", "e"]) && !is(&["l", "a", "b"]));
        assert!(!is_mixture(&one, std::iter::empty()));
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
            mixtures(&rows, form)
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
