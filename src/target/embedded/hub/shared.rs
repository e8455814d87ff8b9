//! What all requests see.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::Mutex;
use std::time::Duration;

use super::super::error::HubError;
use super::super::fault::Faults;
use super::super::options::HubOptions;
use super::super::wire::SiteId;
use super::database::Tuning;
use super::files;
use super::registry::{Registry, digest};
use super::stash::Stash;
use crate::failure::Secret;
use crate::scenario::Denied;

/// What all requests to one hub see.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) registry: Registry,
    pub(super) management_key: Secret,
    pub(super) faults: Faults,
    pub(super) latency: Duration,
    /// The most rows in a page.
    pub(super) page_rows: u32,
    /// What happens to a row that a policy denies.
    pub(super) denied: Denied,
    /// The sites whose next pull brings rows, where the first one only prepares them.
    pub(super) prepared: Option<Mutex<HashSet<SiteId>>>,
    /// Planted: pushes to be stored once more, by database.
    pub(super) again: Mutex<HashMap<String, Vec<Stash>>>,
    /// Planted: the last page of each site, to be delivered once more.
    pub(super) pages: Mutex<HashMap<SiteId, Vec<u8>>>,
    /// Keeps other hubs out of the directory.
    _lock: File,
}

impl Shared {
    /// Whether this is the key of the management API.
    pub(super) fn is_management_key(&self, bearer: &str) -> bool {
        digest(bearer) == digest(self.management_key.expose())
    }

    pub(super) fn open(options: HubOptions) -> Result<Self, HubError> {
        let lock = files::claim(&options.data)?;
        let tuning = Tuning { busy_timeout: options.busy_timeout, journal_mode: options.journal_mode };
        Ok(Self {
            registry: Registry::open(&options.data, options.api_key, tuning)?,
            management_key: options.management_key,
            faults: Faults::new(options.seed, options.faults),
            latency: options.latency,
            page_rows: options.page_rows,
            denied: options.denied,
            prepared: options.prepare.then(Mutex::default),
            again: Mutex::default(),
            pages: Mutex::default(),
            _lock: lock,
        })
    }
}
