//! The rows of a table as digests: which key a row has, by the key's own collations, and what the row is, byte by byte.

use rusqlite::types::ValueRef;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::plan::{Collation, KeyColumn, TablePlan};
use crate::session::encode;

/// The bits of a key below the place of its table.
const TABLE_BITS: u32 = 112;

/// How the rows of a table are read.
#[derive(Debug, Clone)]
pub(crate) struct RowForm {
    /// The place of the table in the plan: the first part of every key.
    table: u16,
    columns: usize,
    /// The places of the columns among all of the table's.
    pub(super) places: Vec<i32>,
    key: Vec<KeyColumn>,
    policy: Vec<usize>,
}

impl RowForm {
    /// Of each table, in the plan's order.
    pub(crate) fn all(tables: &[TablePlan]) -> Vec<Self> {
        (0..).zip(tables).map(|(index, table)| Self::of(index, table)).collect()
    }

    fn of(index: u16, table: &TablePlan) -> Self {
        Self {
            table: index,
            columns: table.columns.len(),
            places: table.places.clone(),
            key: table.key.clone(),
            policy: if table.policies.is_some() { table.policy_columns.clone() } else { Vec::new() },
        }
    }

    /// Encodes a row, given its values by the places in the plan's columns, and gives its digest.
    pub(crate) fn encode<'v>(&self, value: impl Fn(usize) -> ValueRef<'v>, into: &mut Vec<u8>) -> u128 {
        self.encode_row(value, into);
        digest(into)
    }

    /// Encodes a row, given its values by the places in the plan's columns.
    pub(crate) fn encode_row<'v>(&self, value: impl Fn(usize) -> ValueRef<'v>, into: &mut Vec<u8>) {
        into.clear();
        for column in 0..self.columns {
            encode(value(column), into);
        }
    }

    /// The place of the table of a key.
    pub(crate) fn table_of(key: u128) -> usize {
        (key >> TABLE_BITS) as usize
    }

    /// The place of the table, and the digest of the key. Keys that SQLite takes for equal have the same. `buffer` is used
    /// on the way.
    pub(crate) fn key<'v>(&self, value: impl Fn(usize) -> ValueRef<'v>, buffer: &mut Vec<u8>) -> u128 {
        buffer.clear();
        for column in &self.key {
            match value(column.place) {
                ValueRef::Real(number) if is_whole(number) => encode(ValueRef::Integer(whole(number)), buffer),
                ValueRef::Text(text) => encode_text(text, column.collation, buffer),
                other => encode(other, buffer),
            }
        }
        u128::from(self.table) << TABLE_BITS | xxh3_128(buffer) >> (u128::BITS - TABLE_BITS)
    }

    /// The key of a table of the plan, given the values of its primary key.
    pub(crate) fn of_key(tables: &[TablePlan], table: usize, key: &[ValueRef<'_>]) -> u128 {
        let form = Self::of(u16::try_from(table).unwrap_or(u16::MAX), &tables[table]);
        let value = |column: usize| {
            let at = form.key.iter().position(|key| key.place == column);
            at.and_then(|at| key.get(at).copied()).unwrap_or(ValueRef::Null)
        };
        form.key(value, &mut Vec::new())
    }

    /// Encodes the key as it stands.
    pub(super) fn encode_key<'v>(&self, value: impl Fn(usize) -> ValueRef<'v>, into: &mut Vec<u8>) {
        into.clear();
        self.key.iter().for_each(|column| encode(value(column.place), into));
    }

    /// The key of a row.
    pub(super) fn key_of<'v>(&self, row: &[ValueRef<'v>]) -> Vec<ValueRef<'v>> {
        self.key.iter().filter_map(|column| row.get(column.place).copied()).collect()
    }

    /// The places of the columns that policies read; none where there are no policies.
    pub(crate) fn policy_columns(&self) -> &[usize] {
        &self.policy
    }

    /// The digest of the columns that policies read; 0 where there are no policies.
    pub(crate) fn policy<'v>(&self, value: impl Fn(usize) -> ValueRef<'v>, buffer: &mut Vec<u8>) -> u64 {
        if self.policy.is_empty() {
            return 0;
        }
        buffer.clear();
        self.policy.iter().for_each(|column| encode(value(*column), buffer));
        xxh3_64(buffer)
    }
}

/// Whether a number is one that SQLite compares as equal to an integer. The limits are exact: -2^63 and 2^63.
fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number)
}

#[expect(clippy::cast_possible_truncation, reason = "only whole numbers in the range of integers come here")]
fn whole(number: f64) -> i64 {
    number as i64
}

/// The digest of an encoded row.
pub(super) fn digest(row: &[u8]) -> u128 {
    xxh3_128(row)
}

fn encode_text(text: &[u8], collation: Collation, into: &mut Vec<u8>) {
    match collation {
        Collation::Binary => encode(ValueRef::Text(text), into),
        Collation::NoCase => {
            // SQLite's own reads no further than a NUL, and then goes by the lengths.
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            encode(ValueRef::Text(&text[..end].to_ascii_lowercase()), into);
            into.extend_from_slice(&text.len().to_le_bytes());
        }
        Collation::RTrim => {
            let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
            encode(ValueRef::Text(&text[..end]), into);
        }
    }
}
