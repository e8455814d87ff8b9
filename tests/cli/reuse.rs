//! Databases that runs hand on to each other: no new devices, the rows of all runs on both sides, one run at a time, and
//! a word where they do not fit any more.

use serde_json::Value;

use crate::cloudsync::extension;
use crate::harness::{Place, RLS, json};
use crate::provision::armed;
use crate::standin::StandIn;

/// Rows of their own in every run: the ids come from the seed.
const APPEND: &str = "
session: { reuse: true }
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, 'text', :row)
    bind: { id: \"{{ uuid() }}\" }
    sync: [send, receive]
";

/// The site ids of the last run, by database.
fn sites(place: &Place) -> Vec<String> {
    let record = json(&place.run_dir("test").join("record.json"));
    let workers = record["workers"].as_array().expect("workers").iter();
    workers.map(|worker| worker["site_id"].as_str().expect("a site id").to_owned()).collect()
}

/// The rows that each database held at the end of the last run.
fn rows(place: &Place) -> Vec<u64> {
    let record = json(&place.run_dir("test").join("record.json"));
    let databases = record["state"]["databases"].as_array().expect("databases").iter();
    databases.map(|database| database["tables"][0]["rows"].as_u64().expect("rows")).collect()
}

#[test]
fn runs_in_a_row_pass_with_the_same_devices_and_the_rows_of_all_of_them() {
    let place = Place::of(&format!("{APPEND}{}", RLS.replace("databases_per_user: 1", "databases_per_user: 2")));
    let plan = place.stress(&["plan", "scenario.yaml"]).done().exits(0);
    assert!(plan.out.contains("2, each on its own thread, as the last run left them"), "{plan}");
    let run = |seed: &str, code: i32| place.stress(&["run", "scenario.yaml", "--seed", seed]).done().exits(code);
    run("1", 0);
    let first = sites(&place);
    assert_eq!(rows(&place), [80, 80]);
    assert!(!place.run_dir("test").join("databases").exists(), "a run that passed keeps nothing of its own");
    run("2", 0);
    assert_eq!((sites(&place), rows(&place)), (first.clone(), vec![160, 160]));
    // The same rows again, over those of the run before.
    let done = run("2", 1).says(&["continuing with the databases in runs/test/databases"]);
    assert!(!done.err.contains("did not pass") && done.out.contains("UNIQUE constraint failed"), "{done}");
    // What it left may be seen in the next one, which says so.
    run("3", 0).says(&["the run before did not pass, and what differs may be left from it"]);
    assert!(!run("4", 0).err.contains("did not pass"));
    place.stress(&["cleanup", "scenario.yaml"]).done().exits(0).says(&["databases of test: removed"]);
    run("2", 0);
    assert_eq!(rows(&place), [80, 80]);
    assert!(sites(&place).iter().all(|site| !first.contains(site)));
}

#[test]
fn what_a_killed_run_left_is_taken_up_and_nobody_else_may_have_it_before() {
    let place =
        Place::of(&format!("{APPEND}scale: {{ databases: 2, iterations: 1000000, rows: 20, time_limit: 10m }}\n"));
    let mut running = place.stress(&["run", "scenario.yaml", "--seed", "1"]).start();
    let log = place.path("runs/test/latest/logs/db1.log");
    running.until("work", || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("iter 2")));
    let short = ["run", "scenario.yaml", "--seed", "2", "--iterations", "1"];
    for command in [&short[..], &["cleanup", "scenario.yaml"]] {
        place.stress(command).done().exits(3).prints_nothing().says(&["another run uses", "runs/test/databases"]);
    }
    assert_eq!(std::fs::read_dir(place.path("runs/test")).expect("runs").count(), 3, "a refused run leaves nothing");
    running.signal("KILL");
    running.done();
    let before = sites(&place);
    let done = place.stress(&short).done().exits(0);
    assert!(done.out.contains("PASS"), "{done}");
    assert_eq!(sites(&place), before);
}

#[test]
fn databases_that_do_not_fit_any_more_are_told_apart() {
    let place = Place::of(APPEND);
    place.stress(&["run", "scenario.yaml", "--seed", "1"]).done().exits(0);
    let run = |more: &[&str]| place.stress(&[&["run", "scenario.yaml", "--seed", "2"], more].concat());
    let fits = ["stress cleanup FILE"];
    let databases = ["there are 2, but the scenario needs 3", "run with `--databases 2`"];
    run(&["--databases", "3"]).done().exits(3).says(&databases).says(&fits);
    let text = std::fs::read_to_string(place.path("scenario.yaml")).expect("the scenario");
    place.write("scenario.yaml", &text.replace("body TEXT", "body TEXT, more TEXT"));
    run(&[]).done().exits(3).says(&["the tables or policies of the scenario have changed"]).says(&fits);
    place.write("scenario.yaml", &format!("{text}{RLS}"));
    run(&[]).done().exits(3).says(&["have changed"]).says(&fits);
    place.write("scenario.yaml", &text);
    let facts = place.path("runs/test/databases/reuse.json");
    let mut known = json(&facts);
    known["managed_database_id"] = Value::from("db_of_another_hub");
    std::fs::write(&facts, known.to_string()).expect("it is written");
    run(&[]).done().exits(3).says(&["were synced with db_of_another_hub"]).says(&fits);
    std::fs::write(&facts, "{").expect("it is written");
    run(&[]).done().exits(3).says(&["failed to read", "reuse.json"]).says(&fits);
}

#[test]
fn what_would_take_rows_from_one_side_only_is_refused() {
    let cloud = "session: { reuse: true }\ntarget:\n  cloudsync:\n    connection_string: \"{{ env.TEST_CONNECTION }}\"\n    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n";
    for (more, says) in [
        ("    provision: true\n", "`stress provision FILE` prepares the server once"),
        ("    cleanup: drop\n", "`stress cleanup FILE` drops the tables"),
    ] {
        let place = Place::of(&format!("{cloud}{more}"));
        place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["session::reuse", says]);
    }
    let hostile = APPEND.replace("    kind: insert\n", "    kind: insert\n    hostile: true\n");
    let place = Place::of(&format!("{hostile}{RLS}verify: [converged, isolation]\n"));
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["session::reuse", "would report them as lost"]);
}

#[test]
fn on_the_cloud_the_devices_stay_the_same_until_they_are_forgotten() {
    let Some(extension) = extension("on_the_cloud_the_devices_stay_the_same") else { return };
    let standin = StandIn::start();
    let target = standin.target("    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n");
    let more = "settle: { rounds: 1, wait: 1ms }\nverify: [converged]\n";
    let place = Place::of(&format!("{target}{APPEND}{more}"));
    let stress = |arguments: &[&str]| armed(place.stress(arguments)).env("STRESS_CLOUDSYNC_EXTENSION", &extension);
    stress(&["provision", "scenario.yaml"]).done().exits(0);
    stress(&["run", "scenario.yaml", "--seed", "1"]).done().exits(1);
    let first = sites(&place);
    assert!(first.len() == 2 && first[0] != first[1], "{first:?}");
    stress(&["run", "scenario.yaml", "--seed", "2"]).done().exits(1);
    assert_eq!(sites(&place), first);
    // Nothing was ever sent: each database holds what it wrote in both runs.
    assert_eq!(rows(&place), [80, 80]);
    let done = stress(&["provision", "scenario.yaml"]).done().exits(3).prints_nothing();
    done.says(&["continue with the tables that `provision` would drop", "`stress cleanup scenario.yaml` removes both"]);
    standin.project().devices.extend(first);
    let done = stress(&["cleanup", "scenario.yaml"]).done().exits(0);
    done.says(&["devices: 2 of this scenario's runs removed", "databases of test: removed"]);
    assert!(standin.project().devices.is_empty() && !place.path("runs/test/databases").exists());
    stress(&["provision", "scenario.yaml"]).done().exits(0);
}
