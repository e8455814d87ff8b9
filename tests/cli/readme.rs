//! The README is true: its commands run, and its scenarios are good.

use crate::harness::{Place, scenario};

const README: &str = include_str!("../../README.md");

/// The lines that a reader is told to type, from indented blocks.
fn typed() -> Vec<String> {
    let lines = README.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.map(|line| line.replace("cargo run --release --", "stress"));
    lines.filter(|line| line.starts_with("stress ")).collect()
}

/// The commands in the text, between backticks.
fn mentioned() -> Vec<String> {
    let spans = README.split('`').skip(1).step_by(2);
    spans.filter(|span| span.starts_with("stress ") && !span.contains('\n')).map(str::to_owned).collect()
}

/// Whether a command runs until it is stopped, or needs a cloud or a registry: those have tests of their own.
fn has_a_test_of_its_own(line: &str) -> bool {
    ["hub", "provision", "cleanup", "extension", "driver"]
        .iter()
        .any(|name| line.starts_with(&format!("stress {name}")))
}

/// The blocks of a language. One with a file's name behind it is that file.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

#[test]
fn every_command_runs_as_written_in_the_order_of_the_text() {
    let place = Place::with_scenarios();
    let lines = typed();
    assert!(lines.len() >= 7, "{lines:?}");
    for line in lines.into_iter().chain(mentioned()) {
        if has_a_test_of_its_own(&line) {
            continue;
        }
        // The largest ones at a scale for tests.
        let large = line.contains("run scenarios/large.yaml") || line.contains("run scenarios/rls.yaml");
        let line = if large { format!("{line} --iterations 1 --rows 200") } else { line };
        let line = line.replace("--rows 2000 ", "");
        place.shell(&line).done().exits(0);
    }
}

#[test]
fn every_command_that_needs_more_than_a_reader_has_is_understood() {
    let place = Place::with_scenarios();
    let blocks = blocks("sh");
    let lines: Vec<&str> =
        blocks.iter().flat_map(|block| block.lines()).filter(|line| line.starts_with("stress ")).collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines.into_iter().filter(|line| !has_a_test_of_its_own(line)) {
        let done = place.shell(line).done();
        assert!(done.code.is_some_and(|code| code <= 4) && !done.err.contains("Usage:"), "{done}");
    }
}

/// The hook and the workflow name commands as they are.
#[test]
fn the_files_of_the_readme_run_commands_that_there_are() {
    let place = Place::with_scenarios();
    for (file, start) in [(".github/workflows/stress.yml", "  - run: "), (".pre-commit-config.yaml", "        entry: ")]
    {
        let block = blocks(&format!("yaml {file}")).pop().unwrap_or_else(|| panic!("there is no {file}"));
        let commands: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix(start)).collect();
        assert!(!commands.is_empty(), "{block}");
        for command in commands {
            // The hook gets the names of the files that are committed.
            let files = if file.starts_with(".pre-commit") { " scenarios/small.yaml scenarios/rls.yaml" } else { "" };
            place.shell(&format!("{command}{files}")).done().exits(0);
        }
    }
}

#[test]
fn every_whole_scenario_is_good_and_every_fragment_fits() {
    let all = blocks("yaml");
    assert!(all.len() >= 3, "{all:?}");
    for (index, block) in all.iter().enumerate() {
        let place = Place::new();
        let whole = block.lines().any(|line| line.starts_with("version:"));
        place.write("scenario.yaml", &if whole { block.clone() } else { scenario(block) });
        let done = place.stress(&["validate", "scenario.yaml"]).done().exits(0);
        assert!(done.err.is_empty(), "block {index}: {done}");
    }
}

#[test]
fn the_whole_scenario_runs() {
    let place = Place::new();
    let whole = blocks("yaml").into_iter().find(|block| block.contains("version: 1"));
    place.write("notes.yaml", &whole.expect("there is one"));
    place.stress(&["run", "notes.yaml", "--profile", "quick", "--rows", "100"]).done().exits(0);
}

#[test]
fn the_fault_of_the_readme_turns_the_verdict_red() {
    let fragment = blocks("yaml").into_iter().find(|block| block.contains("faults:")).expect("there is one");
    let place = Place::of(&fragment);
    let arguments = ["run", "scenario.yaml", "--rows", "4000", "--iterations", "1", "--json"];
    let done = place.stress(&arguments).done().exits(1);
    let report = crate::harness::Report::parse(&done.out);
    assert!(report.findings("server").contains("'db"), "the rows are named: {}", report.findings("server"));
}

#[test]
fn the_table_of_scenarios_names_those_that_ship() {
    for file in crate::harness::shipped() {
        let name = format!("`{}`", file.file_stem().expect("a name").to_string_lossy());
        assert!(README.lines().any(|line| line.starts_with('|') && line.contains(&name)), "{name}");
    }
}
