//! The drivers' own tests.

use std::time::Duration;

use crate::harness::Place;
use crate::scene::{python, tests_of};

/// They test many things one after the other, also how long something takes.
const LIMIT: Duration = Duration::from_secs(180);

fn pass(name: &str) {
    if python(name) {
        Place::new().shell(&format!("exec python3 '{}'", tests_of(name))).within(LIMIT).done().exits(0);
    }
}

#[test]
fn the_tests_of_the_skeleton_pass() {
    pass("skeleton");
}

#[test]
fn the_tests_of_the_liar_pass() {
    pass("liar");
}
