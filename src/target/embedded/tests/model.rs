//! The merge beside a reference model: a plain map of cells, merged cell by cell as CloudSync documents, with nothing sent,
//! stored or compressed. Every database and the server must hold what the model says, after every step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::client::register_with;
use super::world::{Direct, Fate, World};

const SCHEMA: &str = "CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, a INTEGER, b INTEGER);";
const WITHOUT_ROWID: &str = "CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, a INTEGER, b INTEGER) WITHOUT ROWID;";
/// More rows than there are, so that every message is whole.
const ALL: u32 = 1_000;
/// How many interleavings are tried; `STRESS_INTERLEAVINGS` asks for more.
const CASES: u32 = 96;

/// A cell: how often it was written since its row came, and its value.
type Cell = (u64, i64);

/// A row: how often it came and went, and its cells while it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    life: u64,
    cells: [Cell; 2],
}

/// What one database or the server holds, by key.
type Rows = BTreeMap<u8, Row>;

impl Row {
    fn is_live(&self) -> bool {
        self.life % 2 == 1
    }

    fn put(&mut self, values: [i64; 2]) {
        if self.is_live() {
            self.cells = [0, 1].map(|i| (self.cells[i].0 + 1, values[i]));
        } else {
            *self = Self { life: self.life + 1, cells: values.map(|value| (1, value)) };
        }
    }

    fn change(&mut self, column: usize, value: i64) {
        if self.is_live() && self.cells[column].1 != value {
            self.cells[column] = (self.cells[column].0 + 1, value);
        }
    }

    fn delete(&mut self) {
        if self.is_live() {
            *self = Self { life: self.life + 1, cells: [(0, 0); 2] };
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.life > self.life {
            *self = other.clone();
        } else if other.life == self.life && self.is_live() {
            self.cells = [0, 1].map(|i| self.cells[i].max(other.cells[i]));
        }
    }
}

/// What is done to rows, on a database or on the server.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Replace { key: u8, values: [i64; 2] },
    Upsert { key: u8, values: [i64; 2] },
    Set { key: u8, column: usize, value: i64 },
    Add { key: u8, column: usize },
    Delete { key: u8 },
    DeleteAll,
    Rename { from: u8, to: u8 },
}

impl Edit {
    /// Does it to the model.
    fn apply(self, rows: &mut Rows) {
        let absent = || Row { life: 0, cells: [(0, 0); 2] };
        let is_live = |rows: &Rows, key: u8| rows.get(&key).is_some_and(Row::is_live);
        match self {
            Self::Upsert { key, values } if is_live(rows, key) => {
                (0..2).for_each(|column| rows.entry(key).or_insert_with(absent).change(column, values[column]));
            }
            Self::Replace { key, values } | Self::Upsert { key, values } => {
                rows.entry(key).or_insert_with(absent).put(values);
            }
            Self::Set { key, column, value } => {
                rows.entry(key).and_modify(|row| row.change(column, value));
            }
            Self::Add { key, column } => {
                rows.entry(key).and_modify(|row| row.change(column, row.cells[column].1 + 1));
            }
            Self::Delete { key } => {
                rows.entry(key).and_modify(Row::delete);
            }
            Self::DeleteAll => rows.values_mut().for_each(Row::delete),
            Self::Rename { from, to } => {
                if from != to && is_live(rows, from) && !is_live(rows, to) {
                    let values = rows[&from].cells.map(|(_, value)| value);
                    rows.entry(from).and_modify(Row::delete);
                    rows.entry(to).or_insert_with(absent).put(values);
                }
            }
        }
    }

    /// The same as SQL.
    fn sql(self) -> String {
        let name = |column: usize| ["a", "b"][column];
        match self {
            Self::Replace { key, values: [a, b] } => {
                format!("INSERT OR REPLACE INTO items VALUES ('k{key}', {a}, {b})")
            }
            Self::Upsert { key, values: [a, b] } => format!(
                "INSERT INTO items VALUES ('k{key}', {a}, {b}) ON CONFLICT(id) DO UPDATE SET a = excluded.a, b = excluded.b"
            ),
            Self::Set { key, column, value } => {
                format!("UPDATE items SET {} = {value} WHERE id = 'k{key}'", name(column))
            }
            Self::Add { key, column } => format!("UPDATE items SET {0} = {0} + 1 WHERE id = 'k{key}'", name(column)),
            Self::Delete { key } => format!("DELETE FROM items WHERE id = 'k{key}'"),
            Self::DeleteAll => "DELETE FROM items".to_owned(),
            Self::Rename { from, to } => format!("UPDATE OR IGNORE items SET id = 'k{to}' WHERE id = 'k{from}'"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Edit {
        database: usize,
        edit: Edit,
    },
    Admin {
        edit: Edit,
    },
    Send {
        database: usize,
        fate: Fate,
    },
    Receive {
        database: usize,
        fate: Fate,
    },
    /// A push of the past arrives.
    Deliver {
        index: usize,
    },
    Crash {
        database: usize,
    },
}

fn edit() -> impl Strategy<Value = Edit> {
    let (key, column, value) = (0..4_u8, 0..2_usize, 0..4_i64);
    let values = [value.clone(), value.clone()];
    prop_oneof![
        2 => (key.clone(), values.clone()).prop_map(|(key, values)| Edit::Replace { key, values }),
        2 => (key.clone(), values).prop_map(|(key, values)| Edit::Upsert { key, values }),
        4 => (key.clone(), column.clone(), value).prop_map(|(key, column, value)| Edit::Set { key, column, value }),
        4 => (key.clone(), column).prop_map(|(key, column)| Edit::Add { key, column }),
        3 => key.clone().prop_map(|key| Edit::Delete { key }),
        1 => Just(Edit::DeleteAll),
        1 => (key.clone(), key).prop_map(|(from, to)| Edit::Rename { from, to }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let database = 0..3_usize;
    let fate = prop_oneof![3 => Just(Fate::Arrives), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Delayed)];
    prop_oneof![
        8 => (database.clone(), edit()).prop_map(|(database, edit)| Op::Edit { database, edit }),
        1 => edit().prop_map(|edit| Op::Admin { edit }),
        4 => (database.clone(), fate.clone()).prop_map(|(database, fate)| Op::Send { database, fate }),
        4 => (database.clone(), fate).prop_map(|(database, fate)| Op::Receive { database, fate }),
        2 => any::<prop::sample::Index>().prop_map(|index| Op::Deliver { index: index.index(1000) }),
        1 => database.prop_map(|database| Op::Crash { database }),
    ]
}

/// A database beside its model.
struct Database {
    path: PathBuf,
    connection: Connection,
    rows: Rows,
}

fn open(path: &Path, world: &Arc<World>, schema: &str) -> Connection {
    let connection = Connection::open(path).expect("file");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").expect("pragmas");
    register_with(&connection, ALL, Box::new(Direct(Arc::clone(world)))).expect("functions");
    connection.execute_batch(&schema.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS")).expect("schema");
    let start = "SELECT cloudsync_init('items'), cloudsync_network_init_custom('local', ?1), cloudsync_network_set_apikey('key')";
    connection.query_row(start, [&world.id], |_| Ok(())).expect("start");
    connection
}

fn held(connection: &Connection) -> Vec<(String, i64, i64)> {
    let mut statement = connection.prepare("SELECT id, a, b FROM items ORDER BY id").expect("query");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("row")
}

fn meant(rows: &Rows) -> Vec<(String, i64, i64)> {
    let live = rows.iter().filter(|(_, row)| row.is_live());
    live.map(|(key, row)| (format!("k{key}"), row.cells[0].1, row.cells[1].1)).collect()
}

fn merge(rows: &mut Rows, others: &Rows) {
    for (key, other) in others {
        rows.entry(*key).and_modify(|row| row.merge(other)).or_insert_with(|| other.clone());
    }
}

fn cases() -> u32 {
    std::env::var("STRESS_INTERLEAVINGS").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_interleaving_holds_what_the_model_says(
        ops in proptest::collection::vec(op(), 1..70),
        without_rowid in any::<bool>(),
    ) {
        let directory = TempDir::new().expect("directory");
        let schema = if without_rowid { WITHOUT_ROWID } else { SCHEMA };
        let world = World::open(&directory, ALL, schema, &["items"]);
        let mut databases: Vec<Database> = (0..3)
            .map(|i| {
                let path = directory.path().join(format!("{i}.db"));
                Database { connection: open(&path, &world, schema), path, rows: Rows::new() }
            })
            .collect();
        let mut server = Rows::new();
        // What each push carried.
        let mut carried: Vec<Rows> = Vec::new();
        let ask = |connection: &Connection, call: &str, fate: Fate| {
            world.fare(fate);
            let answer = super::ask(connection, &format!("SELECT cloudsync_network_{call}()"));
            world.fare(Fate::Arrives);
            assert_eq!(answer.is_err(), fate != Fate::Arrives, "{answer:?}");
        };
        let settle = [0, 1, 2, 0, 1, 2].into_iter().flat_map(|database| {
            [Op::Send { database, fate: Fate::Arrives }, Op::Receive { database, fate: Fate::Arrives }]
        });
        for op in ops.into_iter().chain(settle) {
            match op {
                Op::Edit { database, edit } => {
                    databases[database].connection.execute_batch(&edit.sql()).expect("edit");
                    edit.apply(&mut databases[database].rows);
                }
                Op::Admin { edit } => {
                    prop_assert_eq!(&world.hub.sql("key", "d", &edit.sql())["data"], "OK");
                    edit.apply(&mut server);
                }
                Op::Send { database, fate } => {
                    let before = world.pushes().len();
                    ask(&databases[database].connection, "send_changes", fate);
                    // Without anything to send, the push only asks; carrying all of it says the same.
                    (before..world.pushes().len()).for_each(|_| carried.push(databases[database].rows.clone()));
                    if fate != Fate::Delayed {
                        merge(&mut server, &databases[database].rows);
                    }
                }
                Op::Receive { database, fate } => {
                    ask(&databases[database].connection, "receive_changes", fate);
                    if fate == Fate::Arrives {
                        merge(&mut databases[database].rows, &server);
                    }
                }
                Op::Deliver { index } => {
                    let pushes = world.pushes();
                    if !pushes.is_empty() {
                        let index = index % pushes.len();
                        world.deliver(&pushes[index]);
                        merge(&mut server, &carried[index]);
                    }
                }
                Op::Crash { database } => {
                    let database = &mut databases[database];
                    database.connection = Connection::open_in_memory().expect("memory");
                    database.connection = open(&database.path, &world, schema);
                }
            }
            for (i, database) in databases.iter().enumerate() {
                prop_assert_eq!(held(&database.connection), meant(&database.rows), "database {} after {:?}", i, op);
            }
            let file = Connection::open(directory.path().join("hub/d.sqlite")).expect("the server's file");
            prop_assert_eq!(held(&file), meant(&server), "the server after {:?}", op);
        }
        for database in &databases {
            prop_assert_eq!(meant(&database.rows), meant(&server));
        }
        let newcomer = open(&directory.path().join("new.db"), &world, schema);
        ask(&newcomer, "receive_changes", Fate::Arrives);
        prop_assert_eq!(held(&newcomer), meant(&server));
    }
}

#[test]
fn three_increments_beat_two_and_other_columns_survive() {
    let directory = TempDir::new().expect("directory");
    let world = World::open(&directory, ALL, SCHEMA, &["items"]);
    let [one, two] = ["1.db", "2.db"].map(|name| open(&directory.path().join(name), &world, SCHEMA));
    let sync = |connection: &Connection| super::ask(connection, "SELECT cloudsync_network_sync()").expect("sync");
    one.execute_batch("INSERT INTO items VALUES ('k', 0, 0)").expect("insert");
    sync(&one);
    sync(&two);
    let add = |connection: &Connection, column: &str| {
        connection.execute_batch(&format!("UPDATE items SET {column} = {column} + 1")).expect("update");
    };
    (0..3).for_each(|_| add(&one, "a"));
    (0..2).for_each(|_| add(&two, "a"));
    add(&two, "b");
    for connection in [&one, &two, &one] {
        drop(sync(connection));
    }
    for connection in [&one, &two] {
        assert_eq!(held(connection), [("k".to_owned(), 3, 1)]);
    }
}
