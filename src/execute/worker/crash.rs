//! A device that dies as by `kill -9` and comes back. What the system holds of its files stays as it is at that moment: the
//! files are copied, the connection is closed on the originals, and the copies take their places. What the system has not
//! yet written to the disk survives a killed process, and so it does here; a power cut is another matter.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::state::Worker;
use crate::failure::{Failure, FailureKind, Side};
use crate::plan::StepPlan;
use crate::record::StepKind;
use crate::scenario::CrashAt;

/// The files of a database besides its own. The index of the write-ahead log is not among them: its first reader after a
/// crash makes it anew.
const BESIDE: [&str; 2] = ["-wal", "-journal"];
const INDEX: &str = "-shm";
/// How a copy is called until it takes its place.
const COPY: &str = ".crashed";

impl Worker<'_> {
    /// Where this database dies in a repetition of a step.
    pub(super) fn crash_of(&mut self, step: &StepPlan, time: u64) -> Option<CrashAt> {
        let crash = step.crash.as_ref()?;
        let Some(when) = &crash.when else { return Some(crash.at) };
        let holds = when.holds(&self.scope_at(time));
        self.evaluated(step, holds, false).then_some(crash.at)
    }

    /// Dies: the database is left as it is on disk, and without a session.
    pub(super) fn crash(&mut self, phase: &str) {
        let Some(session) = self.session.take() else { return };
        self.run.watchdog.connection(self.index, None);
        let at = self.run.journal.now();
        let copied = copy(&self.file);
        // Whatever this still does to the files, or fails to do, is undone by the copies.
        drop(session.close());
        let done = copied.and_then(|()| put_back(&self.file));
        let mut event = self.event(phase, StepKind::Crash, at);
        match done {
            Ok(()) => self.note(&event, "crash"),
            Err(error) => {
                let message = format!("failed to leave {} as a crash leaves it: {error}", self.file.display());
                self.note(&event, &format!("crash error: {message}"));
                event.failures.push(Failure::new(FailureKind::Disk, Side::Harness, message));
            }
        }
        self.record(event);
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies the files of a database as they are.
fn copy(file: &Path) -> io::Result<()> {
    // SQLite's locks on the file end with this reading. Nobody else has it open.
    std::fs::copy(file, beside(file, COPY))?;
    for suffix in BESIDE {
        let original = beside(file, suffix);
        match std::fs::copy(&original, beside(&original, COPY)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Puts the copies in the places of the originals.
fn put_back(file: &Path) -> io::Result<()> {
    remove(&beside(file, INDEX))?;
    for suffix in BESIDE {
        let original = beside(file, suffix);
        match std::fs::rename(beside(&original, COPY), &original) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&original)?,
            done => done?,
        }
    }
    std::fs::rename(beside(file, COPY), file)
}

fn remove(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
