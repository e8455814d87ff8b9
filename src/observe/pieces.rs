//! A row of the server as one text: made by SQL that every SQLite knows, read here, and exact on the way through JSON.
//! Each column is a piece of printable ASCII behind a line end: a letter for the type, and the value. A text is as it is
//! where it is printable ASCII, and else the hex digits of its bytes: JSON has no text with bytes that are no UTF-8, and
//! SQLite's own functions end at a NUL. A real number has as many digits as tell it from its neighbours.
//!
//! Where the server has no mathematical functions, the sign of zero is lost: -0.0 is read as 0.0.

use rusqlite::types::ValueRef;

use super::columns::joined;
use crate::session::unhex;
use crate::sql::quote;

/// SQL that gives 1 where a server can tell -0.0 from 0.0; it fails, or gives 0, where it cannot.
pub(super) const SIGNED_ZERO: &str = "SELECT atan2(-0.0, -1.0) < 0.0 AS signed";

/// Columns as an expression that gives a row's pieces.
pub(super) fn pieces_of(columns: &[String], signed_zero: bool) -> String {
    let pieces: Vec<String> = columns.iter().map(|column| piece(&quote(column), signed_zero)).collect();
    joined(&pieces, " || ")
}

fn piece(column: &str, signed_zero: bool) -> String {
    let real = format!("'\nr' || printf('%!.20e', {column})");
    let real = if signed_zero {
        format!("CASE WHEN {column} = 0.0 AND atan2({column}, -1.0) < 0.0 THEN '\nr-0.0' ELSE {real} END")
    } else {
        real
    };
    // GLOB ends at a NUL, where `length` stops counting, too.
    format!(
        "CASE typeof({column}) WHEN 'integer' THEN '\ni' || {column} WHEN 'null' THEN '\nn' \
         WHEN 'text' THEN CASE WHEN length({column}) = length(CAST({column} AS BLOB)) AND {column} NOT GLOB '*[^ -~]*' \
         THEN '\nt' || {column} ELSE '\nu' || hex({column}) END \
         WHEN 'real' THEN {real} ELSE '\nb' || hex({column}) END"
    )
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece<'a> {
    /// What has a form of its own, or stands in the row as it is.
    Plain(ValueRef<'a>),
    /// A text whose bytes were hex digits.
    Text(Vec<u8>),
    /// A blob.
    Blob(Vec<u8>),
}

impl Piece<'_> {
    pub(super) fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Plain(value) => *value,
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

/// The values of a row, each `None` where it cannot be understood.
pub(super) fn values(row: &str) -> impl Iterator<Item = Option<Piece<'_>>> {
    // What stands before the first line end is empty.
    row.split('\n').skip(1).map(parse)
}

fn parse(piece: &str) -> Option<Piece<'_>> {
    let (kind, value) = piece.split_at_checked(1)?;
    Some(match kind {
        "t" => Piece::Plain(ValueRef::Text(value.as_bytes())),
        "i" => Piece::Plain(ValueRef::Integer(value.parse().ok()?)),
        "n" if value.is_empty() => Piece::Plain(ValueRef::Null),
        "r" => Piece::Plain(ValueRef::Real(value.parse().ok()?)),
        "u" => Piece::Text(unhex(value)?),
        "b" => Piece::Blob(unhex(value)?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_that_is_none_is_not_understood() {
        let read = |row| values(row).collect::<Option<Vec<_>>>();
        assert_eq!(read("\nt\ni-7").map(|row| row.len()), Some(2));
        for row in ["\n", "\ni", "\nix", "\nn1", "\nuF", "\nbXY", "\nq1", "\nrx"] {
            assert_eq!(read(row), None, "{row:?}");
        }
    }
}
