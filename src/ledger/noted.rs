//! Writes of a segment as they come. They are many, so none has memory of its own: rows stand one after the other as
//! bytes.

use std::collections::BTreeSet;

use super::entry::{Entry, State};
use super::form::RowForm;

/// What a write takes beside its row, about, in bytes.
const HEAD: usize = 64;

/// Writes of one segment.
#[derive(Default)]
pub(super) struct Noted {
    segment: u32,
    /// Whether every state counts, and not only the last one of a key.
    every: bool,
    writes: Vec<Write>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Write {
    /// The digest of table and key.
    key: u128,
    /// The digest of the columns that policies read.
    policy: u64,
    /// Where the row is among the bytes.
    start: usize,
    length: u32,
    /// Whether the row was there before.
    found: bool,
    deleted: bool,
}

impl Noted {
    /// None yet, of a segment.
    pub(super) fn of(segment: u32, every: bool) -> Self {
        Self { segment, every, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// A row was inserted or updated. `row` is the row, as [`crate::session::encode`] writes its columns.
    pub(super) fn write(&mut self, key: u128, policy: u64, found: bool, row: &[u8]) {
        // SQLite's rows have fewer than 2^31 bytes.
        let length = u32::try_from(row.len()).unwrap_or(u32::MAX);
        self.writes.push(Write { key, policy, start: self.bytes.len(), length, found, deleted: false });
        self.bytes.extend_from_slice(row);
    }

    /// A row was deleted.
    pub(super) fn delete(&mut self, key: u128) {
        let start = self.bytes.len();
        self.writes.push(Write { key, policy: 0, start, length: 0, found: true, deleted: true });
    }

    /// The last write, if there are more than `count`: the key, and the row unless it was deleted.
    pub(super) fn last_after(&self, count: usize) -> Option<(u128, Option<&[u8]>)> {
        self.writes.get(count..)?.last().map(|last| (last.key, self.row(last)))
    }

    /// Forgets all writes but the first so many. Not after [`Self::sort`].
    pub(super) fn truncate(&mut self, count: usize) {
        if let Some(first) = self.writes.get(count) {
            self.bytes.truncate(first.start);
            self.writes.truncate(count);
        }
    }

    /// Takes all writes but the first so many out. Not after [`Self::sort`].
    pub(super) fn split_off(&mut self, count: usize) -> Self {
        let mut writes = self.writes.split_off(count.min(self.writes.len()));
        let start = writes.first().map_or(self.bytes.len(), |first| first.start);
        for write in &mut writes {
            write.start -= start;
        }
        Self { segment: self.segment, every: self.every, writes, bytes: self.bytes.split_off(start) }
    }

    /// The places of the tables that were written.
    pub(super) fn tables(&self) -> BTreeSet<usize> {
        self.writes.iter().map(|write| RowForm::table_of(write.key)).collect()
    }

    /// Puts the writes in the order of their keys: of each key the last one, unless every state counts.
    pub(super) fn sort(&mut self) {
        self.writes.sort_by_key(|write| write.key);
        if !self.every {
            let same = |earlier: &Write, last: &Write| earlier.key == last.key;
            keep_last(&mut self.writes, same, |last, earlier| last.found = earlier.found);
        }
    }

    /// The memory that they take, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.writes.len() * size_of::<Write>() + self.bytes.len()
    }

    /// How many bytes they take as entries, about.
    pub(super) fn size(&self) -> usize {
        self.writes.iter().map(|write| HEAD + write.length as usize).sum()
    }

    /// The writes as entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.writes.iter().map(|write| Entry {
            key: write.key,
            segment: self.segment,
            found: write.found,
            elided: false,
            policy: write.policy,
            row: self.row(write).map(|row| State::of(row.to_vec())),
        })
    }

    fn row(&self, write: &Write) -> Option<&[u8]> {
        (!write.deleted).then(|| &self.bytes[write.start..][..write.length as usize])
    }
}

/// Leaves out what its next one replaces, which takes over from it.
pub(super) fn keep_last<T>(all: &mut Vec<T>, replaces: impl Fn(&T, &T) -> bool, take_over: impl Fn(&mut T, &T)) {
    all.reverse();
    all.dedup_by(|earlier, last| {
        let gone = replaces(earlier, last);
        if gone {
            take_over(last, earlier);
        }
        gone
    });
    all.reverse();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is noted: key, row, whether it was found.
    fn told(noted: &Noted) -> Vec<(u128, Option<Vec<u8>>, bool)> {
        noted.entries().map(|entry| (entry.key, entry.row.map(|row| row.bytes), entry.found)).collect()
    }

    #[test]
    fn writes_are_taken_back_and_of_each_key_the_last_one_stays() {
        let noted = |every| {
            let mut noted = Noted::of(3, every);
            noted.write(7, 1, false, b"first");
            noted.write(5, 2, true, b"");
            noted.delete(7);
            noted.write(7, 3, false, b"again");
            noted.write(6, 4, true, b"taken back");
            noted.delete(5);
            noted.truncate(4);
            noted
        };
        let row = |bytes: &[u8]| Some(bytes.to_vec());
        assert_eq!(noted(false).last_after(3), Some((7, Some(b"again".as_slice()))));
        assert_eq!((noted(false).last_after(4), noted(false).len()), (None, 4));
        let mut last = noted(false);
        last.sort();
        assert_eq!(told(&last), [(5, row(b""), true), (7, row(b"again"), false)]);
        assert_eq!(last.entries().map(|entry| (entry.segment, entry.policy)).collect::<Vec<_>>(), [(3, 2), (3, 3)]);
        let all = [(5, row(b""), true), (7, row(b"first"), false), (7, None, true), (7, row(b"again"), false)];
        let mut every = noted(true);
        every.sort();
        assert_eq!(told(&every), all);
        assert_eq!(every.size(), 4 * HEAD + 10);
        every.truncate(9);
        assert_eq!(every.len(), 4);
        let mut first = noted(true);
        let rest = first.split_off(2);
        assert_eq!(told(&first), [(7, row(b"first"), false), (5, row(b""), true)]);
        assert_eq!(told(&rest), [(7, None, true), (7, row(b"again"), false)]);
        assert_eq!((first.size(), rest.size()), (2 * HEAD + 5, 2 * HEAD + 5));
        assert_eq!(first.split_off(2).len(), 0);
    }
}
