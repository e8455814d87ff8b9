//! Repeated runs and comparisons, as people and CI call them.

use std::path::Path;
use std::process::{Command, Output};

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

fn stress(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .env_remove("STRESS_OUT")
        .output()
        .expect("the program starts")
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim_end().lines().last().unwrap_or_default().to_owned()
}

#[test]
fn repeated_runs_say_how_often_they_fail_and_can_be_compared() {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let home = directory.path();
    let faulty = format!("{SCENARIO}target: {{ embedded: {{ faults: [{{ fault: drop_row, at: [3] }}] }} }}\n");
    std::fs::write(home.join("good.yaml"), SCENARIO).expect("there is room for a file");
    std::fs::write(home.join("bad.yaml"), faulty).expect("there is room for a file");

    let good = stress(home, &["run", "good.yaml", "--repeat", "3", "--out", "good"]);
    assert_eq!((good.status.code(), last_line(&good).starts_with("PASS: 0 of 3 runs failed")), (Some(0), true));
    let text = std::fs::read_to_string(home.join("good/twice/repeat.json")).expect("it was written");
    let document: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let seeds: Vec<&serde_json::Value> = (0..3).map(|run| &document["runs"][run]["seed"]).collect();
    assert_eq!(seeds, [9, 10, 11]);
    let bad = stress(home, &["run", "bad.yaml", "--repeat", "2", "--out", "bad"]);
    assert_eq!((bad.status.code(), last_line(&bad).starts_with("FAIL: 2 of 2 runs failed")), (Some(1), true));
    assert!(String::from_utf8_lossy(&bad.stdout).contains("converged"));

    // A latency bound that no machine's mood breaks.
    let compare = |before, after| stress(home, &["compare", before, after, "--bound", "100000"]);
    let same = compare("good/twice", "good/twice/repeat.json");
    assert_eq!((same.status.code(), last_line(&same).as_str()), (Some(0), "PASS: no significant regression"));
    let worse = compare("good/twice", "bad/twice/latest");
    assert_eq!(worse.status.code(), Some(1));
    assert!(last_line(&worse).starts_with("FAIL: the verdict is FAIL, was PASS"), "{}", last_line(&worse));
    assert_eq!(compare("bad/twice", "good/twice").status.code(), Some(0));
    assert_eq!(compare("good/twice", "nowhere").status.code(), Some(2));
    std::fs::write(home.join("good/twice/repeat.json"), "{}").expect("it can be damaged");
    assert_eq!(compare("good/twice", "bad/twice").status.code(), Some(3));
    let json = stress(home, &["compare", "good/twice/latest", "bad/twice/latest", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).expect("it is JSON");
    assert_eq!((&document["verdict"], &document["new_errors"][0]), (&"fail".into(), &"findings of converged".into()));
}
