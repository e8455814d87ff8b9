//! How a hub is to run.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::wire;
use crate::failure::Secret;
use crate::scenario::{Denied, Fault, JournalMode};

/// Connections of a hub: enough for the databases of a large run, each of which has one.
pub(crate) const CONNECTIONS: usize = 8192;

/// How a hub is to run.
#[derive(Debug, Clone)]
pub(crate) struct HubOptions {
    /// Where it listens. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The directory of its files: one SQLite file per database, and `hub.db`. It is created if missing.
    pub data: PathBuf,
    /// The key of administrators, for `/v2/` and for sync without policies.
    pub api_key: Secret,
    /// The key of the management API, for `/v1/`.
    pub management_key: Secret,
    /// How long a request waits for a database before `database is locked`.
    pub busy_timeout: Duration,
    /// How many connections are open at once.
    pub connections: usize,
    /// How many pushes, and how many pulls, are worked on at once.
    pub writers: u32,
    /// The journal mode of the databases.
    pub journal_mode: JournalMode,
    /// Time added to every sync request.
    pub latency: Duration,
    /// The most rows in a page.
    pub page_rows: u32,
    /// What happens to a row that a policy denies.
    pub denied: Denied,
    /// Whether the first pull of new rows only prepares them.
    pub prepare: bool,
    /// Failures planted on purpose.
    pub faults: Vec<Fault>,
    /// The seed of the faults' chances.
    pub seed: u64,
}

impl HubOptions {
    /// A hub on a free port with random keys.
    pub(crate) fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: data.into(),
            api_key: random_key(),
            management_key: random_key(),
            busy_timeout: Duration::from_secs(30),
            connections: CONNECTIONS,
            writers: 4,
            journal_mode: JournalMode::Wal,
            latency: Duration::ZERO,
            page_rows: wire::MAX_ROWS,
            denied: Denied::Skip,
            prepare: false,
            faults: Vec::new(),
            seed: 0,
        }
    }
}

fn random_key() -> Secret {
    uuid::Uuid::new_v4().simple().to_string().into()
}
