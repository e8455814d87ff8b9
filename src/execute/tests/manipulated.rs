//! Whole runs in which somebody meddles with the server or with a database's file, after the work and before the rounds to
//! settle: the verdict that each must have.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::super::*;
use super::run_changed;
use crate::analysis::{Analysis, Verdict, analyze};
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::session::Loader;
use crate::target::embedded;
use crate::verify::{CheckResult, RowState};

/// Three databases that write rows of their own, twice; then one meddles while the others wait.
const PLAIN: &str = "
version: 1
name: manipulated
seed: 7
scale: { databases: 3, iterations: 2, rows: 20, time_limit: 1m }
schema: { tables: [{ name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, value INTEGER)' }] }
session: { open: per-phase }
phases:
  - { name: insert, kind: insert, rows: 20, sql: 'INSERT INTO notes VALUES (:id, :user_id, :row)', sync: [send, receive] }
  - { name: update, kind: update, sql: \"UPDATE notes SET value = value + 100 WHERE id LIKE 'db{{ db }}_r{{ iteration }}_%'\", sync: [send, receive] }
teardown:
  - { name: gather, sync: [receive], barrier: true }
  - { name: again, sync: [receive], barrier: true }
  - { name: wait, wait: 250ms, when: db != 1 }
  - { name: sleep, wait: 60ms, when: db == 1 }
  - { name: meddle, kind: query, sql: SELECT cloudsync_uuid(), when: db == 1 }
settle: { rounds: 6, wait: 1ms }
verify: [written, converged, server, bootstrap]
";

/// The same with two users.
fn with_users() -> String {
    let policies = "rls:
  databases_per_user: 2
  policies:
    notes:
      select: auth_userid() = user_id
      insert: auth_userid() = NEW.user_id
      update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id
      delete: auth_userid() = OLD.user_id
session:";
    let text = PLAIN.replace("databases: 3", "databases: 4").replace("session:", policies);
    text.replace("verify: [written,", "verify: [isolation, written,")
}

type Meddling = Box<dyn FnOnce(&Path) + Send>;

/// What is to be done in each run's directory.
static MEDDLING: Mutex<Vec<(PathBuf, Meddling)>> = Mutex::new(Vec::new());

/// The functions of the embedded target, of which one meddles.
fn meddles(connection: &Connection) -> rusqlite::Result<()> {
    embedded::register(connection)?;
    let path = PathBuf::from(connection.path().unwrap_or_default());
    connection.create_scalar_function("cloudsync_uuid", 0, FunctionFlags::SQLITE_UTF8, move |_| {
        let mut waiting = MEDDLING.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.iter().position(|(directory, _)| path.starts_with(directory));
        let (directory, meddling) = waiting.remove(found.expect("it was announced"));
        drop(waiting);
        meddling(&directory);
        Ok(1)
    })
}

/// A run in which somebody meddles, given the run's directory.
fn meddled(text: &str, meddling: impl FnOnce(&Path) + Send + 'static) -> Analysis {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("it is there");
    MEDDLING.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), Box::new(meddling)));
    let (record, plan) =
        run_changed(text, &path, &Control::default(), |target| target.load(Loader::Functions(meddles)));
    analyze(&record, &plan)
}

/// SQL on the server as its administrator: everybody gets to know.
fn on_the_server(text: &str, sql: &'static str) -> Analysis {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("it is there");
    let (record, plan) = run_changed(text, &path, &Control::default(), |target| {
        target.load(Loader::Functions(meddles));
        let (admin, database) = target.admin.clone().expect("the hub has one");
        let ask = move |_: &Path| drop(admin.sql(Some(&database), sql).expect("the server takes it"));
        MEDDLING.lock().unwrap_or_else(PoisonError::into_inner).push((path.clone(), Box::new(ask)));
    });
    analyze(&record, &plan)
}

/// SQL on a file, behind the back of whoever keeps it.
fn on_file(file: &Path, sql: &str) {
    let connection = Connection::open(file).expect("it opens");
    embedded::register(&connection).expect("functions");
    // Triggers find that nobody wrote.
    connection
        .create_scalar_function("cloudsync_is_applying", 0, FunctionFlags::SQLITE_UTF8, |_| Ok(true))
        .expect("a function");
    let changed = connection.execute(sql, []).expect("the file takes it");
    assert_eq!(changed, 1, "{sql}");
}

/// The server's own file.
fn server(directory: &Path) -> PathBuf {
    let files = std::fs::read_dir(directory.join("hub")).expect("the hub's files");
    let named = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        !name.starts_with("hub.") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    files.map(|entry| entry.expect("an entry").path()).find(named).expect("a database")
}

/// The checks that failed, and the states of the rows that they name.
fn found(analysis: &Analysis) -> (Vec<CheckKind>, Vec<RowState>) {
    let checks = analysis.checks.iter().filter(|check| !check.findings().is_empty()).map(|check| check.check);
    let rows = analysis.checks.iter().flat_map(CheckResult::findings).flat_map(|finding| &finding.rows);
    let states: BTreeSet<RowState> = rows.map(|row| row.state).collect();
    (checks.collect(), states.into_iter().collect())
}

fn assert_found(case: &str, analysis: &Analysis, checks: &[CheckKind], states: &[RowState]) {
    let (seen, of) = found(analysis);
    assert_eq!((seen.as_slice(), of.as_slice()), (checks, states), "{case}: {:?}", analysis.rules);
    let verdict = if checks.is_empty() { Verdict::Pass } else { Verdict::Fail };
    assert_eq!(analysis.verdict, verdict, "{case}: {:?}", analysis.rules);
}

const DELETE: &str = "DELETE FROM notes WHERE id = 'db2_r1_7'";
const CHANGE: &str = "UPDATE notes SET value = 5 WHERE id = 'db2_r1_7'";
const INVENT: &str = "INSERT INTO notes SELECT 'nobody', user_id, 1 FROM notes WHERE id = 'db2_r1_7'";
const MOVE: &str = "UPDATE notes SET user_id = '018ecfc2-b2b1-7cc3-a9f0-000000000002' WHERE id = 'db2_r1_7'";
const MOVE_AWAY: &str = "UPDATE notes SET user_id = 'nobody' WHERE id = 'db2_r1_7'";
const INVENT_HIDDEN: &str = "INSERT INTO notes VALUES ('nobody', 'nobody', 1)";
const REKEY: &str = "UPDATE notes SET id = 'other' WHERE id = 'db2_r1_7'";
const BEHIND_NUL: &str = "UPDATE notes SET user_id = user_id || char(0) || 'x' WHERE id = 'db2_r1_7'";

#[test]
fn without_meddling_all_is_well() {
    for text in [PLAIN.to_owned(), with_users()] {
        assert_found("nothing", &meddled(&text, |_| {}), &[], &[]);
    }
}

#[test]
fn what_an_administrator_did_and_delivered_to_all_is_found_by_what_was_written() {
    for text in [PLAIN.to_owned(), with_users()] {
        for (sql, states) in [
            (DELETE, &[RowState::Missing][..]),
            (CHANGE, &[RowState::Altered]),
            (INVENT, &[RowState::Phantom]),
            (REKEY, &[RowState::Missing, RowState::Phantom]),
            (BEHIND_NUL, &[RowState::Altered]),
        ] {
            assert_found(sql, &on_the_server(&text, sql), &[CheckKind::Written], states);
        }
    }
    for (sql, state) in [(MOVE, RowState::Altered), (MOVE_AWAY, RowState::Altered), (INVENT_HIDDEN, RowState::Phantom)]
    {
        assert_found(sql, &on_the_server(&with_users(), sql), &[CheckKind::Written], &[state]);
    }
}

#[test]
fn what_was_done_to_the_servers_file_is_found_by_both() {
    for text in [PLAIN.to_owned(), with_users()] {
        for sql in [DELETE, CHANGE, INVENT, BEHIND_NUL] {
            let analysis = meddled(&text, |directory| on_file(&server(directory), sql));
            let (checks, _) = found(&analysis);
            assert!(checks.contains(&CheckKind::Written) && checks.contains(&CheckKind::Server), "{sql}: {checks:?}");
        }
    }
    // Rows that nobody may see are in nobody's way, and were written by nobody.
    for (sql, state) in [(INVENT_HIDDEN, RowState::Phantom), (MOVE_AWAY, RowState::Altered)] {
        let analysis = meddled(&with_users(), |directory| on_file(&server(directory), sql));
        let (checks, states) = found(&analysis);
        assert!(checks.contains(&CheckKind::Written) && states.contains(&state), "{sql}: {checks:?} {states:?}");
    }
}

#[test]
fn what_was_done_to_one_database_is_found_where_it_is() {
    for text in [PLAIN.to_owned(), with_users()] {
        for sql in [DELETE, CHANGE, INVENT, BEHIND_NUL] {
            let analysis = meddled(&text, |directory| on_file(&directory.join("databases/db2.db"), sql));
            let (checks, states) = found(&analysis);
            assert!(checks.contains(&CheckKind::Converged) && checks.contains(&CheckKind::Server), "{sql}: {checks:?}");
            assert!(!checks.contains(&CheckKind::Written), "{sql}: the server is right: {states:?}");
            assert!(!states.contains(&RowState::Resurrected), "{sql}: no deletion touched the row: {states:?}");
        }
    }
    // A row that its user may not see and nobody wrote.
    let analysis = meddled(&with_users(), |directory| on_file(&directory.join("databases/db2.db"), INVENT_HIDDEN));
    assert_found(INVENT_HIDDEN, &analysis, &[CheckKind::Written], &[RowState::Phantom]);
}

#[test]
fn an_attempt_excuses_nothing_but_what_it_left_behind() {
    // Everybody reads all notes, and database 2 changes one of database 3, which the policies deny.
    let text = with_users().replace("databases_per_user: 2", "databases_per_user: 1");
    let text = text.replace("select: auth_userid() = user_id", "select: '1'").replace(
        "teardown:\n  - { name: gather, sync: [receive], barrier: true }\n",
        "teardown:
  - { name: gather, sync: [receive], barrier: true }
  - { name: attack, kind: update, hostile: true, when: db == 2, sql: \"UPDATE notes SET value = -1 WHERE id = 'db3_r1_7'\", sync: [send, receive] }\n",
    );
    let left = "UPDATE notes SET value = value WHERE id = 'db3_r1_7' AND value = -1";
    assert_found(left, &meddled(&text, move |directory| on_file(&directory.join("databases/db2.db"), left)), &[], &[]);
    for sql in ["UPDATE notes SET value = -2 WHERE id = 'db3_r1_7'", "DELETE FROM notes WHERE id = 'db3_r1_7'"] {
        let analysis = meddled(&text, move |directory| on_file(&directory.join("databases/db2.db"), sql));
        let (checks, _) = found(&analysis);
        assert!(checks.contains(&CheckKind::Server), "{sql}: {checks:?} {:?}", analysis.rules);
    }
}

/// Cuts or zeroes a part of a file.
fn spoil(file: &Path, spoil: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).expect("it can be read");
    spoil(&mut bytes);
    std::fs::write(file, bytes).expect("it can be written");
}

#[test]
fn a_damaged_file_is_never_green_and_blames_the_client() {
    type Spoil = fn(&mut Vec<u8>);
    let cases: [(&str, Spoil); 3] = [
        ("a zeroed page", |bytes| bytes[4096..8192].fill(0)),
        ("a zeroed header", |bytes| bytes[..100].fill(0)),
        ("a cut file", |bytes| bytes.truncate(4096 + 100)),
    ];
    for (case, change) in cases {
        let analysis = meddled(PLAIN, move |directory| spoil(&directory.join("databases/db2.db"), change));
        assert_ne!(analysis.verdict, Verdict::Pass, "{case}: {:?}", analysis.rules);
        let blamed: BTreeSet<Side> = analysis.errors.groups.iter().map(|group| group.side).collect();
        let client = blamed.contains(&Side::Client) || found(&analysis).0.contains(&CheckKind::Integrity);
        assert!(client && !blamed.contains(&Side::Server), "{case}: {:?}", analysis.errors.groups);
        let kinds: BTreeSet<FailureKind> = analysis.errors.groups.iter().map(|group| group.kind).collect();
        assert!(!kinds.contains(&FailureKind::Crash), "{case}: {kinds:?}");
    }
}

#[test]
fn a_cut_write_ahead_log_is_never_green_and_blames_the_client() {
    let text = PLAIN.replace("open: per-phase", "open: per-run, pragmas: { journal_mode: wal }");
    let analysis = meddled(&text, |directory| {
        let log = directory.join("databases/db2.db-wal");
        spoil(&log, |bytes| bytes.truncate(bytes.len() / 2));
    });
    assert_ne!(analysis.verdict, Verdict::Pass, "{:?}", analysis.rules);
    let blamed: BTreeSet<Side> = analysis.errors.groups.iter().map(|group| group.side).collect();
    assert!(blamed.contains(&Side::Client) || !found(&analysis).0.is_empty(), "{:?}", analysis.rules);
    assert!(!blamed.contains(&Side::Server), "{:?}", analysis.errors.groups);
}

#[test]
fn a_database_that_was_replaced_by_another_loses_what_it_writes_then() {
    // From then on database 2 sends under the name of database 1, and the server takes its numbers for known.
    let text = PLAIN.replace(
        "settle:",
        "  - { name: late, kind: insert, rows: 5, sql: \"INSERT INTO notes VALUES ('late' || :db || :row, :user_id, 1)\", sync: [send, receive] }\nsettle:",
    );
    let analysis = meddled(&text, |directory| {
        let databases = directory.join("databases");
        let from = Connection::open(databases.join("db3.db")).expect("it opens");
        from.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("all is in the file");
        for suffix in ["-wal", "-shm"] {
            // Closed databases have none.
            let _ = std::fs::remove_file(databases.join(format!("db2.db{suffix}")));
        }
        std::fs::copy(databases.join("db3.db"), databases.join("db2.db")).expect("it is copied");
    });
    assert_eq!(analysis.verdict, Verdict::Fail, "{:?}", analysis.rules);
}
