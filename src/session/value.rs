//! Values exactly: byte for byte, the one form in which rows are compared, whoever holds them; and as SQL literals, the
//! form in which they are told and asked for.

use std::fmt::Write;

use rusqlite::types::{Value, ValueRef};

use super::hex::hex;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

/// 2 to the power of 62, the largest that is an integer of SQLite.
const LARGEST_POWER: i32 = 62;

/// A value of its own. A text that is no UTF-8 becomes a blob, which no text equals.
pub(crate) fn to_owned(value: ValueRef<'_>) -> Value {
    Value::try_from(value).unwrap_or_else(|_| match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Value::Null,
    })
}

/// Appends a value with its type and length, so that no two rows are encoded alike.
pub(crate) fn encode(value: ValueRef<'_>, into: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        into.push(tag);
        // SQLite's values have fewer than 2^31 bytes.
        into.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        into.extend_from_slice(bytes);
    };
    match value {
        ValueRef::Null => into.push(NULL),
        ValueRef::Integer(number) => {
            into.push(INTEGER);
            into.extend_from_slice(&number.to_le_bytes());
        }
        ValueRef::Real(number) => {
            into.push(REAL);
            into.extend_from_slice(&number.to_le_bytes());
        }
        ValueRef::Text(text) => sized(TEXT, text),
        ValueRef::Blob(bytes) => sized(BLOB, bytes),
    }
}

/// The values of an encoded row; none when the bytes are no such row.
pub(crate) fn decode(mut row: &[u8]) -> Option<Vec<ValueRef<'_>>> {
    let mut values = Vec::new();
    while let Some((tag, rest)) = row.split_first() {
        let (value, rest) = match *tag {
            NULL => (ValueRef::Null, rest),
            INTEGER => {
                let (number, rest) = rest.split_first_chunk::<8>()?;
                (ValueRef::Integer(i64::from_le_bytes(*number)), rest)
            }
            REAL => {
                let (number, rest) = rest.split_first_chunk::<8>()?;
                (ValueRef::Real(f64::from_le_bytes(*number)), rest)
            }
            TEXT | BLOB => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                (if *tag == TEXT { ValueRef::Text(bytes) } else { ValueRef::Blob(bytes) }, rest)
            }
            _ => return None,
        };
        values.push(value);
        row = rest;
    }
    Some(values)
}

/// Appends a value as an SQL literal: an expression that SQLite evaluates to the same type and bytes. No two values have
/// the same literal.
pub(crate) fn literal(value: ValueRef<'_>, into: &mut String) {
    match value {
        ValueRef::Null => into.push_str("NULL"),
        ValueRef::Integer(number) => put(into, format_args!("{number}")),
        ValueRef::Real(number) => real(number, into),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => put(into, format_args!("'{}'", text.replace('\'', "''"))),
            // SQL ends at a NUL, and what is no UTF-8 cannot be sent as a part of SQL.
            _ => put(into, format_args!("CAST(X'{}' AS TEXT)", hex(bytes).to_ascii_uppercase())),
        },
        ValueRef::Blob(bytes) => put(into, format_args!("X'{}'", hex(bytes).to_ascii_uppercase())),
    }
}

/// Appends a real number that every SQLite reads back without an error: in decimal where its reading is exact enough to
/// tell the number from its neighbours, and else by powers of two.
fn real(number: f64, into: &mut String) {
    let size = number.abs();
    if size.is_infinite() {
        into.push_str(if number > 0.0 { "9e999" } else { "-9e999" });
    } else if number == 0.0 {
        into.push_str(if number.is_sign_negative() { "-0.0" } else { "0.0" });
    } else if (1e-290..1e290).contains(&size) {
        decimal(number, into);
    } else {
        powers(number, into);
    }
}

/// Up to 15 digits as they are. A longer number has 17, also where 16 tell it from its neighbours: those may lie so
/// close to the middle between two neighbours that SQLite reads the wrong one.
fn decimal(number: f64, into: &mut String) {
    let short = format!("{number:e}");
    let (digits, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    let digits = digits.bytes().filter(u8::is_ascii_digit).count();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if digits <= 15 && (-22..=22).contains(&exponent) {
        put(into, format_args!("{number:?}"));
    } else if (-5..16).contains(&exponent) {
        let places = usize::try_from(16 - exponent).unwrap_or_default().max(1);
        put(into, format_args!("{number:.places$}"));
    } else {
        put(into, format_args!("{number:.16e}"));
    }
}

/// A whole number times, or over, powers of two, of which each result is exact.
fn powers(number: f64, into: &mut String) {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (whole, mut exponent) = match i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default() {
        0 => (fraction, -1074),
        exponent => (fraction | (1 << 52), exponent - 1075),
    };
    let sign = if number < 0.0 { "-" } else { "" };
    put(into, format_args!("({sign}{whole} * 1.0"));
    while exponent != 0 {
        let step = exponent.clamp(-LARGEST_POWER, LARGEST_POWER);
        let operator = if step < 0 { '/' } else { '*' };
        put(into, format_args!(" {operator} {}", 1_i64 << step.abs()));
        exponent -= step;
    }
    into.push(')');
}

fn put(into: &mut String, text: std::fmt::Arguments<'_>) {
    into.write_fmt(text).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;

    fn literal_of(value: ValueRef<'_>) -> String {
        let mut text = String::new();
        literal(value, &mut text);
        text
    }

    /// What SQLite makes of the literal, encoded.
    fn evaluated(connection: &Connection, literal: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = connection.query_row(&format!("SELECT {literal}"), [], |row| {
            encode(row.get_ref(0)?, &mut bytes);
            Ok(())
        });
        read.unwrap_or_else(|error| panic!("{literal}: {error}"));
        bytes
    }

    fn evaluates_to_itself(connection: &Connection, value: ValueRef<'_>) {
        let mut bytes = Vec::new();
        encode(value, &mut bytes);
        assert_eq!(evaluated(connection, &literal_of(value)), bytes, "{value:?} as {}", literal_of(value));
    }

    #[test]
    fn an_encoded_row_gives_its_values_back() {
        let row = [
            ValueRef::Null,
            ValueRef::Integer(-7),
            ValueRef::Real(-0.0),
            ValueRef::Text(b"a\0\xff"),
            ValueRef::Blob(b""),
            ValueRef::Text(b""),
        ];
        let mut bytes = Vec::new();
        for value in row {
            encode(value, &mut bytes);
        }
        assert_eq!(decode(&bytes).as_deref(), Some(row.as_slice()));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&[9]), None);
    }

    #[test]
    fn ordinary_values_are_told_as_people_write_them() {
        for (value, text) in [
            (ValueRef::Null, "NULL"),
            (ValueRef::Integer(-7), "-7"),
            (ValueRef::Real(1.0), "1.0"),
            (ValueRef::Real(-0.0), "-0.0"),
            (ValueRef::Real(0.1), "0.1"),
            (ValueRef::Real(1e20), "1e20"),
            (ValueRef::Real(1.0 / 3.0), "0.33333333333333331"),
            (ValueRef::Real(f64::NEG_INFINITY), "-9e999"),
            (ValueRef::Text("it's é".as_bytes()), "'it''s é'"),
            (ValueRef::Text(b"a\0b"), "CAST(X'610062' AS TEXT)"),
            (ValueRef::Text(b"\xff"), "CAST(X'FF' AS TEXT)"),
            (ValueRef::Blob(b"\xff"), "X'FF'"),
        ] {
            assert_eq!(literal_of(value), text);
        }
    }

    #[test]
    fn the_ends_of_every_range_evaluate_to_themselves() {
        let connection = Connection::open_in_memory().expect("memory");
        for number in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX] {
            evaluates_to_itself(&connection, ValueRef::Integer(number));
        }
        let reals = [
            0.0,
            f64::from_bits(1),
            f64::MIN_POSITIVE,
            f64::from_bits(f64::MIN_POSITIVE.to_bits() - 1),
            1e-290,
            f64::EPSILON,
            1e15,
            1e16,
            9_007_199_254_740_993.0,
            1e22,
            1e23,
            1e290,
            f64::MAX,
            f64::INFINITY,
        ];
        for number in reals {
            evaluates_to_itself(&connection, ValueRef::Real(number));
            evaluates_to_itself(&connection, ValueRef::Real(-number));
        }
    }

    proptest! {
        #[test]
        fn a_literal_evaluates_to_its_value(bits in any::<u64>(), number in any::<i64>(), bytes in any::<Vec<u8>>(), text in ".*") {
            let connection = Connection::open_in_memory().expect("memory");
            evaluates_to_itself(&connection, ValueRef::Integer(number));
            evaluates_to_itself(&connection, ValueRef::Text(&bytes));
            evaluates_to_itself(&connection, ValueRef::Text(text.as_bytes()));
            evaluates_to_itself(&connection, ValueRef::Blob(&bytes));
            let real = f64::from_bits(bits);
            if !real.is_nan() {
                evaluates_to_itself(&connection, ValueRef::Real(real));
            }
            // Numbers of a size that people use.
            evaluates_to_itself(&connection, ValueRef::Real(number as f64 / 1e9));
        }
    }
}
