//! What a step's `sync` can ask for besides single calls.

use crate::harness::{Place, RLS, Report, files, json};

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

#[test]
fn chunks_bytes_and_what_is_left_to_receive_are_measured() {
    // A chunk has at most 4,000 rows.
    let place = Place::of(
        "scale: { databases: 2, iterations: 1, rows: 9000, time_limit: 60s }
phases:
  - { name: insert, kind: insert, rows: 9000, sql: INSERT INTO notes (id) VALUES (:id), when: db == 1, sync: [send] }
  - { name: part, when: db == 2, barrier: true, sync: [{ receive: { max_chunks: 1 } }] }
  - { name: rest, when: db == 2, sync: [receive, { receive: { until: quiet, every: 1ms } }] }
verify: [converged]
thresholds:
  - send.chunks{phase=\"insert\"} max == 3
  - send.bytes{phase=\"insert\"} max > 90kB
  - receive.chunks{phase=\"part\"} max == 1
  - receive.incomplete{phase=\"part\"} == 1
  - receive.incomplete{phase=\"rest\"} == 0
",
    );
    let report = place.judged(0);
    assert!(report.number("/totals/incomplete") == 1 && report.number("/totals/chunks") >= 6, "{}", report.0["totals"]);
    let csv = place.stress(&["report", "runs/test/latest", "--report", "csv=-"]).done().exits(0);
    let parts = csv.out.lines().filter(|line| line.contains(",part,receive,") && line.contains(",4000,1,"));
    assert!(parts.clone().count() == 1 && parts.clone().all(|line| line.ends_with(",true")), "{}", csv.out);
}

/// Rows that are sent before a logout, and rows that are not. The row `same` is written less often by the new device,
/// which knows nothing of it, than it was by the former: so the server keeps the former's.
const LOGOUT: &str = "
phases:
  - { name: sent, kind: insert, rows: 20, sql: INSERT INTO notes (id) VALUES (:id), sync: [send] }
  - { name: same, kind: insert, rows: \"{{ 4 - iteration }}\", sql: \"INSERT OR REPLACE INTO notes (id, body) VALUES ('same{{ db }}', 'r{{ iteration }}')\", sync: [send] }
  - { name: unsent, kind: insert, rows: 3, sql: \"INSERT INTO notes (id) VALUES ('unsent' || :id)\" }
  - { name: touch, kind: update, sql: \"UPDATE notes SET size = 7 WHERE id = 'db{{ db }}_r{{ iteration }}_1'\", sync: [logout] }
  - { name: empty, kind: query, sql: \"SELECT 1 FROM notes\", expect_rows: 0, sync: [send] }
  - { name: again, when: iteration == 2, sync: [receive] }
";

#[test]
fn a_logout_deletes_the_local_rows_and_loses_what_was_not_sent_and_nothing_else() {
    let place = Place::of(&format!(
        "{LOGOUT}verify:
  - written
  - converged
  - server
  - bootstrap
  - query: {{ on: server, sql: SELECT count(*) FROM notes, equals: 82 }}
  - query: {{ on: databases, sql: SELECT count(*) FROM notes WHERE id LIKE 'unsent%' OR size IS NOT NULL, equals: 0 }}
"
    ));
    place.judged(0);
    let record = json(&place.run_dir("test").join("record.json"));
    for worker in record["workers"].as_array().expect("workers") {
        let sites: std::collections::BTreeSet<String> = worker["former_site_ids"]
            .as_array()
            .expect("it was logged out")
            .iter()
            .chain([&worker["site_id"]])
            .map(|site| site.as_str().expect("a site id").to_owned())
            .collect();
        assert!(sites.len() == 3 && sites.iter().all(|site| site.len() == 32), "{worker}");
    }
}

#[test]
fn a_row_that_the_server_lost_is_found_also_after_a_logout() {
    let lost = format!(
        "target: {{ embedded: {{ faults: [{{ fault: drop_row, at: [3], databases: [1] }}] }} }}\n{LOGOUT}verify: [written]\n"
    );
    let report = Place::of(&lost).judged(1);
    assert_eq!(report.failed_checks(), ["written"]);
    assert!(report.findings("written").contains("'db1_r1_3'"), "{}", report.findings("written"));
}

#[test]
fn after_a_reset_everything_is_sent_and_received_again() {
    let place = Place::of(
        "scale: { databases: 2, iterations: 1, rows: 20, time_limit: 60s }
phases:
  - { name: insert, kind: insert, rows: 20, sql: INSERT INTO notes (id) VALUES (:id), sync: [send, receive] }
  - { name: nothing, sync: [send] }
  - { name: again, sync: [reset_sync_version, send, receive] }
thresholds:
  - send.chunks{phase=\"nothing\"} max == 0
  - send.chunks{phase=\"again\"} min == 1
  - receive.chunks{phase=\"again\"} min >= 1
",
    );
    place.judged(0);
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("sync: reset_sync_version, send, receive"), "{plan}");
}

/// Database 1 writes ten rows; then database 2 receives twice.
fn prepared(prepare: bool, first: u32) -> Report {
    let place = Place::of(&format!(
        "target: {{ embedded: {{ prepare: {prepare} }} }}
scale: {{ databases: 2, iterations: 1, rows: 10, time_limit: 60s }}
phases:
  - {{ name: insert, kind: insert, rows: 10, sql: INSERT INTO notes (id) VALUES (:id), when: db == 1, sync: [send] }}
  - {{ name: first, when: db == 2, barrier: true, sync: [receive] }}
  - {{ name: then, kind: query, when: db == 2, sql: SELECT 1 FROM notes, expect_rows: {first}, sync: [receive] }}
  - {{ name: now, kind: query, when: db == 2, sql: SELECT 1 FROM notes, expect_rows: 10 }}
verify: [written, converged, server, bootstrap]
"
    ));
    place.judged(0)
}

#[test]
fn a_server_that_prepares_brings_rows_with_the_second_receive() {
    prepared(true, 0);
    prepared(false, 10);
}

/// Each of two databases has a user; nobody sees or writes the rows of the other one.
#[test]
fn a_logout_under_policies_brings_back_the_own_rows_only() {
    let place = Place::of(&format!(
        "{RLS}phases:
  - {{ name: insert, kind: insert, rows: 20, sql: \"INSERT INTO notes (id, user_id) VALUES (:id, :user_id)\", sync: [send] }}
  - {{ name: denied, kind: insert, rows: 2, sql: \"INSERT INTO notes (id, user_id) VALUES ('denied' || :id, 'nobody')\", hostile: true, sync: [send, logout] }}
  - {{ name: again, sync: [receive] }}
  - {{ name: mine, kind: query, sql: SELECT 1 FROM notes, expect_rows: \"{{{{ 20 * iteration }}}}\" }}
verify: [written, converged, server, bootstrap, isolation]
"
    ));
    place.judged(0);
}

/// A phase with a crash, in three databases of which two die in every iteration.
fn crashing(journal: &str, at: &str, more: &str) -> Place {
    Place::of(&format!(
        "scale: {{ databases: 3, iterations: 3, rows: 21, time_limit: 60s }}
session: {{ open: per-run, pragmas: {{ journal_mode: {journal}, cache_size: 4 }} }}
phases:
  - name: insert
    kind: insert
    rows: 21
    sql: INSERT INTO notes (id, body) VALUES (:id, printf('%.*c', 3000, 'x'))
    transaction: {{ batch: 9 }}
    crash: {{ at: {at}, when: db != 3 }}
    sync: [send, receive]
verify:
  - written
  - converged
  - server
  - bootstrap
{more}"
    ))
}

fn sites(place: &Place, database: u32) -> Vec<String> {
    let file = place.run_dir("test").join(format!("databases/db{database}.db"));
    let connection = rusqlite::Connection::open(file).expect("a database");
    let mut statement = connection.prepare("SELECT lower(hex(site)) FROM cloudsync_site").expect("it has a site");
    let sites = statement.query_map([], |row| row.get(0)).expect("it reads");
    sites.map(|site| site.expect("a text")).collect()
}

#[test]
fn what_a_device_committed_before_it_died_is_sent_afterwards_and_the_rest_is_gone() {
    // In the transaction: 11 of 21 rows ran, and the first 9 were committed.
    for journal in ["wal", "delete"] {
        for (at, rows) in [("in_transaction", 9), ("after_statements", 21), ("after_send", 21)] {
            let more = format!(
                "  - query: {{ on: server, sql: SELECT count(*) FROM notes, equals: {} }}
  - query: {{ on: databases, sql: SELECT count(*) FROM notes WHERE id LIKE 'db1_%', equals: {} }}
",
                3 * (2 * rows + 21),
                3 * rows
            );
            let place = crashing(journal, at, &more);
            let done = place.stress(&["run", "scenario.yaml", "--json", "--keep"]).done().exits(0);
            let report = Report::parse(&done.out);
            assert_eq!(report.number("/totals/inserted"), 3 * (2 * rows + 21), "{journal} {at}");
            let record = std::fs::read_to_string(place.run_dir("test").join("record.json")).expect("a record");
            assert_eq!(record.matches("\"step\":\"crash\"").count(), 6, "{journal} {at}");
            let record: serde_json::Value = serde_json::from_str(&record).expect("it is JSON");
            for database in 1..=3 {
                let site = record["workers"][database as usize - 1]["site_id"].as_str().expect("a site id");
                assert_eq!(sites(&place, database), [site], "a crash keeps the site id");
            }
            let left = files(&place.run_dir("test").join("databases"));
            assert!(left.iter().all(|file| !file.to_string_lossy().contains("crashed")), "{left:?}");
        }
    }
}

#[test]
fn a_row_that_the_server_lost_is_found_although_its_device_died() {
    let place = crashing(
        "wal",
        "after_send",
        "target: { embedded: { faults: [{ fault: drop_row, at: [3], databases: [1] }] } }\n",
    );
    assert_eq!(place.judged(1).failed_checks(), ["written", "converged", "server"]);
}

#[test]
fn the_plan_says_where_a_device_dies() {
    let place = crashing("wal", "in_transaction", "");
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    let told = "crash: the device dies in the transaction, after half of the rows, and comes back, when db != 3";
    assert!(plan.out.contains(told), "{plan}");
}
