//! The hub: start and stop. `shared` is what its parts share; `listener` speaks HTTP; `sync` answers pushes and pulls through
//! `push`, `pull` and `policy`, with the planted failures of single rows in `plant`; `sql`, `command`, `switch`, `tokens` and `manage` are the administration; `registry` knows databases
//! and tokens; `database` is a file and its connections; `tracked` is a synced table,
//! `companion` what the hub notes of its rows, `alter` what becomes of that when the table is altered, `note` how that is done while others than a push write, `cascade` for what triggers write during a push; `shared` is what every request sees.

mod alter;
mod arrival;
mod cascade;
mod command;
mod companion;
mod database;
mod door;
mod error;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod graves;
mod listener;
mod manage;
mod note;
mod plant;
mod policy;
mod pull;
mod push;
mod refusal;
mod registry;
mod reply;
mod rows;
mod shared;
mod sql;
mod stash;
mod switch;
mod sync;
mod tokens;
mod torn;
mod tracked;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::error::HubError;
use super::options::HubOptions;
pub(crate) use files::kept;
use shared::Shared;

/// How long a stop waits for requests under way.
const GRACE: Duration = Duration::from_secs(5);

/// A running hub. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Hub {
    url: String,
    shared: Arc<Shared>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    runtime: tokio::runtime::Runtime,
    stop: watch::Sender<bool>,
    /// Closes when the last connection is gone.
    connections: mpsc::Receiver<()>,
}

impl Hub {
    /// Starts a hub and returns once it listens.
    pub(crate) fn start(options: HubOptions) -> Result<Self, HubError> {
        let address = options.address;
        let writers = options.writers.max(1) as usize;
        let (limits, places) = (door::Limits::new(writers), options.connections);
        let shared = Arc::new(Shared::open(options)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(door::Limits::threads(writers))
            .thread_name("hub")
            .enable_all()
            .build()
            .map_err(|source| HubError::Threads { source })?;
        let socket = {
            let _context = runtime.enter();
            listener::listen(address).map_err(|source| match source.kind() {
                std::io::ErrorKind::AddrInUse => HubError::AddressInUse { address },
                _ => HubError::Listen { address, source },
            })?
        };
        let local = socket.local_addr().map_err(|source| HubError::Listen { address, source })?;
        let (stop, stopped) = watch::channel(false);
        let (alive, connections) = mpsc::channel(1);
        runtime.spawn(listener::serve(socket, Arc::clone(&shared), limits, places, stopped, alive));
        let running = Running { runtime, stop, connections };
        Ok(Self { url: format!("http://{local}"), shared, running: Some(running) })
    }

    /// Its address, as in `http://127.0.0.1:7800`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Says which database of the scenario a site is, counted from 1, so that faults can choose by it. `site_id` is what
    /// `cloudsync_init` returned; anything else is ignored.
    pub(crate) fn name_site(&self, site_id: &str, database: u32) {
        if let Ok(site) = uuid::Uuid::try_parse(site_id) {
            self.shared.faults.name_site(site.into_bytes(), database);
        }
    }

    /// How often a planted failure struck so far.
    pub(crate) fn strikes(&self) -> u64 {
        self.shared.faults.struck()
    }

    /// Stops it: no new connections, requests under way are answered.
    pub(crate) fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        let Some(Running { runtime, stop, mut connections }) = self.running.take() else { return };
        // Nobody listens when the accept loop is gone already.
        let _ = stop.send(true);
        let _ = runtime.block_on(async { tokio::time::timeout(GRACE, connections.recv()).await });
        runtime.shutdown_timeout(GRACE);
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.halt();
    }
}

/// The same hub without HTTP, for tests that lose, repeat and make up messages themselves.
#[cfg(any(test, feature = "fuzzing"))]
#[derive(Debug)]
pub(super) struct LocalHub(Shared);

#[cfg(any(test, feature = "fuzzing"))]
impl LocalHub {
    pub(super) fn open(options: HubOptions) -> Result<Self, HubError> {
        Shared::open(options).map(Self)
    }

    /// The status and body that answer a message.
    pub(super) fn call(&self, id: &str, is_push: bool, bearer: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let verb = if is_push { sync::Verb::Push } else { sync::Verb::Pull };
        let Some(caller) = self.0.registry.caller(bearer) else { return (401, Vec::new()) };
        let reply = sync::answer(&self.0, id, verb, caller, body);
        (reply.status, reply.body)
    }

    /// The answer to an administrator's SQL.
    pub(super) fn sql(&self, bearer: &str, database: &str, sql: &str) -> serde_json::Value {
        let body = serde_json::json!({ "sql": sql, "database": database }).to_string();
        let Some(caller) = self.0.registry.caller(bearer) else { return serde_json::Value::Null };
        let reply = sql::answer(&self.0.registry, caller, sql::Query::from_json(body.as_bytes()));
        serde_json::from_slice(&reply.body).unwrap_or(serde_json::Value::Null)
    }

    /// Registers a database: its managed id.
    pub(super) fn manage(&self, name: &str) -> Option<String> {
        self.0.registry.create(name).ok()?;
        self.0.registry.manage(name, name).ok()
    }

    /// Makes a token for a user.
    #[cfg(test)]
    pub(super) fn token(&self, user: &str) -> Option<crate::failure::Secret> {
        self.0.registry.create_token(user, user, None, None).ok().map(|(_, text)| text)
    }
}
