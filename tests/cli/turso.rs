//! Turso for real: its own client and its own server, as `stress driver install turso` puts them into the data directory
//! that `STRESS_TURSO_DATA` names. Without it these tests say that they were skipped.

use std::path::{Path, PathBuf};

use crate::harness::{Invocation, Place, Report, turso};

/// The data directory with the installation.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn data(test: &str) -> Option<PathBuf> {
    let data = std::env::var_os("STRESS_TURSO_DATA").filter(|path| !path.is_empty()).map(PathBuf::from);
    if data.is_none() {
        eprintln!("skipped: {test}: STRESS_TURSO_DATA is not set");
    }
    data
}

/// A run with what is installed, also for scenarios that name the programs themselves.
fn run(place: &Place, data: &Path, file: &Path, arguments: &[&str]) -> Invocation {
    let installed = data.join("stress/turso");
    let server = installed.join("npm/node_modules/@tursodatabase/cli-linux-x64-gnu");
    let path = format!("{}:{}", server.display(), std::env::var("PATH").unwrap_or_default());
    let file = file.display().to_string();
    place
        .stress(&[&["run", &file, "--json"], arguments].concat())
        .env("XDG_DATA_HOME", &data.display().to_string())
        .env("PATH", &path)
        .env("PYTHONPATH", &installed.join("python").display().to_string())
}

#[test]
fn the_original_procedure_passes_on_turso() {
    let Some(data) = data("the_original_procedure_passes_on_turso") else { return };
    let place = Place::with_scenarios();
    let file = place.path("scenarios/turso.yaml");
    let done = run(&place, &data, &file, &["--profile", "small"]).done().exits(0);
    let report = Report::parse(&done.out);
    assert_eq!((report.verdict(), report.number("/errors/seen")), ("pass", 0), "{done}");
    assert!(report.number("/totals/inserted") > 0 && report.number("/totals/sends") > 0, "{}", report.0["totals"]);
    let checks: Vec<_> = report.0["checks"].as_array().expect("checks").iter().map(|check| &check["check"]).collect();
    assert_eq!(checks, ["written", "converged", "server", "bootstrap"]);
}

#[test]
fn what_was_found_in_turso_is_found_again() {
    let Some(data) = data("what_was_found_in_turso_is_found_again") else { return };
    let files = turso();
    let names: Vec<_> = files.iter().map(|file| file.file_stem().expect("a name").to_string_lossy()).collect();
    let wanted = [
        "counters",
        "delete-then-update",
        "infinity",
        "preexisting",
        "reals",
        "receive-before-send",
        "unique",
        "upsert",
    ];
    assert_eq!(names, wanted);
    for file in &files {
        let place = Place::new();
        place.write("drivers/turso.py", include_str!("../../drivers/turso.py"));
        let done = run(&place, &data, file, &[]).done().exits(0);
        assert_eq!(Report::parse(&done.out).verdict(), "pass", "{}", file.display());
    }
}

#[test]
fn without_an_installation_the_message_says_what_to_do() {
    let place = Place::with_scenarios();
    let done = place.stress(&["run", "scenarios/turso.yaml"]).done().exits(3);
    done.says(&["Turso's client is not installed", "stress driver install turso"]);
    let done = place.stress(&["doctor", "scenarios/turso.yaml"]).done().exits(3);
    assert!(done.out.contains("Turso's client is not installed"), "{done}");
    place.stress(&["validate", "scenarios/turso.yaml"]).done().exits(0);
    let plan = place.stress(&["plan", "scenarios/turso.yaml"]).done().exits(0);
    assert!(plan.out.contains("1. start Turso's server on a free port"), "{plan}");
    let bare = place.stress(&["driver", "install", "turso"]).env("PATH", "/nowhere").done().exits(3);
    bare.says(&["python3 was not found", "install Python 3.10 or newer with pip"]);
}
