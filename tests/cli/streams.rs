//! Where the output goes: a reader that leaves early is no problem, a device that takes nothing is one.

use std::fs::File;
use std::process::Stdio;

use crate::harness::Place;

/// A pipe that nobody reads.
fn broken_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_went_away_is_no_problem() {
    let place = Place::of("scale: { databases: 2, iterations: 1, rows: 5 }\n");
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    for arguments in [
        &["run", "scenario.yaml"][..],
        &["run", "scenario.yaml", "--json"],
        &["plan", "scenario.yaml"],
        &["validate", "scenario.yaml"],
        &["report", "runs/test/latest"],
        &["schema"],
        &["list", "."],
        &["--help"],
        &["--version"],
    ] {
        let done = place.stress(arguments).stdout(broken_pipe()).done().exits(0);
        assert!(!done.err.contains("error"), "{done}");
    }
}

#[test]
fn a_reader_that_went_away_does_not_make_a_bad_scenario_good() {
    let place = Place::of("nme: x\n");
    for arguments in [&["validate", "scenario.yaml", "--format", "json"][..], &["validate", "scenario.yaml"]] {
        place.stress(arguments).stdout(broken_pipe()).done().exits(2);
    }
    let red = Place::of("target: { embedded: { faults: [{ fault: locked, at: [1] }] } }\n");
    for arguments in [&["run", "scenario.yaml"][..], &["report", "runs/test/latest"]] {
        red.stress(arguments).stdout(broken_pipe()).done().exits(1);
    }
}

#[test]
fn nobody_who_reads_the_errors_is_no_problem() {
    let place = Place::of("");
    place.shell("stress run scenario.yaml 2>&-").done().exits(0);
    place.shell("stress run scenario.yaml 2>/dev/full").done().exits(0);
    place.shell("stress run none.yaml 2>/dev/full").done().exits(2);
    place.shell("stress run scenario.yaml >&- 2>&- <&-").done().exits(0);
}

#[test]
fn output_that_could_not_be_written_is_said() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        crate::harness::skip("output_that_could_not_be_written_is_said", "there is no /dev/full");
        return;
    };
    let place = Place::of("scale: { databases: 2, iterations: 1, rows: 5 }\n");
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    for arguments in [
        &["run", "scenario.yaml", "--json"][..],
        &["run", "scenario.yaml"],
        &["plan", "scenario.yaml"],
        &["validate", "scenario.yaml"],
        &["report", "runs/test/latest"],
        &["schema"],
        &["list", "."],
        &["--help"],
        &["--version"],
        &["run", "--help"],
        &["help"],
        &["help", "metrics"],
        &["completions", "bash"],
        &["validate", "scenario.yaml", "--format", "json"],
        &["compare", "runs/test/latest", "runs/test/latest"],
        &["doctor", "scenario.yaml"],
        &["clean", "--dry-run"],
        &["new", "another", "--scale", "small"],
    ] {
        let out = full.try_clone().expect("a descriptor");
        place.stress(arguments).stdout(out).done().exits(3).says(&["No space left on device"]);
    }
}

#[test]
fn help_names_the_commands_and_the_exit_codes() {
    let place = Place::new();
    let help = place.stress(&["--help"]).done().exits(0);
    for word in ["run", "validate", "plan", "list", "new", "report", "schema", "130", "UNKNOWN"] {
        assert!(help.out.contains(word), "{word}: {help}");
    }
    let version = place.stress(&["--version"]).done().exits(0);
    assert_eq!(version.out, format!("stress {}\n", env!("CARGO_PKG_VERSION")));
    place.stress(&[]).done().exits(2).prints_nothing().says(&["Usage: stress"]);
}
