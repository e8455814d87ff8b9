//! Tables that are altered while they are synced: on the databases and on the server, before, between and after writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::super::client::register_with;
use super::world::{Direct, Fate, World};
use super::{FEW, ask, client, dump, text_of};

const SCHEMA: &str = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, a TEXT, b INTEGER DEFAULT 3);";
const ALL: &str = "SELECT * FROM notes ORDER BY id";

/// What every database and the server do to the table one after the other, each at its own times.
const ALTERS: [&str; 4] = [
    "ALTER TABLE notes ADD COLUMN w TEXT DEFAULT 'dw'",
    "ALTER TABLE notes DROP COLUMN b",
    "ALTER TABLE notes RENAME COLUMN a TO c",
    "ALTER TABLE notes ADD COLUMN v",
];

/// What is said of a message in a shape that its reader never had.
const UNKNOWN: &str = "Cannot apply the received payload because the schema hash is unknown ";

fn alter(connection: &Connection, sql: &str) {
    connection.query_row("SELECT cloudsync_begin_alter('notes')", [], |_| Ok(())).expect("it begins");
    connection.execute_batch(sql).expect("it is altered");
    connection.query_row("SELECT cloudsync_commit_alter('notes')", [], |_| Ok(())).expect("it ends");
}

struct Device {
    path: PathBuf,
    world: Arc<World>,
    connection: Connection,
    /// How many of the changes it has done.
    done: usize,
}

impl Device {
    fn new(directory: &TempDir, name: &str, world: &Arc<World>) -> Self {
        let path = directory.path().join(name);
        let connection = open(&path, world);
        connection.execute_batch(SCHEMA).expect("schema");
        connection.query_row("SELECT cloudsync_init('notes')", [], |_| Ok(())).expect("init");
        Self { path, world: Arc::clone(world), connection, done: 0 }
    }

    fn crash(&mut self) {
        self.connection = Connection::open_in_memory().expect("memory");
        self.connection = open(&self.path, &self.world);
    }

    fn alter(&mut self) {
        if let Some(sql) = ALTERS.get(self.done) {
            alter(&self.connection, sql);
            self.done += 1;
        }
    }

    /// Writes a column of a row, which it inserts if it is not there.
    fn put(&self, key: u8, column: usize, value: i64) {
        let sql = "SELECT name FROM pragma_table_info('notes') WHERE pk = 0";
        let columns: Vec<String> = self
            .connection
            .prepare(sql)
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .expect("columns");
        let column = &columns[column % columns.len()];
        let sql = format!(
            "INSERT INTO notes(id, {column}) VALUES (?1, ?2) ON CONFLICT(id) DO UPDATE SET {column} = excluded.{column}"
        );
        self.connection.execute(&sql, params![format!("k{key}"), value]).expect("write");
    }

    /// A sync call: what it says of a shape that is not known.
    fn call(&self, call: &str, fate: Fate) -> Option<String> {
        self.world.fare(fate);
        let answer = ask(&self.connection, &format!("SELECT cloudsync_network_{call}()"));
        self.world.fare(Fate::Arrives);
        let answer = answer.ok()?;
        let texts = [&answer["send"]["lastFailure"]["message"], &answer["receive"]["error"]];
        texts.into_iter().find_map(|text| Some(text.as_str()?.to_owned()))
    }

    fn settle(&self) {
        assert_eq!(self.call("sync", Fate::Arrives), None);
    }
}

fn open(path: &Path, world: &Arc<World>) -> Connection {
    let connection = Connection::open(path).expect("file");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").expect("pragmas");
    register_with(&connection, FEW, Box::new(Direct(Arc::clone(world)))).expect("functions");
    let start = "SELECT cloudsync_network_init_custom('local', ?1), cloudsync_network_set_apikey('key')";
    connection.query_row(start, [&world.id], |_| Ok(())).expect("start");
    connection
}

fn server_rows(directory: &TempDir) -> Vec<String> {
    dump(&Connection::open(directory.path().join("hub/d.sqlite")).expect("server file"), ALL)
}

fn world(directory: &TempDir) -> Arc<World> {
    World::open(directory, FEW, SCHEMA, &["notes"])
}

#[test]
fn the_functions_fail_as_those_of_cloudsync() {
    let connection = client(SCHEMA, "notes");
    let call = |sql: &str| connection.query_row(sql, [], |_| Ok(())).map_err(text_of).err();
    for function in ["cloudsync_begin_alter", "cloudsync_commit_alter"] {
        let unknown = call(&format!("SELECT {function}('nope')"));
        assert_eq!(unknown.as_deref(), Some("Unable to find table nope"));
        assert_eq!(call(&format!("SELECT {function}(NULL)")).as_deref(), Some("Unable to find table (null)"));
    }
    let never_begun = call("SELECT cloudsync_commit_alter('notes')");
    assert_eq!(never_begun.as_deref(), Some("no such savepoint: cloudsync_alter"));
    let triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'";
    let count = || connection.query_row(triggers, [], |row| row.get::<_, i64>(0)).expect("a count");
    let before = count();
    assert_eq!(call("SELECT cloudsync_begin_alter('NOTES')"), None);
    assert_eq!(count(), 0, "nothing is captured meanwhile");
    assert_eq!(call("SELECT cloudsync_commit_alter('notes')"), None);
    assert_eq!(count(), before);
}

#[test]
fn a_change_that_fails_can_be_taken_back_and_one_that_breaks_the_filter_is() {
    let connection = client(SCHEMA, "notes");
    let call = |sql: &str| connection.query_row(sql, [], |_| Ok(())).map_err(text_of).err();
    assert_eq!(call("SELECT cloudsync_set_filter('notes', 'b > 1')"), None);
    let columns = || dump(&connection, "SELECT name FROM pragma_table_info('notes')").len();
    assert_eq!(call("SELECT cloudsync_begin_alter('notes')"), None);
    assert!(connection.execute_batch("ALTER TABLE notes ADD COLUMN a").is_err());
    connection.execute_batch("ROLLBACK TO cloudsync_alter; RELEASE cloudsync_alter").expect("it is taken back");
    connection.execute("INSERT INTO notes VALUES ('x', 'y', 2)", []).expect("it is captured");
    assert_eq!(dump(&connection, "SELECT version FROM notes_cloudsync WHERE cs_pk1 = 'x'").len(), 1);
    assert_eq!(call("SELECT cloudsync_begin_alter('notes')"), None);
    connection.execute_batch("ALTER TABLE notes DROP COLUMN b").expect("SQLite lets it happen");
    assert_eq!(
        call("SELECT cloudsync_commit_alter('notes')").as_deref(),
        Some("An error occurred while adding notes table information to global context (no such column: b)")
    );
    assert_eq!(columns(), 3);
    assert!(connection.is_autocommit());
}

#[test]
fn rows_in_a_shape_that_was_once_known_are_taken_and_others_are_not() {
    let directory = TempDir::new().expect("directory");
    let world = world(&directory);
    let [mut one, mut two] = ["1.db", "2.db"].map(|name| Device::new(&directory, name, &world));
    one.put(1, 0, 10);
    one.settle();
    two.settle();
    // The database first: the server does not know its shape.
    one.alter();
    one.put(1, 2, 11);
    let refused = one.call("send_changes", Fate::Arrives).expect("a failure");
    assert!(refused.starts_with(&format!("cloudsync operation failed: {UNKNOWN}")), "{refused}");
    two.put(2, 1, 20);
    two.settle();
    assert_eq!(one.call("receive_changes", Fate::Arrives), None, "what the server sends is in a shape of before");
    assert_eq!(dump(&one.connection, ALL)[1], "Text(\"k2\")|Null|Integer(20)|Text(\"dw\")");
    // Then the server, whose shape the other database does not know.
    assert_eq!(&world.hub.sql("key", "d", ALTERS[0])["data"], "OK");
    one.settle();
    two.put(2, 0, 21);
    assert_eq!(two.call("send_changes", Fate::Arrives), None);
    let unknown = two.call("receive_changes", Fate::Arrives).expect("an error");
    assert!(unknown.starts_with(UNKNOWN), "{unknown}");
    assert_eq!(dump(&two.connection, ALL).len(), 2);
    two.alter();
    two.settle();
    one.settle();
    let rows =
        ["Text(\"k1\")|Text(\"10\")|Integer(3)|Text(\"11\")", "Text(\"k2\")|Text(\"21\")|Integer(20)|Text(\"dw\")"];
    for held in [dump(&one.connection, ALL), dump(&two.connection, ALL), server_rows(&directory)] {
        assert_eq!(held, rows);
    }
}

#[test]
fn the_server_alters_as_its_administrator_wants_and_not_against_its_policies() {
    let directory = TempDir::new().expect("directory");
    let world = world(&directory);
    let policy = "SET RLS DATABASE d TABLE notes SELECT \"b > 1\"; SET RLS DATABASE d TABLE notes INSERT \"NEW.b > 1\"";
    assert_eq!(&world.hub.sql("key", "d", policy)["data"], "OK");
    let with_functions =
        format!("SELECT cloudsync_begin_alter('notes'); {}; SELECT cloudsync_commit_alter('notes')", ALTERS[0]);
    assert!(world.hub.sql("key", "d", &with_functions)["data"].is_array());
    for (sql, why) in [
        (ALTERS[1], "no such column: NEW.b"),
        ("ALTER TABLE notes RENAME TO others", "cannot be renamed"),
        ("SELECT cloudsync_begin_alter('nope')", "Unable to find table nope"),
        ("BEGIN; ALTER TABLE notes ADD COLUMN x", "open transaction"),
    ] {
        let answer = world.hub.sql("key", "d", sql).to_string();
        assert!(answer.contains(why), "{sql}: {answer}");
    }
    assert_eq!(server_rows(&directory), Vec::<String>::new());
}

/// Three changes of a column beat one, also where a column before it goes meanwhile.
#[test]
fn versions_go_with_their_columns() {
    const DROP: &str = "ALTER TABLE notes DROP COLUMN a";
    for sent_before in [false, true] {
        let directory = TempDir::new().expect("directory");
        let world = world(&directory);
        let [one, two] = ["1.db", "2.db"].map(|name| Device::new(&directory, name, &world));
        one.put(1, 1, 0);
        one.settle();
        two.settle();
        (1..=3).for_each(|value| one.put(1, 1, value));
        two.put(1, 1, 50);
        if sent_before {
            one.settle();
        }
        assert_eq!(&world.hub.sql("key", "d", DROP)["data"], "OK");
        for device in [&one, &two] {
            alter(&device.connection, DROP);
            device.settle();
        }
        one.settle();
        for held in [dump(&one.connection, ALL), dump(&two.connection, ALL), server_rows(&directory)] {
            assert_eq!(held, ["Text(\"k1\")|Integer(3)"], "{sent_before}");
        }
    }
}

/// A row in an earlier shape says nothing of a column that it lacks, not even that it has its default.
#[test]
fn what_comes_without_a_column_leaves_it_as_it_is() {
    let directory = TempDir::new().expect("directory");
    let world = world(&directory);
    let [mut one, two] = ["1.db", "2.db"].map(|name| Device::new(&directory, name, &world));
    one.alter();
    // Less than the default `dw`, which would win a tie.
    one.connection.execute("INSERT INTO notes(id, a, w) VALUES ('k1', 'one', 'a')", []).expect("write");
    two.put(1, 0, 7);
    two.settle();
    assert_eq!(one.call("receive_changes", Fate::Arrives), None);
    assert_eq!(dump(&one.connection, ALL), ["Text(\"k1\")|Text(\"one\")|Integer(3)|Text(\"a\")"]);
    assert_eq!(&world.hub.sql("key", "d", ALTERS[0])["data"], "OK");
    one.settle();
    two.put(1, 0, 8);
    assert_eq!(two.call("send_changes", Fate::Arrives), None);
    assert_eq!(server_rows(&directory), ["Text(\"k1\")|Text(\"8\")|Integer(3)|Text(\"dw\")"]);
}

#[test]
fn everything_is_sent_again_also_where_several_rows_wait_already() {
    let directory = TempDir::new().expect("directory");
    let device = Device::new(&directory, "1.db", &world(&directory));
    (0..4).for_each(|key| device.put(key, 0, 1));
    let reset = "SELECT cloudsync_network_reset_sync_version()";
    device.connection.query_row(reset, [], |_| Ok(())).expect("it is reset");
    device.settle();
    assert_eq!(server_rows(&directory).len(), 4);
}

#[derive(Debug, Clone)]
enum Op {
    Put { device: usize, key: u8, column: usize },
    Delete { device: usize, key: u8 },
    Send { device: usize, fate: Fate },
    Receive { device: usize, fate: Fate },
    Alter { device: usize },
    AlterServer,
    Admin { key: u8 },
    Crash { device: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let device = 0..2_usize;
    let fate = prop_oneof![4 => Just(Fate::Arrives), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Delayed)];
    prop_oneof![
        8 => (device.clone(), 0..6_u8, 0..4_usize).prop_map(|(device, key, column)| Op::Put { device, key, column }),
        2 => (device.clone(), 0..6_u8).prop_map(|(device, key)| Op::Delete { device, key }),
        4 => (device.clone(), fate.clone()).prop_map(|(device, fate)| Op::Send { device, fate }),
        4 => (device.clone(), fate).prop_map(|(device, fate)| Op::Receive { device, fate }),
        3 => device.clone().prop_map(|device| Op::Alter { device }),
        2 => Just(Op::AlterServer),
        1 => (0..6_u8).prop_map(|key| Op::Admin { key }),
        1 => device.prop_map(|device| Op::Crash { device }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whoever_alters_when_all_end_equal(ops in proptest::collection::vec(op(), 1..80)) {
        let directory = TempDir::new().expect("directory");
        let world = world(&directory);
        let mut devices = ["1.db", "2.db"].map(|name| Device::new(&directory, name, &world));
        let mut server = ALTERS.iter();
        let alter_server = |sql: &str| assert_eq!(&world.hub.sql("key", "d", sql)["data"], "OK");
        // What a device has for itself is what it wrote last.
        let mut value = 0;
        for op in ops {
            value += 1;
            let said = match op {
                Op::Put { device, key, column } => {
                    devices[device].put(key, column, value);
                    None
                }
                Op::Delete { device, key } => {
                    let sql = "DELETE FROM notes WHERE id = ?1";
                    devices[device].connection.execute(sql, [format!("k{key}")]).expect("delete");
                    None
                }
                Op::Send { device, fate } => devices[device].call("send_changes", fate),
                Op::Receive { device, fate } => devices[device].call("receive_changes", fate),
                Op::Alter { device } => {
                    devices[device].alter();
                    None
                }
                Op::AlterServer => {
                    server.next().into_iter().for_each(|sql| alter_server(sql));
                    None
                }
                Op::Admin { key } => {
                    alter_server(&format!("INSERT OR REPLACE INTO notes(id) VALUES ('k{key}')"));
                    None
                }
                Op::Crash { device } => {
                    devices[device].crash();
                    None
                }
            };
            prop_assert!(said.as_ref().is_none_or(|said| said.contains(UNKNOWN)), "{:?}", said);
        }
        server.for_each(|sql| alter_server(sql));
        for device in &mut devices {
            for _ in &ALTERS {
                device.alter();
            }
        }
        for _ in 0..3 {
            devices.iter().for_each(Device::settle);
        }
        let server = server_rows(&directory);
        for device in &devices {
            prop_assert_eq!(&dump(&device.connection, ALL), &server);
        }
        // A new device has the schema of the end.
        let mut newcomer = Device::new(&directory, "new.db", &world);
        for _ in ALTERS {
            newcomer.alter();
        }
        newcomer.settle();
        prop_assert_eq!(&dump(&newcomer.connection, ALL), &server);
    }
}
