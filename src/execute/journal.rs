//! The record as it grows: workers add to it, a flusher writes it to `record.json` every few seconds, whole or not at
//! all, so that a killed run still has one.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::ExecuteError;
use crate::record::{Record, WorkerRecord};

/// How much of a killed run is lost at most.
const FLUSH_EVERY: Duration = Duration::from_secs(2);

/// The record of a run under way.
pub(super) struct Journal {
    path: PathBuf,
    start: Instant,
    frame: Mutex<Record>,
    workers: Vec<Mutex<WorkerRecord>>,
    done: (Mutex<bool>, Condvar),
}

impl Journal {
    /// For a run whose facts so far are `frame`, kept in `directory`.
    pub(super) fn new(directory: &Path, frame: Record) -> Self {
        let workers = frame.workers.iter().cloned().map(Mutex::new).collect();
        let path = directory.join("record.json");
        Self {
            path,
            start: Instant::now(),
            frame: Mutex::new(frame),
            workers,
            done: (Mutex::new(false), Condvar::new()),
        }
    }

    /// Microseconds from the run's start to now.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The record of one worker, counted from 0.
    pub(super) fn worker(&self, index: usize) -> MutexGuard<'_, WorkerRecord> {
        self.workers[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The records of all workers, one after the other.
    pub(super) fn workers(&self) -> impl Iterator<Item = MutexGuard<'_, WorkerRecord>> {
        (0..self.workers.len()).map(|index| self.worker(index))
    }

    /// Everything but the workers.
    pub(super) fn frame(&self) -> MutexGuard<'_, Record> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record as it is now.
    pub(super) fn snapshot(&self) -> Record {
        let mut record = self.frame().clone();
        record.workers = self.workers().map(|worker| worker.clone()).collect();
        record
    }

    /// Writes the record now.
    pub(super) fn flush(&self) -> Result<(), ExecuteError> {
        write(&self.path, |out| serde_json::to_writer(out, &self.snapshot()).map_err(io::Error::from))
    }

    /// Flushes every few seconds until [`Self::finish`]. A failed flush is tried again; the last one, by the caller,
    /// is the one whose failure is told.
    pub(super) fn keep_flushing(&self) {
        let (done, changed) = &self.done;
        let mut finished = done.lock().unwrap_or_else(PoisonError::into_inner);
        while !*finished {
            finished = changed.wait_timeout(finished, FLUSH_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            if !*finished {
                let _ = self.flush();
            }
        }
    }

    /// Ends [`Self::keep_flushing`].
    pub(super) fn finish(&self) {
        *self.done.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.done.1.notify_all();
    }
}

/// Writes a file whole or not at all: beside it first, then renamed over it.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), ExecuteError> {
    write(path, |out| out.write_all(text.as_bytes()))
}

fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ExecuteError> {
    let beside = path.with_extension("partial");
    let written = (|| {
        let mut out = BufWriter::new(fs::File::create(&beside)?);
        write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        // What is left of it says nothing and would take room on a full disk.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(|error| ExecuteError::Io { path: path.to_owned(), error })
}
