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

/// The blocks of a language.
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
        // One runs until it is stopped, the others need a cloud or a registry: they have tests of their own.
        if ["hub", "provision", "cleanup", "extension"].iter().any(|name| line.starts_with(&format!("stress {name}"))) {
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
