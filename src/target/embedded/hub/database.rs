//! One managed database: its file, and the connections that serve pushes and pulls. It must not know what they do.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::tracking;
use super::files;
use super::policy::{Caller, Identity};
use super::tracked::{BOOKKEEPING, Tracked};
use crate::scenario::JournalMode;

/// How connections are opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    pub(super) busy_timeout: Duration,
    pub(super) journal_mode: JournalMode,
}

/// A managed database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) path: PathBuf,
    tuning: Tuning,
    idle: Mutex<Vec<Worker>>,
}

impl Database {
    /// Opens the file, and creates it and its bookkeeping when missing.
    pub(super) fn open(name: String, path: PathBuf, tuning: Tuning) -> rusqlite::Result<Self> {
        let worker = Worker::open(&path, tuning)?;
        worker.connection.execute_batch(&format!("BEGIN IMMEDIATE; {BOOKKEEPING} COMMIT;"))?;
        Ok(Self { name, path, tuning, idle: Mutex::new(vec![worker]) })
    }

    /// Runs `work` on a connection of its own.
    pub(super) fn with<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&mut Worker) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::open(&self.path, self.tuning)?,
        };
        let result = work(&mut worker);
        // A connection stuck in a transaction would keep everybody else out.
        if worker.connection.is_autocommit() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        }
        result
    }

    /// How long its connections wait for locks.
    pub(super) fn busy_timeout(&self) -> Duration {
        self.tuning.busy_timeout
    }

    /// A connection that is not shared and not kept.
    pub(super) fn connect(&self) -> rusqlite::Result<Worker> {
        Worker::open(&self.path, self.tuning)
    }
}

/// A connection with what it remembers.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) connection: Connection,
    pub(super) cache: Cache,
    /// The state of the schema by which it notes what triggers write; none as long as it notes nothing.
    pub(super) cascades: Option<Stamp>,
    identity: Identity,
}

impl Worker {
    fn open(path: &Path, tuning: Tuning) -> rusqlite::Result<Self> {
        let mut connection = files::open(path)?;
        wait_for_locks(&mut connection, tuning.busy_timeout)?;
        let mode = match tuning.journal_mode {
            JournalMode::Wal => "wal",
            JournalMode::Delete => "delete",
            JournalMode::Truncate => "truncate",
            JournalMode::Memory => "memory",
        };
        connection.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
        // Rows come in the order of the sites' changes, not parents first.
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = ON;",
        )?;
        connection.set_prepared_statement_cache_capacity(256);
        rusqlite::vtab::series::load_module(&connection)?;
        tracking::register(&connection)?;
        let identity = Identity::register(&connection)?;
        super::turn::bind(&mut connection)?;
        Ok(Self { connection, cache: Cache::default(), cascades: None, identity })
    }

    /// Says for whom the next statements run.
    pub(super) fn identify(&self, caller: &Caller) {
        self.identity.set(caller);
    }

    /// Changes how long this connection waits for locks.
    pub(super) fn wait(&mut self, busy_timeout: Duration) -> rusqlite::Result<()> {
        wait_for_locks(&mut self.connection, busy_timeout)
    }
}

/// Waits for locks in steps of a millisecond. SQLite's own busy timeout sleeps up to 100 ms at a time, in which a lock
/// that is held for 5 ms by each of four writers is free most of the time.
fn wait_for_locks(connection: &mut Connection, timeout: Duration) -> rusqlite::Result<()> {
    let mut since = Instant::now();
    connection.busy_handler(Some(move |tries| {
        if tries == 0 {
            since = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(1));
        since.elapsed() < timeout
    }))
}

/// A state of the schema and of what is synced how: SQLite's version of the schema, and the hub's.
pub(super) type Stamp = (i64, i64);

/// The synced tables as last read.
#[derive(Debug, Default)]
pub(super) struct Cache {
    stamp: Stamp,
    /// Whether the schema has triggers.
    has_triggers: bool,
    tables: HashMap<String, Option<Arc<Tracked>>>,
}

impl Cache {
    /// The state of the schema with triggers that was last read; none if it has no triggers.
    pub(super) fn triggers(&self) -> Option<Stamp> {
        self.has_triggers.then_some(self.stamp)
    }

    /// A synced table, read again after any change of the schema or of the policies. The caller has a transaction.
    pub(super) fn get(&mut self, connection: &Connection, table: &str) -> rusqlite::Result<Option<Arc<Tracked>>> {
        let schema: i64 = connection.prepare_cached("PRAGMA main.schema_version")?.query_row([], |row| row.get(0))?;
        let generation: i64 =
            connection.prepare_cached("SELECT generation FROM cloudsync_state")?.query_row([], |row| row.get(0))?;
        if self.stamp != (schema, generation) {
            self.tables.clear();
            self.stamp = (schema, generation);
            self.has_triggers =
                connection.prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger'")?.exists([])?;
        }
        if let Some(known) = self.tables.get(table) {
            return Ok(known.clone());
        }
        let tracked = Tracked::read(connection, table)?.map(Arc::new);
        // Names come from requests: do not let them pile up.
        if tracked.is_some() {
            self.tables.insert(table.to_owned(), tracked.clone());
        }
        Ok(tracked)
    }
}
