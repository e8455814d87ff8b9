//! What a step's `sync` can ask for besides single calls.

use crate::harness::{Place, Report};

/// Database 1 writes three rows; database 2 waits for some of them.
fn awaiting(equals: &str, code: i32) -> Report {
    let place = Place::of(&format!(
        "scale: {{ databases: 2, iterations: 1, rows: 3, time_limit: 60s }}
phases:
  - {{ name: insert, kind: insert, rows: 3, sql: INSERT INTO notes (id) VALUES (:id), when: db == 1, sync: [send] }}
  - name: wait
    when: db == 2
    sync:
      - receive:
          until: {{ sql: \"SELECT count(*) FROM notes WHERE id LIKE 'db1_r{{{{ iteration }}}}_%'\", equals: {equals} }}
          attempts: 200
          every: 10ms
"
    ));
    place.judged(code)
}

#[test]
fn a_receive_is_repeated_until_a_query_returns_its_value() {
    let report = awaiting("3", 0);
    // It began before the rows were there or not: it ended at once when they were.
    assert!((1..200).contains(&report.number("/totals/receives")), "{}", report.0["totals"]);
    awaiting("\"{{ scale.rows }}\"", 0);
}

#[test]
fn a_value_that_does_not_come_fails_the_last_receive_and_is_told_with_what_was_there() {
    let place = Place::of(
        "phases:
  - { name: insert, kind: insert, rows: 3, sql: INSERT INTO notes (id) VALUES (:id), when: db == 1, sync: [send] }
  - name: wait
    when: db == 2 and iteration == 1
    sync: [{ receive: { until: { sql: SELECT count(*) FROM notes WHERE size = 9, equals: 1 }, attempts: 3, every: 1ms } }]
",
    );
    let report = place.judged(1);
    assert_eq!(report.errors(), [("not_received", "server")]);
    assert_eq!((report.number("/errors/total"), report.number("/totals/receives")), (1, 3));
    let told = report.0["errors"].to_string();
    let words = "`SELECT count(*) FROM notes WHERE size = 9` returned 0, expected 1, after 3 calls in ";
    assert!(told.contains(words) && told.contains("raise `attempts` or `every`"), "{told}");
}

#[test]
fn a_query_that_fails_while_it_is_waited_for_is_told_as_its_own_error() {
    let place = Place::of(
        "phases:
  - { name: wait, sync: [{ receive: { until: { sql: \"SELECT json('{')\", equals: 1 }, attempts: 1 } }] }
",
    );
    assert_eq!(place.judged(1).errors(), [("sql", "client")]);
}
