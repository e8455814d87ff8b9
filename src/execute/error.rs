//! Why a run could not be made.

use std::fmt;
use std::path::PathBuf;

use crate::failure::{FailureKind, RawError, classify};

/// What to do about a file of the run that cannot be written.
const ROOM: &str = "free some disk space, or name another directory with `--out`";

/// What to do about threads that the system does not start.
const THREADS: &str =
    "raise the limits of memory and processes (`ulimit -v`, `ulimit -u`), or run with fewer `--databases`";

/// Why a run could not be made.
#[derive(Debug)]
pub(crate) enum ExecuteError {
    /// A file or directory of the run could not be written.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A database could not be created.
    Prepare {
        /// Its file.
        path: PathBuf,
        /// What SQLite or the extension said.
        error: RawError,
    },
    /// The threads could not be started.
    Threads(Box<dyn std::error::Error + Send + Sync>),
}

impl ExecuteError {
    /// The system did not start a thread.
    pub(super) fn threads(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Threads(Box::new(error))
    }

    /// What to do about it, where that is known.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } => Some(ROOM),
            Self::Prepare { error, .. } => (classify(error).kind == FailureKind::Disk).then_some(ROOM),
            Self::Threads(_) => Some(THREADS),
        }
    }
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "failed to write `{}`: {error}", path.display()),
            Self::Prepare { path, error } => {
                write!(f, "failed to create the database `{}`: {}", path.display(), error.message)
            }
            Self::Threads(error) => write!(f, "failed to start the threads of the run: {error}"),
        }
    }
}

impl std::error::Error for ExecuteError {}
