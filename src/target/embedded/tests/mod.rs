//! Tests of the embedded target as a whole: laws over random histories in process, and behaviour over real HTTP.

mod alter;
mod beside;
mod block_cases;
mod block_model;
mod capture;
mod faults;
mod http;
mod interleaving;
mod laws;
mod model;
mod names;
mod options;
mod policies;
mod triggers;
mod world;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Hub, HubOptions, client};
use crate::scenario::{Fault, FaultKind};

const NOTES: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, user_id TEXT, value INTEGER)";

/// The longest that an answer may take, on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(60);

/// The most rows in a push or page here, so that everything takes several.
const FEW: u32 = 5;

/// A hub over HTTP with a database `d` that has the table `notes`.
struct Server {
    hub: Hub,
    id: String,
    data: TempDir,
}

impl Server {
    fn start(faults: Vec<Fault>) -> Self {
        Self::start_with(|options| options.faults = faults)
    }

    fn start_with(change: impl FnOnce(&mut HubOptions)) -> Self {
        let data = TempDir::new().expect("directory");
        let mut options = options(data.path());
        change(&mut options);
        let hub = Hub::start(options).expect("hub");
        let mut server = Self { hub, id: String::new(), data };
        assert_eq!(server.sql("CREATE DATABASE d IF NOT EXISTS").0, 200);
        assert_eq!(server.sql(&format!("USE DATABASE d; {NOTES}")).0, 200);
        let (_, answer) = server.call("POST", "/v1/databases", "manage", &json!({ "databaseName": "d" }));
        server.id = answer["data"]["managedDatabaseId"].as_str().expect("id").to_owned();
        let path = format!("/v1/databases/{}/cloudsync/enable", server.id);
        assert_eq!(server.call("POST", &path, "manage", &json!({ "tables": ["notes"] })).0, 200);
        server
    }

    fn call(&self, method: &str, path: &str, bearer: &str, body: &Value) -> (u16, Value) {
        let (status, body) = request(&format!("{}{path}", self.hub.url()), method, bearer, body.to_string().as_bytes());
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn sql(&self, sql: &str) -> (u16, Value) {
        self.call("POST", "/v2/weblite/sql", "key", &json!({ "sql": sql }))
    }

    /// The one value that a query on the server gives.
    fn value(&self, sql: &str) -> Value {
        let (status, answer) = self.sql(&format!("USE DATABASE d; {sql}"));
        assert_eq!(status, 200, "{answer}");
        answer["data"][0].as_object().and_then(|row| row.values().next()).cloned().unwrap_or(Value::Null)
    }

    fn token(&self, user: &str) -> String {
        let (status, answer) = self.call("POST", "/v2/tokens", "key", &json!({ "name": user, "userId": user }));
        assert_eq!(status, 200, "{answer}");
        answer["data"]["token"].as_str().expect("token").to_owned()
    }

    /// Users see and write their own notes.
    fn own_notes_only(&self) {
        let policies = "USE DATABASE d; ENABLE RLS DATABASE d TABLE notes;
            SET RLS DATABASE d TABLE notes SELECT \"auth_userid() = user_id\";
            SET RLS DATABASE d TABLE notes INSERT \"auth_userid() = NEW.user_id\";
            SET RLS DATABASE d TABLE notes UPDATE \"auth_userid() = OLD.user_id AND auth_userid() = NEW.user_id\";
            SET RLS DATABASE d TABLE notes DELETE \"auth_userid() = OLD.user_id\"";
        let (status, answer) = self.sql(policies);
        assert_eq!(status, 200, "{answer}");
    }

    fn client(&self) -> Connection {
        self.client_as("key")
    }

    fn client_as(&self, credential: &str) -> Connection {
        let connection = client(NOTES, "notes");
        self.connect(&connection, credential);
        connection
    }

    fn connect(&self, connection: &Connection, credential: &str) {
        let function = if credential == "key" { "apikey" } else { "token" };
        connection
            .query_row(
                &format!("SELECT cloudsync_network_init_custom(?1, ?2), cloudsync_network_set_{function}(?3)"),
                [self.hub.url(), &self.id, credential],
                |_| Ok(()),
            )
            .expect("network");
    }
}

fn options(data: &Path) -> HubOptions {
    let mut options = HubOptions::new(data);
    (options.api_key, options.management_key) = ("key".into(), "manage".into());
    options.page_rows = FEW;
    options
}

fn client(schema: &str, table: &str) -> Connection {
    let connection = Connection::open_in_memory().expect("memory");
    client::register(&connection, FEW).expect("functions");
    rusqlite::vtab::series::load_module(&connection).expect("generate_series");
    connection.execute_batch(schema).expect("schema");
    connection.query_row("SELECT cloudsync_init(?1)", [table], |_| Ok(())).expect("init");
    connection
}

fn request(url: &str, method: &str, bearer: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(LIMIT))
        .build()
        .new_agent();
    let request = ureq::http::Request::builder().method(method).uri(url);
    let request = request.header("Authorization", format!("Bearer {bearer}")).body(body.to_vec()).expect("request");
    let mut response =
        agent.run(agent.configure_request(request).allow_non_standard_methods(true).build()).expect("answer");
    (response.status().as_u16(), response.body_mut().read_to_vec().expect("body"))
}

fn ask(connection: &Connection, sql: &str) -> rusqlite::Result<Value> {
    let text: String = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(serde_json::from_str(&text).expect("JSON"))
}

fn send(connection: &Connection) -> rusqlite::Result<Value> {
    Ok(ask(connection, "SELECT cloudsync_network_send_changes()")?["send"].clone())
}

fn receive(connection: &Connection) -> rusqlite::Result<Value> {
    Ok(ask(connection, "SELECT cloudsync_network_receive_changes()")?["receive"].clone())
}

/// All rows of a table as text, in the order of the key.
fn dump(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).expect("query");
    let width = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells: Vec<String> =
            (0..width).map(|i| format!("{:?}", row.get::<_, rusqlite::types::Value>(i).expect("column"))).collect();
        Ok(cells.join("|"))
    });
    rows.expect("rows").collect::<rusqlite::Result<_>>().expect("row")
}

fn notes(connection: &Connection) -> Vec<String> {
    dump(connection, "SELECT id, user_id, value FROM notes ORDER BY id")
}

fn text_of(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text,
        other => other.to_string(),
    }
}

fn always(fault: FaultKind) -> Fault {
    Fault { fault, rate: None, at: Vec::new(), databases: Vec::new() }
}

fn at(fault: FaultKind, at: &[u64]) -> Fault {
    Fault { at: at.to_vec(), ..always(fault) }
}

#[test]
fn a_hub_prints_none_of_its_keys_and_tokens() {
    let directory = TempDir::new().expect("directory");
    let mut options = options(directory.path());
    (options.api_key, options.management_key) = ("k3y-of-the-project".into(), "k3y-of-the-workspace".into());
    let hub = super::hub::LocalHub::open(options).expect("a hub");
    let token = hub.token("user-1").expect("a token");
    let printed = format!("{hub:?}");
    assert!(printed.contains("[hidden]") && printed.contains("user-1"), "{printed}");
    assert!(!printed.contains("k3y") && !printed.contains(token.expose()), "{printed}");
}
