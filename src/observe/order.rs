//! The order of primary keys, as SQLite compares them: by type, numbers by their value whatever their type, and texts by
//! the key's collation. It must not know any table.

use std::cmp::Ordering;

use rusqlite::types::ValueRef;

use crate::plan::Collation;

fn texts(a: &[u8], b: &[u8], collation: Collation) -> Ordering {
    match collation {
        Collation::Binary => a.cmp(b),
        Collation::NoCase => without_case(a, b),
        Collation::RTrim => trimmed(a).cmp(trimmed(b)),
    }
}

/// A value of a key, kept while other rows are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KeyValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl From<ValueRef<'_>> for KeyValue {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(bytes) => Self::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl KeyValue {
    /// The place of its type: NULL before numbers before texts before blobs.
    fn place(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(_) => 1,
            Self::Text(_) => 2,
            Self::Blob(_) => 3,
        }
    }

    pub(super) fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

/// Which of two values stands first under `ORDER BY`; equal where a primary key takes them for the same.
pub(super) fn compare(a: &KeyValue, b: &KeyValue, collation: Collation) -> Ordering {
    match (a, b) {
        (KeyValue::Integer(a), KeyValue::Integer(b)) => a.cmp(b),
        (KeyValue::Integer(a), KeyValue::Real(b)) => integer_and_real(*a, *b),
        (KeyValue::Real(a), KeyValue::Integer(b)) => integer_and_real(*b, *a).reverse(),
        // SQLite has no NaN.
        (KeyValue::Real(a), KeyValue::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (KeyValue::Text(a), KeyValue::Text(b)) => texts(a, b, collation),
        (KeyValue::Blob(a), KeyValue::Blob(b)) => a.cmp(b),
        _ => a.place().cmp(&b.place()),
    }
}

/// By their exact values: most integers of 64 bits are no real number.
#[expect(clippy::cast_possible_truncation, reason = "the integral part of a number within the range of integers")]
fn integer_and_real(integer: i64, real: f64) -> Ordering {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if real >= BEYOND {
        Ordering::Less
    } else if real < -BEYOND {
        Ordering::Greater
    } else {
        let whole = real.trunc();
        integer.cmp(&(whole as i64)).then(whole.partial_cmp(&real).unwrap_or(Ordering::Equal))
    }
}

/// ASCII letters without their case; what both have up to a NUL at the same place decides by the lengths alone.
fn without_case(a: &[u8], b: &[u8]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let order = a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase());
        if order.is_ne() {
            return order;
        }
        if *a == 0 {
            break;
        }
    }
    a.len().cmp(&b.len())
}

fn trimmed(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|byte| **byte == b' ').count();
    &text[..text.len() - spaces]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;
    use rusqlite::types::ToSqlOutput;

    use super::*;

    fn value() -> impl Strategy<Value = KeyValue> {
        let bytes = proptest::collection::vec(proptest::sample::select(b"aAbB[ \0\xff".to_vec()), 0..4);
        let near = prop_oneof![Just(0_i64), Just(1 << 53), Just(i64::MAX), Just(i64::MIN)];
        let integer = (near, -2..2_i64).prop_map(|(near, by)| near.wrapping_add(by));
        prop_oneof![
            Just(KeyValue::Null),
            integer.clone().prop_map(KeyValue::Integer),
            (integer, -1..2_i8).prop_map(|(whole, by)| KeyValue::Real(whole as f64 + f64::from(by) / 2.0)),
            bytes.clone().prop_map(KeyValue::Text),
            bytes.prop_map(KeyValue::Blob),
        ]
    }

    proptest! {
        #[test]
        fn keys_are_compared_as_sqlite_compares_them(a in value(), b in value()) {
            let connection = Connection::open_in_memory().expect("memory");
            for name in ["BINARY", "NOCASE", "RTRIM"] {
                connection.execute_batch(&format!("CREATE TABLE {name} (v COLLATE {name}, which)")).expect("a table");
                for (which, value) in [(0, &a), (1, &b)] {
                    let insert = format!("INSERT INTO {name} VALUES (?1, ?2)");
                    connection.execute(&insert, (ToSqlOutput::Borrowed(value.value()), which)).expect("a row");
                }
                let ask = format!(
                    "SELECT coalesce(a.v = b.v, a.v IS b.v), (SELECT which FROM {name} ORDER BY v, which LIMIT 1) \
                     FROM {name} AS a, {name} AS b WHERE a.which = 0 AND b.which = 1"
                );
                let (equal, first): (bool, i64) =
                    connection.query_row(&ask, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("an answer");
                let order = if equal { Ordering::Equal } else if first == 0 { Ordering::Less } else { Ordering::Greater };
                prop_assert_eq!(compare(&a, &b, Collation::named(name)), order, "{}", name);
            }
        }
    }
}
