//! Whole runs against the embedded target: what goes wrong at the end is told rightly, or tried again.

use super::super::*;
use super::{Connected, run_changed};
use crate::analysis::{Analysis, Verdict, analyze};
use crate::plan::CheckKind;
use crate::verify::CheckResult;

const INSERTS: &str = "
version: 1
name: inserts
seed: 7
scale: { databases: 2, iterations: 1, rows: 10, time_limit: 1m }
schema: { tables: [{ name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, value INTEGER)' }] }
phases:
  - { name: insert, kind: insert, rows: 10, sql: 'INSERT INTO notes VALUES (:id, :row)', sync: [send, receive] }
settle: { rounds: 6, wait: 1ms }
verify: [written, converged, server, bootstrap]
";

fn judged(more: &str, change: impl FnOnce(&mut Connected)) -> (Record, Analysis) {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&format!("{INSERTS}{more}"), directory.path(), &Control::default(), change);
    let analysis = analyze(&record, &plan);
    (record, analysis)
}

#[test]
fn a_new_device_tries_again_where_a_rule_says_so() {
    // Of every site the first two requests, also of the new device's.
    let faults = "target: { embedded: { faults: [{ fault: http_503, at: [1, 2] }] } }\n";
    let rule = "errors: [{ match: { kind: unavailable }, do: [{ retry: { times: 2, backoff: 1ms } }] }]\n";
    let (record, analysis) = judged(&format!("{faults}{rule}"), |_| {});
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?}", analysis.rules);
    let state = record.state.expect("a state");
    assert!(state.bootstrap.iter().all(|new| new.failures.is_empty() && !new.tables.is_empty()));
    let once = rule.replace("times: 2", "times: 1");
    let (record, _) = judged(&format!("{faults}{once}"), |_| {});
    let state = record.state.expect("a state");
    assert!(state.bootstrap.iter().any(|new| !new.failures.is_empty()), "a rule has an end");
}

#[test]
fn a_damaged_file_of_the_server_is_found() {
    let integrity = |analysis: &Analysis| {
        let check = analysis.checks.iter().find(|result| result.check == CheckKind::Integrity).expect("a check");
        CheckResult::findings(check).iter().map(|finding| finding.message.clone()).collect::<Vec<_>>()
    };
    let (record, analysis) = judged("", |_| {});
    assert_eq!(record.state.and_then(|state| state.server).and_then(|server| server.integrity).as_deref(), Some("ok"));
    assert_eq!(integrity(&analysis), [""; 0]);
    let (_, analysis) = judged("", |target| {
        let (admin, database) = target.admin.as_ref().expect("an administrator");
        let damage = "CREATE TABLE odd(a CHECK (a > 0)); PRAGMA ignore_check_constraints = ON;
            INSERT INTO odd VALUES (-1); PRAGMA ignore_check_constraints = OFF";
        admin.sql_within(std::time::Duration::from_secs(10), Some(database), damage).expect("damage");
    });
    let said = integrity(&analysis);
    assert!(said.len() == 1 && said[0].starts_with("the server: integrity_check says: "), "{said:?}");
    assert_eq!(analysis.verdict, Verdict::Fail);
}
