//! Repeated runs and comparisons, as people and CI call them.

use crate::harness::{Done, Place, json};

const SCENARIO: &str = "version: 1
name: twice
seed: 9
scale: { databases: 2, iterations: 2, rows: 20, time_limit: 1m }
schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, body) VALUES (:id, 'x')
    sync: [send, receive]
";

#[test]
fn repeated_runs_say_how_often_they_fail_and_can_be_compared() {
    let place = Place::new();
    let faulty = format!("{SCENARIO}target: {{ embedded: {{ faults: [{{ fault: drop_row, at: [3] }}] }} }}\n");
    place.write("good.yaml", SCENARIO);
    place.write("bad.yaml", &faulty);
    let ends = |done: Done, code: i32, last: &str| {
        assert!(done.last_line().starts_with(last), "{done}");
        done.exits(code)
    };

    let good = place.stress(&["run", "good.yaml", "--repeat", "3", "--out", "good"]).done();
    ends(good, 0, "PASS: 0 of 3 runs failed");
    let document = json(&place.path("good/twice/repeat.json"));
    let seeds: Vec<&serde_json::Value> = (0..3).map(|run| &document["runs"][run]["seed"]).collect();
    assert_eq!(seeds, [9, 10, 11]);
    let bad = place.stress(&["run", "bad.yaml", "--repeat", "2", "--out", "bad"]).done();
    let bad = ends(bad, 1, "FAIL: 2 of 2 runs failed");
    assert!(bad.out.contains("converged"), "{bad}");

    // A latency bound that no machine's mood breaks.
    let compare = |before, after| place.stress(&["compare", before, after, "--bound", "100000"]).done();
    let same = compare("good/twice", "good/twice/repeat.json");
    assert_eq!(ends(same, 0, "PASS").last_line(), "PASS: no significant regression");
    ends(compare("good/twice", "bad/twice/latest"), 1, "FAIL: the verdict is FAIL, was PASS");
    ends(compare("bad/twice", "good/twice"), 0, "PASS: no significant regression");
    compare("good/twice", "nowhere").exits(2);
    place.write("good/twice/repeat.json", "{}");
    compare("good/twice", "bad/twice").exits(3);
    let told = place.stress(&["compare", "good/twice/latest", "bad/twice/latest", "--format", "json"]).done();
    let document: serde_json::Value = serde_json::from_str(&told.out).expect("it is JSON");
    assert_eq!((&document["verdict"], &document["new_errors"][0]), (&"fail".into(), &"findings of converged".into()));
}
