//! Why a hub cannot run.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a hub cannot run.
#[derive(Debug)]
pub(crate) enum HubError {
    /// Somebody else listens there.
    AddressInUse {
        /// The address asked for.
        address: SocketAddr,
    },
    /// Listening failed for another reason.
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data directory cannot be created or written to.
    Data {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another hub works in the data directory.
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the data directory is no database of a hub, or is damaged.
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Threads could not be started.
    Threads {
        /// What the system says.
        source: std::io::Error,
    },
}

impl HubError {
    /// What to do about it, where that is known.
    pub(crate) fn help(&self) -> Option<&'static str> {
        match self {
            Self::AddressInUse { .. } => {
                Some("stop the other process, or choose another port; port 0 takes a free one")
            }
            Self::Data { .. } => Some("choose a writable directory"),
            Self::Taken { .. } => Some("stop the other hub, or choose another data directory"),
            Self::Database { .. } => Some("move the file away, or choose another data directory"),
            Self::Listen { .. } | Self::Threads { .. } => None,
        }
    }
}

/// What could not be done, after "failed to".
impl std::fmt::Display for HubError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AddressInUse { address } => write!(f, "listen on {address}: the port is in use"),
            Self::Listen { address, source } => write!(f, "listen on {address}: {source}"),
            Self::Data { path, source } => write!(f, "use the data directory {}: {source}", path.display()),
            Self::Taken { path } => {
                write!(f, "use the data directory {}: another hub uses it already", path.display())
            }
            Self::Database { path, source } => write!(f, "open {}: {source}", path.display()),
            Self::Threads { source } => write!(f, "start the hub's threads: {source}"),
        }
    }
}

impl std::error::Error for HubError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::AddressInUse { .. } | Self::Taken { .. } => None,
            Self::Listen { source, .. } | Self::Data { source, .. } | Self::Threads { source } => Some(source),
            Self::Database { source, .. } => Some(source),
        }
    }
}
