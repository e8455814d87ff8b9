//! Merging two states of one row, by CloudSync's documented rules: the row that came and went more often wins whole, so
//! that a deletion beats a concurrent change and a new insertion beats the deletion; of two living states each column
//! goes to the one that changed the column more often, and in a tie to the larger value.
//!
//! States so compared form a join-semilattice: merging is commutative, associative and idempotent, so every database ends
//! with the same rows, whatever arrives when and how often. It must not know SQL, messages or who holds a state.

use std::cmp::Ordering;

use super::wire::{Bytes, Cell, Malformed, OwnedCell};

/// How often a row came and went, and how often each of its columns was written.
///
/// As bytes: numbers of seven bits each, the lowest first; `life`, then the columns, or nothing when each was written once. No
/// bytes at all stand for a row that was inserted once and never touched again, as most rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Odd as long as the row is there. Every insertion and every deletion adds 1. CloudSync calls this the causal length.
    life: u64,
    /// How often each column was written since the row came; those beyond the end once. A dead row has none.
    columns: Vec<u64>,
}

impl Default for Versions {
    /// A row inserted once.
    fn default() -> Self {
        Self { life: 1, columns: Vec::new() }
    }
}

impl Versions {
    /// A row that is gone.
    pub(crate) fn dead(life: u64) -> Self {
        Self { life, columns: Vec::new() }
    }

    /// A row of which nothing was captured when it came: each of its columns was written less often than anywhere else.
    pub(crate) fn uncaptured(width: usize) -> Self {
        Self { life: 1, columns: vec![0; width] }
    }

    /// Whether a column was captured.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.of(column) > 0
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(bytes: Option<&[u8]>) -> Result<Self, Malformed> {
        let Some(mut bytes) = bytes else { return Ok(Self::default()) };
        let life = take(&mut bytes)?;
        let mut columns = Vec::new();
        while !bytes.is_empty() {
            columns.push(take(&mut bytes)?);
        }
        Ok(Self { life, columns })
    }

    /// As bytes; none for a row inserted once.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let columns = if self.columns.iter().all(|&version| version == 1) { &[] } else { self.columns.as_slice() };
        if self.life == 1 && columns.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(1 + columns.len());
        put(&mut bytes, self.life);
        for &version in columns {
            put(&mut bytes, version);
        }
        Some(bytes)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.life % 2 == 1
    }

    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    fn of(&self, column: usize) -> u64 {
        self.columns.get(column).copied().unwrap_or(1)
    }

    /// Whether this state may hold a column in a version that `other` has not seen. Values are not asked.
    pub(crate) fn is_ahead_of(&self, other: &Self, width: usize) -> bool {
        match self.life.cmp(&other.life) {
            Ordering::Equal => self.is_live() && (0..width).any(|column| self.of(column) > other.of(column)),
            order => order.is_gt(),
        }
    }

    /// The row is inserted: anew, or over itself by REPLACE, which writes every column.
    pub(crate) fn insert(&mut self, width: usize) {
        if self.is_live() {
            self.columns = (0..width).map(|column| self.of(column).saturating_add(1)).collect();
        } else {
            *self = Self::dead(self.life.saturating_add(1));
        }
    }

    /// These columns of a living row are written.
    pub(crate) fn update(&mut self, width: usize, written: impl Fn(usize) -> bool) {
        if !self.is_live() {
            // Inserted while nobody captured changes.
            return;
        }
        self.columns = (0..width).map(|column| self.of(column).saturating_add(u64::from(written(column)))).collect();
    }

    /// The same row after its table was altered. `places` says of each column where it stood before; a new column counts as
    /// written `new` times, or never where nothing of the row was captured.
    pub(crate) fn rearranged(&self, places: &[Option<usize>], new: u64) -> Self {
        let uncaptured = !self.columns.is_empty() && self.columns.iter().all(|&version| version == 0);
        let new = if uncaptured { 0 } else { new };
        let columns = if self.is_live() {
            places.iter().map(|place| place.map_or(new, |place| self.of(place))).collect()
        } else {
            Vec::new()
        };
        Self { life: self.life, columns }
    }

    /// The row is deleted.
    pub(crate) fn delete(&mut self) {
        let step = 1 + u64::from(!self.is_live());
        *self = Self::dead(self.life.saturating_add(step));
    }
}

/// What comes of two states of one row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// What is held, which the other state adds nothing to.
    Held,
    /// The other state as it is.
    Other,
    /// Columns of both, in these versions.
    Both(Versions),
}

/// Merges the cells of another state of a living row into those that are held, which may be none for a dead one. `changed`
/// are the columns that have versions; both give cells for all columns. The cells are those of [`Merged::Both`].
pub(crate) fn merge_cells(
    held: &Versions,
    other: &Versions,
    changed: &[usize],
    held_cells: &[Cell<'_>],
    other_cells: &[Cell<'_>],
) -> (Merged, Vec<OwnedCell>) {
    let values = |column: usize| order(other_cells[changed[column]], held_cells[changed[column]]);
    let (merged, taken) = merge(held, other, changed.len(), values);
    if !matches!(merged, Merged::Both(_)) {
        return (merged, Vec::new());
    }
    let mut both: Vec<OwnedCell> = held_cells.iter().map(|&cell| cell.into()).collect();
    for column in taken {
        both[changed[column]] = other_cells[changed[column]].into();
    }
    (merged, both)
}

/// Merges another state into the one that is held, and says which columns of the other's are taken. `values` compares
/// the value of a column of the other state with the one that is held; only columns of the same version are compared.
fn merge(held: &Versions, other: &Versions, width: usize, values: impl Fn(usize) -> Ordering) -> (Merged, Vec<usize>) {
    match other.life.cmp(&held.life) {
        Ordering::Less => return (Merged::Held, Vec::new()),
        Ordering::Greater => return (Merged::Other, Vec::new()),
        Ordering::Equal if !held.is_live() => return (Merged::Held, Vec::new()),
        Ordering::Equal => {}
    }
    let (mut taken, mut kept) = (Vec::new(), false);
    for column in 0..width {
        match other.of(column).cmp(&held.of(column)).then_with(|| values(column)) {
            Ordering::Greater => taken.push(column),
            Ordering::Less => kept = true,
            Ordering::Equal => {}
        }
    }
    let merged = match (taken.is_empty(), kept) {
        (true, _) => Merged::Held,
        (false, false) => Merged::Other,
        (false, true) => {
            let columns = (0..width).map(|column| held.of(column).max(other.of(column))).collect();
            Merged::Both(Versions { life: held.life, columns })
        }
    };
    (merged, taken)
}

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

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn take(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDTH: usize = 3;

    /// A state with its values; equal states have equal values, as all writers of one version of a column wrote one.
    type State = (Versions, [i64; WIDTH]);

    fn state() -> impl Strategy<Value = State> {
        let columns = proptest::collection::vec(1..4_u64, WIDTH);
        (1..5_u64, columns, any::<[u8; WIDTH]>()).prop_map(|(life, columns, values)| {
            let columns = if life % 2 == 1 { columns } else { Vec::new() };
            let values = if life % 2 == 1 { values.map(|value| i64::from(value % 3)) } else { [0; WIDTH] };
            (Versions { life, columns }, values)
        })
    }

    fn join(held: &State, other: &State) -> State {
        match merge(&held.0, &other.0, WIDTH, |column| other.1[column].cmp(&held.1[column])) {
            (Merged::Held, _) => held.clone(),
            (Merged::Other, _) => other.clone(),
            (Merged::Both(versions), taken) => {
                let mut values = held.1;
                for column in taken {
                    values[column] = other.1[column];
                }
                (versions, values)
            }
        }
    }

    proptest! {
        #[test]
        fn states_form_a_semilattice(a in state(), b in state(), c in state()) {
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        }

        #[test]
        fn versions_survive_their_bytes_and_cut_ones_are_refused(life in 1..u64::MAX >> 1, columns in proptest::collection::vec(1..u64::MAX >> 1, 0..4)) {
            let versions = Versions { life, columns };
            let bytes = versions.write();
            let read = Versions::read(bytes.as_deref()).expect("bytes of our own");
            prop_assert_eq!(read.write(), bytes);
            prop_assert!((0..5).all(|column| read.of(column) == versions.of(column)));
            prop_assert_eq!(Versions::read(Some(&[0x80])), Err(Malformed));
        }
    }

    #[test]
    fn what_is_done_to_a_row_is_counted_as_cloudsync_counts() {
        let mut versions = Versions::default();
        assert_eq!(versions.write(), None);
        versions.update(WIDTH, |column| column == 1);
        assert_eq!(versions.write(), Some(vec![1, 1, 2, 1]));
        versions.insert(WIDTH);
        assert_eq!(versions.write(), Some(vec![1, 2, 3, 2]), "REPLACE writes every column");
        versions.delete();
        assert_eq!((versions.write(), versions.is_live()), (Some(vec![2]), false));
        versions.insert(WIDTH);
        assert_eq!(versions.write(), Some(vec![3]), "columns start again");
        versions.update(WIDTH, |_| false);
        assert_eq!(versions.write(), Some(vec![3]), "nothing was written");
    }

    #[test]
    fn the_columns_of_an_altered_table_keep_their_versions_and_new_ones_begin() {
        let versions = Versions { life: 3, columns: vec![4, 5] };
        let places = [Some(1), None, Some(0), Some(2)];
        assert_eq!(versions.rearranged(&places, 1).write(), Some(vec![3, 5, 1, 4, 1]));
        assert_eq!(versions.rearranged(&places, 0).write(), Some(vec![3, 5, 0, 4, 1]));
        assert_eq!(Versions::dead(2).rearranged(&places, 1).write(), Some(vec![2]));
        assert_eq!(Versions::uncaptured(2).rearranged(&[Some(0), Some(1), None], 1).write(), Some(vec![1, 0, 0, 0]));
    }

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
