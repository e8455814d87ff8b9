//! Whole runs with hostile phases and policies of odd shapes: what the policies deny, what owners may do, and what an
//! attempt must not hide.

use super::super::*;
use super::run_changed;
use crate::analysis::{Analysis, Verdict, analyze};
use crate::plan::CheckKind;
use crate::verify::{CheckResult, Outcome};

const HEAD: &str = "
version: 1
name: hostile
seed: 7
scale: { databases: 3, iterations: 2, rows: 10, time_limit: 1m }
settle: { rounds: 6, wait: 1ms }
";

/// Notes of their owners, which everybody may read.
const SHARED: &str = "
schema: { tables: [{ name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, value INTEGER)' }] }
rls:
  databases_per_user: 1
  policies:
    notes:
      select: '1'
      insert: auth_userid() = NEW.user_id
      update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id
      delete: auth_userid() = OLD.user_id
phases:
  - { name: insert, kind: insert, rows: 10, sql: 'INSERT INTO notes VALUES (:id, :user_id, :row)', sync: [send, receive] }
  - { name: meet, sync: [receive], barrier: true }
";

fn judged(text: &str, faults: &str) -> (Record, Analysis) {
    let directory = tempfile::tempdir().expect("a directory");
    let text = format!("{HEAD}{text}target: {{ embedded: {{ faults: [{faults}] }} }}\n");
    let (record, plan) = run_changed(&text, directory.path(), &Control::default(), |_| {});
    let analysis = analyze(&record, &plan);
    (record, analysis)
}

/// The same scenario with further phases.
fn shared(phases: &str, faults: &str) -> (Record, Analysis) {
    judged(&format!("{SHARED}{phases}"), faults)
}

fn failed(analysis: &Analysis) -> Vec<CheckKind> {
    let failed = analysis.checks.iter().filter(|check| !CheckResult::findings(check).is_empty());
    failed.map(|check| check.check).collect()
}

fn assert_green(analysis: &Analysis) {
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?}", analysis.rules);
}

/// Database 2 changes and deletes rows of database 1, which the policies deny.
const ATTACK: &str = "
  - { name: takeover, kind: update, hostile: true, when: db == 2, sql: \"UPDATE notes SET value = -1 WHERE id LIKE 'db1_r1_%'\", sync: [send, receive] }
  - { name: delete, kind: delete, hostile: true, when: db == 2, sql: \"DELETE FROM notes WHERE id LIKE 'db1_r2_%'\", sync: [send, receive] }
";

#[test]
fn attempts_that_are_denied_are_counted_and_change_nothing() {
    let (record, analysis) = shared(ATTACK, "");
    assert_green(&analysis);
    assert!(record.workers[1].attempts.len() >= 20, "{:?}", record.workers[1].attempts.len());
    assert!(record.workers[1].attempts.iter().all(|attempt| attempt.arrived == Some(false)));
}

#[test]
fn an_attempt_hides_no_loss_of_the_row_that_it_touched() {
    // The server loses rows of database 1 which database 2 then attacks.
    for fault in ["drop_row", "lose_everywhere", "rewrite"] {
        let (_, analysis) = shared(ATTACK, &format!("{{ fault: {fault}, at: [3], databases: [1] }}"));
        assert_eq!(analysis.verdict, Verdict::Fail, "{fault}");
        assert!(failed(&analysis).contains(&CheckKind::Written), "{fault}: {:?}", failed(&analysis));
        assert!(!failed(&analysis).contains(&CheckKind::Isolation), "{fault}: {:?}", analysis.rules);
    }
}

#[test]
fn an_attempt_that_the_server_takes_is_told() {
    let (record, analysis) = shared(ATTACK, "{ fault: ignore_policy, rate: 0.5, databases: [2] }");
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert!(failed(&analysis).contains(&CheckKind::Isolation), "{:?}", analysis.rules);
    let arrived = record.workers[1].attempts.iter().filter(|attempt| attempt.arrived == Some(true)).count();
    assert!(arrived > 3, "{arrived}");
}

#[test]
fn what_owners_do_is_not_blamed_on_the_server() {
    for phases in [
        // Own rows, deleted and changed within a hostile phase.
        "  - { name: own, kind: delete, hostile: true, sql: \"DELETE FROM notes WHERE id LIKE 'db{{ db }}_%' AND value < 4\", sync: [send, receive] }\n",
        // A denied update of rows that their owner then deletes.
        "  - { name: takeover, kind: update, hostile: true, when: db == 2, sql: \"UPDATE notes SET value = -1 WHERE id LIKE 'db1_%'\", sync: [send, receive] }
  - { name: gather, sync: [receive], barrier: true }
  - { name: leave, kind: delete, when: db == 1, sql: \"DELETE FROM notes WHERE id LIKE 'db1_%'\", sync: [send, receive] }\n",
        // A denied delete of rows that their owner deletes, too.
        "  - { name: delete, kind: delete, hostile: true, when: db == 2, sql: \"DELETE FROM notes WHERE id LIKE 'db1_%'\", sync: [send, receive] }
  - { name: gather, sync: [receive], barrier: true }
  - { name: leave, kind: delete, when: db == 1, sql: \"DELETE FROM notes WHERE id LIKE 'db1_%'\", sync: [send, receive] }\n",
        // The owner writes its rows under other keys, and others attack those.
        "  - { name: takeover, kind: update, hostile: true, when: db == 2, sql: \"UPDATE notes SET id = 'x' || id WHERE id LIKE 'db1_r{{ iteration }}_%'\", sync: [send, receive] }
  - { name: gather, sync: [receive], barrier: true }
  - { name: rekey, kind: update, when: db == 1, sql: \"UPDATE notes SET id = 'x' || id WHERE id LIKE 'db1_r{{ iteration }}_%'\", sync: [send, receive] }\n",
    ] {
        let (_, analysis) = shared(phases, "");
        assert_green(&analysis);
    }
}

/// Notes with one more column, and what is written to them.
fn columns(update: &str, phases: &str) -> Analysis {
    let text = SHARED
        .replace("value INTEGER", "value INTEGER, extra INTEGER")
        .replace("(:id, :user_id, :row)", "(:id, :user_id, 1, 1)")
        .replace("update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id", update);
    judged(&format!("{text}{phases}"), "").1
}

#[test]
fn a_denied_column_stays_beside_one_that_comes_from_the_server() {
    let analysis = columns(
        "update: auth_userid() = OLD.user_id",
        "  - { name: takeover, kind: update, hostile: true, when: db == 2, sql: \"UPDATE notes SET value = -1 WHERE id LIKE 'db1_r{{ iteration }}_%'\", sync: [send] }
  - { name: gather, sync: [receive], barrier: true }
  - { name: change, kind: update, when: db == 1, sql: \"UPDATE notes SET extra = 5 WHERE id LIKE 'db1_r{{ iteration }}_%'\", sync: [send] }
  - { name: part, sync: [receive], barrier: true }\n",
    );
    assert_green(&analysis);
}

#[test]
fn columns_that_only_together_are_denied_are_not_missed() {
    // Either change alone is allowed; the policies deny what comes of both.
    let analysis = columns(
        "update: NEW.value + NEW.extra < 10",
        "  - { name: one, kind: update, when: db == 1, sql: \"UPDATE notes SET value = 6 WHERE id LIKE '%_r{{ iteration }}_%'\" }
  - { name: other, kind: update, when: db == 2, sql: \"UPDATE notes SET extra = 6 WHERE id LIKE '%_r{{ iteration }}_%'\" }
  - { name: part, sync: [send, receive], barrier: true }\n",
    );
    assert_green(&analysis);
}

#[test]
fn what_an_administrator_does_is_not_blamed_on_the_server() {
    let (_, analysis) = shared(
        "  - { name: delete, kind: delete, hostile: true, when: db == 2, sql: \"DELETE FROM notes WHERE id LIKE 'db1_%'\", sync: [send, receive] }
  - { name: gather, sync: [receive], barrier: true }
  - { name: clean, admin: \"DELETE FROM notes WHERE id LIKE 'db1_%'\" }\n",
        "",
    );
    assert_green(&analysis);
}

#[test]
fn rows_that_their_own_writer_may_not_read_have_not_leaked() {
    let text = SHARED.replace("select: '1'", "select: auth_userid() = 'auditor'").replace("notes", "leaked");
    // A column of the same name as the mark of a leak, too.
    let text = text.replace("value INTEGER", "leaked INTEGER");
    let (_, analysis) = judged(&text, "");
    assert_green(&analysis);
}

#[test]
fn a_membership_that_ends_makes_no_leak() {
    let text = "
schema:
  tables:
    - { name: members, sql: 'CREATE TABLE members (id TEXT PRIMARY KEY, user_id TEXT, active INTEGER)' }
    - { name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, value INTEGER)' }
rls:
  databases_per_user: 1
  policies:
    members: { select: '1', insert: '1', update: '1', delete: '1' }
    notes:
      select: EXISTS (SELECT 1 FROM members WHERE user_id = auth_userid() AND active)
      insert: EXISTS (SELECT 1 FROM members WHERE user_id = auth_userid() AND active)
      update: EXISTS (SELECT 1 FROM members WHERE user_id = auth_userid() AND active)
      delete: EXISTS (SELECT 1 FROM members WHERE user_id = auth_userid() AND active)
setup:
  - { name: join, kind: insert, sql: 'INSERT INTO members VALUES (:user_id, :user_id, 1)', sync: [send] }
  - { name: meet, sync: [receive], barrier: true }
phases:
  - { name: insert, kind: insert, rows: 10, sql: 'INSERT INTO notes VALUES (:id, :row)', sync: [send, receive] }
  - { name: gather, sync: [receive], barrier: true }
teardown:
  - { name: expel, kind: update, when: db == 1, sql: \"UPDATE members SET active = 0 WHERE user_id LIKE '%2'\", sync: [send] }
  - { name: part, sync: [receive], barrier: true }
verify: [written, isolation]
";
    let (_, analysis) = judged(text, "");
    assert_green(&analysis);
}

/// What comes of the bootstrap check of two databases per user where nobody can read the server's rows.
fn unread_server(policies: &str, phases: &str, faults: &str) -> CheckResult {
    let text =
        format!("{HEAD}{SHARED}{phases}verify: [isolation, bootstrap]\n").replace("databases: 3", "databases: 4");
    let text =
        text.replace("databases_per_user: 1", "databases_per_user: 2").replace("insert: auth_userid()", policies);
    let text = text.replace("select: '1'", "select: auth_userid() = user_id");
    let text = format!("{text}target: {{ embedded: {{ faults: [{faults}] }} }}\n");
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&text, directory.path(), &Control::default(), |target| target.admin = None);
    analyze(&record, &plan).checks.swap_remove(1)
}

#[test]
fn what_only_the_server_could_tell_is_compared_with_no_new_database() {
    // The policies read rows that change: nobody knows which writes they allowed.
    let reads_others = "insert: (SELECT count(*) FROM notes) >= 0 AND auth_userid()";
    let unknown = unread_server(reads_others, "", "");
    assert!(matches!(&unknown.outcome, Outcome::NotChecked(why) if why.contains("policies")), "{unknown:?}");
    // Of rows with a denied write, the server holds an earlier one; the others must be there.
    let denied = "  - { name: lend, kind: update, hostile: true, when: db == 2, sql: \"UPDATE notes SET user_id = 'nobody' WHERE id LIKE 'db2_r1_%'\", sync: [send] }\n";
    let usual = "insert: auth_userid()";
    let some = unread_server(usual, denied, "");
    assert_eq!(some.outcome, Outcome::Passed, "{some:?}");
    assert!(some.notes.iter().any(|note| note.contains("not compared")), "{:?}", some.notes);
    let lost = unread_server(usual, denied, "{ fault: drop_row, at: [3], databases: [1] }");
    assert!(matches!(&lost.outcome, Outcome::Failed(_)), "{lost:?}");
}
