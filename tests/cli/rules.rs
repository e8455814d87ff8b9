//! What an author says about failures: `errors:`, `expect:` and thresholds.

use crate::harness::{Place, Report};

fn ruled(fault: &str, body: &str, code: i32) -> Report {
    Place::of(&format!("target: {{ embedded: {{ faults: [{fault}] }} }}\nverify: [converged, server]\n{body}"))
        .judged(code)
}

const PAUSED: &str = "{ fault: http_503, at: [1] }";

#[test]
fn a_call_that_is_made_again_heals_and_the_tries_are_shown() {
    let report = ruled(PAUSED, "errors: [{ match: { http: 503 }, do: [{ retry: { times: 2, backoff: 10ms } }] }]\n", 0);
    assert_eq!((report.number("/errors/total"), report.number("/errors/retried")), (0, 2));
    let text = Place::of(&format!(
        "target: {{ embedded: {{ faults: [{PAUSED}] }} }}\nerrors: [{{ match: {{ http: 503 }}, do: [{{ retry: {{ times: 2, backoff: 10ms }} }}] }}]\nverify: [converged]\n"
    ));
    let done = text.stress(&["run", "scenario.yaml"]).done().exits(0);
    assert!(done.out.contains("retried"), "{done}");
}

#[test]
fn tries_that_do_not_heal_fail_the_run() {
    let report = ruled(
        "{ fault: http_503, at: [1, 2, 3] }",
        "errors: [{ match: { kind: unavailable }, do: [{ retry: { times: 1, backoff: 1ms } }] }]\n",
        1,
    );
    assert!(report.number("/errors/total") > 0 && report.number("/errors/retried") > 0, "{}", report.0["errors"]);
}

#[test]
fn ignored_and_warned_failures_are_shown_and_do_not_count() {
    for (action, counter) in [("ignore", "/errors/ignored"), ("warn", "/errors/warned")] {
        let report = ruled(PAUSED, &format!("errors: [{{ match: {{ side: server }}, do: [{action}] }}]\n"), 0);
        assert_eq!((report.number("/errors/total"), report.number(counter)), (0, 2), "{action}");
    }
}

#[test]
fn a_rule_that_does_not_fit_does_not_help() {
    ruled(PAUSED, "errors: [{ match: { kind: locked }, do: [ignore] }]\n", 1);
}

#[test]
fn stop_ends_the_run_early_and_fails_it() {
    let report = ruled(
        "{ fault: http_500, at: [3], databases: [1] }",
        "scale: { databases: 2, iterations: 100000, rows: 5, time_limit: 50s }\nerrors: [{ match: { http: 500 }, do: [stop] }]\n",
        1,
    );
    assert_eq!(report.rule().0, "error_rule");
}

#[test]
fn a_rule_that_fails_the_run_is_stronger_than_thresholds() {
    let report = ruled(PAUSED, "errors: [{ match: { http: 503 }, do: [fail] }]\nthresholds: [errors.total < 100]\n", 1);
    assert_eq!(report.rule().0, "error_rule");
    ruled(PAUSED, "thresholds: [errors.total < 100]\n", 0);
}

#[test]
fn a_failure_that_is_expected_passes_and_one_that_stays_away_fails() {
    let expect = "expect: { verdict: fail, kinds: [locked] }\n";
    let report = ruled("{ fault: locked, at: [1] }", expect, 0);
    assert_eq!(report.rule().0, "expected");
    assert!(report.rule().1.starts_with("the run failed as expected: "), "{:?}", report.rule());
    let report = ruled("", expect, 1);
    assert!(report.rule().1.starts_with("expected FAIL, but the verdict is PASS"), "{:?}", report.rule());
    let report = ruled("{ fault: http_500, at: [1] }", expect, 1);
    assert!(report.rule().1.contains("expected locked, found http"), "{:?}", report.rule());
    ruled("{ fault: drop_row }", "expect: { verdict: fail, kinds: [converged, server] }\n", 0);
}

#[test]
fn a_broken_threshold_is_named_and_one_that_only_warns_is_shown() {
    let report = ruled("", "thresholds: [\"phase.duration{phase=\\\"insert\\\"} p99 < 1us\"]\n", 1);
    assert_eq!(report.rule().0, "threshold");
    assert!(report.rule().1.contains("phase.duration{phase=\"insert\"} p99 < 1us"), "{:?}", report.rule());
    let warn = "thresholds: [{ expr: send.duration max < 1us, severity: warn }]\n";
    let report = ruled("", warn, 0);
    let warned = |one: &serde_json::Value| one["state"] == "broken" && one["severity"] == "warn";
    assert!(report.0["thresholds"].as_array().is_some_and(|all| all.iter().any(warned)), "{}", report.0["thresholds"]);
    let place = Place::of(warn);
    let done = place.stress(&["run", "scenario.yaml"]).done().exits(0);
    assert!(done.out.contains("Some broken thresholds only warn."), "{done}");
}

#[test]
fn the_worst_of_a_matrix_decides_and_all_of_it_is_run() {
    let place = Place::of(
        "matrix: { count: [3, 4] }\nphases:\n  - name: insert\n    kind: insert\n    rows: \"{{ count }}\"\n    sql: INSERT INTO notes (id) VALUES (:id)\n    expect_rows: 4\n    sync: [send, receive]\n",
    );
    let done = place.stress(&["run", "scenario.yaml"]).done().exits(1);
    let verdicts: Vec<&str> =
        done.out.lines().filter(|line| line.starts_with("FAIL: ") || line.starts_with("PASS: ")).collect();
    assert!(verdicts.len() == 2 && verdicts[0].starts_with("FAIL") && verdicts[1].starts_with("PASS"), "{done}");
}

#[test]
fn the_json_of_a_matrix_is_one_document_per_combination() {
    let place = Place::of(
        "matrix: { count: [3, 4] }\nphases:\n  - name: insert\n    kind: insert\n    rows: \"{{ count }}\"\n    sql: INSERT INTO notes (id) VALUES (:id)\n    sync: [send, receive]\n",
    );
    let done = place.stress(&["run", "scenario.yaml", "--json"]).done().exits(0);
    let documents: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&done.out).into_iter().collect::<Result<_, _>>().expect("JSON");
    assert_eq!(documents.len(), 2);
    for document in documents {
        assert_eq!(Report::parse(&document.to_string()).verdict(), "pass");
    }
}
