//! What is no PASS although nothing failed: a record that was changed after its run, and a run that wrote nothing. And
//! rows without their parents.

use serde_json::Value;

use crate::harness::{Place, Report, json};

/// A run that passed, with its directory.
fn made() -> (Place, String) {
    let place = Place::of("");
    place.judged(0);
    let directory = place.run_dir("test").display().to_string();
    (place, directory)
}

/// Writes the record of a run anew, changed.
fn change(directory: &str, change: impl FnOnce(&mut Value)) {
    let path = std::path::Path::new(directory).join("record.json");
    let mut record = json(&path);
    change(&mut record);
    std::fs::write(&path, record.to_string()).expect("there is room for a record");
}

#[test]
fn a_record_that_was_changed_after_its_run_is_unknown() {
    let (place, directory) = made();
    let report = || place.stress(&["report", &directory, "--format", "json"]).done();
    report().exits(0);
    change(&directory, |record| {
        let events = record["workers"][0]["events"].as_array_mut().expect("a list");
        events.retain(|event| event["step"] != "send" || event["iteration"] != 2);
    });
    let done = report().disagrees(&["database 1: the run counted", "phase insert in iteration 2 has 0 send events"]);
    let report = Report::parse(&done.out);
    assert_eq!((report.verdict(), report.rule().0), ("unknown", "disagrees"));
}

#[test]
fn a_record_beside_another_scenario_is_unknown() {
    let (place, directory) = made();
    let report = || place.stress(&["report", &directory]).done();
    let path = place.run_dir("test").join("scenario.yaml");
    let scenario = std::fs::read_to_string(&path).expect("it is kept");
    // Only what it means counts, not how it is written.
    std::fs::write(&path, format!("# kept\n{scenario}")).expect("there is room");
    report().exits(0);
    std::fs::write(&path, scenario.replace("rows: 20", "rows: 21")).expect("there is room");
    report().disagrees(&["another scenario than scenario.yaml beside it", "/scale/rows"]);
    std::fs::write(&path, "version: 1\n").expect("there is room");
    report().disagrees(&["scenario.yaml beside it is no scenario any more"]);
    std::fs::remove_file(&path).expect("it was there");
    report().exits(0);
}

#[test]
fn a_run_that_wrote_nothing_is_unknown_and_names_the_phases() {
    let none = "phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id) VALUES (:id)
    sync: [send, receive]
  - name: copy
    kind: insert
    sql: INSERT INTO notes (id) SELECT id || 'x' FROM notes WHERE 0
    sync: [send, receive]
";
    let place = Place::of(none);
    let done = place.stress(&["run", "scenario.yaml", "--json", "--rows", "0"]).done().exits(4);
    let told = "nothing was written: phases insert and copy changed no row in any database";
    assert_eq!(Report::parse(&done.out).rule(), ("nothing_changed", told));
    // Some phases may find nothing to do, and a scenario may only read.
    assert_eq!(place.judged(0).rule().0, "held");
    let reading = "phases: [{ name: read, kind: query, sql: SELECT 1, sync: [send, receive] }]\n";
    assert_eq!(Place::of(reading).judged(0).rule().0, "held");
}

#[test]
fn rows_without_their_parents_fail_a_run_with_foreign_keys() {
    let orphans = "
session: { pragmas: { foreign_keys: KEYS } }
scale: { databases: 2, iterations: 1, rows: 30 }
schema:
  tables:
    - { name: parents, sql: CREATE TABLE parents (id TEXT PRIMARY KEY) }
    - { name: children, sql: \"CREATE TABLE children (id TEXT PRIMARY KEY, parent TEXT REFERENCES parents (id))\" }
setup:
  - { name: parents, kind: insert, when: db == 1, rows: 30, sql: INSERT INTO parents VALUES ('p' || :row), sync: [send] }
  - { name: fetch, barrier: true, sync: [receive] }
phases:
  - { name: children, kind: insert, when: db == 2, rows: 30, sql: \"INSERT INTO children VALUES (:id, 'p' || :row)\" }
  - { name: orphan, kind: delete, when: db == 1, sql: DELETE FROM parents }
  - { name: exchange, barrier: true, sync: [send, receive] }
verify: [converged, server]
";
    assert_eq!(Place::of(&orphans.replace("KEYS", "off")).judged(0).failed_checks(), [""; 0]);
    let report = Place::of(&orphans.replace("KEYS", "\"on\"")).judged(1);
    assert_eq!(report.failed_checks(), ["foreign_keys"]);
    let findings = report.findings("foreign_keys");
    for told in ["database 1: 30 rows refer", "database 2: 30 rows", "children (rowid 1, key 'db2_r1_1') → parents"] {
        assert!(findings.contains(told), "{told}: {findings}");
    }
}
