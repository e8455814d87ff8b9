//! Values that text cannot carry: what holds them is compared by type and bytes, whoever holds them.

use serde_json::Value;

use crate::harness::{Place, json};

/// A table in which nothing converts what is written.
const UNTYPED: &str = "
scale: { databases: 2, iterations: 1, rows: 1 }
schema: { tables: [{ name: notes, sql: 'CREATE TABLE notes (id PRIMARY KEY, value)' }] }
";

/// Everybody has what everybody has written, before anybody goes on.
const SHARED: &str = "  - { name: share, kind: query, sql: SELECT 1, sync: [receive], barrier: true }
  - { name: wait, kind: query, sql: SELECT 1, sync: [send], barrier: true } # the barrier lies before the send
";

/// Stops the capture of changes in database 1, and makes one there that nobody else learns of.
fn changed_in_secret(update: &str) -> String {
    format!(
        "  - {{ name: secretly, kind: query, when: db == 1, sql: \"SELECT cloudsync_disable('notes')\" }}\n  \
         - {{ name: change, kind: update, when: db == 1, sql: \"{update}\" }}\n"
    )
}

fn record(place: &Place) -> Value {
    json(&place.run_dir("test").join("record.json"))
}

/// The keys of the rows that differ.
fn keys(record: &Value) -> Vec<&str> {
    let rows = record["state"]["differences"][0]["rows"].as_array().expect("rows differ");
    rows.iter().map(|row| row["key"].as_str().expect("a key")).collect()
}

#[test]
fn every_value_is_the_same_on_the_server_and_everywhere() {
    let values = [
        "'a' || char(0) || 'b'",
        "'a' || char(0) || 'c'",
        "CAST(x'eda080' AS TEXT)",
        "CAST(x'c080' AS TEXT)",
        "CAST(x'ff' AS TEXT)",
        "-0.0",
        "0.5",
        "9e999",
        "-9e999",
        "5e-324",
        "1.7976931348623157e308",
        "1.0 / 3",
        "-9223372036854775808",
        "''",
        "x''",
        "x'00ff'",
        "NULL",
        "'it''s' || char(10, 13, 34, 92)",
    ];
    let as_values = values.iter().enumerate().map(|(at, value)| format!("('row {at}', {value})"));
    let as_keys = values.iter().filter(|key| **key != "NULL").map(|key| format!("({key}, 1)"));
    let sql = format!("INSERT INTO notes VALUES {}", as_values.chain(as_keys).collect::<Vec<_>>().join(", "));
    let place = Place::of(&format!(
        "{UNTYPED}phases:\n  - {{ name: insert, kind: insert, when: db == 1, sql: {}, sync: [] }}\n  \
         - {{ name: sync, kind: query, sql: SELECT 1, sync: [send, receive] }}\n",
        Value::from(sql)
    ));
    place.judged(0);
}

#[test]
fn texts_that_differ_behind_a_nul_are_a_difference_that_names_the_row() {
    let insert = "phases:\n  - { name: insert, kind: insert, sql: \"INSERT INTO notes VALUES (:id, 'a' || char(0) || 'b')\", sync: [send, receive] }\n";
    let change = changed_in_secret("UPDATE notes SET value = 'a' || char(0) || 'c' WHERE id = 'db1_r1_1'");
    let place = Place::of(&format!("{UNTYPED}{insert}{change}"));
    assert_eq!(place.judged(1).failed_checks(), ["written", "converged", "server"]);
    let record = record(&place);
    assert_eq!(keys(&record), ["'db1_r1_1'"]);
    let holders = &record["state"]["differences"][0]["rows"][0]["holders"];
    assert_eq!(holders[0]["row"], "'db1_r1_1', CAST(X'610063' AS TEXT)");
    assert_eq!(holders[2]["row"], "'db1_r1_1', CAST(X'610062' AS TEXT)");
}

#[test]
fn rows_under_keys_that_text_cannot_carry_are_told_with_what_is_known_of_them() {
    let key = "'k' || char(0) || :id";
    let insert = format!(
        "phases:\n  - {{ name: insert, kind: insert, sql: \"INSERT INTO notes VALUES ({key}, 1)\", sync: [send, receive] }}\n"
    );
    let delete = "  - { name: delete, kind: delete, when: db == 2, sql: \"DELETE FROM notes WHERE id = 'k' || char(0) || 'db2_r1_1'\", sync: [send] }\n";
    let place = Place::of(&format!(
        "{UNTYPED}settle: {{ rounds: 0 }}\n{insert}{SHARED}{delete}{}",
        changed_in_secret("UPDATE notes SET value = 2")
    ));
    place.judged(1);
    let record = record(&place);
    let rows = record["state"]["differences"][0]["rows"].as_array().expect("rows differ");
    let deleted = rows.iter().find(|row| row["tombstone"] == true).expect("the server remembers the deletion");
    assert_eq!(deleted["key"], "CAST(X'6B006462325F72315F31' AS TEXT)");
}

#[test]
fn one_key_in_two_forms_is_one_row() {
    let phases = "phases:
  - { name: one, kind: insert, when: db == 1, sql: \"INSERT INTO notes VALUES (1, 'one')\", sync: [] }
  - { name: other, kind: insert, when: db == 2, sql: \"INSERT INTO notes VALUES (1.0, 'other')\", sync: [] }
  - { name: sync, kind: query, sql: SELECT 1, sync: [send, receive] }
";
    for keys in ["id PRIMARY KEY, value", "id BLOB PRIMARY KEY, value) WITHOUT ROWID --", "id PRIMARY KEY, value, note"]
    {
        let place = Place::of(
            &format!("{UNTYPED}{phases}")
                .replace("id PRIMARY KEY, value", keys)
                .replace("--)'", "'")
                .replace("VALUES", "(id, value) VALUES"),
        );
        place.judged(0);
    }
}

#[test]
fn rows_whose_keys_the_table_takes_for_the_same_are_one_difference() {
    let insert = "phases:\n  - { name: insert, kind: insert, when: db == 2, sql: \"INSERT INTO notes VALUES ('a', 1), ('B', 1), ('c', 1)\", sync: [send] }\n";
    let change = changed_in_secret("UPDATE notes SET id = upper(id), value = 2 WHERE id = 'a'");
    let place = Place::of(
        &format!("{UNTYPED}{insert}{SHARED}{change}").replace("id PRIMARY KEY", "id TEXT PRIMARY KEY COLLATE NOCASE"),
    );
    place.judged(1);
    assert_eq!(keys(&record(&place)), ["'A'"]);
}

#[test]
fn a_table_of_1100_columns_is_compared() {
    let columns: Vec<String> = (1..1100).map(|column| format!("c{column}")).collect();
    let body = format!(
        "scale: {{ databases: 2, iterations: 1, rows: 3 }}\nschema: {{ tables: [{{ name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, {})' }}] }}\n\
         phases:\n  - {{ name: insert, kind: insert, rows: 3, sql: \"INSERT INTO notes (id, c1, c1099) VALUES (:id, 1, 'x')\", sync: [send, receive] }}\n",
        columns.join(", ")
    );
    Place::of(&body).judged(0);
    let change = changed_in_secret("UPDATE notes SET c1099 = 'y' WHERE id = 'db1_r1_1'");
    let place = Place::of(&format!("{body}{change}"));
    place.judged(1);
    assert_eq!(keys(&record(&place)), ["'db1_r1_1'"]);
}

#[test]
fn a_query_that_returns_several_rows_fails_its_check() {
    for on in ["databases", "server"] {
        let place = Place::of(&format!("verify: [{{ query: {{ on: {on}, sql: SELECT 0 FROM notes, equals: 0 }} }}]\n"));
        let done = place.stress(&["run", "scenario.yaml"]).done().exits(1);
        assert!(done.out.contains("the query returned 80 rows, expected one"), "{done}");
        let place = Place::of(&format!("verify: [{{ query: {{ on: {on}, sql: 'SELECT 9e999', equals: null }} }}]\n"));
        let done = place.stress(&["run", "scenario.yaml"]).done().exits(1);
        assert!(done.out.contains("returned \"inf\", expected null"), "{done}");
    }
}
