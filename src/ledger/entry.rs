//! One entry of a ledger: the state in which a segment left a key.

use std::io::{self, Read, Write};

use super::form::digest;

const DELETED: u8 = 1;
const FOUND: u8 = 2;
const ELIDED: u8 = 4;

/// The state in which a segment left a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The digest of table and key.
    pub(crate) key: u128,
    /// The segment's number, from 0.
    pub(crate) segment: u32,
    /// Whether the row was there before the segment.
    pub(crate) found: bool,
    /// Whether earlier states of this database were left out.
    pub(crate) elided: bool,
    /// The digest of the columns that policies read; 0 where there are no policies, and for a deletion.
    pub(crate) policy: u64,
    /// The row as it was left; none when it was deleted.
    pub(crate) row: Option<State>,
}

/// A row as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The digest of its bytes.
    pub(crate) digest: u128,
    /// The row, as [`crate::session::encode`] writes its columns.
    pub(crate) bytes: Vec<u8>,
}

impl State {
    /// The row with these bytes.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { digest: digest(&bytes), bytes }
    }
}

impl Entry {
    /// Writes the entry.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let flag = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = flag(self.row.is_none(), DELETED) | flag(self.found, FOUND) | flag(self.elided, ELIDED);
        out.write_all(&self.key.to_le_bytes())?;
        out.write_all(&self.segment.to_le_bytes())?;
        out.write_all(&[flags])?;
        let Some(row) = &self.row else { return Ok(()) };
        out.write_all(&self.policy.to_le_bytes())?;
        out.write_all(&row.digest.to_le_bytes())?;
        // SQLite's rows have fewer than 2^31 bytes.
        out.write_all(&u32::try_from(row.bytes.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        out.write_all(&row.bytes)
    }

    /// Reads the next entry; none at the end.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 21];
        match from.read_exact(&mut head[..1]) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        from.read_exact(&mut head[1..])?;
        let (key, rest) = head.split_first_chunk::<16>().ok_or(io::ErrorKind::UnexpectedEof)?;
        let (segment, rest) = rest.split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
        let flags = rest[0];
        let (mut policy, mut row) = (0, None);
        if flags & DELETED == 0 {
            policy = u64::from_le_bytes(array(from)?);
            let digest = u128::from_le_bytes(array(from)?);
            let mut bytes = vec![0; u32::from_le_bytes(array(from)?) as usize];
            from.read_exact(&mut bytes)?;
            row = Some(State { digest, bytes });
        }
        Ok(Some(Self {
            key: u128::from_le_bytes(*key),
            segment: u32::from_le_bytes(*segment),
            found: flags & FOUND != 0,
            elided: flags & ELIDED != 0,
            policy,
            row,
        }))
    }

    /// The digest of the row; none of a deletion.
    pub(crate) fn digest(&self) -> Option<u128> {
        self.row.as_ref().map(|row| row.digest)
    }
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
