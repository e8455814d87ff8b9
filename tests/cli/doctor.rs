//! The doctor: everything that a run needs is looked at, what is missing is told all at once, and nothing is changed.

use crate::harness::Place;
use crate::provision::armed;
use crate::standin::{API_KEY, MANAGEMENT_KEY, StandIn, Wrong};

const KEYS: &str = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n";

/// The lines of the table about one thing, as one text.
fn row(out: &str, what: &str) -> String {
    let mut lines = out.lines().skip_while(|line| !line.contains(what)).take_while(|line| !line.contains('╞'));
    let first = lines.next().unwrap_or_default().to_owned();
    let more = lines.take_while(|line| !line.contains(" ok ") && !line.contains(" problem "));
    let text = std::iter::once(first.as_str()).chain(more).collect::<Vec<_>>().join(" ");
    text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn without_a_cloud_it_looks_at_this_machine() {
    let place = Place::of("");
    let done = place.stress(&["doctor", "scenario.yaml"]).done().exits(0);
    for what in ["SQLite", "open files", "disk", "target"] {
        assert!(row(&done.out, what).contains("ok"), "{what}: {done}");
    }
    assert_eq!(done.last_line(), "no problems");
}

#[test]
fn a_project_in_order_is_found_to_be_and_stays_as_it_is() {
    let standin = StandIn::start();
    let place = Place::of(&standin.target(KEYS));
    let extension = std::env::var("STRESS_CLOUDSYNC_EXTENSION").unwrap_or_default();
    let doctor = armed(place.stress(&["doctor", "scenario.yaml"])).env("STRESS_CLOUDSYNC_EXTENSION", &extension);
    let done = doctor.done().exits(if extension.is_empty() { 3 } else { 0 });
    for what in ["connection string", "database", "server", "clock", "api key", "management key", "managed database"] {
        assert!(row(&done.out, what).contains("ok"), "{what}: {done}");
    }
    assert!(row(&done.out, "extension").contains(if extension.is_empty() { "extension install" } else { "1.1" }));
    assert!(row(&done.out, "management key").contains("accepted, of tests"), "{done}");
    assert!(standin.asked().iter().all(|asked| asked.starts_with("GET ")));
}

#[test]
fn every_problem_is_told_at_once_with_what_to_do() {
    let standin = StandIn::start();
    standin.plant("/v2/health", Wrong::Clock, 1);
    standin.plant("/v2/tokens/authorized", Wrong::Status(401, ""), 1);
    standin.plant("/v1/orgs", Wrong::Echo(403), 1);
    let place = Place::of(&standin.target(&format!("{KEYS}    extension: nowhere/cloudsync\n")));
    let done = armed(place.stress(&["doctor", "scenario.yaml"])).done().exits(3);
    for (what, says) in [
        ("extension", "extension install"),
        ("clock", "set this machine's clock"),
        ("api key", "the key is wrong"),
        ("management key", "workspace-admin"),
    ] {
        let row = row(&done.out, what);
        assert!(row.contains("problem") && row.contains(says), "{what}: {row}\n{done}");
    }
    assert_eq!(done.last_line(), "4 problems");
    for secret in [API_KEY, MANAGEMENT_KEY] {
        assert!(!done.out.contains(secret), "{secret}: {done}");
    }
}

#[test]
fn a_secret_that_is_not_set_and_a_server_that_is_not_there_hide_nothing_else() {
    let standin = StandIn::start();
    let place = Place::of(&standin.target(KEYS));
    let done = place.stress(&["doctor", "scenario.yaml"]).done().exits(3);
    assert!(done.out.contains("`connection_string`") && done.out.contains("`management_key`"), "{done}");
    assert!(row(&done.out, "open files").contains("ok"), "{done}");
    let target = standin.target(KEYS).replace(&standin.url, "http://127.0.0.1:9");
    place.write("scenario.yaml", &crate::harness::scenario(&target));
    let done = armed(place.stress(&["doctor", "scenario.yaml"])).done().exits(3);
    assert!(row(&done.out, "server").contains("refused"), "{done}");
}
