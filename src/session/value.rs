//! Values byte for byte: the one form in which rows are compared, whoever holds them.

use rusqlite::types::ValueRef;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

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

#[cfg(test)]
mod tests {
    use super::*;

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
        row.iter().for_each(|value| encode(*value, &mut bytes));
        assert_eq!(decode(&bytes).as_deref(), Some(row.as_slice()));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(&[9]), None);
    }
}
