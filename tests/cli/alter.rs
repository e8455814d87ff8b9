//! The step `alter`: from the problem with its place to the plan, the run and what is told of tables that differ in the end.

use crate::harness::{Place, Report};

const ALTER: &str = "schema:
  tables:
    - { name: notes, sql: \"CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)\" }
    - { name: other, sql: \"CREATE TABLE other (id TEXT PRIMARY KEY, body TEXT)\" }
setup:
  - admin: ALTER TABLE notes ADD COLUMN tag TEXT
  - { name: altered, sync: [{ wait: 1ms }], barrier: true }
  - alter: ALTER TABLE notes ADD COLUMN tag TEXT
phases:
  - { name: insert, kind: insert, rows: 4, sql: \"INSERT INTO notes (id, body, tag) VALUES (:id, 'text', 'tag')\", sync: [send] }
  - { name: others, kind: insert, rows: 2, sql: \"INSERT INTO other VALUES (:id, 'text')\", sync: [send, receive] }
";

#[test]
fn a_column_that_is_not_there_yet_is_told_at_its_place() {
    let place = Place::of(&ALTER.replace("  - alter: ALTER TABLE notes ADD COLUMN tag TEXT\n", ""));
    let told = ["table notes has no column named tag", "INSERT INTO notes (id, body, tag)"];
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&told);
    let place =
        Place::of(&ALTER.replace("ADD COLUMN tag TEXT\nphases", "ADD COLUMN tag TEXT\n    when: db == 2\nphases"));
    let told = ["no column named tag", "in database 1, iteration 1, `alter` steps leave the tables without it"];
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&told);
}

#[test]
fn an_altered_table_is_synced_and_all_but_the_writes_is_judged() {
    let place = Place::of(&format!("{ALTER}verify: [written, converged, server, bootstrap]\n"));
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    for line in ["alter: ALTER TABLE notes ADD COLUMN tag TEXT", "notes (id, body, tag), key id"] {
        assert!(plan.out.contains(line), "{plan}");
    }
    let done = place.stress(&["run", "scenario.yaml", "--keep"]).done().exits(0);
    assert!(done.out.contains("the rows of notes were not held against what was written: it was altered"), "{done}");
    assert!(!done.out.contains("the rows of other"), "{done}");
    let file = place.run_dir("test").join("databases/db2.db");
    let connection = rusqlite::Connection::open(file).expect("a database");
    let tags: i64 = connection.query_row("SELECT count(tag) FROM notes", [], |row| row.get(0)).expect("a count");
    // Two databases, two iterations.
    assert_eq!(tags, 16);
}

#[test]
fn who_has_other_columns_in_the_end_is_named_and_the_refusals_are_told_by_kind_and_side() {
    let without = ALTER.replace("(id, body, tag) VALUES (:id, 'text', 'tag')", "(id, body) VALUES (:id, 'text')");
    let lone = without.replace("  - admin: ALTER TABLE notes ADD COLUMN tag TEXT\n", "");
    let lone = lone.replace("ADD COLUMN tag TEXT\nphases", "ADD COLUMN tag TEXT\n    when: db == 1\nphases");
    let place = Place::of(&format!("{lone}verify: [written, converged, server, bootstrap]\n"));
    let told = ["no step alters the table on the server", "kind: schema_mismatch"];
    place.stress(&["validate", "scenario.yaml"]).done().exits(0).says(&told);
    let done = place.stress(&["run", "scenario.yaml", "--json"]).done().exits(1);
    let report = Report::parse(&done.out);
    assert_eq!(report.errors(), [("schema_mismatch", "client"), ("schema_mismatch", "server")], "{done}");
    for said in ["database 2 has", "database 2 and the server have"] {
        let rows = done.out.lines().find(|line| line.contains(said) && line.contains("with other columns (id, body)"));
        assert!(rows.is_some(), "{said}: {done}");
    }
    assert!(!done.out.contains("no database wrote it"), "{done}");
}
