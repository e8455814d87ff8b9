//! What cannot be used: one clear message that names the thing and what to do, and the right exit code.

use std::process::Command;
use std::time::Duration;

use crate::harness::{Place, scenario};

/// What every command that reads a scenario says about it.
fn refused(place: &Place, file: &str, says: &[&str]) {
    for command in ["run", "plan", "validate"] {
        let done = place.stress(&[command, file]).done().exits(2).prints_nothing().says(says);
        assert!(done.took < Duration::from_secs(20), "{done}");
    }
    assert!(!place.path("runs").exists(), "nothing was run");
}

#[test]
fn a_missing_file() {
    refused(&Place::of(""), "scenari.yaml", &["scenari.yaml", "does not exist", "help:"]);
}

#[test]
fn a_directory() {
    let place = Place::of("");
    place.write("folder/a.yaml", "");
    refused(&place, "folder", &["folder", "is a directory", "help:"]);
}

#[test]
fn a_fifo() {
    let place = Place::new();
    let made = Command::new("mkfifo").arg(place.path("fifo.yaml")).status();
    assert!(made.is_ok_and(|status| status.success()), "there is a mkfifo");
    refused(&place, "fifo.yaml", &["fifo.yaml", "not a regular file"]);
}

#[test]
fn a_binary() {
    let place = Place::new();
    std::fs::copy(env!("CARGO_BIN_EXE_stress"), place.path("binary.yaml")).expect("there is room");
    refused(&place, "binary.yaml", &["binary.yaml"]);
    std::fs::write(place.path("latin.yaml"), b"version: 1\nname: caf\xe9\n").expect("there is room");
    refused(&place, "latin.yaml", &["latin.yaml", "UTF-8"]);
}

#[test]
fn a_hundred_megabytes_of_yaml() {
    let place = Place::new();
    let line = "- { name: insert, kind: insert, sql: SELECT 1 }\n";
    place.write("huge.yaml", &line.repeat(100 * 1024 * 1024 / line.len()));
    refused(&place, "huge.yaml", &["huge.yaml", "MiB"]);
}

#[test]
fn an_alias_bomb() {
    let place = Place::new();
    let bomb: String = (1..20).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let alias = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{alias}]\n")
    });
    place.write("bomb.yaml", &bomb);
    refused(&place, "bomb.yaml", &["bomb.yaml", "alias"]);
}

#[test]
fn an_absurd_nesting() {
    let place = Place::new();
    place.write("deep.yaml", &format!("version: {}1{}\n", "[".repeat(100_000), "]".repeat(100_000)));
    refused(&place, "deep.yaml", &["deep.yaml", "help:"]);
}

#[test]
fn an_empty_file() {
    let place = Place::new();
    place.write("empty.yaml", "");
    refused(&place, "empty.yaml", &["empty.yaml", "empty"]);
}

#[test]
fn an_unknown_profile() {
    let place = Place::of("profiles: { quick: { scale: { iterations: 1 } } }\n");
    for command in ["run", "plan", "validate"] {
        let done = place.stress(&[command, "scenario.yaml", "--profile", "quik"]).done();
        done.exits(2).prints_nothing().says(&["quik", "did you mean `quick`?"]);
    }
}

#[test]
fn an_unknown_variable() {
    let place = Place::of("vars: { table: notes }\n");
    let done = place.stress(&["run", "scenario.yaml", "--var", "tabel=x"]).done();
    done.exits(2).prints_nothing().says(&["tabel", "did you mean `table`?"]);
    place.stress(&["run", "scenario.yaml", "--var", "table"]).done().exits(2).says(&["NAME=VALUE"]);
    place
        .stress(&["run", "scenario.yaml", "--vars-file", "none.yaml"])
        .done()
        .exits(2)
        .says(&["none.yaml", "does not exist"]);

    let place = Place::of(
        "vars: { table: notes }\nphases:\n  - { name: a, kind: query, sql: \"SELECT * FROM {{ tabel }}\" }\n",
    );
    refused(&place, "scenario.yaml", &["tabel", "did you mean `table`?"]);
}

#[test]
fn sql_that_does_not_prepare() {
    let place = Place::of("phases:\n  - { name: a, kind: query, sql: SELECT * FROM note }\n");
    refused(&place, "scenario.yaml", &["no such table: note", "did you mean `notes`?"]);
}

#[test]
fn numbers_and_times_that_are_none() {
    let place = Place::of("");
    place.stress(&["run", "scenario.yaml", "--rows", "many"]).done().exits(2).says(&["many", "--rows"]);
    place.stress(&["run", "scenario.yaml", "--rows", "-1"]).done().exits(2).says(&["-1"]);
    place.stress(&["run", "scenario.yaml", "--time-limit", "soon"]).done().exits(2).says(&["soon"]);
    place.stress(&["run", "scenario.yaml", "--databases", "0"]).done().exits(2).says(&["databases"]);
    place.stress(&["run", "scenario.yaml", "--target", "cloud"]).done().exits(2).says(&["did you mean `cloudsync`?"]);
    place.stress(&["run", "scenario.yaml"]).env("STRESS_ROWS", "many").done().exits(2).says(&["many"]);
}

#[test]
fn more_databases_than_the_machine_can_hold() {
    let place = Place::of("");
    let done = place.stress(&["run", "scenario.yaml", "--databases", "400000000"]).done();
    assert!(matches!(done.code, Some(2 | 3)), "{done}");
    assert!(done.err.contains("databases"), "{done}");
}

#[test]
fn fewer_open_files_than_the_databases_need() {
    let place = Place::of("");
    let done = place.shell("ulimit -n 150 && exec stress run scenario.yaml --databases 40").done().exits(3);
    done.prints_nothing().says(&["40 databases need", "ulimit -n", "--databases"]);
    place.shell("ulimit -n 150 && exec stress run scenario.yaml -q").done().exits(0);
}

#[test]
fn an_unknown_command_or_flag() {
    let place = Place::of("");
    place.stress(&["repot", "run"]).done().exits(2).prints_nothing().says(&["repot", "'report'"]);
    place.stress(&["run", "scenario.yaml", "--row", "3"]).done().exits(2).prints_nothing().says(&["--row", "'--rows'"]);
    place.stress(&["run"]).done().exits(2).prints_nothing().says(&["<FILE>"]);
}

#[test]
fn an_output_directory_that_cannot_be_made() {
    let place = Place::of("");
    place.write("file", "");
    for out in ["file", "file/runs", "/proc/runs", "/dev/null/runs"] {
        let done = place.stress(&["run", "scenario.yaml", "--out", out]).done().exits(3).prints_nothing();
        done.says(&[out, "--out", "help:"]);
    }
    assert_eq!(std::fs::read(place.path("file")).expect("it is still there"), b"");
}

#[test]
fn a_run_directory_that_is_none() {
    let place = Place::of("");
    place.stress(&["report", "nowhere"]).done().exits(2).prints_nothing().says(&["nowhere", "no such directory"]);
    place.stress(&["report", "."]).done().exits(2).prints_nothing().says(&["record.json"]);
    place.write("run/record.json", "{\"version\": 1, \"stress");
    place.stress(&["report", "run"]).done().exits(3).prints_nothing().says(&["run/record.json", "is incomplete"]);
    place.write("run/record.json", "{\"version\": 99}");
    place.stress(&["report", "run"]).done().exits(3).prints_nothing().says(&["version 99"]);
}

#[test]
fn a_list_of_nothing() {
    let place = Place::new();
    place.stress(&["list"]).done().exits(2).prints_nothing().says(&["scenarios", "failed to read"]);
    std::fs::create_dir(place.path("scenarios")).expect("there is room");
    place.stress(&["list"]).done().exits(2).prints_nothing().says(&["there are no scenarios", "stress new"]);
    place.stress(&["validate", "scenarios/*.yaml"]).done().exits(2).prints_nothing().says(&["matches no file"]);
}

#[test]
fn a_new_scenario_over_an_old_one() {
    let place = Place::new();
    place.stress(&["new", "mine"]).done().exits(0);
    let text = std::fs::read_to_string(place.path("scenarios/mine.yaml")).expect("it was written");
    place.stress(&["new", "mine"]).done().exits(2).prints_nothing().says(&[
        "scenarios/mine.yaml",
        "exists already",
        "help:",
    ]);
    assert_eq!(std::fs::read_to_string(place.path("scenarios/mine.yaml")).expect("it is there"), text);
    place.stress(&["new", "../mine"]).done().exits(2).prints_nothing().says(&["../mine", "help:"]);
    place.write("file", "");
    place.stress(&["new", "mine", "--file", "file/mine.yaml"]).done().exits(3).says(&["file/mine.yaml"]);
    place.stress(&["run", "scenarios/mine.yaml", "-q"]).done().exits(0);
}

#[test]
fn a_hub_that_is_not_there() {
    let place = Place::of("target: { embedded: { hub: \"http://127.0.0.1:9\" } }\n");
    let done = place.stress(&["run", "scenario.yaml"]).done().exits(3).prints_nothing();
    done.says(&["STRESS_HUB_API_KEY", "help:"]);
    let keyed = place
        .stress(&["run", "scenario.yaml"])
        .env("STRESS_HUB_API_KEY", "a-long-key")
        .env("STRESS_HUB_MANAGEMENT_KEY", "another-key");
    keyed.done().exits(3).prints_nothing().says(&["127.0.0.1:9", "help:"]);
}

#[test]
fn an_extension_that_is_missing_or_none() {
    let target = |extension: &str| {
        scenario(&format!(
            "target: {{ cloudsync: {{ extension: {extension}, address: \"http://127.0.0.1:9\", managed_database_id: db_x, apikey: \"{{{{ env.TEST_KEY }}}}\" }} }}\nverify: [converged]\n"
        ))
    };
    let place = Place::new();
    place.write("missing.yaml", &target("nowhere/cloudsync"));
    let run = |file: &str| place.stress(&["run", file]).env("TEST_KEY", "hush-hush").done().exits(3).prints_nothing();
    run("missing.yaml").says(&["nowhere/cloudsync", "help:", "STRESS_CLOUDSYNC_EXTENSION"]);
    place.write("text.so", "not a library");
    place.write("text.yaml", &target("text.so"));
    let done = run("text.yaml").says(&["text.so", "cannot be loaded", "not a library", "help:"]);
    assert!(!done.err.contains("hush-hush"), "{done}");
}

#[test]
fn a_secret_that_is_not_set() {
    let place = Place::of(
        "target: { cloudsync: { extension: x, managed_database_id: db_x, apikey: \"{{ env.TEST_KEY }}\" } }\nverify: [converged]\n",
    );
    place.write("x", "");
    let done = place.stress(&["run", "scenario.yaml"]).done();
    assert!(matches!(done.code, Some(2 | 3)), "{done}");
    done.prints_nothing().says(&["help:"]);
}

#[test]
fn a_wrong_credential_for_a_database_there_is_not_or_without_policies_is_refused() {
    let body = "session: { credentials: [{ databases: [9], use: wrong }, { databases: [1], use: expired }] }\n";
    let done = Place::of(body).stress(&["validate", "scenario.yaml"]).done();
    assert_eq!(done.code, Some(2), "{done}");
    for told in ["there is no database 9", "`expired` needs `rls`"] {
        assert!(done.err.contains(told), "{done}");
    }
}
