//! The readers of the messages between a database and the hub, as functions from bytes: see `crate::fuzzing`. Each has a
//! hub or a database of its own, with the table `notes`.

use rusqlite::Connection;
use tempfile::TempDir;

use super::HubOptions;
use super::client::register_with;
use super::client::transport::{Endpoint, Refusal, Transport, Verb};
use super::hub::LocalHub;
pub(crate) use super::hub::fuzzing::{query, statements};
use super::wire::{MAX_ROWS, PageHead, PullRequest, PushAnswer, Reader, message};
use crate::scenario::JournalMode;

pub(super) const NOTES: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, user_id TEXT, value INTEGER)";

/// A hub without HTTP, with the managed database `id`.
pub(super) struct Alone {
    _directory: TempDir,
    hub: LocalHub,
    id: String,
}

impl Alone {
    pub(super) fn open() -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut options = HubOptions::new(directory.path());
        options.api_key = "key".into();
        options.journal_mode = JournalMode::Memory;
        let hub = LocalHub::open(options).expect("a hub");
        let id = hub.manage("d").expect("a database");
        let enabled = hub.sql("key", "d", &format!("{NOTES}; CLOUDSYNC ENABLE notes"));
        assert_eq!(enabled["data"], "OK", "{enabled}");
        Self { _directory: directory, hub, id }
    }

    /// The answer to a message; none if it is refused as malformed.
    fn call(&self, is_push: bool, body: &[u8]) -> Option<Vec<u8>> {
        let (status, answer) = self.hub.call(&self.id, is_push, "key", body);
        assert!(matches!(status, 200 | 400), "{status}: {}", String::from_utf8_lossy(&answer));
        (status == 200).then_some(answer)
    }

    /// All that it holds.
    fn page(&self) -> Vec<u8> {
        let request = PullRequest { site: [0; 16], cursor: 0, tables: vec!["notes"] };
        self.call(false, &message(&request, Vec::new())).expect("a page")
    }
}

impl Transport for Alone {
    fn call(&mut self, _: &Endpoint, verb: Verb, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        Self::call(self, verb == Verb::Push, body).ok_or_else(|| Refusal::Network("refused".to_owned()))
    }
}

/// A database that syncs by this transport.
pub(super) fn database(transport: Box<dyn Transport>) -> Connection {
    let connection = Connection::open_in_memory().expect("memory");
    register_with(&connection, MAX_ROWS, transport).expect("the functions");
    connection.execute_batch(NOTES).expect("the table");
    let start = "SELECT cloudsync_init('notes'), cloudsync_network_init_custom('local', 'd'), cloudsync_network_set_apikey('key')";
    connection.query_row(start, [], |_| Ok(())).expect("the start");
    connection
}

/// A page, and after it nothing.
struct Once(Option<Vec<u8>>);

impl Transport for Once {
    fn call(&mut self, _: &Endpoint, _: Verb, _: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.0.take().ok_or_else(|| Refusal::Network("no more".to_owned()))
    }
}

/// A push: a second time it changes nothing, and what is stored can be received.
pub(crate) fn push(bytes: &[u8]) -> bool {
    let hub = Alone::open();
    let empty = hub.page();
    let Some(answer) = hub.call(true, bytes) else {
        assert_eq!(hub.page(), empty, "a push that is refused is stored");
        return false;
    };
    let answer: PushAnswer = Reader::open(&answer).and_then(|mut reader| reader.take()).expect("an answer");
    let stored = hub.page();
    hub.call(true, bytes);
    assert_eq!(hub.page(), stored, "a push that comes twice changes more than once");
    assert!(page(&stored), "what is stored cannot be received");
    answer.failure.is_none()
}

/// A pull, which changes nothing: one hub is enough for all.
pub(crate) fn pull(bytes: &[u8]) -> bool {
    thread_local!(static HUB: Alone = Alone::open());
    let Some(answer) = HUB.with(|hub| hub.call(false, bytes)) else { return false };
    Reader::open(&answer).and_then(|mut reader| reader.take::<PageHead<'_>>()).expect("a page");
    true
}

/// A page, which leaves a database sound.
pub(crate) fn page(bytes: &[u8]) -> bool {
    let connection = database(Box::new(Once(Some(bytes.to_vec()))));
    let sql = "SELECT cloudsync_network_receive_changes() ->> '$.receive.complete'";
    let complete = connection.query_row(sql, [], |row| row.get(0)).unwrap_or(false);
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(check, "ok");
    complete
}

/// Messages, each with the reader that takes it.
#[cfg(test)]
type Messages = Vec<(&'static str, Vec<u8>)>;

/// Real messages by the reader that takes them: the corpus in today's format.
#[cfg(test)]
pub(crate) fn messages() -> Messages {
    use std::sync::{Arc, Mutex};

    /// Keeps what is said on the way to the hub.
    struct Kept(Alone, Arc<Mutex<Messages>>);

    impl Transport for Kept {
        fn call(&mut self, endpoint: &Endpoint, verb: Verb, body: &[u8]) -> Result<Vec<u8>, Refusal> {
            let answer = Transport::call(&mut self.0, endpoint, verb, body)?;
            let mut kept = self.1.lock().expect("the lock");
            match verb {
                Verb::Push => kept.push(("push", body.to_vec())),
                Verb::Pull => kept.extend([("pull", body.to_vec()), ("page", self.0.page())]),
            }
            Ok(answer)
        }
    }

    let kept = Arc::new(Mutex::default());
    let connection = database(Box::new(Kept(Alone::open(), Arc::clone(&kept))));
    for sql in [
        "INSERT INTO notes VALUES ('a', 'u', 1), ('b', NULL, -9223372036854775807), ('c', x'ff00', 0.5)",
        "UPDATE notes SET value = 2 WHERE id = 'a'",
        "DELETE FROM notes WHERE id = 'b'",
    ] {
        connection.execute_batch(sql).expect("a change");
        let sync = "SELECT cloudsync_network_send_changes(), cloudsync_network_receive_changes()";
        connection.query_row(sync, [], |_| Ok(())).expect("a sync");
    }
    kept.lock().expect("the lock").clone()
}
