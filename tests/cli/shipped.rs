//! The scenarios that ship: each ends as its opening comment says.

use crate::harness::{Place, Report, shipped, upstream};

fn passes(name: &str, arguments: &[&str]) {
    let place = Place::with_scenarios();
    let file = format!("scenarios/{name}.yaml");
    let arguments = [&["run", &file, "--json"], arguments].concat();
    let done = place.stress(&arguments).done().exits(0);
    let report = Report::parse(&done.out);
    assert_eq!((report.verdict(), report.number("/errors/seen")), ("pass", 0));
    assert!(report.number("/totals/inserted") > 0 && report.number("/totals/sends") > 0, "{}", report.0["totals"]);
}

#[test]
fn every_shipped_scenario_is_run_here_and_says_how_it_ends() {
    let names: Vec<String> =
        shipped().iter().map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["hot-rows", "large", "malicious", "medium", "preload", "rls", "small", "turso"]);
    for file in shipped() {
        let text = std::fs::read_to_string(&file).expect("a scenario is text");
        let comment: Vec<&str> = text.lines().skip(1).take_while(|line| line.starts_with('#')).collect();
        assert!(comment.first().is_some_and(|line| line.starts_with("# Purpose: ")), "{}", file.display());
        assert!(comment.join(" ").contains("Ends in PASS"), "{}", file.display());
    }
}

#[test]
fn small_passes() {
    passes("small", &[]);
}

#[test]
fn medium_passes_at_a_smaller_scale() {
    passes("medium", &["--rows", "300", "--iterations", "2"]);
}

#[test]
fn large_passes_in_its_profile_small() {
    passes("large", &["--profile", "small"]);
}

#[test]
fn large_passes_with_two_databases_per_user() {
    passes("large", &["--profile", "medium", "--rows", "100", "--iterations", "2"]);
}

#[test]
fn rls_passes() {
    passes("rls", &["--rows", "200"]);
}

#[test]
fn preload_passes() {
    passes("preload", &["--iterations", "1", "--rows", "200"]);
}

#[test]
fn hot_rows_passes() {
    passes("hot-rows", &[]);
}

#[test]
fn malicious_passes() {
    passes("malicious", &[]);
}

/// Some of the failures are expected, so that `passes` does not hold.
#[test]
fn upstreams_cases_end_as_their_comments_say() {
    let files = upstream();
    let names: Vec<_> = files.iter().map(|file| file.file_stem().expect("a name").to_string_lossy()).collect();
    let wanted = [
        "alter-table",
        "block-rewrite",
        "block-text",
        "chunked-capped-receive",
        "clock-gap",
        "grow-only-sets",
        "multicol-concurrent-edits",
        "multiple-roundtrip",
        "offline-restart",
        "reset-and-logout",
        "resurrect-delayed-delete",
        "rls-denial-retry",
        "row-filters",
        "schema-mismatch",
    ];
    assert_eq!(names, wanted);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a scenario is text");
        let comment: Vec<&str> = text.lines().skip(1).take_while(|line| line.starts_with('#')).collect();
        let comment = comment.join(" ");
        for part in ["# Purpose: ", "After upstream's ", "Ends in PASS"] {
            assert!(comment.contains(part), "{}: {part}", file.display());
        }
        let place = Place::new();
        let done = place.stress(&["run", &file.display().to_string(), "--json"]).done().exits(0);
        assert_eq!(Report::parse(&done.out).verdict(), "pass", "{}", file.display());
    }
}
