//! What the tests have in common: where the drivers are, a scenario for them, and several cases at once.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{Place, skip};

/// Cases that are tried at the same time.
const AT_ONCE: usize = 4;

/// Whether there is a Python. Says so where there is none.
pub(crate) fn python(test: &str) -> bool {
    let there = Place::new().shell("python3 --version").done().code == Some(0);
    if !there {
        skip(test, "there is no python3");
    }
    there
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The driver that works.
pub(crate) fn skeleton() -> String {
    file("drivers/skeleton.py").display().to_string()
}

/// The driver that lies.
pub(crate) fn liar() -> String {
    file("tests/drivers/liar.py").display().to_string()
}

/// The tests of a driver in Python.
pub(crate) fn tests_of(name: &str) -> String {
    file("tests/drivers").join(format!("test_{name}.py")).display().to_string()
}

/// A scenario in the manner of the one that everybody begins with, for a driver.
pub(crate) fn scenario(driver: &str, settings: &str, timeout: &str, scale: &str, phases: &[&str]) -> String {
    format!(
        "version: 1
name: test
scale: {{ {scale}, time_limit: 60s }}
settle: {{ rounds: 10, wait: 5ms }}
target:
  driver:
    command: [python3, \"{driver}\"]
    settings: {{ {settings} }}
    timeout: {timeout}
schema:
  tables:
    - name: t
      sql: CREATE TABLE t (id TEXT PRIMARY KEY, owner TEXT, name TEXT, value INTEGER)
phases:
{}verify: [written, converged, bootstrap, server]
",
        phases.concat()
    )
}

pub(crate) const INSERT: &str = r#"  - name: insert
    kind: insert
    rows: "{{ scale.rows }}"
    sql: INSERT INTO t (id, owner, name, value) VALUES (:id, :user_id, 'row ' || :row, :row)
    bind: { id: "db{{ db }}_r{{ iteration }}_{{ row }}" }
    sync: [send, receive]
"#;
/// Each database its own rows.
pub(crate) const UPDATE: &str = r"  - name: update
    kind: update
    sql: UPDATE t SET value = value + 1 WHERE id LIKE 'db' || :db || '%'
    sync: [send, receive]
";
pub(crate) const DELETE: &str = r"  - name: delete
    kind: delete
    sql: DELETE FROM t WHERE value % 7 = 3 AND id LIKE 'db' || :db || '%'
    sync: [send, receive]
";
/// All databases all rows.
pub(crate) const HOT: &str = r"  - name: hot
    kind: update
    sql: UPDATE t SET value = value + :db
    sync: [receive, send]
";

/// Tries all cases, a few at a time. Gives what was wrong.
pub(crate) fn each<T: Sync>(cases: &[T], judge: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..AT_ONCE {
            threads.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(told) = judge(case) {
                        wrong.lock().expect("nobody panics with it").push(told);
                    }
                }
            });
        }
    });
    wrong.into_inner().expect("nobody panics with it")
}
