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
