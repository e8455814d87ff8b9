//! Runs that are cut by a person or by the system: what is left can be judged, and nothing is left open.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Place, Running, files, json};

const LONG: &str = "
scale: { databases: 3, iterations: 1000000, rows: 50, time_limit: 10m }
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, body) VALUES (:id, 'text')
    sync: [send, receive]
  - name: delete
    kind: delete
    sql: DELETE FROM notes WHERE id LIKE 'db{{ db }}_%'
    sync: [send, receive]
";

/// Ends its first iteration and never its second.
const ENDLESS: &str = "
scale: { databases: 2, iterations: 2, rows: 5, time_limit: 10m }
phases:
  - name: insert
    kind: insert
    sql: INSERT INTO notes (id) VALUES (:id)
    sync: [send, receive]
  - name: endless
    kind: insert
    when: iteration == 2
    sql: >-
      INSERT INTO notes (id) SELECT 'x' || count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1
      FROM n) SELECT i FROM n)
";

fn log(place: &Place, database: u32) -> PathBuf {
    place.path(&format!("runs/test/latest/logs/db{database}.log"))
}

/// Starts a run and waits until the databases are in the middle of it.
fn in_the_middle(place: &Place, databases: u32, mark: &str) -> Running {
    let mut running = place.stress(&["run", "scenario.yaml"]).start();
    running.until(mark, || {
        (1..=databases)
            .all(|database| std::fs::read_to_string(log(place, database)).is_ok_and(|log| log.contains(mark)))
    });
    running
}

/// Every session was closed: no write-ahead log is left, and each file is sound.
fn all_is_closed(directory: &Path) {
    let databases = directory.join("databases");
    let left = files(&databases);
    let open: Vec<_> = left.iter().filter(|file| file.to_string_lossy().ends_with("-wal")).collect();
    assert!(open.is_empty(), "{open:?}");
    sound(&databases);
}

fn sound(databases: &Path) {
    let files = files(databases);
    let files: Vec<_> = files.iter().filter(|file| file.extension().is_some_and(|end| end == "db")).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let connection = rusqlite::Connection::open(file).expect("a database");
        let answer: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
        assert_eq!(answer, "ok", "{}", file.display());
    }
}

#[test]
fn an_interrupt_finishes_the_steps_closes_everything_and_reports() {
    for signal in ["INT", "TERM"] {
        let place = Place::of(LONG);
        let running = in_the_middle(&place, 3, "[iter 2]");
        running.signal(signal);
        let done = running.done().exits(130).says(&["finishing the running steps"]);
        assert!(done.last_line().starts_with("UNKNOWN: the run was interrupted"), "{done}");
        let directory = place.run_dir("test");
        let record = json(&directory.join("record.json"));
        assert_eq!(record["ended"]["reason"], "interrupted");
        assert_eq!(json(&directory.join("report.json"))["verdict"], "unknown");
        assert!(directory.join("report.md").is_file());
        for worker in record["workers"].as_array().expect("workers") {
            let events = worker["events"].as_array().expect("events");
            let count = |step: &str| events.iter().filter(|event| event["step"] == step).count();
            assert_eq!(count("open"), count("close"), "{signal}: each session that was opened was closed");
            let failed: Vec<&Value> = events.iter().filter(|event| event.get("failures").is_some()).collect();
            assert!(failed.is_empty(), "{signal}: steps under way are finished: {failed:?}");
        }
        all_is_closed(&directory);
        place.stress(&["report", "runs/test/latest"]).done().exits(4);
    }
}

#[test]
fn a_second_interrupt_cuts_an_endless_statement() {
    let place = Place::of(ENDLESS);
    let mut running = in_the_middle(&place, 2, "[iter 1]");
    let record = place.run_dir("test").join("record.json");
    running.until("the endless statement", || {
        // The receive before it.
        let last = |worker: &Value| worker["events"].as_array().and_then(|all| all.last().cloned()).unwrap_or_default();
        let before = |worker: &Value| last(worker)["iteration"] == 2 && last(worker)["step"] == "receive";
        json(&record)["workers"].as_array().is_some_and(|all| all.iter().all(before))
    });
    running.signal("INT");
    // The first waits for the statement, which never ends.
    let still = Instant::now();
    running.until("a while", || still.elapsed() > Duration::from_millis(300));
    let second = Instant::now();
    running.signal("INT");
    let done = running.done().exits(130).says(&["stopping now"]);
    // What the person cut is not a failure of the system under test.
    assert!(done.last_line().starts_with("UNKNOWN: the run was interrupted"), "{done}");
    assert!(second.elapsed() < Duration::from_secs(5), "{done}");
    all_is_closed(&place.run_dir("test"));
    assert_eq!(json(&place.run_dir("test").join("record.json"))["ended"]["reason"], "interrupted");
}

#[test]
fn a_killed_run_leaves_a_record_that_says_so() {
    let place = Place::of(LONG);
    let mut running = in_the_middle(&place, 3, "[iter 2]");
    let record = place.run_dir("test").join("record.json");
    // It is written every two seconds: the next one has seen the iterations.
    running.until("a record with iterations", || {
        json(&record)["workers"]
            .as_array()
            .is_some_and(|all| all.iter().all(|one| one["iterations"].as_u64() > Some(0)))
    });
    running.signal("KILL");
    assert_eq!(running.done().code, None);
    assert_eq!(json(&record).get("ended"), Some(&Value::Null));
    assert!(!place.run_dir("test").join("report.json").exists());
    sound(&place.run_dir("test").join("databases"));
    let done = place.stress(&["report", "runs/test/latest"]).done().exits(4);
    assert!(done.last_line().starts_with("UNKNOWN: the record has no end"), "{done}");
}

#[test]
fn an_interrupt_at_any_moment_ends_in_130_with_a_whole_report_or_none() {
    for delay in (0..400).step_by(40) {
        let place = Place::of(LONG);
        let mut running = place.stress(&["run", "scenario.yaml"]).start();
        // The run directory is made after the listening for signals.
        running.until("the run directory", || place.path("runs/test/latest/scenario.yaml").exists());
        let start = Instant::now();
        running.until("a while", || start.elapsed() >= Duration::from_millis(delay));
        running.signal("INT");
        let done = running.done().exits(130);
        let directory = place.run_dir("test");
        let present = |name: &str| directory.join(name).exists();
        assert!(present("record.json") && present("report.json") && present("report.md"), "after {delay} ms: {done}");
        assert_eq!(json(&directory.join("record.json"))["ended"]["reason"], "interrupted", "after {delay} ms");
        assert!(done.last_line().starts_with("UNKNOWN: the run was interrupted"), "after {delay} ms: {done}");
    }
}

#[test]
fn runs_beside_each_other_do_not_disturb_each_other() {
    let place = Place::of("");
    let runs: Vec<Running> = (0..4).map(|_| place.stress(&["run", "scenario.yaml", "-q"]).start()).collect();
    for run in runs {
        run.done().exits(0);
    }
    let directories = std::fs::read_dir(place.path("runs/test")).expect("the runs").count();
    assert_eq!(directories, 5, "four runs and the link to the latest");
    assert!(place.run_dir("test").join("report.json").is_file());
}

/// A send that no signal cuts short.
const SLOW: &str = "
target: { embedded: { latency: 5s } }
scale: { databases: 2, iterations: 1000, rows: 5, time_limit: 10m }
";

/// Starts a run whose errors go to the file `err`, and waits until a database has begun to send.
fn sending(place: &Place, more: &str) -> Running {
    let mut running = place.shell(&format!("exec stress run scenario.yaml {more} 2> err")).start();
    running
        .until("the first rows", || std::fs::read_to_string(log(place, 1)).is_ok_and(|log| log.contains("inserted")));
    running
}

/// Waits until the run has told this.
fn told(place: &Place, running: &mut Running, text: &str) {
    running.until(text, || std::fs::read_to_string(place.path("err")).is_ok_and(|err| err.contains(text)));
}

#[test]
fn every_interrupt_is_answered_at_once_and_the_third_kills() {
    for (quiet, signals) in [("-q", ["INT", "TERM", "HUP"]), ("--no-progress", ["HUP", "HUP", "HUP"])] {
        let place = Place::of(SLOW);
        let mut running = sending(&place, quiet);
        running.signal(signals[0]);
        told(&place, &mut running, "finishing the running steps; Ctrl-C again stops now\n");
        running.signal(signals[1]);
        told(&place, &mut running, "stopping now; Ctrl-C again kills the run, without a report\n");
        running.signal(signals[2]);
        running.done().exits(130).prints_nothing();
        let err = std::fs::read_to_string(place.path("err")).expect("it told");
        let last = err.lines().last().unwrap_or_default();
        assert!(last.starts_with("killed; left behind: runs/test/2"), "{err}");
        assert!(!err.lines().any(str::is_empty) && (quiet != "-q" || err.lines().count() == 3), "{err}");
        let left = files(&place.run_dir("test"));
        assert!(!left.iter().any(|file| file.to_string_lossy().contains(".partial")), "{left:?}");
        json(&place.run_dir("test").join("record.json"));
    }
}
