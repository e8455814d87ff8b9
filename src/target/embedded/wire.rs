//! What the embedded client and its hub say to each other: postcard messages behind a version byte, one per HTTP body.
//! Rows follow their head one by one, so that neither side ever holds them as objects. It must not know SQL.

use postcard::ser_flavors::Flavor;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::de::{Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The version of this protocol: the first byte of every body.
const VERSION: u8 = 2;
/// The largest body either side accepts; a single row may be this large.
pub(crate) const MAX_BODY: usize = 256 << 20;
/// The most rows in a push or page.
pub(crate) const MAX_ROWS: u32 = 4_000;
/// The bytes of rows after which a push or page is closed.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// A database file's identity.
pub(crate) type SiteId = [u8; 16];

/// A push: this head, then `rows` times a [`RowHead`] and its cells. Without a table it only asks how far the hub is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PushHead<'a> {
    pub(crate) site: SiteId,
    #[serde(borrow)]
    pub(crate) table: Option<TableHead<'a>>,
    pub(crate) rows: u32,
}

/// A table in a message.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TableHead<'a> {
    pub(crate) name: &'a str,
    /// Says that both sides mean the same columns in the same order.
    pub(crate) hash: u64,
}

/// The head of a pushed row.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RowHead<'a> {
    /// Grows with every change of the site to the table. The hub ignores what it has seen.
    pub(crate) version: i64,
    #[serde(borrow)]
    pub(crate) state: RowState<'a>,
}

/// What a row is, and so which cells follow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum RowState<'a> {
    /// It lives, in these versions: all its columns.
    Live(#[serde(borrow)] Option<Bytes<'a>>),
    /// It was deleted, after it came and went so often: its key.
    Dead(u64),
    /// It lives where this site may not see it any more: its key.
    Hidden,
}

impl RowState<'_> {
    /// How many cells follow the head.
    pub(crate) fn cells(&self, columns: usize, keys: usize) -> usize {
        if matches!(self, Self::Live(_)) { columns } else { keys }
    }
}

/// The answer to a push.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PushAnswer {
    /// The highest version of the pushed table that the hub has taken from this site.
    pub(crate) version: i64,
    /// The sum of those over all tables.
    pub(crate) total: i64,
    pub(crate) failure: Option<LastFailure>,
}

/// Why rows of a push were not stored, in the words of the public JSON answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastFailure {
    pub(crate) job_id: String,
    pub(crate) code: String,
    pub(crate) stage: String,
    pub(crate) message: String,
    pub(crate) retryable: bool,
    pub(crate) failed_at: String,
}

/// Asks for a page.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PullRequest<'a> {
    pub(crate) site: SiteId,
    pub(crate) cursor: i64,
    #[serde(borrow)]
    pub(crate) tables: Vec<&'a str>,
}

/// A page: this head, then `rows` times a [`PageRow`] and its cells.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PageHead<'a> {
    /// Where the next page starts.
    pub(crate) cursor: i64,
    /// Whether there is nothing after it.
    pub(crate) complete: bool,
    pub(crate) rows: u32,
    #[serde(borrow)]
    pub(crate) tables: Vec<PageTable<'a>>,
}

/// A table in a page.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PageTable<'a> {
    #[serde(borrow)]
    pub(crate) head: TableHead<'a>,
    /// The highest version the hub had taken from the asking site when it read this page: changes up to it are no
    /// longer newer than the page, also when the site never saw the acknowledgement.
    pub(crate) acknowledged: i64,
}

/// The head of a row in a page.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PageRow<'a> {
    /// The index in [`PageHead::tables`].
    pub(crate) table: u16,
    #[serde(borrow)]
    pub(crate) state: RowState<'a>,
}

/// A value. Text is bytes, as SQLite does not promise UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Real(f64),
    #[serde(borrow)]
    Text(Bytes<'a>),
    #[serde(borrow)]
    Blob(Bytes<'a>),
}

/// Bytes as bytes; serde takes a slice for a sequence of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> From<ValueRef<'a>> for Cell<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(number) => Self::Integer(number),
            ValueRef::Real(number) => Self::Real(number),
            ValueRef::Text(text) => Self::Text(Bytes(text)),
            ValueRef::Blob(blob) => Self::Blob(Bytes(blob)),
        }
    }
}

/// A value that is kept. SQLite's text need not be UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OwnedCell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl From<Cell<'_>> for OwnedCell {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(number) => Self::Integer(number),
            Cell::Real(number) => Self::Real(number),
            Cell::Text(Bytes(text)) => Self::Text(text.to_owned()),
            Cell::Blob(Bytes(blob)) => Self::Blob(blob.to_owned()),
        }
    }
}

impl OwnedCell {
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Integer(number) => Cell::Integer(*number),
            Self::Real(number) => Cell::Real(*number),
            Self::Text(text) => Cell::Text(Bytes(text)),
            Self::Blob(blob) => Cell::Blob(Bytes(blob)),
        }
    }
}

impl<'a> From<Cell<'a>> for ValueRef<'a> {
    fn from(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(number) => Self::Integer(number),
            Cell::Real(number) => Self::Real(number),
            Cell::Text(Bytes(text)) => Self::Text(text),
            Cell::Blob(Bytes(blob)) => Self::Blob(blob),
        }
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed((*self).into()))
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowed;
        impl<'de> Visitor<'de> for Borrowed {
            type Value = Bytes<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
                Ok(Bytes(bytes))
            }

            fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Bytes<'de>, E> {
                Err(E::custom("bytes that cannot be borrowed"))
            }
        }
        deserializer.deserialize_bytes(Borrowed).map_err(D::Error::custom)
    }
}

/// A body that is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed message")
    }
}

/// Appends a value.
pub(crate) fn put<T: Serialize>(buffer: &mut Vec<u8>, value: &T) {
    struct Append<'a>(&'a mut Vec<u8>);
    impl Flavor for Append<'_> {
        type Output = ();

        fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
            self.0.push(byte);
            Ok(())
        }

        fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }

        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    postcard::serialize_with_flavor(value, Append(buffer))
        .expect("a vector takes every byte, and all lengths are known");
}

/// A body: the version byte, the head, and the rows already written.
pub(crate) fn message<T: Serialize>(head: &T, mut rows: Vec<u8>) -> Vec<u8> {
    let mut front = vec![VERSION];
    put(&mut front, head);
    rows.splice(0..0, front);
    rows
}

/// Reads a body from front to back. Nothing is allocated for a length before its bytes are seen to be there.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts after the version byte.
    pub(crate) fn open(body: &'a [u8]) -> Result<Self, Malformed> {
        match body.split_first() {
            Some((&VERSION, rest)) => Ok(Self(rest)),
            Some(_) | None => Err(Malformed),
        }
    }

    /// The next value.
    pub(crate) fn take<T: Deserialize<'a>>(&mut self) -> Result<T, Malformed> {
        let (value, rest) = postcard::take_from_bytes(self.0).map_err(|_| Malformed)?;
        self.0 = rest;
        Ok(value)
    }

    /// The next cells, into a list that is reused.
    pub(crate) fn cells(&mut self, count: usize, cells: &mut Vec<Cell<'a>>) -> Result<(), Malformed> {
        cells.clear();
        for _ in 0..count {
            cells.push(self.take()?);
        }
        Ok(())
    }

    /// Whether all was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A site's id as the public functions show it: 32 lower-case hexadecimal digits.
pub(crate) fn site_text(site: &SiteId) -> String {
    uuid::Uuid::from_bytes(*site).simple().to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cells_of_every_kind_survive_the_wire() {
        let cells = [
            Cell::Null,
            Cell::Integer(i64::MIN),
            Cell::Real(-0.5),
            Cell::Text(Bytes(b"\xff not utf-8 \0")),
            Cell::Blob(Bytes(b"")),
        ];
        let mut rows = Vec::new();
        for cell in &cells {
            put(&mut rows, cell);
        }
        let body = message(&RowHead { version: 7, state: RowState::Live(Some(Bytes(b"\x01\x02"))) }, rows);
        let mut reader = Reader::open(&body).expect("version");
        assert_eq!(reader.take(), Ok(RowHead { version: 7, state: RowState::Live(Some(Bytes(b"\x01\x02"))) }));
        let mut read = Vec::new();
        reader.cells(cells.len(), &mut read).expect("cells");
        assert_eq!(read, cells);
        assert!(reader.is_empty());
    }

    #[test]
    fn a_body_of_another_version_or_cut_short_is_refused() {
        assert_eq!(Reader::open(b"").err(), Some(Malformed));
        let table = TableHead { name: "notes", hash: u64::MAX };
        let push = message(&PushHead { site: [7; 16], table: Some(table), rows: 1 }, Vec::new());
        let other = [&[VERSION + 1], &push[1..]].concat();
        assert_eq!(Reader::open(&other).err(), Some(Malformed));
        for end in 1..push.len() {
            let mut reader = Reader::open(&push[..end]).expect("the version is there");
            assert_eq!(reader.take::<PushHead<'_>>(), Err(Malformed), "{end} of {} bytes", push.len());
        }
        // A text that says it is longer than all there is.
        let mut long = vec![VERSION, 3];
        put(&mut long, &u64::MAX);
        assert_eq!(Reader::open(&long).expect("the version is there").take::<Cell<'_>>(), Err(Malformed));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_means_what_would_be_written_for_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            prop_assert_eq!(Reader::open(&bytes).is_ok(), bytes.first() == Some(&VERSION));
            if let Ok(head) = Reader(&bytes).take::<PageHead<'_>>() {
                let written = message(&head, Vec::new());
                prop_assert_eq!(Reader(&written[1..]).take(), Ok(head));
            }
            if let Ok(head) = Reader(&bytes).take::<PushHead<'_>>() {
                let written = message(&head, Vec::new());
                prop_assert_eq!(Reader(&written[1..]).take(), Ok(head));
            }
            if let Ok(cell) = Reader(&bytes).take::<Cell<'_>>() {
                let written = message(&cell, Vec::new());
                let read: Result<Cell<'_>, Malformed> = Reader(&written[1..]).take();
                // The bytes, because a number that is none equals nothing.
                prop_assert_eq!(read.map(|read| message(&read, Vec::new())), Ok(written.clone()));
            }
        }
    }
}
