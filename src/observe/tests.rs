//! What is held, exactly: any value in any column of the server is the same in its copy, through a real hub.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params_from_iter};

use super::contents::{Rows, tables};
use super::order::KeyValue;
use super::server;
use crate::plan::Plan;
use crate::session::{encode, open_reader};
use crate::target::{self, Connected};

/// A hub with a table, and the server's own file.
struct Server {
    directory: tempfile::TempDir,
    plan: Plan,
    target: Connected,
}

impl Server {
    fn start(sql: &str) -> Self {
        let scenario = serde_json::json!({
            "version": 1, "name": "exact", "schema": {"tables": [{"name": "t", "sql": sql}]},
            "phases": [{"name": "delete", "kind": "delete", "sql": "DELETE FROM t", "sync": ["send"]}],
        });
        let (plan, _) =
            Plan::new(&serde_json::from_value(scenario).expect("a scenario"), &crate::plan::Grant::default())
                .expect("a plan");
        let directory = tempfile::tempdir().expect("a directory");
        let (mut say, stopped) = (|_: &str| {}, || false);
        let mut attendant = target::Attendant::new(&mut say, &stopped);
        let target = target::connect(
            &plan,
            &plan.scope,
            directory.path(),
            "1",
            &crate::failure::Secrets::default(),
            &mut attendant,
        )
        .expect("a hub");
        Self { directory, plan, target }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("hub/exact_1.sqlite")
    }

    fn copy(&self, file: &Path) {
        let (admin, database) = self.target.admin.as_ref().expect("an administrator");
        server::copy(&self.plan, admin, database, file).expect("a copy");
    }

    /// Whether the copy of these rows is what they are, in content and by digest.
    fn copies_exactly(&self, rows: &[Vec<KeyValue>]) -> Result<(), TestCaseError> {
        let origin = Connection::open(self.file()).expect("the server's file");
        origin.execute_batch("DELETE FROM t").expect("an empty table");
        let places = vec!["?"; rows.first().map_or(0, Vec::len)].join(", ");
        for row in rows {
            // A key that is there in another form stays.
            let insert = format!("INSERT OR IGNORE INTO t VALUES ({places})");
            origin
                .execute(&insert, params_from_iter(row.iter().map(|value| ToSqlOutput::Borrowed(value.value()))))
                .expect("a row");
        }
        let file = self.directory.path().join("copy.db");
        let _ = std::fs::remove_file(&file);
        self.copy(&file);
        let copy = open_reader(&file, "").expect("the copy");
        let digest = |connection: &Connection| tables(connection, &self.plan, Rows::All).expect("a digest").remove(0);
        prop_assert_eq!(bytes(&copy), bytes(&origin));
        prop_assert_eq!(digest(&copy), digest(&origin));
        Ok(())
    }
}

/// All rows, each with the types and bytes of its values.
fn bytes(connection: &Connection) -> Vec<Vec<u8>> {
    let mut statement = connection.prepare("SELECT * FROM t").expect("a query");
    let width = statement.column_count();
    let mut found = statement.query([]).expect("rows");
    let mut rows = Vec::new();
    while let Some(row) = found.next().expect("a row") {
        let mut bytes = Vec::new();
        (0..width).for_each(|at| encode(row.get_ref(at).expect("a value"), &mut bytes));
        rows.push(bytes);
    }
    rows.sort_unstable();
    rows
}

fn value() -> impl Strategy<Value = KeyValue> {
    prop_oneof![
        1 => Just(KeyValue::Null),
        9 => key(),
    ]
}

/// Any value that a key can have: SQLite has no NaN.
fn key() -> impl Strategy<Value = KeyValue> {
    let integers = prop_oneof![any::<i64>(), -3..3_i64, Just(i64::MIN), Just(i64::MAX), Just(1 << 53)];
    let special =
        [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1, 1.0 / 3.0];
    let reals = prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (0..1_u64 << 52).prop_map(f64::from_bits),
        proptest::sample::select(special.to_vec()),
        any::<f32>().prop_map(f64::from),
    ];
    let odd: [&[u8]; 8] =
        [b"", b"a\0b", b"a\0c", b"\0", b"\xed\xa0\x80", b"\xc0\x80", b"it's, \n\"\\", "\u{feff}\u{1f600}é".as_bytes()];
    let texts = prop_oneof![
        proptest::sample::select(odd.to_vec()).prop_map(<[u8]>::to_vec),
        any::<Vec<u8>>(),
        ".{0,9}".prop_map(String::into_bytes),
        "[ -~]{0,9}".prop_map(String::into_bytes),
    ];
    prop_oneof![
        integers.prop_map(KeyValue::Integer),
        reals.prop_filter("a number", |real| !real.is_nan()).prop_map(KeyValue::Real),
        texts.prop_map(KeyValue::Text),
        any::<Vec<u8>>().prop_map(KeyValue::Blob),
    ]
}

/// Tables with every kind of key: untyped, by affinity and by collation.
const TABLES: [&str; 5] = [
    "CREATE TABLE t (id PRIMARY KEY, a, b BLOB)",
    "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT, b NUMERIC)",
    "CREATE TABLE t (id TEXT COLLATE NOCASE, a, b REAL, PRIMARY KEY (id COLLATE BINARY, a))",
    "CREATE TABLE t (id COLLATE RTRIM, a NUMERIC COLLATE NOCASE, b TEXT, PRIMARY KEY (a, id)) WITHOUT ROWID",
    "CREATE TABLE t (id ANY PRIMARY KEY, a ANY, b ANY) STRICT, WITHOUT ROWID",
];

/// So many random rows, in each of the tables.
fn are_copied_exactly(rows: std::ops::Range<usize>, cases: u32) {
    for sql in TABLES {
        let server = Server::start(sql);
        let row = (key(), key(), value()).prop_map(|(id, a, b)| vec![id, a, b]);
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let rows = proptest::collection::vec(row, rows.clone());
        let run = TestRunner::new(config).run(&rows, |rows| server.copies_exactly(&rows));
        run.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn any_value_of_the_server_is_the_same_in_its_copy() {
    are_copied_exactly(1..40, 16);
}

#[test]
fn pages_go_on_behind_any_key() {
    // The first page has 500.
    are_copied_exactly(501..560, 2);
}

#[test]
fn keys_that_only_the_key_s_collation_tells_apart_are_on_different_pages() {
    let server = Server::start("CREATE TABLE t (id TEXT COLLATE NOCASE, PRIMARY KEY (id COLLATE BINARY))");
    let rows: Vec<Vec<KeyValue>> = (0..1500)
        .flat_map(|row| [format!("k{row}"), format!("K{row}")])
        .map(|id| vec![KeyValue::Text(id.into_bytes())])
        .collect();
    server.copies_exactly(&rows).expect("the same rows");
}

#[test]
fn a_table_may_have_as_many_columns_as_cloudsync_takes() {
    let columns: Vec<String> = (1..1100).map(|column| format!("c{column} REAL")).collect();
    let server = Server::start(&format!("CREATE TABLE t (id TEXT PRIMARY KEY, {})", columns.join(", ")));
    let row = |id: &str| {
        let numbers = (1..1100).map(|column| KeyValue::Real(f64::from(column) / 3.0));
        std::iter::once(KeyValue::Text(id.as_bytes().to_vec())).chain(numbers).collect::<Vec<_>>()
    };
    server.copies_exactly(&[row("a"), row("b")]).expect("the same rows");
}
