//! Ctrl-C at a terminal goes to every program that was started from it. The driver goes on until `stress` ends it.

use crate::harness::{Place, Report};
use crate::scene::{INSERT, python, scenario, skeleton};

/// Starts a run as a group of its own, as a shell does at a terminal, and interrupts the group.
const TERMINAL: &str = r#"
import glob, os, signal, subprocess, sys, time
run = subprocess.Popen(["stress", "run", "scenario.yaml", "--json"], start_new_session=True)
while run.poll() is None and not glob.glob("runs/test/*/pushes/00000004.json"):
    time.sleep(0.05)
os.killpg(run.pid, signal.SIGINT)
sys.exit(run.wait())
"#;

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
    place.write("terminal.py", TERMINAL);
    let done = place.shell("exec python3 terminal.py").done();
    assert_eq!(done.code, Some(130), "{done}");
    let report = Report::parse(&done.out);
    assert_eq!(report.errors(), [("", ""); 0], "{done}");
    let log = std::fs::read_to_string(place.run_dir("test").join("driver.log")).expect("the driver's log");
    assert_eq!(log, "", "the driver was interrupted");
}
