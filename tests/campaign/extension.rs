//! The real extension against a closed port, cut off at random moments: everything local is as it was committed, and only
//! the network is blamed. Nothing leaves this machine.

use std::thread::sleep;

use rusqlite::Connection;

use crate::harness::{Done, Invocation, Place, Report, skip};
use crate::scene::{databases, whole_or_absent};
use crate::small_disk::SmallDisk;
use crate::tally::{Case, campaign, times};

const SCENARIO: &str = r#"
scale: { databases: 3, iterations: 1000000, rows: 20, time_limit: 10m }
target:
  cloudsync:
    address: http://127.0.0.1:9
    managed_database_id: db_test
    apikey: "{{ env.SQLITECLOUD_TEST_KEY }}"
settle: { rounds: 1, wait: 1ms }
session: { reuse: true }
verify: [converged]
phases:
  - name: insert
    kind: insert
    rows: "{{ scale.rows }}"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, 'text', :row)
    bind: { id: "{{ uuid() }}" }
    sync: [send]
"#;

/// A place with the scenario, where the extension is.
struct Closed {
    place: Place,
    extension: String,
}

impl Closed {
    fn new(extension: &str) -> Self {
        Self { place: Place::of(SCENARIO), extension: extension.to_owned() }
    }

    fn armed(&self, invocation: Invocation) -> Invocation {
        let invocation = invocation.env("STRESS_CLOUDSYNC_EXTENSION", &self.extension);
        invocation.env("SQLITECLOUD_TEST_KEY", "a-key-of-the-campaign")
    }

    fn run(&self, seed: &str, more: &[&str]) -> Invocation {
        self.armed(self.place.stress(&[&["run", "scenario.yaml", "--no-progress", "--seed", seed], more].concat()))
    }

    /// What is left blames the network alone, and the next run goes on with the rows that were committed.
    fn goes_on(&self, case: &mut Case<'_>) {
        let latest = self.place.path("runs/test/latest");
        if latest.exists() {
            whole_or_absent(&latest);
            let report = self.armed(self.place.stress(&["report", "runs/test/latest", "--format", "json"])).done();
            case.ended(&report);
            assert_ne!(report.code, Some(0), "{report}");
            if matches!(report.code, Some(1 | 4)) {
                only_the_network(&report);
            }
        }
        let before = self.rows();
        let done = self.run("2", &["--iterations", "1", "--json"]).done();
        case.ended(&done);
        only_the_network(&done);
        let after = self.rows();
        // Every statement is one transaction of 20 rows.
        assert!(before.iter().all(|rows| rows % 20 == 0), "{before:?}");
        let expected = (0..3).map(|place| before.get(place).unwrap_or(&0) + 20);
        assert_eq!(after, expected.collect::<Vec<_>>(), "of {before:?}: {done}");
    }

    /// The rows in each database.
    fn rows(&self) -> Vec<u64> {
        let all = databases(&self.place.path("runs/test/databases"), ".db");
        let count = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0))
        };
        let rows = all.iter().map(|file| count(&Connection::open(file).expect("a database")).unwrap_or_default());
        rows.map(i64::unsigned_abs).collect()
    }
}

/// A report that blames nothing but the network: what differs was not sent.
fn only_the_network(done: &Done) {
    let report = Report::parse(&done.out);
    assert_ne!(report.verdict(), "pass", "{done}");
    assert!(report.errors().iter().all(|error| *error == ("network", "network")), "{}", report.0["errors"]);
    assert!(report.failed_checks().iter().all(|check| *check == "converged"), "{done}");
    let checks = report.0["checks"].as_array().expect("checks").iter();
    let findings = checks.flat_map(|check| check["findings"].as_array().into_iter().flatten());
    for row in findings.flat_map(|finding| finding["rows"].as_array().into_iter().flatten()) {
        assert_eq!(row["state"], "indeterminate", "{row}");
        assert!(row["words"].as_str().is_some_and(|words| words.starts_with("not sent yet by")), "{row}");
    }
}

fn extension(test: &str) -> Option<String> {
    let path = std::env::var("STRESS_CLOUDSYNC_EXTENSION").ok().filter(|path| !path.is_empty());
    if path.is_none() {
        skip(test, "STRESS_CLOUDSYNC_EXTENSION is not set");
    }
    path
}

#[test]
fn a_killed_run_keeps_what_was_committed() {
    let Some(extension) = extension("a_killed_run_keeps_what_was_committed") else { return };
    campaign("the extension, a closed port: SIGKILL", times(3), |case| {
        let closed = Closed::new(&extension);
        let running = closed.run("1", &[]).start();
        sleep(case.moment(2500));
        running.signal("KILL");
        running.done();
        closed.goes_on(case);
    });
}

#[test]
fn an_interrupted_run_keeps_what_was_committed() {
    let Some(extension) = extension("an_interrupted_run_keeps_what_was_committed") else { return };
    campaign("the extension, a closed port: SIGINT", times(3), |case| {
        let closed = Closed::new(&extension);
        let running = closed.run("1", &[]).start();
        sleep(case.moment(2500));
        for _ in 0..=case.below(3) {
            running.signal("INT");
            sleep(case.moment(50));
        }
        let done = running.done();
        case.ended(&done);
        assert!(matches!(done.code, Some(130) | None), "{done}");
        closed.goes_on(case);
    });
}

#[test]
fn few_open_files_are_told() {
    let Some(extension) = extension("few_open_files_are_told") else { return };
    campaign("the extension, a closed port: few open files", times(2), |case| {
        let closed = Closed::new(&extension);
        let line = format!("ulimit -n {} && exec stress run scenario.yaml --iterations 2 --json", 12 + case.below(120));
        let done = closed.armed(closed.place.shell(&line)).done();
        case.ended(&done);
        assert_eq!(done.code, Some(3), "{done}");
        assert!(done.err.contains("open files"), "{done}");
        closed.goes_on(case);
    });
}

#[test]
fn a_full_disk_is_told() {
    let Some(extension) = extension("a_full_disk_is_told") else { return };
    let directory = tempfile::tempdir().expect("there is room");
    if SmallDisk::mount(&directory.path().join("disk"), "64k").is_none() {
        return skip("a_full_disk_is_told", "a tmpfs cannot be mounted here");
    }
    campaign("the extension, a closed port: a full disk", times(4), |case| {
        let closed = Closed::new(&extension);
        let size = format!("{}k", 128 << (case.number % 4));
        let _disk = SmallDisk::mount(&closed.place.path("disk"), &size).expect("it was possible before");
        let done = closed.run("1", &["--iterations", "30", "--out", "disk/runs"]).done();
        case.ended(&done);
        assert!(matches!(done.code, Some(1 | 3)), "{done}");
        let latest = closed.place.path("disk/runs/test/latest");
        if latest.exists() {
            whole_or_absent(&latest);
        }
        let told = format!("{}{}", done.out, done.err);
        if !["disk is full", "No space left", "the disk has room", "free some disk space"]
            .iter()
            .any(|text| told.contains(text))
        {
            let report = std::fs::read_to_string(latest.join("report.json")).expect("it was room for everything");
            let report = Report::parse(&report);
            assert_eq!(report.errors(), [("network", "network")], "{size}: {done}");
            assert_eq!(report.number("/totals/inserted"), 3 * 30 * 20, "{size}: {done}");
        }
    });
}
