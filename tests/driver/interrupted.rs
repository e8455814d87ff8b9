//! Ctrl-C at a terminal goes to every program that was started from it. The driver goes on until `stress` ends it.

use crate::harness::{Place, Report};
use crate::scene::{INSERT, liar, python, scenario, skeleton};

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

/// Interrupts a run three times while its driver hangs, and says how its engine's server is then.
const THREE_TIMES: &str = r#"
import os, signal, subprocess, sys, time
run = subprocess.Popen(["stress", "run", "scenario.yaml"], start_new_session=True)
until = time.time() + 60
while time.time() < until and not os.path.exists("server.pid"):
    time.sleep(0.05)
# Until the driver hangs.
time.sleep(2)
for _ in range(3):
    run.send_signal(signal.SIGINT)
    time.sleep(0.2)
code = run.wait()
found = subprocess.run(["ps", "-o", "stat=", "-p", open("server.pid").read().strip()], capture_output=True, text=True)
print("server:", found.stdout.strip() or "gone")
sys.exit(code)
"#;

/// A scenario with a server that does nothing but note its process.
fn with_server(settings: &str, phases: &[&str]) -> String {
    let server = r#"sh, -c, "echo $$ > server.pid; exec sleep 600""#;
    let text = scenario(&liar(), settings, "30s", "databases: 2, iterations: 1, rows: 5", phases);
    text.replace("    settings:", &format!("    server: {{ command: [{server}] }}\n    settings:"))
}

#[test]
fn the_third_ctrl_c_ends_the_engines_server_too() {
    if !python("the_third_ctrl_c_ends_the_engines_server_too") {
        return;
    }
    let place = Place::new();
    place.write("scenario.yaml", &with_server("lie: ignores_interrupt, op: send", &[INSERT]));
    place.write("three.py", THREE_TIMES);
    let done = place.shell("exec python3 three.py").done();
    assert_eq!(done.code, Some(130), "{done}");
    assert!(done.out.contains("server: gone") || done.out.contains("server: Z"), "{done}");
}

#[test]
fn an_engines_server_that_ends_in_the_middle_is_told_with_its_log() {
    if !python("an_engines_server_that_ends_in_the_middle_is_told_with_its_log") {
        return;
    }
    let place = Place::new();
    let pause = "  - { name: pause, kind: query, sql: SELECT 1, think: 300ms, sync: [send] }\n";
    place.write(
        "scenario.yaml",
        &with_server("", &[INSERT, pause])
            .replace("exec sleep 600", "sleep 0.1; echo last words {{ env.STRESS_KEY }}; exit 7"),
    );
    let run = place.stress(&["run", "scenario.yaml", "--json"]).env("STRESS_KEY", "k3y-of-the-server");
    let done = run.done().exits(1);
    let report = Report::parse(&done.out);
    assert_eq!(report.errors(), [("unavailable", "server")], "{done}");
    let record = std::fs::read_to_string(place.run_dir("test").join("record.json")).expect("a record");
    assert!(record.contains("last words") && !record.contains("k3y-of-the-server"), "{record}");
    let said = report.0["errors"]["groups"][0].to_string();
    assert!(said.contains("ended with exit status: 7; its last words: last words"), "{said}");
}
