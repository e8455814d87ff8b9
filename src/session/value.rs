//! Values byte for byte: the one form in which rows are compared, whoever holds them.

use rusqlite::types::ValueRef;

/// Appends a value with its type and length, so that no two rows are encoded alike.
pub(crate) fn encode(value: ValueRef<'_>, into: &mut Vec<u8>) {
    let (tag, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => (1, &number.to_le_bytes()),
        ValueRef::Real(number) => (2, &number.to_le_bytes()),
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    into.push(tag);
    into.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    into.extend_from_slice(bytes);
}
