//! A hub in process, and messages to it that may be lost or late.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::super::client::transport::{Endpoint, Refusal, Transport, Verb};
use super::super::hub::LocalHub;
use super::options;
use crate::failure::Secret;
use crate::sql::quote;

/// What happens to the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    /// It arrives, and the answer does not.
    AnswerLost,
    /// It arrives later, when it is delivered, and the client has long given up.
    Delayed,
}

/// A push: who sent it, and what.
pub(super) type Push = (String, Vec<u8>);

/// The hub and everything ever pushed to it.
pub(super) struct World {
    pub(super) hub: LocalHub,
    pub(super) id: String,
    pushes: Mutex<Vec<Push>>,
    fate: Mutex<Fate>,
}

impl World {
    /// A hub with a database `d` and these tables, which answers with so many rows a page.
    pub(super) fn open(directory: &TempDir, page_rows: u32, schema: &str, tables: &[&str]) -> Arc<Self> {
        let mut options = options(&directory.path().join("hub"));
        options.page_rows = page_rows;
        let hub = LocalHub::open(options).expect("hub");
        let id = hub.manage("d").expect("database");
        let enable: Vec<String> = tables.iter().map(|table| format!("CLOUDSYNC ENABLE {}", quote(table))).collect();
        let enabled = hub.sql("key", "d", &format!("{schema} {}", enable.join("; ")));
        assert_eq!(enabled["data"], "OK", "{enabled}");
        Arc::new(Self { hub, id, pushes: Mutex::default(), fate: Mutex::new(Fate::Arrives) })
    }

    /// What happens to messages from now on.
    pub(super) fn fare(&self, fate: Fate) {
        *self.fate.lock().expect("lock") = fate;
    }

    /// All that was ever pushed, whether it arrived or not.
    pub(super) fn pushes(&self) -> Vec<Push> {
        self.pushes.lock().expect("lock").clone()
    }

    /// A push arrives, once more or for the first time.
    pub(super) fn deliver(&self, (bearer, body): &Push) {
        self.hub.call(&self.id, true, bearer, body);
    }
}

/// The way to the hub.
pub(super) struct Direct(pub(super) Arc<World>);

impl Transport for Direct {
    fn call(&mut self, endpoint: &Endpoint, verb: Verb, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let bearer = endpoint.credential.as_ref().map_or("", Secret::expose);
        if verb == Verb::Push {
            self.0.pushes.lock().expect("lock").push((bearer.to_owned(), body.to_vec()));
        }
        let fate = *self.0.fate.lock().expect("lock");
        let lost = Err(Refusal::Network("lost".to_owned()));
        if fate == Fate::Delayed {
            return lost;
        }
        let (status, answer) = self.0.hub.call(&endpoint.id, verb == Verb::Push, bearer, body);
        match fate {
            Fate::AnswerLost => lost,
            _ if status == 200 => Ok(answer),
            _ => Err(Refusal::Status(String::from_utf8_lossy(&answer).into_owned())),
        }
    }
}
