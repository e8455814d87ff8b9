//! Laws: whatever the interleaving, loss, repetition and delay of messages, all databases end up as the server is, and
//! nothing that was acknowledged is lost or done twice.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::super::client::register_with;
use super::world::{Direct, Fate, World};
use super::{FEW, dump};

const SCHEMA: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, owner TEXT, shared INTEGER, value INTEGER);
    CREATE TABLE \"order\"(\"group\" TEXT, \"a'b\" INTEGER, value INTEGER, PRIMARY KEY (\"a'b\", \"group\")) WITHOUT ROWID;";
const QUERIES: [&str; 2] = ["SELECT * FROM notes ORDER BY id", "SELECT * FROM \"order\" ORDER BY 1, 2"];

#[derive(Debug, Clone)]
enum Op {
    Put {
        client: usize,
        key: u8,
    },
    Delete {
        client: usize,
        key: u8,
    },
    Rename {
        client: usize,
        from: u8,
        to: u8,
    },
    Order {
        client: usize,
        key: u8,
    },
    Admin {
        key: u8,
        delete: bool,
    },
    Send {
        client: usize,
        fate: Fate,
    },
    Receive {
        client: usize,
        fate: Fate,
        most: i64,
    },
    /// Messages of the past arrive, once more or for the first time.
    Deliver {
        index: usize,
    },
    Crash {
        client: usize,
    },
}

struct Client {
    path: PathBuf,
    world: Arc<World>,
    credential: String,
    connection: Connection,
}

impl Client {
    fn new(path: PathBuf, world: &Arc<World>, credential: &str) -> Self {
        let connection = open(&path, world, credential);
        Self { path, world: Arc::clone(world), credential: credential.to_owned(), connection }
    }

    /// A crash of the process: the file is all that is left.
    fn crash(&mut self) {
        self.connection = Connection::open_in_memory().expect("memory");
        self.connection = open(&self.path, &self.world, &self.credential);
    }

    fn run(&self, sql: &str, fate: Fate) -> Option<serde_json::Value> {
        self.world.fare(fate);
        let answer = super::ask(&self.connection, sql);
        self.world.fare(Fate::Arrives);
        assert_eq!(answer.is_err(), fate != Fate::Arrives, "{answer:?}");
        answer.ok()
    }

    fn settle(&self) {
        let answer = self.run("SELECT cloudsync_network_sync()", Fate::Arrives).expect("answer");
        assert_eq!(answer["send"]["status"], "synced", "{answer}");
        assert_eq!(answer["send"].get("lastFailure"), None, "{answer}");
        assert_eq!(answer["receive"].get("error"), None, "{answer}");
        assert_eq!(answer["receive"]["complete"], true, "{answer}");
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> usize {
        self.connection.execute(sql, values).expect("write")
    }
}

fn open(path: &std::path::Path, world: &Arc<World>, credential: &str) -> Connection {
    let connection = Connection::open(path).expect("file");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").expect("pragmas");
    register_with(&connection, FEW, Box::new(Direct(Arc::clone(world)))).expect("functions");
    connection.execute_batch(&SCHEMA.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")).expect("schema");
    let start = "SELECT cloudsync_init('notes'), cloudsync_init('order'), cloudsync_network_init_custom('local', ?1), cloudsync_network_set_apikey(?2)";
    connection.query_row(start, [&world.id, credential], |_| Ok(())).expect("start");
    connection
}

fn server_rows(directory: &TempDir, query: &str) -> Vec<String> {
    dump(&Connection::open(directory.path().join("hub/d.sqlite")).expect("server file"), query)
}

fn op(clients: usize) -> impl Strategy<Value = Op> {
    let client = 0..clients;
    let fate = prop_oneof![3 => Just(Fate::Arrives), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Delayed)];
    prop_oneof![
        6 => (client.clone(), 0..12_u8).prop_map(|(client, key)| Op::Put { client, key }),
        2 => (client.clone(), 0..12_u8).prop_map(|(client, key)| Op::Delete { client, key }),
        1 => (client.clone(), 0..6_u8, 0..6_u8).prop_map(|(client, from, to)| Op::Rename { client, from, to }),
        2 => (client.clone(), 0..4_u8).prop_map(|(client, key)| Op::Order { client, key }),
        1 => (0..6_u8, any::<bool>()).prop_map(|(key, delete)| Op::Admin { key, delete }),
        4 => (client.clone(), fate.clone()).prop_map(|(client, fate)| Op::Send { client, fate }),
        4 => (client.clone(), fate, 0..3_i64).prop_map(|(client, fate, most)| Op::Receive { client, fate, most }),
        2 => any::<prop::sample::Index>().prop_map(|index| Op::Deliver { index: index.index(1000) }),
        1 => client.prop_map(|client| Op::Crash { client }),
    ]
}

/// Keys below 6 are everybody's; the others belong to the client that writes them.
fn key_of(client: usize, key: u8) -> String {
    if key < 6 { format!("shared{key}") } else { format!("own{client}_{key}") }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_with_all_databases_equal_and_nothing_lost_or_done_twice(
        clients in 2..4_usize,
        ops in proptest::collection::vec(op(4), 1..90),
    ) {
        let directory = TempDir::new().expect("directory");
        let world = World::open(&directory, FEW, SCHEMA, &["notes", "order"]);
        let mut databases: Vec<Client> =
            (0..clients).map(|i| Client::new(directory.path().join(format!("{i}.db")), &world, "key")).collect();
        // What each client's own keys must be in the end.
        let mut own: BTreeMap<String, Option<i64>> = BTreeMap::new();
        let mut value = 0;
        for op in ops {
            value += 1;
            match op {
                Op::Put { client, key } => {
                    let (client, key) = (client % clients, key_of(client % clients, key));
                    databases[client].execute(
                        "INSERT INTO notes(id, value) VALUES (?1, ?2) ON CONFLICT(id) DO UPDATE SET value = excluded.value",
                        params![key, value],
                    );
                    own.insert(key, Some(value));
                }
                Op::Delete { client, key } => {
                    let (client, key) = (client % clients, key_of(client % clients, key));
                    databases[client].execute("DELETE FROM notes WHERE id = ?1", [&key]);
                    own.insert(key, None);
                }
                Op::Rename { client, from, to } => {
                    let (from, to) = (key_of(0, from), key_of(0, to));
                    databases[client % clients].execute("UPDATE OR IGNORE notes SET id = ?2 WHERE id = ?1", [from, to]);
                }
                Op::Order { client, key } => {
                    databases[client % clients].execute("INSERT OR REPLACE INTO \"order\" VALUES ('g', ?1, ?2)", params![key, value]);
                }
                Op::Admin { key, delete } => {
                    let key = key_of(0, key);
                    let sql = if delete {
                        format!("DELETE FROM notes WHERE id = '{key}'")
                    } else {
                        format!("INSERT OR REPLACE INTO notes(id, value) VALUES ('{key}', {value})")
                    };
                    prop_assert_eq!(&world.hub.sql("key", "d", &sql)["data"], "OK");
                }
                Op::Send { client, fate } => {
                    databases[client % clients].run("SELECT cloudsync_network_send_changes()", fate);
                }
                Op::Receive { client, fate, most } => {
                    let sql = format!("SELECT cloudsync_network_receive_changes({most})");
                    if let Some(answer) = databases[client % clients].run(&sql, fate) {
                        prop_assert_eq!(answer["receive"].get("error"), None, "{}", answer);
                    }
                }
                Op::Deliver { index } => {
                    let pushes = world.pushes();
                    if !pushes.is_empty() {
                        world.deliver(&pushes[index % pushes.len()]);
                    }
                }
                Op::Crash { client } => databases[client % clients].crash(),
            }
        }
        // Everybody sends before everybody receives for the last time.
        for _ in 0..2 {
            databases.iter().for_each(Client::settle);
        }
        // Whatever arrives now is old.
        world.pushes().iter().for_each(|push| world.deliver(push));
        databases.iter().for_each(Client::settle);
        for query in QUERIES {
            let server = server_rows(&directory, query);
            for database in &databases {
                prop_assert_eq!(&dump(&database.connection, query), &server);
            }
        }
        for (key, value) in own.iter().filter(|(key, _)| key.starts_with("own")) {
            let found = databases[0].connection.query_row("SELECT value FROM notes WHERE id = ?1", [key], |row| row.get(0));
            prop_assert_eq!(found.ok(), *value, "{}", key);
        }
        // Versions of acknowledged changes never come again.
        let newcomer = Client::new(directory.path().join("new.db"), &world, "key");
        newcomer.settle();
        for query in QUERIES {
            prop_assert_eq!(dump(&newcomer.connection, query), server_rows(&directory, query));
        }
    }

    #[test]
    fn under_policies_each_user_ends_with_the_rows_that_user_may_see(
        ops in proptest::collection::vec((op(4), 0..6_u8), 1..70),
        // With public rows SQLite has to ask about every new row; without them it seeks to a user's own.
        public in any::<bool>(),
    ) {
        let directory = TempDir::new().expect("directory");
        let world = World::open(&directory, FEW, SCHEMA, &["notes", "order"]);
        let select = if public { "owner = auth_userid() OR shared" } else { "owner = auth_userid()" };
        let policies = format!("ENABLE RLS DATABASE d TABLE notes;
            SET RLS DATABASE d TABLE notes SELECT \"{select}\";
            SET RLS DATABASE d TABLE notes INSERT \"NEW.owner = auth_userid()\";
            SET RLS DATABASE d TABLE notes UPDATE \"OLD.owner = auth_userid() AND NEW.owner = auth_userid()\";
            SET RLS DATABASE d TABLE notes DELETE \"OLD.owner = auth_userid()\"");
        prop_assert_eq!(&world.hub.sql("key", "d", &policies)["data"], "OK");
        let users = ["ann", "bob"];
        let tokens = users.map(|user| world.hub.token(user).expect("token"));
        let mut databases: Vec<Client> =
            (0..4).map(|i| Client::new(directory.path().join(format!("{i}.db")), &world, tokens[i / 2].expose())).collect();
        // Rows that the administrator gave away. Who lost one does not know that its key is taken, and would be denied.
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        let mut value = 0;
        for (op, extra) in ops {
            value += 1;
            match op {
                Op::Put { client, key } => {
                    let owner = users[client / 2];
                    if owners.get(&format!("{owner}{key}")).is_some_and(|&now| now != owner) { continue }
                    // Public and private rows; only own ones, or the push would be denied and the rows rightly differ.
                    databases[client].execute(
                        "INSERT INTO notes(id, owner, shared, value) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT(id) DO UPDATE SET value = excluded.value, shared = excluded.shared WHERE owner = excluded.owner",
                        params![format!("{owner}{key}"), owner, extra % 2, value],
                    );
                }
                Op::Delete { client, key } => {
                    let owner = users[client / 2];
                    databases[client].execute("DELETE FROM notes WHERE id = ?1 AND owner = ?2", params![format!("{owner}{key}"), owner]);
                }
                Op::Admin { key, delete } => {
                    // Nobody has unsent changes, which would be denied after the row went to somebody else.
                    databases.iter().for_each(Client::settle);
                    let (key, owner) = (format!("{}{key}", users[usize::from(extra % 2)]), users[usize::from(extra / 3)]);
                    let sql = if delete {
                        format!("DELETE FROM notes WHERE id = '{key}'")
                    } else {
                        format!("UPDATE notes SET owner = '{owner}', value = {value} WHERE id = '{key}'")
                    };
                    prop_assert_eq!(&world.hub.sql("key", "d", &sql)["data"], "OK");
                    if !delete { owners.insert(key, owner); }
                    databases.iter().for_each(Client::settle);
                }
                Op::Send { client, fate } => {
                    databases[client].run("SELECT cloudsync_network_send_changes()", fate);
                }
                Op::Receive { client, fate, most } => {
                    databases[client].run(&format!("SELECT cloudsync_network_receive_changes({most})"), fate);
                }
                Op::Crash { client } => databases[client].crash(),
                Op::Rename { .. } | Op::Order { .. } | Op::Deliver { .. } => {}
            }
            for (i, database) in databases.iter().enumerate() {
                let foreign = "SELECT count(*) FROM notes WHERE owner <> ?1 AND NOT (shared AND ?2)";
                let foreign: i64 = database.connection.query_row(foreign, params![users[i / 2], public], |row| row.get(0)).expect("count");
                prop_assert_eq!(foreign, 0, "database {} holds rows of another user", i);
            }
        }
        for _ in 0..2 {
            databases.iter().for_each(Client::settle);
        }
        for (i, database) in databases.iter().enumerate() {
            let user = users[i / 2];
            let visible = format!("SELECT * FROM notes WHERE owner = '{user}' OR shared AND {public} ORDER BY id");
            prop_assert_eq!(dump(&database.connection, QUERIES[0]), server_rows(&directory, &visible), "{}", user);
        }
        let denied = server_rows(&directory, "SELECT site FROM cloudsync_sites WHERE denied > 0");
        prop_assert_eq!(denied, Vec::<String>::new());
    }
}
