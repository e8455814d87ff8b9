//! Whole runs against the embedded target with planted failures: what was planted must be seen, and rightly told.

use std::path::Path;

use super::super::*;
use super::run_changed;
use crate::analysis::{Analysis, RuleKind, Verdict, analyze};
use crate::plan::{CheckKind, Plan};
use crate::report;
use crate::verify::{CheckResult, RowState};

/// Everybody inserts rows of their own and syncs, three times.
const INSERTS: &str = "
version: 1
name: inserts
seed: 7
scale: { databases: 3, iterations: 3, rows: 60, time_limit: 1m }
schema: { tables: [{ name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, value INTEGER)' }] }
phases:
  - { name: insert, kind: insert, rows: 60, sql: 'INSERT INTO notes VALUES (:id, :user_id, :row)', sync: [send, receive] }
settle: { rounds: 6, wait: 1ms }
verify: [converged, server, bootstrap]
";

/// The same with two users, and rows that are deleted again, so that what leaks also goes.
const USERS: &str = "
version: 1
name: users
seed: 7
scale: { databases: 4, iterations: 2, rows: 60, time_limit: 1m }
schema: { tables: [{ name: notes, sql: 'CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, value INTEGER)' }] }
rls:
  databases_per_user: 2
  policies:
    notes:
      select: auth_userid() = user_id
      insert: auth_userid() = NEW.user_id
      update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id
      delete: auth_userid() = OLD.user_id
phases:
  - { name: insert, kind: insert, rows: 60, sql: 'INSERT INTO notes VALUES (:id, :user_id, :row)', sync: [send, receive] }
  - { name: delete, kind: delete, sql: 'DELETE FROM notes', sync: [send, receive] }
settle: { rounds: 6, wait: 1ms }
verify: [converged, server, isolation]
";

fn made(text: &str, directory: &Path) -> (Record, Plan) {
    run_changed(text, directory, &Control::default(), |_| {})
}

/// A run with failures planted, judged; and judged again from its record.
fn judged(text: &str, faults: &str) -> (Record, Analysis) {
    let directory = tempfile::tempdir().expect("a directory");
    let text = format!("{text}target: {{ embedded: {{ faults: [{faults}] }} }}\n");
    let (record, plan) = made(&text, directory.path());
    let analysis = analyze(&record, &plan);
    let saved = std::fs::read_to_string(directory.path().join("record.json")).expect("it was kept");
    let read: Record = serde_json::from_str(&saved).expect("it is a record");
    let again = analyze(&read, &plan);
    assert_eq!(report::markdown(&again), report::markdown(&analysis), "judged again, byte for byte");
    assert_eq!(report::json(&again).to_string(), report::json(&analysis).to_string());
    assert_eq!(report::terminal(&again, 100), report::terminal(&analysis, 100));
    (record, analysis)
}

fn states(analysis: &Analysis) -> Vec<RowState> {
    let findings = analysis.checks.iter().flat_map(CheckResult::findings);
    let mut states: Vec<RowState> = findings.flat_map(|finding| &finding.rows).map(|row| row.state).collect();
    states.sort_unstable();
    states.dedup();
    states
}

fn fates(analysis: &Analysis) -> String {
    let findings = analysis.checks.iter().flat_map(CheckResult::findings);
    findings.flat_map(|finding| finding.fates.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn clean_runs_pass_and_measure_what_stands_beside_the_work() {
    for text in [INSERTS, USERS] {
        let (record, analysis) = judged(text, "");
        assert_eq!(analysis.verdict, Verdict::Pass, "{:?}", analysis.rules);
        assert!(
            record.workers.iter().all(|worker| worker.growth.len() == usize::try_from(worker.iterations).unwrap_or(0))
        );
        assert!(record.generator.is_some_and(|generator| generator.ticks > 0));
        assert!(record.workers.iter().all(|worker| worker.log.is_none() && worker.leaks.is_empty()));
    }
    assert!(judged(USERS, "").0.workers.iter().all(|worker| worker.watched > 0));
}

#[test]
fn a_push_that_is_forgotten_is_missing_after_it_was_acknowledged() {
    let (_, analysis) = judged(INSERTS, "{ fault: forget_push, at: [2], databases: [3] }");
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert_eq!(states(&analysis), [RowState::Missing]);
    let fates = fates(&analysis);
    assert!(
        fates.contains("of database 3, iteration") && fates.contains("sent and acknowledged, but not on the server"),
        "{fates}"
    );
}

#[test]
fn a_row_that_is_dropped_is_missing_after_it_was_acknowledged() {
    let (_, analysis) = judged(INSERTS, "{ fault: drop_row, at: [5, 70], databases: [1] }");
    assert_eq!(states(&analysis), [RowState::Missing]);
    assert!(
        fates(&analysis).contains("1 row of database 1, iteration 2: sent and acknowledged"),
        "{}",
        fates(&analysis)
    );
}

#[test]
fn a_page_that_is_skipped_is_missing_at_its_receiver_only() {
    let (_, analysis) = judged(INSERTS, "{ fault: skip_page, at: [1], databases: [2] }");
    assert_eq!(states(&analysis), [RowState::Missing]);
    assert!(fates(&analysis).contains("on the server, but not received by database 2 (received by 2 of 3)"));
}

#[test]
fn deleted_rows_that_come_back_are_resurrected() {
    // Only one of a user's two databases deletes: the other's deletion would mend it.
    let text = USERS.replace("name: delete,", "name: delete, when: db == 1,");
    let (_, analysis) = judged(&text, "{ fault: resurrect_rows, rate: 0.05 }");
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert!(states(&analysis).contains(&RowState::Resurrected), "{}", fates(&analysis));
}

#[test]
fn a_row_that_leaked_and_was_deleted_since_is_found() {
    let (record, analysis) = judged(USERS, "{ fault: leak_rows, rate: 0.1 }");
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert!(record.workers.iter().any(|worker| !worker.leaks.is_empty()));
    let isolation = analysis.checks.iter().find(|check| check.check == CheckKind::Isolation).expect("it was asked for");
    let received = isolation.findings().iter().any(|finding| finding.message.contains(" received "));
    assert!(received, "{:?}", isolation.findings());
    let leak = record.workers.iter().flat_map(|worker| &worker.leaks).next().expect("there is one");
    assert!(leak.after > leak.before && !leak.keys.is_empty(), "{leak:?}");
}

#[test]
fn every_forbidden_row_is_decided_however_many_there_are() {
    // Users 1's databases write 300 rows each in the name of user 2, and the server takes none of them.
    let malicious = USERS.replace(
        "settle:",
        "  - { name: malicious, kind: insert, when: user == 1, rows: 300, bind: { id: 'bad_{{ db }}_{{ iteration }}_{{ row }}' }, \
         sql: \"INSERT INTO notes VALUES (:id, '018ecfc2-b2b1-7cc3-a9f0-000000000002', 1)\", sync: [send, receive] }\nsettle:",
    );
    let forbidden = |record: &Record| -> Vec<(u64, Option<u64>)> {
        let state = record.state.as_ref().expect("it was looked at");
        state.databases.iter().map(|database| (database.tables[0].forbidden, database.tables[0].leaked)).collect()
    };
    let (record, analysis) = judged(&malicious, "");
    assert_eq!(analysis.verdict, Verdict::Pass, "{:?}", analysis.rules);
    assert!(forbidden(&record)[..2].iter().all(|(all, leaked)| *all >= 300 && *leaked == Some(0)));
    // When the server takes them, they are told as writes that it should have denied.
    let (record, analysis) = judged(&malicious, "{ fault: ignore_policy, rate: 0.5, databases: [1] }");
    assert_eq!(analysis.verdict, Verdict::Fail);
    assert_eq!(forbidden(&record)[0].1, Some(0), "its own rows did not come from elsewhere");
    let arrived = record.workers[0].attempts.iter().filter(|attempt| attempt.arrived == Some(true)).count() as u64;
    let all = forbidden(&record)[0].0;
    assert!(arrived > 20 && arrived < all, "{arrived} of {all}");
}

#[test]
fn rows_numbered_too_low_are_on_the_server_and_not_received() {
    let (_, analysis) = judged(INSERTS, "{ fault: clock_back, at: [2] }");
    assert_eq!(states(&analysis), [RowState::Missing]);
    assert!(fates(&analysis).contains("on the server, but not received by"), "{}", fates(&analysis));
}

#[test]
fn a_threshold_with_abort_stops_the_run_and_decides_it() {
    let text = format!("{INSERTS}thresholds: [{{ expr: 'errors{{kind=\"http\"}} < 2', abort: true }}]\n");
    let (record, analysis) = judged(&text, "{ fault: http_500 }");
    assert_eq!(record.ended.expect("it ended").reason, EndReason::Stopped);
    assert_eq!((analysis.verdict, analysis.rules[0].kind), (Verdict::Fail, RuleKind::Threshold));
    assert!(analysis.rules[0].message.ends_with("this stopped the run early"), "{}", analysis.rules[0].message);
    assert!(analysis.rules[0].message.starts_with("errors{kind"));
}

#[test]
fn a_failed_server_gets_a_card_and_the_log_of_the_database() {
    let (record, analysis) = judged(INSERTS, "{ fault: http_503, at: [2], databases: [2] }");
    assert_eq!((analysis.cards.len(), analysis.cards[0].total), (1, 1));
    assert_eq!(analysis.cards[0].requests[0].database, 2);
    let with_logs: Vec<u32> = analysis.logs.iter().map(|(database, _)| *database).collect();
    assert_eq!(with_logs, [2]);
    assert!(record.workers[1].log.as_ref().is_some_and(|log| log.first.iter().any(|line| line.contains("error"))));
}
