//! The cloud prepared and left, as processes against a stand-in of the administrator's interfaces: what is asked, what
//! stays after every way in which a server can fail, and that the second run makes it good.

use std::time::Duration;

use crate::harness::{Done, Invocation, Place, RLS};
use crate::standin::{API_KEY, MANAGEMENT_KEY, StandIn, Wrong};

const MANAGED: &str = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n    cleanup: drop\n";

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub(crate) fn connection(database: &str) -> String {
    format!("sqlitecloud://127.0.0.1:8860/{database}?apikey={}", encoded(API_KEY))
}

/// The program with the secrets in its environment.
pub(crate) fn armed(invocation: Invocation) -> Invocation {
    invocation.env("TEST_CONNECTION", &connection("test_notes")).env("TEST_MANAGEMENT", MANAGEMENT_KEY)
}

fn place(standin: &StandIn, more: &str) -> Place {
    Place::of(&format!("{}{RLS}", standin.target(more)))
}

fn provision(place: &Place) -> Done {
    armed(place.stress(&["provision", "scenario.yaml"])).done()
}

/// Everything is as a run needs it.
fn is_prepared(standin: &StandIn) {
    let project = standin.project();
    let tables: Vec<&String> = project.databases["test_notes"].iter().collect();
    assert_eq!(tables, ["notes", "notes_cloudsync"]);
    assert_eq!(project.policies.len(), 5, "{:?}", project.policies);
    assert_eq!(project.managed.len(), 1);
    assert!(project.enabled.contains("notes"));
}

#[test]
fn an_empty_project_is_prepared_in_the_documented_order_and_the_id_printed() {
    let standin = StandIn::start();
    let done = provision(&place(&standin, MANAGED)).exits(0);
    assert_eq!(done.out, "db_1\n");
    is_prepared(&standin);
    let asked = standin.asked();
    let expected = [
        "LIST DATABASES",
        "CREATE DATABASE test_notes IF NOT EXISTS",
        "LIST TABLES",
        "DROP TABLE IF EXISTS \"notes\"",
        "DROP TABLE IF EXISTS \"notes\";\nCREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', body TEXT, size INTEGER)",
        "ENABLE RLS DATABASE test_notes TABLE notes",
        "SET RLS DATABASE test_notes TABLE notes SELECT \"auth_userid() = user_id\"",
        "SET RLS DATABASE test_notes TABLE notes INSERT \"auth_userid() = NEW.user_id\"",
        "SET RLS DATABASE test_notes TABLE notes UPDATE \"auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id\"",
        "SET RLS DATABASE test_notes TABLE notes DELETE \"auth_userid() = OLD.user_id\"",
        "GET /v1/databases?projectId=127&database=test%5Fnotes",
        "POST /v1/databases",
        "POST /v1/databases/db_1/cloudsync/enable",
        "GET /v1/databases/db_1/cloudsync/tables",
        "GET /v1/databases/db_1/connection",
    ];
    assert_eq!(asked, expected);
    done.says(&[
        "database test_notes: created",
        "table notes: created anew",
        "managed database db_1: registered",
        "sync: ready",
    ]);
}

#[test]
fn a_second_time_what_is_enabled_is_disabled_before_it_is_dropped() {
    let standin = StandIn::start();
    let place = place(&standin, MANAGED);
    provision(&place).exits(0);
    standin.asked();
    provision(&place).exits(0).says(&["exists", "table notes: sync disabled", "registered already"]);
    let asked = standin.asked();
    let at =
        |what: &str| asked.iter().position(|asked| asked.contains(what)).unwrap_or_else(|| panic!("{what}: {asked:?}"));
    assert!(at("CLOUDSYNC DISABLE notes") < at("DROP TABLE"), "{asked:?}");
    assert!(!asked.iter().any(|asked| asked == "POST /v1/databases"), "{asked:?}");
    is_prepared(&standin);
}

#[test]
fn a_plan_shows_the_steps_and_asks_nobody() {
    let standin = StandIn::start();
    let place = place(&standin, MANAGED);
    let done = armed(place.stress(&["plan", "scenario.yaml"])).done().exits(0);
    for step in [
        "1. create the database test_notes",
        "drop and create notes",
        "set 4 policies",
        "enable CloudSync for notes",
        "2 access tokens",
        "revoke",
        "remove the run's devices",
    ] {
        assert!(done.out.contains(step), "{step}: {done}");
    }
    // Without the secrets, too.
    place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert_eq!(standin.asked(), [""; 0]);
}

#[test]
fn a_database_that_is_not_allowed_is_refused_before_anything_is_sent() {
    let standin = StandIn::start();
    let place = place(&standin, MANAGED);
    for command in ["provision", "cleanup"] {
        let process =
            armed(place.stress(&[command, "scenario.yaml"])).env("TEST_CONNECTION", &connection("production"));
        process.done().exits(3).says(&["`production` may not be changed", "`test_*`"]);
    }
    assert_eq!(standin.asked(), [""; 0]);
    let fixed = self::place(&standin, &format!("{MANAGED}    database: production\n"));
    fixed.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["`production` may not be changed"]);
}

#[test]
fn what_passes_is_waited_for_and_repeated() {
    let cases: &[(&str, Wrong, u32)] = &[
        ("CREATE DATABASE", Wrong::RateLimited(1), 1),
        ("LIST TABLES", Wrong::Status(500, ""), 2),
        ("CREATE TABLE", Wrong::Status(503, "{\"error\":\"busy\"}"), 1),
        ("CREATE TABLE", Wrong::Torn, 1),
        ("CREATE TABLE", Wrong::CutJson, 1),
        ("CREATE TABLE", Wrong::HungUp, 2),
        ("POST /v1/databases", Wrong::Torn, 1),
        ("POST /v1/databases", Wrong::HungUp, 1),
        (
            "POST /v1/databases",
            Wrong::Status(409, "{\"errors\":[{\"status\":\"409\",\"code\":\"already_exists\"}]}"),
            1,
        ),
        (
            "cloudsync/enable",
            Wrong::Status(404, "{\"errors\":[{\"status\":\"404\",\"detail\":\"managed database not found\"}]}"),
            2,
        ),
        (
            "/connection",
            Wrong::Status(200, "{\"data\":{\"ok\":false,\"failure\":{\"message\":\"not yet\",\"retryable\":true}}}"),
            1,
        ),
    ];
    for (part, wrong, times) in cases {
        let standin = StandIn::start();
        standin.plant(part, *wrong, *times);
        let done = provision(&place(&standin, MANAGED));
        assert_eq!((done.code, done.out.as_str()), (Some(0), "db_1\n"), "{part} {wrong:?}: {done}");
        is_prepared(&standin);
    }
}

#[test]
fn what_does_not_pass_is_named_with_what_to_do() {
    let cases: &[(&str, Wrong, &[&str])] = &[
        ("LIST DATABASES", Wrong::Status(401, ""), &["HTTP 401", "the key is wrong"]),
        (
            "CREATE DATABASE",
            Wrong::Status(403, "{\"error\":{\"detail\":\"authorization denied\"}}"),
            &["HTTP 403", "authorization denied", "lacks a right"],
        ),
        (
            "CREATE TABLE",
            Wrong::Status(200, "{\"error\":{\"status\":\"400\",\"detail\":\"near x: syntax error\"}}"),
            &["create the table `notes`", "near x: syntax error"],
        ),
        (
            "LIST TABLES",
            Wrong::Status(500, "{\"error\":{\"detail\":\"out of order\"}}"),
            &["HTTP 500", "out of order", "the server failed"],
        ),
        ("LIST TABLES", Wrong::Status(500, ""), &["HTTP 500 without a body"]),
        ("LIST TABLES", Wrong::CutJson, &["could not be understood"]),
        ("LIST TABLES", Wrong::RateLimited(3600), &["HTTP 429", "limits the rate"]),
        ("LIST TABLES", Wrong::Slow(Duration::from_secs(60)), &["timed out"]),
        (
            "GET /v1/databases?",
            Wrong::Status(401, "{\"errors\":[{\"detail\":\"bad key\"}]}"),
            &["register `test_notes`", "bad key"],
        ),
        (
            "cloudsync/enable",
            Wrong::Status(404, "{\"errors\":[{\"detail\":\"managed database not found\"}]}"),
            &["managed database not found"],
        ),
        (
            "/connection",
            Wrong::Status(
                200,
                "{\"data\":{\"ok\":false,\"failure\":{\"message\":\"wrong password\",\"retryable\":false}}}",
            ),
            &["wrong password"],
        ),
    ];
    std::thread::scope(|threads| {
        for (part, wrong, says) in cases {
            threads.spawn(move || {
                let standin = StandIn::start();
                standin.plant(part, *wrong, u32::MAX);
                let short = standin.target(MANAGED).replace("admin_timeout: 8s", "admin_timeout: 2500ms");
                let place = Place::of(&format!("{short}{RLS}"));
                provision(&place).exits(3).says(says).says(&["help:"]);
            });
        }
    });
}

#[test]
fn a_service_that_repeats_the_connection_string_is_told_without_it() {
    let standin = StandIn::start();
    let answer = "{\"data\":{\"ok\":false,\"failure\":{\"message\":\"no way to sqlitecloud://h?apikey=k3y/of+the=project&more\",\"retryable\":false}}}";
    standin.plant("/connection", Wrong::Status(200, answer), u32::MAX);
    let done = provision(&place(&standin, MANAGED)).exits(3).says(&["no way to sqlitecloud://h?apikey=[hidden]"]);
    assert!(answer.contains(API_KEY) && !done.err.contains(API_KEY), "{done}");
}

#[test]
fn a_kill_between_any_two_steps_is_made_good_by_the_second_run() {
    let standin = StandIn::start();
    provision(&place(&standin, MANAGED)).exits(0);
    let steps = standin.asked().len();
    assert!(steps > 10);
    // From nothing, and from what an earlier run left, which takes one step less.
    for (step, prepared) in (1..=steps).map(|step| (step, false)).chain((1..steps).map(|step| (step, true))) {
        let standin = StandIn::start();
        let place = place(&standin, MANAGED);
        if prepared {
            provision(&place).exits(0);
            standin.asked();
        }
        standin.falls_silent_at(Some(step));
        let mut running = armed(place.stress(&["provision", "scenario.yaml"])).start();
        running.until("the step", || standin.project().asked.len() >= step);
        running.signal("KILL");
        running.done();
        standin.falls_silent_at(None);
        let done = provision(&place);
        assert_eq!(done.code, Some(0), "after a kill at step {step} ({prepared}): {done}");
        is_prepared(&standin);
    }
}

#[test]
fn off_a_terminal_and_without_a_management_key_it_stops_with_the_instruction() {
    let standin = StandIn::start();
    let place = place(&standin, "    provision: true\n");
    provision(&place).exits(3).prints_nothing().says(&[
        "but a person must enable CloudSync for them (notes of test_notes)",
        "OffSync page",
        "managed_database_id",
        "management_key",
    ]);
    assert!(standin.project().databases["test_notes"].contains("notes"));
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_the_person_is_asked_for_the_managed_database_id() {
    if std::process::Command::new("script").arg("--version").output().is_err() {
        return crate::harness::skip(
            "on_a_terminal_the_person_is_asked",
            "there is no `script`, which makes a terminal",
        );
    }
    let standin = StandIn::start();
    let place = place(&standin, "    provision: true\n");
    let line = "printf 'db_pasted\\n' | script -qec 'stress provision scenario.yaml' /dev/null";
    let done = armed(place.shell(line)).done().exits(0);
    assert!(
        done.out.contains("paste the managed database id here") && done.out.contains("db_pasted: as given"),
        "{done}"
    );
}

#[test]
fn cleaning_up_leaves_nothing_and_may_be_done_twice() {
    let standin = StandIn::start();
    let place = place(&standin, MANAGED);
    provision(&place).exits(0);
    // Two devices of a run of this scenario, and one of somebody else; the service writes them its own way.
    place.write(
        "runs/test/1/record.json",
        "{\"workers\":[{\"site_id\":\"0190aa\"}],\"state\":{\"bootstrap\":[{\"site_id\":\"0190bb\"}]}}",
    );
    for device in ["0190-AA", "0190bb", "0190cc"] {
        standin.project().devices.insert(device.to_owned());
    }
    let clean = || armed(place.stress(&["cleanup", "scenario.yaml"])).done();
    clean().exits(0).says(&["devices: 2 of this", "table notes: dropped", "database test_notes: removed"]);
    let project = standin.project();
    assert!(project.databases.is_empty() && project.managed.is_empty() && project.enabled.is_empty());
    assert_eq!(project.devices.iter().collect::<Vec<_>>(), ["0190cc"]);
    drop(project);
    clean().exits(0).says(&["does not exist"]);
}

#[test]
fn cleaning_up_that_was_killed_at_any_step_is_made_good_by_the_second_time() {
    let prepared = || {
        let standin = StandIn::start();
        let place = place(&standin, MANAGED);
        provision(&place).exits(0);
        place.write("runs/test/1/record.json", "{\"workers\":[{\"site_id\":\"0190aa\"}]}");
        standin.project().devices.insert("0190aa".to_owned());
        standin.asked();
        (standin, place)
    };
    let clean = |place: &Place| armed(place.stress(&["cleanup", "scenario.yaml"])).done();
    let (standin, place) = prepared();
    clean(&place).exits(0);
    let steps = standin.asked().len();
    assert!(steps > 8, "{steps}");
    for step in 1..=steps {
        let (standin, place) = prepared();
        standin.falls_silent_at(Some(step));
        let mut running = armed(place.stress(&["cleanup", "scenario.yaml"])).start();
        running.until("the step", || standin.project().asked.len() >= step);
        running.signal("KILL");
        running.done();
        standin.falls_silent_at(None);
        let done = clean(&place);
        assert_eq!(done.code, Some(0), "after a kill at step {step}: {done}");
        let project = standin.project();
        let left = (&project.databases, &project.managed, &project.devices);
        assert!(left.0.is_empty() && left.1.is_empty() && left.2.is_empty(), "after a kill at step {step}: {left:?}");
    }
}

#[test]
fn cleaning_up_keeps_a_database_with_other_tables_and_tells_what_failed() {
    let standin = StandIn::start();
    let place = place(&standin, MANAGED);
    provision(&place).exits(0);
    standin.project().databases.get_mut("test_notes").expect("it is there").insert("precious".to_owned());
    standin.plant("/devices", Wrong::Status(403, ""), u32::MAX);
    let done = armed(place.stress(&["cleanup", "scenario.yaml"])).done().exits(3);
    done.says(&["list the devices", "HTTP 403", "table notes: dropped", "kept, because it has other tables"]);
    assert_eq!(standin.project().databases["test_notes"].iter().collect::<Vec<_>>(), ["precious"]);
}

#[test]
fn a_server_that_repeats_what_it_was_sent_does_not_get_a_secret_printed() {
    for part in ["LIST DATABASES", "CREATE TABLE", "POST /v1/databases", "cloudsync/enable"] {
        let standin = StandIn::start();
        standin.plant(part, Wrong::Echo(400), u32::MAX);
        let done = provision(&place(&standin, MANAGED)).exits(3).says(&["[hidden]"]);
        for secret in [API_KEY, MANAGEMENT_KEY, &encoded(API_KEY), &encoded(MANAGEMENT_KEY)] {
            assert!(!done.err.contains(secret) && !done.out.contains(secret), "{secret}: {done}");
        }
    }
}
