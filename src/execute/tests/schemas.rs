//! Whole runs against the embedded target with schemas that are hard on sync. Nothing was planted: they must pass.

use super::super::Control;
use super::run_changed;
use crate::analysis::{Verdict, analyze};
use crate::verify::CheckResult;

const CHECKS: &str = "settle: { rounds: 6, wait: 1ms }\nverify: [written, converged, server, bootstrap]\n";

fn passes(text: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&format!("{text}{CHECKS}"), directory.path(), &Control::default(), |_| {});
    let analysis = analyze(&record, &plan);
    let findings: Vec<String> =
        analysis.checks.iter().flat_map(CheckResult::findings).map(|finding| finding.message.clone()).collect();
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?} {findings:#?}", analysis.rules);
}

#[test]
fn rows_that_are_replaced_for_another_unique_column_are_gone_everywhere() {
    passes(
        "
version: 1
name: slots
seed: 7
scale: { databases: 3, iterations: 3, rows: 20, time_limit: 1m }
schema:
  tables: [{ name: slots, sql: 'CREATE TABLE slots (id TEXT PRIMARY KEY, slot TEXT UNIQUE, owner TEXT)' }]
phases:
  - { name: take, kind: insert, rows: 20, sql: \"INSERT OR REPLACE INTO slots VALUES (:id, {{ db }} || '-' || :row, :user_id)\", sync: [send, receive] }
",
    );
}

#[test]
fn rows_that_a_trigger_writes_to_another_table_reach_a_new_device() {
    passes(
        "
version: 1
name: logged
seed: 7
scale: { databases: 3, iterations: 2, rows: 20, time_limit: 1m }
schema:
  tables:
    - name: notes
      sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, value INTEGER)'
      also:
        - \"CREATE TRIGGER logged AFTER UPDATE ON notes BEGIN INSERT OR IGNORE INTO log VALUES ('of-' || NEW.id, 'changed'); END\"
    - { name: log, sql: 'CREATE TABLE log (id TEXT PRIMARY KEY, text TEXT)' }
phases:
  - { name: insert, kind: insert, rows: 20, sql: 'INSERT INTO notes VALUES (:id, :row)', sync: [send, receive] }
  - { name: change, kind: update, sql: 'UPDATE notes SET value = value + 1', sync: [send, receive] }
",
    );
}

#[test]
fn a_table_called_like_a_word_of_an_upsert_syncs() {
    passes(
        "
version: 1
name: excluded
seed: 7
scale: { databases: 2, iterations: 2, rows: 20, time_limit: 1m }
schema: { tables: [{ name: excluded, sql: 'CREATE TABLE excluded (cs_pk1 TEXT PRIMARY KEY, cs_seq INTEGER)' }] }
phases:
  - { name: insert, kind: insert, rows: 20, sql: 'INSERT INTO excluded VALUES (:id, :row)', sync: [send, receive] }
  - { name: change, kind: update, sql: 'UPDATE excluded SET cs_seq = cs_seq + 1', sync: [send, receive] }
",
    );
}

#[test]
fn rows_that_the_schema_itself_writes_were_invented_by_nobody() {
    passes(
        "
version: 1
name: seeded
seed: 7
scale: { databases: 3, iterations: 2, rows: 5, time_limit: 1m }
schema:
  tables:
    - name: levels
      sql: CREATE TABLE levels (id TEXT PRIMARY KEY, level INTEGER)
      also: [\"INSERT INTO levels SELECT 'level ' || value, value FROM generate_series(1, 9)\"]
phases:
  - { name: insert, kind: insert, rows: 5, sql: 'INSERT INTO levels VALUES (:id, :row)', sync: [send, receive] }
",
    );
}
