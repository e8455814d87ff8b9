//! What goes wrong on this side: a database file locked by another program, damaged, or changed behind everybody's back.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::harness::{Done, Place, Report};

/// Two iterations with a pause between them in which no session is open.
const PAUSE: &str = "
scale: { databases: 2, iterations: 2, rows: 200, time_limit: 30s }
session: { pragmas: { journal_mode: wal, busy_timeout: 50 } }
phases:
  - wait: 700ms
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, '0123456789012345678901234567890123456789', :row)
    sync: [send, receive]
  - name: read
    kind: query
    sql: SELECT * FROM notes
";

/// Runs the scenario, and does something to a file of database 1 in the pause before iteration 2.
fn disturbed<T>(place: &Place, disturb: impl FnOnce(PathBuf) -> T) -> Done {
    let mut running = place.stress(&["run", "scenario.yaml", "--json"]).start();
    let log = place.path("runs/test/latest/logs/db1.log");
    running.until("the first iteration", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("[iter 1]")));
    // What it gives is held until the run is over.
    let held = disturb(place.run_dir("test").join("databases/db1.db"));
    let done = running.done();
    drop(held);
    done
}

#[test]
fn a_run_that_asks_for_no_sync_is_judged_by_what_it_did() {
    let phases =
        "phases:\n  - { name: insert, kind: insert, rows: 20, sql: INSERT INTO notes (id) VALUES (:id), sync: [] }\n";
    let query = |count: u32| {
        format!("verify: [{{ query: {{ on: databases, sql: SELECT count(*) FROM notes, equals: {count} }} }}]\n")
    };
    let place = Place::of(&format!("{phases}{}", query(40)));
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("settle      none") && plan.out.contains("sync calls  0\n"), "{plan}");
    let report = place.judged(0);
    let held = "2 databases, 2 iterations, 80 rows changed; the scenario makes no sync calls; all checks passed";
    assert_eq!(report.rule(), ("held", held));
    let record = crate::harness::json(&place.run_dir("test").join("record.json"));
    assert!(record["settle"].is_null() && record["state"]["server"].is_null(), "{record}");
    assert_eq!(Place::of(&format!("{phases}{}", query(41))).judged(1).failed_checks(), ["query"]);
    // What compares says so, and is not asked for where nobody says.
    for check in ["converged", "server", "bootstrap"] {
        let place = Place::of(&format!("{phases}verify: [{check}]\n"));
        let says = ["no step makes a sync call", "add `sync: [send, receive]`"];
        place.stress(&["run", "scenario.yaml"]).done().exits(2).says(&says);
    }
    let text = std::fs::read_to_string(place.path("scenario.yaml")).expect("the scenario");
    place.write(
        "scenario.yaml",
        &text.lines().filter(|line| !line.starts_with("verify")).collect::<Vec<_>>().join("\n"),
    );
    assert!(place.judged(0).rule().1.ends_with("the scenario makes no sync calls; the scenario has no checks"));
}

#[test]
fn a_database_locked_by_another_program_fails_the_run_on_the_client_side() {
    let place = Place::of(PAUSE);
    let done = disturbed(&place, |file| {
        let connection = rusqlite::Connection::open(file).expect("a database");
        connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else is there");
        connection
    });
    let report = Report::parse(&done.exits(1).out);
    assert!(report.errors().contains(&("locked", "client")), "{:?}", report.errors());
}

#[test]
fn a_damaged_database_is_found() {
    let place = Place::of(PAUSE);
    let done = disturbed(&place, |file| {
        let length = std::fs::metadata(&file).expect("it is there").len();
        let mut file = std::fs::File::options().write(true).open(file).expect("it can be written");
        file.seek(SeekFrom::Start(4096 * 3)).expect("it is longer");
        let garbage = vec![0xee; usize::try_from(length).expect("it is small") - 4096 * 3];
        file.write_all(&garbage).expect("there is room");
    });
    let report = Report::parse(&done.exits(1).out);
    assert!(report.errors().contains(&("corrupt", "client")), "{:?}", report.errors());
}

#[test]
fn a_row_removed_behind_everybody_s_back_is_found_and_named() {
    let place = Place::of(PAUSE);
    let done = disturbed(&place, |file| {
        let connection = rusqlite::Connection::open(file).expect("a database");
        let triggers: Vec<(String, String)> = connection
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .and_then(|mut found| found.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
            .expect("its triggers");
        // Without them the change is not seen.
        for (name, _) in &triggers {
            connection.execute_batch(&format!("DROP TRIGGER \"{name}\"")).expect("it is dropped");
        }
        connection.execute_batch("DELETE FROM notes WHERE id = 'db1_r1_77'").expect("it is deleted");
        for (_, sql) in &triggers {
            connection.execute_batch(sql).expect("it is made again");
        }
    });
    let report = Report::parse(&done.exits(1).out);
    assert!(report.failed_checks().contains(&"converged"), "{:?}", report.failed_checks());
    assert!(report.0["checks"].to_string().contains("'db1_r1_77'"), "{}", report.0["checks"]);
}
