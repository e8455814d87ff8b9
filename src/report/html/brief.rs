//! A summary of a failing run in a few lines: where it failed, on which side, since when, which rows, and what to do next.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use crate::analysis::{Analysis, Rule, RuleKind, Verdict};
use crate::failure::Side;
use crate::figure::{self, counted};
use crate::report::rows;
use crate::report::text::plain;
use crate::verify::CheckResult;

/// The maximum number of lines in an answer. The page shows all of them further down.
const MOST: usize = 3;

/// Questions with their answers, for the page's template. Empty if nothing failed.
pub(super) fn answers(analysis: &Analysis) -> Vec<Value> {
    let answer = |question: &str, lines: Vec<String>| {
        let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
        (!lines.is_empty()).then(|| context! { question, lines })
    };
    [
        answer("Where", places(analysis)),
        answer("On which side", sides(analysis)),
        answer("Since when", since(analysis)),
        answer("Which rows", fates(analysis)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn places(analysis: &Analysis) -> Vec<String> {
    let worst = analysis.errors.groups.first();
    let of_worst = worst.map(|group| {
        let [_, kind, side, place, _] = rows::error(group);
        format!("{kind} on the {side} side: {place}")
    });
    let clusters = analysis.clusters.iter().map(|cluster| match cluster.strip_prefix("none; the ") {
        Some(spread) => spread.to_owned(),
        None => format!("failures: {cluster}"),
    });
    let found = analysis.checks.iter().flat_map(CheckResult::findings).map(|finding| finding.message.clone());
    // The answer about rows already covers the findings, unless there is nothing else.
    let found = first(found.filter(|_| worst.is_none()).collect(), "finding");
    of_worst.into_iter().chain(clusters).chain(found).collect()
}

fn sides(analysis: &Analysis) -> Vec<String> {
    let mut sides: BTreeMap<Side, Vec<String>> = BTreeMap::new();
    for group in &analysis.errors.groups {
        let failures = format!("{} × {}", group.kind, figure::thousands(group.seen));
        sides.entry(group.side).or_default().push(failures);
    }
    for result in analysis.checks.iter().filter(|result| !result.findings().is_empty()) {
        sides.entry(result.check.side()).or_default().push(format!("check {} failed", result.name));
    }
    sides.into_iter().map(|(side, what)| format!("{side}: {}", what.join(", "))).collect()
}

fn since(analysis: &Analysis) -> Vec<String> {
    let Some(first) = analysis.errors.groups.iter().map(|group| group.first).min() else { return Vec::new() };
    let share = first.as_micros() * 100 / analysis.run.duration.as_micros().max(1);
    let iteration = analysis.timeline.iter().find(|row| row.failures > 0);
    let iteration = iteration.map(|row| format!(", in iteration {}", row.iteration)).unwrap_or_default();
    vec![format!("the first failure occurred after {} ({share} % of the run){iteration}", figure::duration(first))]
}

fn fates(analysis: &Analysis) -> Vec<String> {
    let found = || analysis.checks.iter().flat_map(CheckResult::findings);
    let Some(finding) = found().max_by_key(|finding| finding.fates.len()) else { return Vec::new() };
    if !finding.fates.is_empty() {
        return first(finding.fates.clone(), "line");
    }
    let rows = found().flat_map(|finding| &finding.rows);
    first(rows.map(|row| format!("{} {}: {}", row.row.key, row.state.as_str(), row.words)).collect(), "row")
}

/// The first few lines, and the number of the others.
fn first(mut lines: Vec<String>, noun: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST) as u64;
    lines.truncate(MOST);
    if more > 0 {
        lines.push(format!("and {} below", counted(more, &format!("more {noun}"))));
    }
    lines
}

/// What to do next: a sentence, and a command if one helps.
pub(super) fn next(analysis: &Analysis) -> Vec<Value> {
    let mut steps: Vec<(&str, Option<&str>)> = Vec::new();
    let counting = analysis.errors.groups.iter().filter(|group| group.count > 0);
    let blamed: std::collections::BTreeSet<Side> = counting.map(|group| group.side).collect();
    steps.extend(blamed.into_iter().map(of_side));
    for rule in &analysis.rules {
        let step = of_rule(rule);
        if let Some(step) = step.filter(|step| !steps.contains(step)) {
            steps.push(step);
        }
    }
    match analysis.verdict {
        Verdict::Pass | Verdict::Unknown => {}
        Verdict::Fail => steps.push((
            "Repeat the run with the same seed, and so with the same data (the scenario is next to this file):",
            Some("stress run scenario.yaml"),
        )),
    }
    steps.into_iter().map(|(text, command)| context! { text, command }).collect()
}

const fn of_side(side: Side) -> (&'static str, Option<&'static str>) {
    match side {
        Side::Server => (
            "Give the cards under “For the server’s logs” to the people who run the server: they show which request of which site failed, and when.",
            None,
        ),
        Side::Network => (
            "Check the connection to the server: proxies, connection limits, timeouts. The table of errors shows which calls failed, and when.",
            None,
        ),
        Side::Client => {
            ("Examine the databases of this run in databases/, next to this file, and the logs in logs/.", None)
        }
        Side::Configuration => (
            "Correct the scenario, the credentials or the addresses. This command checks them:",
            Some("stress doctor scenario.yaml"),
        ),
        Side::Harness => {
            ("This is a bug in stress: please report it, with the file record.json that is next to this one.", None)
        }
    }
}

const fn of_rule(rule: &Rule) -> Option<(&'static str, Option<&'static str>)> {
    Some(match rule.kind {
        RuleKind::Check => (
            "Examine the rows under “Data”: each shows its value in every database, and where it was last correct. The database files are kept:",
            Some("sqlite3 databases/db1.db"),
        ),
        RuleKind::Held => (
            "To measure the effect of a change, run the scenario again after it and compare:",
            Some("stress compare THIS_RUN OTHER_RUN"),
        ),
        RuleKind::Disagrees => (
            "The record cannot be trusted: facts are missing from it, or it was changed. Run the scenario again:",
            Some("stress run scenario.yaml"),
        ),
        RuleKind::Killed => ("Run the scenario to its end. The record shows no failure, but it is incomplete.", None),
        RuleKind::TimeLimit => {
            ("Raise the time limit, or reduce the load:", Some("stress run scenario.yaml --time-limit 30m"))
        }
        RuleKind::Interrupted => ("Run the scenario to its end.", None),
        RuleKind::Starved => (
            "Run the scenario on a faster or less busy machine, or with fewer databases:",
            Some("stress run scenario.yaml --databases 2"),
        ),
        RuleKind::NothingRan | RuleKind::NothingSynced | RuleKind::NothingChanged | RuleKind::PhaseSkipped => {
            ("Check what the scenario plans, and why nothing came of it:", Some("stress plan scenario.yaml --explain"))
        }
        RuleKind::NotChecked | RuleKind::NotMeasured => {
            ("A check or a threshold could not be evaluated, and may hide a failure. It shows the reason.", None)
        }
        RuleKind::Threshold | RuleKind::Expected | RuleKind::Crash | RuleKind::ErrorRule => return None,
    })
}
