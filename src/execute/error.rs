//! Why a run could not be made.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::failure::{FailureKind, RawError, classify};
use crate::target::room;

/// What to do about too few open files.
const OPEN_FILES: &str = "the system limits the number of open files: raise the limit with `ulimit -n 4096`";
/// What to do about threads that do not start.
const THREADS: &str =
    "raise the limits of processes (`ulimit -u`) and of memory (`ulimit -v`), or run with fewer `--databases`";

/// Why a run could not be made.
#[derive(Debug)]
pub(crate) enum ExecuteError {
    /// A file or directory of the run could not be written.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A database could not be created.
    Prepare {
        /// Its file.
        path: PathBuf,
        /// What SQLite or the extension said.
        error: RawError,
    },
    /// The threads could not be started.
    Threads(io::Error),
}

impl ExecuteError {
    /// What to do about it, where that is known.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::Io { error, .. } => Some(advice(error)),
            Self::Prepare { error, .. } => (classify(error).kind == FailureKind::Disk).then(room),
            Self::Threads(_) => Some(THREADS),
        }
    }
}

/// What to do about a file that could not be written.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::FileTooLarge | ErrorKind::StorageFull | ErrorKind::QuotaExceeded => room(),
        ErrorKind::TimedOut => {
            "start the reader first; `stress report RUN_DIR --report FORMAT=PATH` writes a report again"
        }
        _ if has_too_many_open(error) => OPEN_FILES,
        _ => "check the path and its permissions, or name another place",
    }
}

/// Whether the process has as many open files as it may.
fn has_too_many_open(error: &io::Error) -> bool {
    #[cfg(unix)]
    let is = error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error());
    #[cfg(not(unix))]
    let is = false;
    is
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
