//! What a connection remembers between calls.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::super::shape::Shape;
use super::error::failure;
use super::transport::{Endpoint, Transport};
use super::{capture, local};
use crate::failure::Secret;

/// The state of one connection.
pub(super) struct State {
    /// Received rows are being written: triggers stay silent.
    pub(super) applying: AtomicBool,
    /// `cloudsync_terminate()` was called: writes to synced tables fail until the next init.
    pub(super) terminated: AtomicBool,
    /// The delete trigger fires also for rows that REPLACE removes.
    pub(super) captures_replaced: AtomicBool,
    pub(super) network: Mutex<Network>,
    /// The tables that are being altered, as they were before.
    pub(super) altering: Mutex<Vec<Shape>>,
}

/// Where a connection syncs with.
pub(super) struct Network {
    pub(super) endpoint: Option<(String, String)>,
    pub(super) credential: Option<Secret>,
    pub(super) transport: Box<dyn Transport>,
    /// The most rows in a push.
    pub(super) push_rows: u32,
}

impl Network {
    /// The transport with the endpoint of this moment.
    pub(super) fn open(&mut self, connection: &Connection) -> rusqlite::Result<(&mut dyn Transport, Endpoint)> {
        let Some((address, id)) = self.endpoint.clone() else {
            return Err(failure("Unable to retrieve CloudSync network context."));
        };
        let timeout = |key, default| -> rusqlite::Result<Duration> {
            let seconds = local::setting(connection, key)?.and_then(|text| text.trim().parse::<f64>().ok());
            let seconds = seconds.filter(|&seconds| seconds > 0.0 && seconds < 1e9);
            Ok(seconds.map_or(Duration::from_secs(default), Duration::from_secs_f64))
        };
        let endpoint = Endpoint {
            address,
            id,
            credential: self.credential.clone(),
            connect_timeout: timeout("network_connect_timeout", 30)?,
            request_timeout: timeout("network_request_timeout", 300)?,
        };
        Ok((self.transport.as_mut(), endpoint))
    }
}

impl State {
    pub(super) fn new(push_rows: u32, transport: Box<dyn Transport>) -> Self {
        Self {
            applying: AtomicBool::new(false),
            terminated: AtomicBool::new(false),
            captures_replaced: AtomicBool::new(false),
            network: Mutex::new(Network { endpoint: None, credential: None, transport, push_rows }),
            altering: Mutex::default(),
        }
    }

    pub(super) fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the connection capture the rows that REPLACE removes: whether it did not before.
    pub(super) fn capture_replaced(&self, connection: &Connection) -> rusqlite::Result<bool> {
        if self.captures_replaced.load(Ordering::Relaxed) {
            return Ok(false);
        }
        capture::capture_replaced(connection)?;
        self.captures_replaced.store(true, Ordering::Relaxed);
        Ok(true)
    }

    /// Silences capture until the guard is dropped. Where a file has no triggers but those of capture, SQLite does not even
    /// call them.
    pub(super) fn silence<'a>(&'a self, connection: &'a Connection) -> rusqlite::Result<Silence<'a>> {
        let has_others = self.terminated.load(Ordering::Relaxed) || capture::has_own_triggers(connection)?;
        if !has_others {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        }
        self.applying.store(true, Ordering::Relaxed);
        Ok(Silence { applying: &self.applying, connection, has_others })
    }
}

pub(super) struct Silence<'a> {
    applying: &'a AtomicBool,
    connection: &'a Connection,
    /// Whether there are triggers besides those of capture, which are called.
    pub(super) has_others: bool,
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        self.applying.store(false, Ordering::Relaxed);
        if !self.has_others {
            // It fails for an unknown option only.
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true);
        }
    }
}
