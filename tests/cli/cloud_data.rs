//! What the two sides of a cloud hold, compared: the databases of the real extension, which never reach anybody, and the
//! rows of the administrator's stand-in. Every row that differs has a last hop.

use crate::cloudsync::extension;
use crate::harness::{Place, RLS, Report};
use crate::provision::armed;
use crate::standin::StandIn;

const KEYS: &str = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n";

/// The report of a run of these lines, which fails.
fn judged(standin: &StandIn, body: &str, extension: &str) -> Report {
    let scale = "scale: { databases: 2, iterations: 1, rows: 3, time_limit: 60s }\nsettle: { rounds: 1, wait: 1ms }\n";
    let place = Place::of(&format!("{}{scale}{body}", standin.target(KEYS)));
    let run = armed(place.stress(&["run", "scenario.yaml", "--json"])).env("STRESS_CLOUDSYNC_EXTENSION", extension);
    let done = run.done().exits(1);
    assert!(!done.out.contains("could not be checked"), "{done}");
    Report::parse(&done.out)
}

/// The rows of a check's findings: key, last hop, and what became of it in words.
fn rows<'r>(report: &'r Report, check: &str) -> Vec<[&'r str; 3]> {
    let checks = report.0["checks"].as_array().expect("checks").iter().filter(|one| one["check"] == check);
    let findings = checks.flat_map(|check| check["findings"].as_array().expect("findings"));
    let rows = findings.flat_map(|finding| finding["rows"].as_array().expect("rows"));
    rows.map(|row| ["key", "hop", "words"].map(|key| row[key].as_str().unwrap_or_default())).collect()
}

#[test]
fn rows_that_were_never_sent_are_told_from_rows_that_the_server_has_alone() {
    let Some(extension) = extension("rows_that_were_never_sent_are_told_from_rows_that_the_server_has_alone") else {
        return;
    };
    let server =
        "setup:\n  - admin: INSERT INTO notes (id, body) VALUES ('the server''s', 'x'), ('db1_r1_2', 'another')\n";
    let standin = StandIn::start();
    let report = judged(&standin, &format!("{server}verify: [server]\n"), &extension);
    assert_eq!(report.failed_checks(), ["server"]);
    let waits = |key, writer| [key, "written", writer];
    let (of_1, of_2) = ("not sent yet by database 1", "not sent yet by database 2");
    assert_eq!(
        rows(&report, "server"),
        [
            waits("'db1_r1_1'", of_1),
            // The server's own row of the same key has not arrived in the other database.
            ["'db1_r1_2'", "received", "on the server, but database 2 was not quiet yet"],
            waits("'db1_r1_3'", of_1),
            waits("'db2_r1_1'", of_2),
            waits("'db2_r1_2'", of_2),
            waits("'db2_r1_3'", of_2),
            ["'the server''s'", "received", "on the server, but databases 1 and 2 were not quiet yet"],
        ]
    );
    let first = &report.0["checks"][0]["findings"][0]["rows"][0];
    let unsent: Vec<Option<bool>> =
        first["holders"].as_array().expect("holders").iter().map(|holder| holder["unsent"].as_bool()).collect();
    assert_eq!(unsent, [Some(true), Some(false), None], "{first}");
    assert_eq!(first["clocks"].as_array().expect("clocks").len(), 3, "{first}");
}

#[test]
fn what_an_administrator_wrote_is_no_attempt_that_arrived() {
    let Some(extension) = extension("what_an_administrator_wrote_is_no_attempt_that_arrived") else {
        return;
    };
    let other = "018ecfc2-b2b1-7cc3-a9f0-000000000002";
    let phases = format!(
        "phases:
  - name: malicious
    kind: insert
    hostile: true
    when: db == 1
    rows: \"{{{{ scale.rows }}}}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, '{other}', 'text', :row)
    sync: [send, receive]
  - admin: INSERT INTO notes (id, user_id, body, size) VALUES ('db1_r1_2', '{other}', 'text', 2)
verify: [isolation]
"
    );
    let standin = StandIn::start();
    let report = judged(&standin, &format!("{RLS}{phases}"), &extension);
    assert_eq!(report.failed_checks(), [""; 0]);
    let told = report.0.to_string();
    assert!(told.contains("hostile phases made 3 attempts that the policies deny; none reached the server"), "{told}");
}
