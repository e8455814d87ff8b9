//! Runs that must not pass, and what their reports say: a check never seen red is no check. That each failure the hub can
//! plant is found, and on whose side, is proven by `stress selftest`; here is what it does not look at: the words and
//! numbers of the report, failures of the scenario itself, limits on time, and hostile phases.

use std::time::Duration;

use crate::harness::{Place, RLS, Report};

/// A run with faults of the hub, in a scenario that otherwise passes.
fn planted(faults: &str, body: &str, code: i32) -> Report {
    Place::of(&format!("target: {{ embedded: {{ faults: [{faults}] }} }}\n{body}")).judged(code)
}

#[test]
fn a_failure_of_the_server_is_counted_and_told_in_its_words() {
    let report = planted("{ fault: locked, at: [1] }", "", 1);
    assert_eq!(report.errors(), [("locked", "server")]);
    assert!(report.0["errors"]["groups"].to_string().contains("database is locked"), "{:?}", report.0["errors"]);
    assert_eq!(report.number("/errors/total"), 2);
}

#[test]
fn an_http_500_is_told_with_its_status_and_its_database() {
    let report = planted("{ fault: http_500, at: [2], databases: [2] }", "", 1);
    assert_eq!(report.errors(), [("http", "server")]);
    assert_eq!(report.number("/errors/groups/0/http"), 500);
    assert_eq!(report.0["errors"]["groups"][0]["databases"], serde_json::json!([2]));
}

#[test]
fn a_lost_row_is_found_and_named() {
    let report = planted("{ fault: drop_row, at: [3], databases: [1] }", "", 1);
    assert_eq!(report.errors(), [("", ""); 0]);
    assert_eq!(report.failed_checks(), ["written", "converged", "server"]);
    for check in ["written", "converged", "server"] {
        assert!(report.findings(check).contains("'db1_r1_3'"), "{}", report.findings(check));
    }
    assert_eq!(report.rule().0, "check");
    let told = "written: 1 row of notes was acknowledged and is missing on the server";
    assert!(report.rule().1.starts_with(told), "{:?}", report.rule());
}

#[test]
fn a_new_device_that_misses_a_page_is_found() {
    // A site that the scenario does not name is the one of `bootstrap`.
    let report = planted("{ fault: skip_page, at: [1] }", "scale: { databases: 1, iterations: 1, rows: 20 }\n", 1);
    assert_eq!(report.failed_checks(), ["bootstrap"]);
}

#[test]
fn a_slow_answer_does_no_harm_but_breaks_a_limit_on_time() {
    let slow = "{ fault: slow, at: [1], databases: [1] }";
    let report = planted(slow, "thresholds: [send.duration max < 1s]\n", 1);
    assert_eq!(report.rule().0, "threshold");
    assert!(report.rule().1.contains("send.duration max < 1s is not met"), "{:?}", report.rule());
}

#[test]
fn rows_leaked_to_the_wrong_user_are_found() {
    let report = planted("{ fault: leak_rows, databases: [1] }", &format!("{RLS}verify: [isolation]\n"), 1);
    assert_eq!(report.failed_checks(), ["isolation"]);
    assert!(report.rule().1.contains("database 1 holds"), "{:?}", report.rule());
    assert!(report.rule().1.contains("forbids"), "{:?}", report.rule());
}

#[test]
fn a_constraint_fails_the_run_on_the_client_side() {
    let place = Place::of(
        "phases:\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id) VALUES ('one')\n    sync: [send]\n",
    );
    let report = place.judged(1);
    assert_eq!(report.errors(), [("constraint", "client")]);
    assert!(report.rule().1.contains("UNIQUE constraint failed: notes.id"), "{:?}", report.rule());
}

#[test]
fn an_sql_error_fails_the_run_on_the_client_side() {
    let place = Place::of(
        "phases:\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id, body) VALUES (:id, json('{'))\n    sync: [send]\n",
    );
    assert_eq!(place.judged(1).errors(), [("sql", "client")]);
}

#[test]
fn a_wrong_number_of_rows_fails_the_run() {
    let place = Place::of(
        "phases:\n  - name: insert\n    kind: insert\n    rows: 3\n    sql: INSERT INTO notes (id) VALUES (:id)\n    expect_rows: 4\n    sync: [send, receive]\n",
    );
    let report = place.judged(1);
    assert_eq!(report.errors(), [("row_count", "client")]);
    assert!(report.0["errors"].to_string().contains("changed 3 rows, and 4 were expected"), "{:?}", report.0["errors"]);
}

/// A statement that never ends.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn an_endless_statement_is_cut_by_its_phase_s_timeout() {
    let phases = format!(
        "phases:\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id) VALUES (:id)\n    sync: [send, receive]\n  - name: endless\n    kind: query\n    sql: {ENDLESS}\n    timeout: 200ms\n"
    );
    let place = Place::of(&format!("scale: {{ databases: 2, iterations: 1 }}\n{phases}"));
    let done = place.stress(&["run", "scenario.yaml", "--json"]).done().exits(1);
    assert!(done.took < Duration::from_secs(10), "{done}");
    assert_eq!(Report::parse(&done.out).errors(), [("timeout", "client")]);
}

#[test]
fn the_time_limit_cuts_an_endless_run_which_is_then_unknown() {
    let phases = format!("phases:\n  - name: endless\n    kind: query\n    sql: {ENDLESS}\n    sync: [send]\n");
    let place = Place::of(&phases);
    let done = place.stress(&["run", "scenario.yaml", "--json", "--time-limit", "1s"]).done().exits(4);
    assert!(done.took < Duration::from_secs(10), "{done}");
    assert_eq!(Report::parse(&done.out).rule(), ("time_limit", "the time limit of 1.00 s ended the run early"));
}

#[test]
fn the_time_limit_cuts_a_check_that_never_ends() {
    for on in ["databases", "server"] {
        let place = Place::of(&format!("verify:\n  - query: {{ on: {on}, sql: \"{ENDLESS}\", equals: 0 }}\n"));
        let done = place.stress(&["run", "scenario.yaml", "--json", "--time-limit", "2s"]).done().exits(4);
        assert!(done.took < Duration::from_secs(15), "{done}");
    }
}

#[test]
fn the_time_limit_cuts_sql_on_the_server_that_never_ends() {
    let phases =
        "phases:\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id) VALUES (:id)\n    sync: [send]\n";
    let place = Place::of(&format!("{phases}  - admin: {ENDLESS}\n"));
    let done = place.stress(&["run", "scenario.yaml", "--json", "--time-limit", "2s"]).done().exits(4);
    assert!(done.took < Duration::from_secs(15), "{done}");
    assert_eq!(Report::parse(&done.out).rule().0, "time_limit");
}

#[test]
fn the_time_limit_cuts_many_short_steps_too() {
    let place = Place::of("scale: { databases: 2, iterations: 1000000, rows: 5, time_limit: 1s }\n");
    let report = place.judged(4);
    assert_eq!(report.rule().0, "time_limit");
}

#[test]
fn a_run_that_asked_for_syncs_and_made_none_is_unknown() {
    // A phase whose repeat comes to none is no phase that was skipped.
    let place = Place::of(
        "settle: { rounds: 0 }\nverify: []\nphases:\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id) VALUES (:id)\n  - { name: later, kind: query, repeat: \"{{ seed - 7 }}\", sql: SELECT 1, sync: [send] }\n",
    );
    assert_eq!(place.judged(4).rule(), ("nothing_synced", "nothing synced: no sync call succeeded"));
}

#[test]
fn a_phase_that_never_ran_is_unknown() {
    let place = Place::of(
        "phases:\n  - name: never\n    kind: insert\n    when: db == 9\n    sql: INSERT INTO notes (id) VALUES (:id)\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id) VALUES (:id)\n    sync: [send, receive]\n",
    );
    assert_eq!(place.judged(4).rule(), ("phase_skipped", "phase never never ran in any database"));
}

#[test]
fn words_of_failure_in_the_data_are_no_failures() {
    let place = Place::of(
        "
schema:
  tables:
    - { name: locked_errors, sql: \"CREATE TABLE locked_errors (id TEXT PRIMARY KEY, error TEXT, locked INTEGER)\" }
phases:
  - name: error-500
    kind: insert
    rows: 500
    sql: INSERT INTO locked_errors (id, error, locked) VALUES (:id, :error, 500)
    bind: { id: \"error_500_database is locked_{{ db }}_{{ iteration }}_{{ row }}\", error: \"Error: SQLITE_BUSY, HTTP 500: {\\\"errors\\\":[]}\" }
    sync: [send, receive]
  - name: locked
    kind: query
    sql: SELECT 'error', 'database is locked', 500 FROM locked_errors
    sync: [send, receive]
",
    );
    let report = place.judged(0);
    assert_eq!(report.number("/errors/seen"), 0);
}

/// User 1 writes in the name of user 2, and gives rows of its own away.
const HOSTILE: &str = "
phases:
  - name: honest
    kind: insert
    rows: 5
    sql: INSERT INTO notes (id, user_id, body) VALUES (:id, :user_id, 'mine')
    sync: [send, receive]
  - name: forge
    kind: insert
    hostile: true
    when: user == 1
    rows: 3
    sql: INSERT INTO notes (id, user_id, body) VALUES ('forged_' || :id, :victim, 'not mine')
    bind: { victim: 018ecfc2-b2b1-7cc3-a9f0-000000000002 }
    sync: [send, receive]
  - name: give-away
    kind: update
    hostile: true
    when: user == 1
    sql: UPDATE notes SET user_id = :victim WHERE id = 'db{{ db }}_r{{ iteration }}_1'
    bind: { victim: 018ecfc2-b2b1-7cc3-a9f0-000000000002 }
    sync: [send, receive]
verify: [converged, server, isolation, bootstrap]
";

#[test]
fn what_the_policies_deny_to_hostile_phases_does_not_arrive_and_is_not_missed() {
    let report = planted("", &format!("{RLS}{HOSTILE}"), 0);
    let notes = report.0["checks"].to_string();
    assert!(notes.contains("none reached the server"), "{notes}");
}

#[test]
fn a_server_that_takes_what_a_hostile_phase_attempts_is_found_with_phase_and_operation() {
    let report = planted("{ fault: ignore_policy }", &format!("{RLS}{HOSTILE}"), 1);
    assert_eq!(report.failed_checks(), ["isolation"]);
    let checks = report.0["checks"].to_string();
    for told in [
        "insert 6 rows of notes although the policy denies it, in phase forge",
        "update 2 rows of notes although the policy denies it, in phase give-away",
    ] {
        assert!(checks.contains(told), "{told}: {checks}");
    }
}

#[test]
fn wrong_expired_and_missing_credentials_are_refused_and_can_be_what_a_scenario_proves() {
    for (uses, security) in [("wrong", RLS), ("expired", RLS), ("none", RLS), ("wrong", ""), ("none", "")] {
        let lane = format!("session: {{ credentials: [{{ databases: [2], use: {uses} }}] }}\n");
        let report = planted("", &format!("{security}{lane}"), 1);
        assert_eq!(report.errors(), [("auth", "configuration")], "{uses}");
        assert_eq!(report.0["errors"]["groups"][0]["databases"], serde_json::json!([2]), "{uses}");
        planted("", &format!("{security}{lane}expect: {{ verdict: fail, kinds: [auth] }}\n"), 0);
    }
}

#[test]
fn however_many_rows_a_hostile_phase_leaves_behind_none_of_them_is_missed() {
    let many = HOSTILE
        .replace("rows: 5\n", "rows: 700\n")
        .replace("id = 'db{{ db }}_r{{ iteration }}_1'", "user_id = :user_id");
    let report = planted("", &format!("{RLS}{many}"), 0);
    let notes = report.0["checks"].to_string();
    assert!(notes.contains("none reached the server") && notes.contains("1,406 attempts"), "{notes}");
}
