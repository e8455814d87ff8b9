//! The program proves its checker, as CI and people without an account run it.

use crate::harness::{LIMIT, Place, files};

#[test]
fn every_planted_failure_is_found_and_no_clean_run_goes_red() {
    let place = Place::new();
    place.write("temporary/.keep", "");
    let temporary = place.path("temporary");
    // Some forty runs, each with a hub of its own.
    let selftest = place.stress(&["selftest"]).env("TMPDIR", &temporary.to_string_lossy()).within(5 * LIMIT);
    let done = selftest.done().exits(0);
    assert!(!done.out.contains("NOT "), "{done}");
    assert!(done.last_line().starts_with("PASS: "), "{done}");
    // What a good selftest leaves is nothing.
    assert_eq!(files(&temporary), [temporary.join(".keep")]);
}

#[test]
fn one_planted_failure_is_run_alone() {
    let place = Place::new();
    let done = place.stress(&["selftest", "--only", "drop_row", "--seed", "7"]).done().exits(0);
    assert_eq!(done.last_line(), "PASS: 1 of 1 injected fault reported with the right side");
    place.stress(&["selftest", "--only", "drop_rows"]).done().exits(2).says(&["did you mean `drop_row`?"]);
}

#[test]
fn random_scenarios_pass_and_the_faults_in_them_are_found() {
    let place = Place::new();
    place.write("temporary/.keep", "");
    let temporary = place.path("temporary");
    let selftest = place.stress(&["selftest", "--fuzz", "40", "--planted", "15", "--seed", "1"]);
    let done = selftest.env("TMPDIR", &temporary.to_string_lossy()).within(5 * LIMIT).done().exits(0);
    let last = "PASS: 40 clean scenarios passed, 15 planted faults found with the right kind and side";
    assert_eq!(done.last_line(), last, "{done}");
    assert!(done.err.contains("[50/55] 0 not judged rightly"), "{done}");
    assert_eq!(files(&temporary), [temporary.join(".keep")]);
}

#[test]
fn random_scenarios_are_not_mixed_with_the_table_of_faults() {
    let place = Place::new();
    for arguments in [&["selftest", "--planted", "3"][..], &["selftest", "--fuzz", "3", "--full"]] {
        place.stress(arguments).done().exits(2);
    }
}

#[test]
fn an_interrupted_run_of_random_scenarios_says_how_far_it_came() {
    let place = Place::new();
    place.write("temporary/.keep", "");
    let temporary = place.path("temporary");
    let selftest = place.stress(&["selftest", "--fuzz", "100000"]).env("TMPDIR", &temporary.to_string_lossy());
    let mut running = selftest.start();
    running.until("a run", || std::fs::read_dir(&temporary).expect("a directory").count() > 1);
    running.signal("INT");
    running.done().exits(130).says(&["interrupted after ", " of 133,333 scenarios"]);
    assert_eq!(files(&temporary), [temporary.join(".keep")]);
}
