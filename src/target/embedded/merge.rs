//! Merging two states of one row, by CloudSync's documented rules: the row that came and went more often wins whole, so
//! that a deletion beats a concurrent change and a new insertion beats the deletion; of two living states each column
//! goes to the one that changed the column more often, and in a tie to the larger value; or, where the column is merged
//! block by block, the blocks of both are merged.
//!
//! States so compared form a join-semilattice: merging is commutative, associative and idempotent, so every database ends
//! with the same rows, whatever arrives when and how often. It must not know SQL, messages or who holds a state.

use std::cmp::Ordering;

use super::blocks::{self, Blocks, Joined};
use super::shape::Shape;
use super::tie::order;
use super::wire::{Cell, Malformed, OwnedCell};

/// What the bytes of a row with columns of blocks start with, as no life does.
const WITH_BLOCKS: u8 = 0;

/// How often a row came and went, and how often each of its columns was written.
///
/// As bytes: numbers of seven bits each, the lowest first; `life`, then the columns, or nothing when each was written once. No
/// bytes at all stand for a row that was inserted once and never touched again, as most rows are. A row with columns that
/// are merged block by block starts with 0 and has them at the end: [`Self::write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    /// Odd as long as the row is there. Every insertion and every deletion adds 1. CloudSync calls this the causal length.
    life: u64,
    /// How often each column was written since the row came; those beyond the end once. A dead row has none.
    columns: Vec<u64>,
    /// The columns that are merged block by block, in order. An edit of such a text changes its blocks, not the column's
    /// version: that one counts how often the column became something else than an edited text.
    blocks: Vec<(usize, Blocks)>,
}

impl Default for Versions {
    /// A row inserted once.
    fn default() -> Self {
        Self { life: 1, columns: Vec::new(), blocks: Vec::new() }
    }
}

impl Versions {
    /// A row that is gone.
    pub(crate) fn dead(life: u64) -> Self {
        Self { life, columns: Vec::new(), blocks: Vec::new() }
    }

    /// A row of which nothing was captured when it came: each of its columns was written less often than anywhere else.
    pub(crate) fn uncaptured(width: usize) -> Self {
        Self { life: 1, columns: vec![0; width], blocks: Vec::new() }
    }

    /// Whether a column was captured.
    pub(crate) fn has(&self, column: usize) -> bool {
        self.of(column) > 0
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(bytes: Option<&[u8]>) -> Result<Self, Malformed> {
        let Some(mut bytes) = bytes else { return Ok(Self::default()) };
        if let [WITH_BLOCKS, rest @ ..] = bytes
            && !rest.is_empty()
        {
            return Self::read_with_blocks(rest);
        }
        let life = take(&mut bytes)?;
        let mut columns = Vec::new();
        while !bytes.is_empty() {
            columns.push(take(&mut bytes)?);
        }
        Ok(Self { life, columns, blocks: Vec::new() })
    }

    fn read_with_blocks(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let life = take(&mut bytes)?;
        let columns = (0..take(&mut bytes)?).map(|_| take(&mut bytes)).collect::<Result<_, _>>()?;
        let mut blocks: Vec<(usize, Blocks)> = Vec::new();
        while !bytes.is_empty() {
            let column = usize::try_from(take(&mut bytes)?).map_err(|_| Malformed)?;
            if blocks.last().is_some_and(|(last, _)| *last >= column) {
                return Err(Malformed);
            }
            blocks.push((column, Blocks::read(&mut bytes, take)?));
        }
        Ok(Self { life, columns, blocks })
    }

    /// As bytes; none for a row inserted once. With blocks: 0, life, how many columns follow, these, and of each column of
    /// blocks its number and its blocks.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let columns = if self.columns.iter().all(|&version| version == 1) { &[] } else { self.columns.as_slice() };
        if self.life == 1 && columns.is_empty() && self.blocks.is_empty() {
            return None;
        }
        let mut bytes = Vec::with_capacity(1 + columns.len());
        if self.blocks.is_empty() {
            put(&mut bytes, self.life);
        } else {
            bytes.push(WITH_BLOCKS);
            put(&mut bytes, self.life);
            put(&mut bytes, number(columns.len()));
        }
        for &version in columns {
            put(&mut bytes, version);
        }
        for (column, blocks) in &self.blocks {
            put(&mut bytes, number(*column));
            blocks.write(&mut bytes, put);
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

    /// The columns that are merged block by block.
    pub(crate) fn block_columns(&self) -> impl Iterator<Item = (usize, &Blocks)> {
        self.blocks.iter().map(|(column, blocks)| (*column, blocks))
    }

    fn blocks(&self, column: usize) -> Option<&Blocks> {
        self.blocks.iter().find(|(known, _)| *known == column).map(|(_, blocks)| blocks)
    }

    fn set_blocks(&mut self, column: usize, blocks: Blocks) {
        let place = self.blocks.partition_point(|(known, _)| *known < column);
        match self.blocks.get_mut(place).filter(|(known, _)| *known == column) {
            Some(known) => known.1 = blocks,
            None => self.blocks.insert(place, (column, blocks)),
        }
    }

    /// Sets the version of a column.
    fn set(&mut self, column: usize, version: u64) {
        let width = self.columns.len().max(column + 1);
        self.columns.resize(width, 1);
        self.columns[column] = version;
    }

    /// Whether this state may hold a column in a version that `other` has not seen. Values are not asked.
    pub(crate) fn is_ahead_of(&self, other: &Self, width: usize) -> bool {
        let is_ahead = |column| match (self.of(column).cmp(&other.of(column)), self.blocks(column)) {
            (Ordering::Equal, Some(blocks)) => other.blocks(column).is_none_or(|other| blocks.is_ahead_of(other)),
            (order, _) => order.is_gt(),
        };
        match self.life.cmp(&other.life) {
            Ordering::Equal => self.is_live() && (0..width).any(is_ahead),
            order => order.is_gt(),
        }
    }

    /// The row is inserted: anew, or over itself by REPLACE, which writes every column. [`Self::write_blocks`] follows.
    pub(crate) fn insert(&mut self, width: usize) {
        if self.is_live() {
            self.update(width, |_| true);
        } else {
            *self = Self::dead(self.life.saturating_add(1));
        }
    }

    /// These columns of a living row are written. Of those with blocks, [`Self::edit_blocks`] knows.
    pub(crate) fn update(&mut self, width: usize, written: impl Fn(usize) -> bool) {
        if !self.is_live() {
            // Inserted while nobody captured changes.
            return;
        }
        let counts = |column| written(column) && (self.blocks.is_empty() || self.blocks(column).is_none());
        self.columns = (0..width).map(|column| self.of(column).saturating_add(u64::from(counts(column)))).collect();
    }

    /// A column of a row that was just inserted, over itself or anew, is merged block by block. Without a delimiter, only
    /// if it was so before.
    pub(crate) fn write_blocks(&mut self, column: usize, delimiter: Option<&[u8]>, value: Cell<'_>) {
        if !self.is_live() {
            return;
        }
        let known =
            self.blocks(column).filter(|known| delimiter.is_none_or(|delimiter| known.delimiter() == delimiter));
        match (known, self.blocks(column), delimiter) {
            (Some(known), ..) if blocks::is_text(value) => {
                let mut blocks = known.clone();
                blocks.rewrite(value);
                self.set_blocks(column, blocks);
            }
            (_, Some(other), _) => {
                let delimiter = delimiter.unwrap_or(other.delimiter()).to_owned();
                self.replace_blocks(column, &delimiter, value);
            }
            (None, None, Some(delimiter)) => self.set_blocks(column, Blocks::new(delimiter, value)),
            (_, None, _) => {}
        }
    }

    /// A column of a living row is updated that is merged block by block. Without a delimiter, only if it was so before.
    pub(crate) fn edit_blocks(&mut self, column: usize, delimiter: Option<&[u8]>, old: Cell<'_>, new: Cell<'_>) {
        let known = self.blocks(column);
        let Some(delimiter) = delimiter.or(known.map(Blocks::delimiter)).map(ToOwned::to_owned) else { return };
        if !self.is_live() || same(old, new) {
            return;
        }
        if !self.has(column) {
            self.set(column, 1);
            return self.set_blocks(column, Blocks::new(&delimiter, new));
        }
        // One that was never edited can as well be blocks of another kind.
        let known = known.filter(|known| !known.is_untouched());
        let is_edit = known.is_none_or(|known| known.delimiter() == delimiter);
        if !is_edit || !blocks::is_text(old) || !blocks::is_text(new) {
            return self.replace_blocks(column, &delimiter, new);
        }
        let mut blocks = known.cloned().unwrap_or_else(|| Blocks::new(&delimiter, old));
        blocks.edit(old, new);
        self.set_blocks(column, blocks);
    }

    /// A column of a living row that is there already is merged block by block from now on.
    pub(crate) fn note_blocks(&mut self, column: usize, delimiter: &[u8], value: Cell<'_>) {
        if self.is_live() && self.has(column) && self.blocks(column).is_none() {
            self.set_blocks(column, Blocks::new(delimiter, value));
        }
    }

    /// A column becomes another value as a whole, which wins over every edit of what it was.
    fn replace_blocks(&mut self, column: usize, delimiter: &[u8], value: Cell<'_>) {
        self.set(column, self.of(column).saturating_add(1));
        self.set_blocks(column, Blocks::new(delimiter, value));
    }

    /// One column becomes another value as a whole.
    pub(crate) fn replace(&mut self, column: usize, value: Cell<'_>) {
        match self.blocks(column).map(|blocks| blocks.delimiter().to_owned()) {
            Some(delimiter) => self.replace_blocks(column, &delimiter, value),
            None => self.set(column, self.of(column).saturating_add(1)),
        }
    }

    /// The same row after its table was altered. `places` says of each column where it stood before; a new column counts as
    /// written `new` times, or never where nothing of the row was captured.
    pub(crate) fn rearranged(&self, places: &[Option<usize>], new: u64) -> Self {
        let uncaptured = !self.columns.is_empty() && self.columns.iter().all(|&version| version == 0);
        let new = if uncaptured { 0 } else { new };
        if !self.is_live() {
            return Self::dead(self.life);
        }
        let columns = places.iter().map(|place| place.map_or(new, |place| self.of(place))).collect();
        let blocks =
            (0..).zip(places).filter_map(|(now, place)| Some((now, self.blocks((*place)?)?.clone()))).collect();
        Self { life: self.life, columns, blocks }
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
/// are the columns of the shape that have versions; both give cells for all columns. The cells are those of
/// [`Merged::Both`].
pub(crate) fn merge_cells(
    held: &Versions,
    other: &Versions,
    shape: &Shape,
    changed: &[usize],
    held_cells: &[Cell<'_>],
    other_cells: &[Cell<'_>],
) -> (Merged, Vec<OwnedCell>) {
    let mut joined: Vec<(usize, OwnedCell)> = Vec::new();
    let (merged, taken) = merge(held, other, changed.len(), |column| {
        let (held_cell, other_cell) = (held_cells[changed[column]], other_cells[changed[column]]);
        let comes = blocks::join((held.blocks(column), held_cell), (other.blocks(column), other_cell));
        if let Joined::Both(text, _) = &comes {
            let is_missing = *text == OwnedCell::Null && shape.columns[changed[column]].not_null;
            joined.push((column, if is_missing { OwnedCell::Text(Vec::new()) } else { text.clone() }));
        }
        comes
    });
    if !matches!(merged, Merged::Both(_)) {
        return (merged, Vec::new());
    }
    let mut both: Vec<OwnedCell> = held_cells.iter().map(|&cell| cell.into()).collect();
    for column in taken {
        both[changed[column]] = other_cells[changed[column]].into();
    }
    for (column, text) in joined {
        both[changed[column]] = text;
    }
    (merged, both)
}

/// Merges another state into the one that is held, and says which columns of the other's are taken. `tie` merges a column
/// that both have in the same version.
fn merge(
    held: &Versions,
    other: &Versions,
    width: usize,
    mut tie: impl FnMut(usize) -> Joined,
) -> (Merged, Vec<usize>) {
    match other.life.cmp(&held.life) {
        Ordering::Less => return (Merged::Held, Vec::new()),
        Ordering::Greater => return (Merged::Other, Vec::new()),
        Ordering::Equal if !held.is_live() => return (Merged::Held, Vec::new()),
        Ordering::Equal => {}
    }
    let (mut taken, mut kept, mut joined) = (Vec::new(), false, Vec::new());
    for column in 0..width {
        let comes = match other.of(column).cmp(&held.of(column)) {
            Ordering::Less => Joined::Held,
            Ordering::Equal => tie(column),
            Ordering::Greater => Joined::Other,
        };
        match comes {
            Joined::Same => {}
            Joined::Held => kept = true,
            Joined::Other => taken.push(column),
            Joined::Both(_, blocks) => joined.push((column, blocks)),
        }
    }
    let merged = match (taken.is_empty() && joined.is_empty(), kept || !joined.is_empty()) {
        (true, _) => Merged::Held,
        (false, false) => Merged::Other,
        (false, true) => {
            let mut both = held.clone();
            both.columns = (0..width).map(|column| held.of(column).max(other.of(column))).collect();
            let others = taken.iter().filter_map(|&column| Some((column, other.blocks(column)?.clone())));
            others.chain(joined).for_each(|(column, blocks)| both.set_blocks(column, blocks));
            Merged::Both(both)
        }
    };
    (merged, taken)
}

/// Whether two values are the same, in kind and in bytes.
fn same(one: Cell<'_>, other: Cell<'_>) -> bool {
    order(one, other) == Ordering::Equal
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
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

    use super::super::wire::Bytes;
    use super::*;

    const WIDTH: usize = 3;

    /// A state with its values; equal states have equal values, as all writers of one version of a column wrote one.
    type State = (Versions, [i64; WIDTH]);

    fn state() -> impl Strategy<Value = State> {
        let columns = proptest::collection::vec(1..4_u64, WIDTH);
        (1..5_u64, columns, any::<[u8; WIDTH]>()).prop_map(|(life, columns, values)| {
            let columns = if life % 2 == 1 { columns } else { Vec::new() };
            let values = if life % 2 == 1 { values.map(|value| i64::from(value % 3)) } else { [0; WIDTH] };
            (Versions { life, columns, blocks: Vec::new() }, values)
        })
    }

    fn join(held: &State, other: &State) -> State {
        let tie =
            |column: usize| blocks::join((None, Cell::Integer(held.1[column])), (None, Cell::Integer(other.1[column])));
        match merge(&held.0, &other.0, WIDTH, tie) {
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
            let versions = Versions { life, columns, blocks: Vec::new() };
            let bytes = versions.write();
            let read = Versions::read(bytes.as_deref()).expect("bytes of our own");
            prop_assert_eq!(read.write(), bytes);
            prop_assert!((0..5).all(|column| read.of(column) == versions.of(column)));
            prop_assert_eq!(Versions::read(Some(&[0x80])), Err(Malformed));
        }
    }

    #[test]
    fn blocks_survive_their_bytes_and_count_apart_from_their_column() {
        let text = |text: &'static str| Cell::Text(Bytes(text.as_bytes()));
        let survives = |versions: &Versions| {
            assert_eq!(Versions::read(versions.write().as_deref()).as_ref(), Ok(versions));
        };
        let mut versions = Versions::default();
        versions.write_blocks(1, Some(b"\n"), text("a\nb"));
        assert_eq!(versions.write(), Some(vec![0, 1, 0, 1, 1, b'\n', 0, 2]));
        survives(&versions);
        versions.edit_blocks(1, Some(b"\n"), text("a\nb"), text("a\nc"));
        versions.update(WIDTH, |column| column < 2);
        survives(&versions);
        assert_eq!((versions.of(0), versions.of(1)), (2, 1), "an edit is one of blocks");
        versions.edit_blocks(1, None, text("a\nc"), Cell::Blob(Bytes(b"a")));
        survives(&versions);
        assert_eq!(versions.of(1), 2, "no text any more");
        versions.edit_blocks(0, None, text("x"), text("y"));
        assert_eq!(versions.block_columns().count(), 1, "nobody said that it has blocks");
        versions.insert(WIDTH);
        versions.write_blocks(1, Some(b"||"), text("n"));
        assert_eq!((versions.of(0), versions.of(1)), (3, 3), "blocks of another kind");
        versions.delete();
        versions.insert(WIDTH);
        assert_eq!(versions.write(), Some(vec![3]), "a new life");
        let mut uncaptured = Versions::uncaptured(WIDTH);
        uncaptured.note_blocks(1, b"\n", text("a"));
        uncaptured.edit_blocks(1, Some(b"\n"), text("a"), text("a"));
        assert_eq!((uncaptured.block_columns().count(), uncaptured.has(1)), (0, false));
        uncaptured.edit_blocks(1, Some(b"\n"), text("a"), text("b"));
        assert_eq!((uncaptured.block_columns().count(), uncaptured.has(1)), (1, true));
        assert_eq!(Versions::read(Some(&[0])), Ok(Versions::dead(0)));
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
        let versions = Versions { life: 3, columns: vec![4, 5], blocks: Vec::new() };
        let places = [Some(1), None, Some(0), Some(2)];
        assert_eq!(versions.rearranged(&places, 1).write(), Some(vec![3, 5, 1, 4, 1]));
        assert_eq!(versions.rearranged(&places, 0).write(), Some(vec![3, 5, 0, 4, 1]));
        assert_eq!(Versions::dead(2).rearranged(&places, 1).write(), Some(vec![2]));
        let mut with_blocks = Versions::default();
        with_blocks.note_blocks(1, b"\n", Cell::Text(Bytes(b"a\nb")));
        let moved = with_blocks.rearranged(&places, 1);
        let found = moved.block_columns().map(|(column, blocks)| (column, blocks.clone()));
        assert_eq!(found.collect::<Vec<_>>(), [(0, Blocks::new(b"\n", Cell::Text(Bytes(b"a\nb"))))]);
        assert_eq!(Versions::uncaptured(2).rearranged(&[Some(0), Some(1), None], 1).write(), Some(vec![1, 0, 0, 0]));
    }
}
