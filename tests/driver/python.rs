//! The drivers' own tests.

use std::process::Command;

use crate::scene::{python, tests_of};

fn pass(name: &str) {
    if !python(name) {
        return;
    }
    let done = Command::new("python3").arg(tests_of(name)).output().expect("there is a python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn the_tests_of_the_skeleton_pass() {
    pass("skeleton");
}

#[test]
fn the_tests_of_the_liar_pass() {
    pass("liar");
}
