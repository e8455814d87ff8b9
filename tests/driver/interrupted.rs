//! Ctrl-C at a terminal goes to every program that was started from it. The driver goes on until `stress` ends it.

use crate::harness::{Place, Report};
use crate::scene::{INSERT, python, scenario, skeleton};

#[test]
fn ctrl_c_does_not_reach_the_driver() {
    if !python("ctrl_c_does_not_reach_the_driver") {
        return;
    }
    let place = Place::new();
    let insert = INSERT.replace("    sync:", "    think: 200ms\n    sync:");
    place.write(
        "scenario.yaml",
        &scenario(&skeleton(), "", "30s", "databases: 2, iterations: 500, rows: 5", &[&insert]),
    );
    // With `set -m` the program and all that it starts are a group, as at a terminal.
    let line = "set -m; stress run scenario.yaml --json & run=$!; \
                until grep -qs . runs/test/*/pushes/00000004.json; do sleep 0.1; done; kill -INT -$run; wait $run";
    let done = place.shell(line).done();
    assert_eq!(done.code, Some(130), "{done}");
    let report = Report::parse(&done.out);
    assert_eq!(report.errors(), [("", ""); 0], "{done}");
}
