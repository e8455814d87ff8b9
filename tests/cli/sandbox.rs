//! Other people's scenarios: which variables of the environment they may read, and what a sandbox refuses before anything
//! starts, or when a statement is run.

use crate::cloudsync::extension;
use crate::harness::{Done, Place, files, scenario};

/// A scenario whose target is the extension, at a port of this machine where nobody listens.
const CLOSED: &str = "
target: { cloudsync: { address: \"http://127.0.0.1:9\", managed_database_id: db_x, apikey: \"{{ env.TEST_KEY }}\" } }
settle: { rounds: 1, wait: 1ms }
verify: [converged]
";

#[test]
fn a_scenario_reads_no_variable_that_was_not_allowed_by_name() {
    let place = Place::of(&CLOSED.replace("TEST_KEY", "AWS_SECRET_ACCESS_KEY"));
    let command = |arguments: &[&str]| {
        place.stress(arguments).env("STRESS_ENV", "").env("AWS_SECRET_ACCESS_KEY", "s3cret-of-another")
    };
    for name in ["validate", "plan", "run", "doctor"] {
        let done = command(&[name, "scenario.yaml"]).done().exits(2);
        assert!(!done.err.contains("s3cret-of-another"), "{done}");
        done.says(&[
            "may not read the environment variable `AWS_SECRET_ACCESS_KEY`",
            "--env AWS_SECRET_ACCESS_KEY",
            "scenario.yaml:",
        ]);
    }
    command(&["validate", "scenario.yaml", "--env", "AWS_SECRET_ACCESS_KEY"]).done().exits(0);
    command(&["plan", "scenario.yaml", "--env", "OTHER,AWS_SECRET_ACCESS_KEY"]).done().exits(0);
    command(&["validate", "scenario.yaml"]).env("STRESS_ENV", "OTHER,AWS_SECRET_ACCESS_KEY").done().exits(0);
    for whole in ["{{ env }}", "{{ env['HOME'] }}", "{% set all = env %}{{ all.HOME }}"] {
        place.write("scenario.yaml", &scenario(&CLOSED.replace("{{ env.TEST_KEY }}", whole)));
        command(&["validate", "scenario.yaml"]).done().exits(2).says(&["scenario.yaml:"]);
    }
    place.write("scenario.yaml", &scenario(&CLOSED.replace("TEST_KEY", "CLOUDSYNC_KEY")));
    command(&["validate", "scenario.yaml"]).done().exits(0);
    command(&["validate", "scenario.yaml", "--sandbox"]).done().exits(2).says(&["in a sandbox", "--env CLOUDSYNC_KEY"]);
    command(&["validate", "scenario.yaml", "--sandbox", "--env", "CLOUDSYNC_KEY"]).done().exits(0);
}

/// Everything but what the process leaves itself.
fn foreign(place: &Place) -> Vec<String> {
    let all = files(&place.path("")).into_iter().map(|path| path.display().to_string());
    all.filter(|path| !path.contains("/runs/") && !path.ends_with("/scenario.yaml")).collect()
}

/// Refused with a place in the file, in a sandbox alone.
fn refused(body: &str, says: &[&str]) -> Done {
    let place = Place::of(body);
    place.stress(&["validate", "scenario.yaml"]).done().exits(0);
    for command in ["validate", "plan", "run"] {
        let done = place.stress(&[command, "scenario.yaml"]).env("STRESS_SANDBOX", "1").done().exits(2);
        done.says(&["scenario.yaml:"]).says(says);
        assert!(!place.path("runs").exists());
    }
    place.stress(&["validate", "scenario.yaml", "--sandbox"]).done().exits(2)
}

#[test]
fn what_leaves_the_sandbox_is_refused_before_anything_starts_with_its_place() {
    let phase = |sql: &str| format!("phases:\n  - {{ name: leave, kind: query, sql: \"{sql}\", sync: [send] }}\n");
    refused(&phase("ATTACH '/tmp/other.db' AS other"), &["it reaches beyond", "--sandbox"]);
    refused(&phase("SELECT cloudsync_network_init_custom('http://example.com', 'db')"), &["it reaches beyond"]);
    refused(&phase("VACUUM INTO '/tmp/other.db'"), &["it reaches beyond", "VACUUM INTO"]);
    refused(&phase("PRAGMA temp_store_directory"), &["it reaches beyond"]);
    refused(&CLOSED.replace("http://127.0.0.1:9", "https://example.com"), &["another machine"]);
    refused(&CLOSED.replace("address: \"http://127.0.0.1:9\", ", ""), &["another machine", "default `address`"]);
    refused(
        &CLOSED.replace("cloudsync: {", "cloudsync: { extension: ./cloudsync,"),
        &["name code to be loaded", "STRESS_CLOUDSYNC_EXTENSION"],
    );
    refused("target: { embedded: { hub: \"http://10.0.0.1:7800\" } }\n", &["another machine"]);
}

#[test]
fn what_declares_tables_reaches_nothing_else_in_a_sandbox_or_not() {
    for sql in
        ["ATTACH '/tmp/other.db' AS other", "VACUUM INTO '/tmp/other.db'", "PRAGMA temp_store_directory = '/tmp'"]
    {
        let place = Place::of(&format!(
            "schema:\n  tables:\n    - name: notes\n      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT, body TEXT, size INTEGER)\n      also: [\"{sql}\"]\n"
        ));
        for more in [&[][..], &["--sandbox"]] {
            let done = place.stress(&[&["validate", "scenario.yaml"], more].concat()).done().exits(2);
            done.says(&["it reaches beyond", "scenario.yaml:"]);
        }
    }
}

#[test]
fn an_address_that_is_known_only_at_the_run_is_refused_too() {
    let Some(path) = extension("an_address_that_is_known_only_at_the_run_is_refused_too") else { return };
    let place = Place::of(&CLOSED.replace("http://127.0.0.1:9", "{{ env.TEST_CONNECTION }}"));
    let run = place.stress(&["run", "scenario.yaml", "--sandbox"]).env("STRESS_CLOUDSYNC_EXTENSION", &path);
    let run = run.env("TEST_KEY", "a-key-of-the-test").env("TEST_CONNECTION", "http://192.0.2.1");
    run.done().exits(3).says(&["another machine", "http://192.0.2.1"]);
}

#[test]
fn the_hub_s_own_files_are_all_that_sql_on_the_server_reaches_in_a_sandbox_or_not() {
    let place = Place::new();
    let out = place.path("out.db").display().to_string();
    let body = format!("teardown:\n  - {{ name: copy, admin: \"VACUUM INTO '{out}'\" }}\n");
    place.write("scenario.yaml", &scenario(&body));
    for more in [&["--sandbox"][..], &[]] {
        let done = place.stress(&[&["run", "scenario.yaml", "--json"], more].concat()).done().exits(1);
        assert_eq!(crate::harness::Report::parse(&done.out).errors(), [("auth", "configuration")]);
        assert_eq!(foreign(&place), [""; 0]);
    }
}

#[test]
fn a_good_scenario_is_as_good_in_a_sandbox() {
    let place = Place::with_scenarios();
    for file in ["scenarios/small.yaml", "scenarios/rls.yaml", "scenarios/malicious.yaml"] {
        let run = place.stress(&["run", file, "--sandbox", "--rows", "20", "--iterations", "1", "-q"]);
        run.done().exits(0);
    }
    place.stress(&["selftest", "--sandbox", "--only", "ignore_policy"]).done().exits(0);
}

#[test]
fn the_extension_does_all_its_local_work_in_a_sandbox() {
    let Some(path) = extension("the_extension_does_all_its_local_work_in_a_sandbox") else { return };
    let place = Place::of(CLOSED);
    let run = |more: &[&str]| {
        let arguments = [&["run", "scenario.yaml", "--json"], more].concat();
        let run =
            place.stress(&arguments).env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", "a-key-of-the-test");
        crate::harness::Report::parse(&run.done().exits(1).out)
    };
    let (fenced, free) = (run(&["--sandbox"]), run(&[]));
    assert_eq!(fenced.errors(), [("network", "network")]);
    assert_eq!(fenced.0["totals"]["inserted"], free.0["totals"]["inserted"]);
}
