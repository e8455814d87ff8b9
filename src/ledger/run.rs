//! Entries in the order of their keys, and within a key of their segments: in memory while they are few, else in a file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::entry::Entry;

/// What is read at once of a file.
const READ: usize = 16 * 1024;

/// Where a database's runs are kept. Every clone is the same place.
#[derive(Debug, Clone)]
pub(super) struct Files {
    directory: PathBuf,
    database: u32,
    count: Arc<AtomicU32>,
}

impl Files {
    /// In a directory that exists, for a database, counted from 1.
    pub(super) fn new(directory: &Path, database: u32) -> Self {
        Self { directory: directory.to_path_buf(), database, count: Arc::default() }
    }

    /// The path of a new file.
    pub(super) fn next(&self) -> PathBuf {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        self.directory.join(format!("db{}.{count}", self.database))
    }
}

/// Sorted entries.
#[derive(Debug)]
pub(super) struct Run {
    /// How often its entries were merged.
    pub(super) level: u32,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<u8>),
    File(PathBuf),
}

impl Run {
    pub(super) fn in_memory(level: u32, entries: impl Iterator<Item = io::Result<Entry>>) -> io::Result<Self> {
        let mut bytes = Vec::new();
        for entry in entries {
            entry?.write(&mut bytes)?;
        }
        bytes.shrink_to_fit();
        Ok(Self { level, place: Place::Memory(bytes) })
    }

    /// Writes entries into a new file, as they come.
    pub(super) fn in_file(
        level: u32,
        path: PathBuf,
        entries: impl Iterator<Item = io::Result<Entry>>,
    ) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create_new(&path)?);
        for entry in entries {
            entry?.write(&mut out)?;
        }
        out.flush()?;
        Ok(Self { level, place: Place::File(path) })
    }

    /// The bytes it takes in memory.
    pub(super) fn memory(&self) -> usize {
        match &self.place {
            Place::Memory(bytes) => bytes.len(),
            Place::File(_) => 0,
        }
    }

    pub(super) fn is_in_file(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// Reads it from the beginning.
    pub(super) fn read(&self) -> io::Result<Stream<'_>> {
        Ok(match &self.place {
            Place::Memory(bytes) => Stream::Memory(Cursor::new(bytes)),
            Place::File(path) => Stream::File(BufReader::with_capacity(READ, File::open(path)?)),
        })
    }

    /// Gives its file up, when nothing needs its entries any more.
    pub(super) fn discard(self) {
        if let Place::File(path) = self.place {
            // A file that stays takes room and harms nobody.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A run that is being read.
pub(super) enum Stream<'a> {
    Memory(Cursor<&'a Vec<u8>>),
    File(BufReader<File>),
}

impl Stream<'_> {
    pub(super) fn next(&mut self) -> io::Result<Option<Entry>> {
        match self {
            Self::Memory(bytes) => Entry::read(bytes),
            Self::File(file) => Entry::read(file),
        }
    }
}
