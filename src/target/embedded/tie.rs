//! Which of two values wins a tie, on every device and in every order of arrival.

use std::cmp::Ordering;

use super::wire::{Bytes, Cell};

/// The order in which the larger of two values wins a tie: NULL, blobs, texts, reals, integers; within a kind as SQLite
/// orders them, byte by byte.
pub(crate) fn order(one: Cell<'_>, other: Cell<'_>) -> Ordering {
    let rank = |cell: Cell<'_>| match cell {
        Cell::Null => 0,
        Cell::Blob(_) => 1,
        Cell::Text(_) => 2,
        Cell::Real(_) => 3,
        Cell::Integer(_) => 4,
    };
    match (one, other) {
        (Cell::Integer(one), Cell::Integer(other)) => one.cmp(&other),
        (Cell::Real(one), Cell::Real(other)) => one.total_cmp(&other),
        (Cell::Text(Bytes(one)), Cell::Text(Bytes(other))) | (Cell::Blob(Bytes(one)), Cell::Blob(Bytes(other))) => {
            one.cmp(other)
        }
        (one, other) => rank(one).cmp(&rank(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_goes_to_the_larger_value() {
        let cells = [
            Cell::Null,
            Cell::Blob(Bytes(b"a")),
            Cell::Blob(Bytes(b"ab")),
            Cell::Text(Bytes(b"")),
            Cell::Text(Bytes(b"a")),
            Cell::Real(-0.0),
            Cell::Real(0.0),
            Cell::Real(1.0),
            Cell::Integer(-1),
            Cell::Integer(1),
        ];
        for (i, one) in cells.iter().enumerate() {
            for (j, other) in cells.iter().enumerate() {
                assert_eq!(order(*one, *other), i.cmp(&j), "{one:?} and {other:?}");
            }
        }
    }
}
