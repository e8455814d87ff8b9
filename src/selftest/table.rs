//! The table of the self-test, as text.

use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};

use super::{NotRun, Outcome};
use crate::analysis::Verdict;
use crate::figure::counted;

/// One line of progress about a finished case.
pub(crate) fn line(outcome: &Outcome) -> String {
    let name = outcome.case.name;
    match &outcome.seen {
        Ok(_) if outcome.is_as_wanted() => format!("{name}: ok"),
        Ok(seen) if seen.strikes == 0 && outcome.case.planted.is_some() => {
            format!("{name}: NOT OK, the injected fault never occurred")
        }
        Ok(seen) => format!(
            "{name}: NOT OK, expected {}, got {}: {} on {} ({})",
            outcome.case.wanted,
            seen.verdict,
            seen.named(),
            seen.blamed(),
            seen.rule
        ),
        Err(NotRun(reason)) => format!("{name}: NOT OK, {reason}"),
    }
}

/// The whole table in lines of at most `width` characters, and the verdict as its last line.
pub(crate) fn table(outcomes: &[Outcome], width: usize) -> String {
    let mut text = String::new();
    let of = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(move |outcome| wanted(outcome)).collect::<Vec<_>>();
    let planted = of(|outcome| outcome.case.wanted.verdict == Verdict::Fail);
    let tolerated = of(|outcome| outcome.case.is_tolerated());
    let clean = of(|outcome| outcome.case.planted.is_none());
    let sections = [
        ("Injected faults: the run must report them and blame the right side", &planted, "NOT FOUND"),
        ("Faults that sync tolerates: the run must pass with intact data", &tolerated, "NOT GREEN"),
        ("Clean runs: the run must pass", &clean, "NOT GREEN"),
    ];
    for (heading, outcomes, bad) in sections {
        if !outcomes.is_empty() {
            let _ = write!(text, "\n{heading}\n{}", rows(outcomes, bad, width));
        }
    }
    text.push('\n');
    for outcome in outcomes.iter().filter(|outcome| !outcome.is_as_wanted()) {
        let _ = writeln!(text, "seed {}, {}", outcome.seed, line(outcome));
    }
    text.push_str(&summary(&planted, &tolerated, &clean));
    text
}

fn rows(outcomes: &[&Outcome], bad: &str, width: usize) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(["case", "what happens", "times", "reported", "blamed", "verdict", ""]);
    for same in outcomes.chunk_by(|a, b| a.case.name == b.case.name) {
        let wrong = same.iter().copied().filter(|outcome| !outcome.is_as_wanted());
        let told: Vec<&Outcome> = wrong.collect();
        // All seeds of a case share a row, unless their results differ.
        let shown = if told.is_empty() { &same[..1] } else { told.as_slice() };
        for outcome in shown {
            let verdict = match (told.is_empty(), same.len()) {
                (true, 2..) => format!("{} × {}", same.len(), outcome.case.wanted.verdict),
                _ => outcome.seen.as_ref().map_or("none", |seen| seen.verdict.as_str()).to_owned(),
            };
            let (strikes, named, blamed) = match &outcome.seen {
                Ok(seen) => (seen.strikes.to_string(), seen.named(), seen.blamed()),
                Err(_) => ("–".to_owned(), "could not run".to_owned(), "–".to_owned()),
            };
            let result = if outcome.is_as_wanted() { "ok" } else { bad };
            table.add_row([outcome.case.name, outcome.case.story, &strikes, &named, &blamed, &verdict, result]);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn summary(planted: &[&Outcome], tolerated: &[&Outcome], clean: &[&Outcome]) -> String {
    let good = |outcomes: &[&Outcome]| outcomes.iter().filter(|outcome| outcome.is_as_wanted()).count() as u64;
    let part = |outcomes: &[&Outcome], noun: &str, what: &str| {
        let all = outcomes.len() as u64;
        (all > 0).then(|| format!("{} of {} {what}", good(outcomes), counted(all, noun)))
    };
    let parts: Vec<String> = [
        part(planted, "injected fault", "reported with the right side"),
        part(tolerated, "tolerated fault", "survived"),
        part(clean, "clean run", "passed"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let ran = !parts.is_empty();
    let all = [planted, tolerated, clean].into_iter().flatten().all(|outcome| outcome.is_as_wanted());
    let verdict = if ran && all { Verdict::Pass } else { Verdict::Fail };
    let said = if ran { parts.join(", ") } else { "nothing ran".to_owned() };
    format!("{verdict}: {said}\n")
}
