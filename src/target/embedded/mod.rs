//! The embedded target: a hub of our own on loopback and the SQL functions that sync with it. It needs nothing
//! installed and no account, and has no part of CloudSync in it: neither the extension nor its protocol.
//!
//! Server-ordered last writer wins. `client` ships the present state of dirty rows and applies what it receives, `hub`
//! numbers every accepted row and answers with "rows after your cursor that you may see", `wire` is what they say to each
//! other, `shape` is a table as both see it, `fault` decides when a planted failure strikes.

mod client;
mod error;
mod fault;
mod hub;
mod shape;
#[cfg(test)]
mod tests;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::scenario::{Fault, JournalMode};

pub use error::HubError;
pub use hub::Hub;

/// How a hub is to run.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Where it listens. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The directory of its files: one SQLite file per database, and `hub.db`. It is created if missing.
    pub data: PathBuf,
    /// The key of administrators, for `/v2/` and for sync without policies.
    pub api_key: String,
    /// The key of the management API, for `/v1/`.
    pub management_key: String,
    /// How long a request waits for a database before `database is locked`.
    pub busy_timeout: Duration,
    /// How many pushes, and how many pulls, are worked on at once.
    pub writers: u32,
    /// The journal mode of the databases.
    pub journal_mode: JournalMode,
    /// Time added to every sync request.
    pub latency: Duration,
    /// The most rows in a page.
    pub page_rows: u32,
    /// Failures planted on purpose.
    pub faults: Vec<Fault>,
    /// The seed of the faults' chances.
    pub seed: u64,
}

impl HubOptions {
    /// A hub on a free port with random keys.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: data.into(),
            api_key: uuid::Uuid::new_v4().simple().to_string(),
            management_key: uuid::Uuid::new_v4().simple().to_string(),
            busy_timeout: Duration::from_secs(30),
            writers: 4,
            journal_mode: JournalMode::Wal,
            latency: Duration::ZERO,
            page_rows: wire::MAX_ROWS,
            faults: Vec::new(),
            seed: 0,
        }
    }
}

/// Adds the `cloudsync_*` SQL functions of the embedded target to a connection. Call it once, right after opening.
///
/// A connection without them cannot write to synced tables: `no such function: cloudsync_is_applying`.
pub fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    client::register(connection, wire::MAX_ROWS)
}
