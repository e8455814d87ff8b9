//! The ledger against the table itself: whatever SQL a phase runs, the last state of every key is what the table holds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rusqlite::types::ValueRef;

use super::super::phase;
use crate::ledger::{Entry, Keeper, Kept, RowForm, Segment};
use crate::plan::{Action, Plan};
use crate::session::{Loader, Opening, Session};

/// Tables with everything that can stand in the way: affinities, collations, generated columns, other uniques, no rowid,
/// triggers that write this table and another, a foreign key that deletes.
const TABLES: &str = r#"[
    {"name": "a", "sql": "CREATE TABLE a (id TEXT PRIMARY KEY, n REAL, u INTEGER UNIQUE, v AS (n + 1), x)"},
    {"name": "b", "sql": "CREATE TABLE b (k TEXT COLLATE NOCASE, m INTEGER, x ANY, s AS (m * 2) STORED, y BLOB, PRIMARY KEY (k, m)) WITHOUT ROWID"},
    {"name": "c", "sql": "CREATE TABLE c (id PRIMARY KEY, parent TEXT REFERENCES a(id) ON DELETE CASCADE, x)",
     "also": ["CREATE TRIGGER t1 AFTER INSERT ON a BEGIN INSERT OR REPLACE INTO c VALUES ('t' || NEW.id, NEW.id, NEW.n); END",
              "CREATE TRIGGER t2 AFTER UPDATE ON b BEGIN UPDATE a SET x = NEW.m WHERE id = NEW.k; END",
              "CREATE TRIGGER t3 BEFORE INSERT ON b WHEN NEW.m = 7 BEGIN SELECT raise(IGNORE); END",
              "CREATE TRIGGER t4 BEFORE DELETE ON c WHEN OLD.x = 8 BEGIN SELECT raise(FAIL, 'no'); END"]}
]"#;

fn statement() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["'a'", "'A'", "'b'", "'b '", "'c'", "'d'"]);
    let value =
        prop::sample::select(vec!["1", "2.0", "2.5", "NULL", "'7'", "'x'", "x'00ff'", "7", "8", "-0.0", "9e999"]);
    let conflict = prop::sample::select(vec!["", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK", "OR ABORT"]);
    let number = 0..4_i64;
    (0..14_u8, key, value, conflict, number).prop_map(|(form, key, value, conflict, number)| match form {
        0 => format!("INSERT {conflict} INTO a (id, n, u, x) VALUES ({key}, {number}, {number}, {value})"),
        1 => format!("INSERT {conflict} INTO a (id, n, u, x) SELECT 'g' || value, value, value, {value} FROM generate_series(0, {})", number * 40),
        2 => format!("UPDATE {conflict} a SET n = n + 1, u = u + {number}"),
        3 => format!("UPDATE {conflict} a SET id = id || 'z' WHERE u > {number}"),
        4 => "DELETE FROM a".to_owned(),
        5 => format!("DELETE FROM a WHERE id = {key}"),
        6 => format!("INSERT {conflict} INTO b (k, m, x, y) VALUES ({key}, {number}, {value}, {value}), ('q', 7, 1, 1), ('r', {number}, 2, 2)"),
        7 => format!("UPDATE {conflict} b SET m = m + 1, y = {value}"),
        8 => format!("UPDATE {conflict} b SET k = upper(k), x = {value} WHERE m = {number}"),
        9 => format!("DELETE FROM b WHERE m <= {number}"),
        10 => format!("INSERT {conflict} INTO c VALUES ({number}, NULL, {value}), ({number}.0, NULL, 5)"),
        11 => format!("UPDATE {conflict} c SET x = {value}, id = CASE WHEN typeof(id) = 'integer' THEN id + 1 ELSE id END"),
        12 => "DELETE FROM c".to_owned(),
        _ => format!("INSERT INTO a (id, n, u, x) VALUES ({key}, 1, {number}, {value}) ON CONFLICT (id) DO UPDATE SET x = {value}, u = excluded.u + 1"),
    })
}

/// A scenario of so many databases whose phases are these, each with a transaction of its own kind.
fn plan(phases: &[(Vec<String>, u8)], databases: u32) -> Plan {
    let phase = |(place, (sql, transaction)): (usize, &(Vec<String>, u8))| {
        let transaction = ["one", "each"][usize::from(*transaction % 2)];
        serde_json::json!({"name": format!("p{place}"), "kind": "update", "rows": 2, "sql": sql, "transaction": transaction,
            "sync": ["send"]})
    };
    let phases: Vec<_> = phases.iter().enumerate().map(phase).collect();
    let tables: serde_json::Value = serde_json::from_str(TABLES).expect("the tables are JSON");
    let scenario = serde_json::json!({
        "version": 1, "name": "ledger", "scale": {"databases": databases}, "schema": {"tables": tables}, "phases": phases,
    });
    let (plan, _) = Plan::new(&serde_json::from_value(scenario).expect("a scenario"), &crate::plan::Grant::default())
        .expect("a plan");
    plan
}

/// All that a ledger has.
fn entries(kept: &Kept) -> Vec<Entry> {
    let mut reading = kept.read().expect("it opens");
    let mut all = Vec::new();
    while let Some(key) = reading.key() {
        let entries = reading.take(key).expect("it reads");
        let ascending = entries.windows(2).all(|pair| pair[0].segment < pair[1].segment);
        assert!(ascending, "one of each segment, in their order");
        all.extend(entries);
    }
    all
}

/// What the ledger says of every key that is there, in the end.
fn remembered(entries: &[Entry]) -> BTreeMap<u128, u128> {
    let last: BTreeMap<u128, &Entry> = entries.iter().map(|entry| (entry.key, entry)).collect();
    last.into_iter().filter_map(|(key, entry)| Some((key, entry.digest()?))).collect()
}

/// What the tables hold.
fn held(session: &Session, plan: &Plan) -> BTreeMap<u128, u128> {
    let mut held = BTreeMap::new();
    for (table, form) in plan.tables.iter().zip(RowForm::all(&plan.tables)) {
        let sql = format!("SELECT {} FROM {}", table.columns.join(", "), table.name);
        let mut statement = session.connection().expect("SQLite").prepare(&sql).expect("it prepares");
        let mut rows = statement.query([]).expect("it runs");
        while let Some(row) = rows.next().expect("a row") {
            let value = |column: usize| row.get_ref(column).unwrap_or(ValueRef::Null);
            let digest = form.encode(value, &mut Vec::new());
            held.insert(form.key(value, &mut Vec::new()), digest);
        }
    }
    held
}

/// How a keeper learns what is written.
#[derive(Clone, Copy, PartialEq)]
enum Learns {
    /// The session tells, and so many bytes stay in memory.
    Hears(usize),
    /// The rows are looked at before and after each phase.
    Looks,
}

/// Runs the phases, and gives the ledger's entries and what is held.
fn run(phases: &[(Vec<String>, u8)], databases: u32, learns: Learns) -> (Vec<Entry>, BTreeMap<u128, u128>) {
    let plan = plan(phases, databases);
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let file = directory.path().join("db.db");
    let pragmas = ["PRAGMA foreign_keys = on".to_owned(), "PRAGMA synchronous = off".to_owned()];
    let loader = Loader::Functions(|_| Ok(()));
    let opening = Opening { file: &file, loader: &loader, pragmas: &pragmas, settings: &[], network: None };
    let mut session = Session::open(&opening).expect("it opens");
    for table in &plan.tables {
        session.connection().expect("SQLite").execute_batch(&table.sql).expect("a table");
        table
            .also
            .iter()
            .for_each(|sql| session.connection().expect("SQLite").execute_batch(sql).expect("what goes with it"));
    }
    let mut keeper = match learns {
        Learns::Hears(writing) => Keeper::with_memory(&plan, directory.path(), 1, writing),
        Learns::Looks => Keeper::new(&plan, directory.path(), 1),
    };
    if learns != Learns::Looks {
        keeper.listen(&mut session);
    }
    let scope = plan.database_scope(&plan.databases[0]).iteration(1);
    for (place, step) in plan.phases.iter().enumerate() {
        let Action::Sql(sql) = &step.action else { panic!("a phase is SQL") };
        keeper.open(Segment::new(1, 0, step, sql, &plan));
        keeper.look_before(&session);
        // Constraints break, and what they leave is what counts.
        phase::run(&session, sql, &scope, Some(keeper.page()), false, &|| false);
        keeper.look_after(&session);
        keeper.close();
        if phases[place].1 > 1 {
            keeper.acknowledge(0);
        }
    }
    let kept = keeper.finish(false);
    let files = std::fs::read_dir(directory.path())
        .expect("it can be read")
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("db1.")));
    assert!(files.count() <= 1, "a thousand ledgers are read at once");
    (entries(&kept), held(&session, &plan))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_remembers_what_the_tables_hold(
        phases in prop::collection::vec((prop::collection::vec(statement(), 1..4), 0..4_u8), 1..24),
        databases in prop::sample::select(vec![1_u32, 3000]),
        acknowledged in any::<bool>(),
    ) {
        let phases: Vec<_> = phases.into_iter().map(|(sql, kind)| (sql, if acknowledged { kind } else { kind % 2 })).collect();
        let (at_once, held) = run(&phases, databases, Learns::Hears(usize::MAX));
        prop_assert_eq!(remembered(&at_once), held.clone());
        let (in_pieces, same) = run(&phases, databases, Learns::Hears(1000));
        prop_assert_eq!(remembered(&in_pieces), held.clone());
        prop_assert_eq!(&held, &same);
        let (looked, same) = run(&phases, databases, Learns::Looks);
        prop_assert_eq!(remembered(&looked), held.clone());
        prop_assert_eq!(held, same);
        // Files leave out what was replaced and sent.
        if !acknowledged {
            let state = |entry: &Entry| (entry.key, entry.segment, entry.digest());
            let heard: BTreeSet<_> = at_once.iter().map(state).collect();
            for entry in &looked {
                prop_assert!(heard.contains(&state(entry)), "nobody heard of {:?}", entry);
            }
            prop_assert_eq!(in_pieces, at_once);
        }
    }
}
