//! How far a run has come, for whoever wants to show it: counters that workers raise and anybody may read.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

/// How far a run has come.
#[derive(Debug)]
pub(crate) struct Progress {
    /// One per database, in index order.
    pub databases: Vec<DatabaseProgress>,
    /// What the run as a whole is doing.
    stage: AtomicU8,
    /// The settle round under way.
    pub round: AtomicU64,
    /// The latest failure, and in which database it was.
    latest: Mutex<Option<(u32, String)>>,
    /// Who wants to know of every statement.
    statements: Option<Sender<String>>,
}

/// How far one database has come.
#[derive(Debug, Default)]
pub(crate) struct DatabaseProgress {
    /// The iteration under way.
    pub iteration: AtomicU64,
    /// The step of the iteration under way, counted from 0.
    pub step: AtomicUsize,
    /// Rows changed so far.
    pub rows: AtomicU64,
    /// Sync calls made so far.
    pub syncs: AtomicU64,
    /// Failures so far.
    pub failures: AtomicU64,
    /// Whether it has done everything.
    pub finished: AtomicBool,
}

/// What the run as a whole is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Databases are being created.
    Preparing,
    /// Workers run.
    Running,
    /// Sync rounds after the last iteration.
    Settling,
    /// The final contents are read.
    Verifying,
}

impl Progress {
    /// For this many databases.
    pub(crate) fn new(databases: usize) -> Self {
        let databases = std::iter::repeat_with(DatabaseProgress::default).take(databases).collect();
        Self {
            databases,
            stage: AtomicU8::new(0),
            round: AtomicU64::new(0),
            latest: Mutex::new(None),
            statements: None,
        }
    }

    /// Tells every statement as it runs, one a line.
    #[must_use]
    pub(crate) fn telling(mut self, statements: Option<Sender<String>>) -> Self {
        self.statements = statements;
        self
    }

    /// The latest failure in words, and in which database it was.
    pub(crate) fn latest_failure(&self) -> Option<(u32, String)> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn failed(&self, database: u32, message: String) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some((database, message));
    }

    /// Tells what is run, when somebody wants to know.
    pub(super) fn tell(&self, line: impl FnOnce() -> String) {
        if let Some(statements) = &self.statements {
            // When nobody listens any more, nobody misses it.
            let _ = statements.send(line());
        }
    }

    /// What the run as a whole is doing.
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Preparing,
            1 => Stage::Running,
            2 => Stage::Settling,
            _ => Stage::Verifying,
        }
    }

    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }
}
