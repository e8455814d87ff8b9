//! Three databases and a server beside a model of what each of them holds: rows are edited, sent and received in any order,
//! messages are lost, late and repeated, devices crash, and after every step each holds what the model says. It must not
//! know how a model merges.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::client::register_with;
use super::world::{Direct, Fate, World};

/// More rows than there are, so that every message is whole.
pub(super) const ALL: u32 = 1_000;
/// How many interleavings are tried; `STRESS_INTERLEAVINGS` asks for more.
const CASES: u32 = 96;

/// What one database or the server holds, by key.
pub(super) type Rows<R> = BTreeMap<u8, R>;

/// A model of a row of the table `items`, whose keys are `k0`, `k1` and so on.
pub(super) trait Model: Clone + Debug {
    /// What is done to rows, on a database or on the server.
    type Edit: Clone + Debug;
    /// A row that is there, as a query gives it.
    type Held: PartialEq + Debug;

    /// The statement that makes the table, without a semicolon.
    const TABLE: &'static str;
    /// More functions that a connection calls after `cloudsync_init`, each with a comma behind it.
    const OPTIONS: &'static str = "";
    /// A statement whose rows the first database sends before anything else, and which no query gives.
    const FIRST: Option<&'static str> = None;

    /// Does an edit to the model.
    fn apply(edit: &Self::Edit, rows: &mut Rows<Self>);
    /// The same as SQL.
    fn sql(edit: &Self::Edit) -> String;
    /// Takes another state of the row.
    fn merge(&mut self, other: &Self);
    /// What is there.
    fn held(connection: &Connection) -> rusqlite::Result<Vec<Self::Held>>;
    /// What should be there.
    fn meant(rows: &Rows<Self>) -> Vec<Self::Held>;
}

/// A step.
#[derive(Debug, Clone)]
pub(super) enum Op<E> {
    Edit {
        database: usize,
        edit: E,
    },
    Admin {
        edit: E,
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

/// Any steps with these edits.
pub(super) fn ops<E: Clone + Debug>(edit: impl Strategy<Value = E> + Clone) -> impl Strategy<Value = Vec<Op<E>>> {
    let database = 0..3_usize;
    let fate = prop_oneof![3 => Just(Fate::Arrives), 1 => Just(Fate::AnswerLost), 1 => Just(Fate::Delayed)];
    let op = prop_oneof![
        8 => (database.clone(), edit.clone()).prop_map(|(database, edit)| Op::Edit { database, edit }),
        1 => edit.prop_map(|edit| Op::Admin { edit }),
        4 => (database.clone(), fate.clone()).prop_map(|(database, fate)| Op::Send { database, fate }),
        4 => (database.clone(), fate).prop_map(|(database, fate)| Op::Receive { database, fate }),
        2 => any::<prop::sample::Index>().prop_map(|index| Op::Deliver { index: index.index(1000) }),
        1 => database.prop_map(|database| Op::Crash { database }),
    ];
    proptest::collection::vec(op, 1..70)
}

/// How proptest is to try them.
pub(super) fn config() -> ProptestConfig {
    let asked = std::env::var("STRESS_INTERLEAVINGS").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(CASES), ..ProptestConfig::default() }
}

/// A hub with the table. `more` is what stands behind the statement that makes it, here and in [`open`].
pub(super) fn open_world<M: Model>(directory: &TempDir, more: &str) -> Arc<World> {
    World::open(directory, ALL, &format!("{}{more};", M::TABLE), &["items"])
}

/// A device, new or with its file.
pub(super) fn open<M: Model>(path: &Path, world: &Arc<World>, more: &str) -> Connection {
    let connection = Connection::open(path).expect("file");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").expect("pragmas");
    register_with(&connection, ALL, Box::new(Direct(Arc::clone(world)))).expect("functions");
    let table = M::TABLE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS");
    connection.execute_batch(&format!("{table}{more}")).expect("schema");
    let start = format!(
        "SELECT cloudsync_init('items'), {} cloudsync_network_init_custom('local', ?1), cloudsync_network_set_apikey('key')",
        M::OPTIONS
    );
    connection.query_row(&start, [&world.id], |_| Ok(())).expect("start");
    connection
}

/// A database beside its model.
struct Database<M> {
    path: PathBuf,
    connection: Connection,
    rows: Rows<M>,
}

fn merge<M: Model>(rows: &mut Rows<M>, others: &Rows<M>) {
    for (key, other) in others {
        rows.entry(*key).and_modify(|row| row.merge(other)).or_insert_with(|| other.clone());
    }
}

/// Takes the steps, and then sends and receives until nothing is left.
pub(super) fn play<M: Model>(ops: Vec<Op<M::Edit>>, without_rowid: bool) -> Result<(), TestCaseError> {
    let directory = TempDir::new().expect("directory");
    let more = if without_rowid { " WITHOUT ROWID" } else { "" };
    let world = open_world::<M>(&directory, more);
    let mut databases: Vec<Database<M>> = (0..3)
        .map(|i| {
            let path = directory.path().join(format!("{i}.db"));
            Database { connection: open::<M>(&path, &world, more), path, rows: Rows::new() }
        })
        .collect();
    let mut server = Rows::new();
    let ask = |connection: &Connection, call: &str, fate: Fate| {
        world.fare(fate);
        let answer = super::ask(connection, &format!("SELECT cloudsync_network_{call}()"));
        world.fare(Fate::Arrives);
        assert_eq!(answer.is_err(), fate != Fate::Arrives, "{answer:?}");
    };
    if let Some(first) = M::FIRST {
        databases[0].connection.execute_batch(first).expect("the first row");
        ask(&databases[0].connection, "send_changes", Fate::Arrives);
    }
    // What each push carried.
    let mut carried: Vec<Rows<M>> = vec![Rows::new(); world.pushes().len()];
    let settle = [0, 1, 2, 0, 1, 2].into_iter().flat_map(|database| {
        [Op::Send { database, fate: Fate::Arrives }, Op::Receive { database, fate: Fate::Arrives }]
    });
    for op in ops.into_iter().chain(settle) {
        match &op {
            Op::Edit { database, edit } => {
                databases[*database].connection.execute_batch(&M::sql(edit)).expect("edit");
                M::apply(edit, &mut databases[*database].rows);
            }
            Op::Admin { edit } => {
                prop_assert_eq!(&world.hub.sql("key", "d", &M::sql(edit))["data"], "OK");
                M::apply(edit, &mut server);
            }
            Op::Send { database, fate } => {
                let before = world.pushes().len();
                ask(&databases[*database].connection, "send_changes", *fate);
                // Without anything to send, the push only asks; carrying all of it says the same.
                (before..world.pushes().len()).for_each(|_| carried.push(databases[*database].rows.clone()));
                if *fate != Fate::Delayed {
                    merge(&mut server, &databases[*database].rows);
                }
            }
            Op::Receive { database, fate } => {
                ask(&databases[*database].connection, "receive_changes", *fate);
                if *fate == Fate::Arrives {
                    merge(&mut databases[*database].rows, &server);
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
                let database = &mut databases[*database];
                database.connection = Connection::open_in_memory().expect("memory");
                database.connection = open::<M>(&database.path, &world, more);
            }
        }
        let held = |connection: &Connection| M::held(connection).expect("rows");
        for (i, database) in databases.iter().enumerate() {
            prop_assert_eq!(held(&database.connection), M::meant(&database.rows), "database {} after {:?}", i, op);
        }
        let file = Connection::open(directory.path().join("hub/d.sqlite")).expect("the server's file");
        prop_assert_eq!(held(&file), M::meant(&server), "the server after {:?}", op);
    }
    for database in &databases {
        prop_assert_eq!(M::meant(&database.rows), M::meant(&server));
    }
    let newcomer = open::<M>(&directory.path().join("new.db"), &world, more);
    ask(&newcomer, "receive_changes", Fate::Arrives);
    prop_assert_eq!(M::held(&newcomer).expect("rows"), M::meant(&server));
    Ok(())
}
