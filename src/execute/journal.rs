//! The record as it grows: workers add to it, a flusher writes it to `record.json` every few seconds, whole or not at
//! all, so that a killed run still has one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::ExecuteError;
use super::whole;
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
        whole::write(&self.path, |out| serde_json::to_writer(out, &self.snapshot()).map_err(io::Error::from))
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
