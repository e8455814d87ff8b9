//! A failing run in a few lines: where it broke, on whose side, since when, which rows, and what to do next.

use std::collections::BTreeMap;

use minijinja::{Value, context};

use crate::analysis::{Analysis, Rule, RuleKind, Verdict};
use crate::failure::Side;
use crate::figure::{self, counted};
use crate::report::rows;
use crate::report::text::plain;
use crate::verify::CheckResult;

/// Lines of an answer; all of them stand further below.
const MOST: usize = 3;

/// Questions with their answers, for the page's template. Empty when nothing is wrong.
pub(super) fn answers(analysis: &Analysis) -> Vec<Value> {
    let answer = |question: &str, lines: Vec<String>| {
        let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
        (!lines.is_empty()).then(|| context! { question, lines })
    };
    [
        answer("Where", places(analysis)),
        answer("On whose side", sides(analysis)),
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
    let clusters = analysis.clusters.iter().map(|cluster| match cluster.split_once(", they") {
        Some((_, spread)) => format!("failures{spread}"),
        None => format!("failures: {cluster}"),
    });
    let found = analysis.checks.iter().flat_map(CheckResult::findings).map(|finding| finding.message.clone());
    // Where the data are wrong is told with the rows, unless nothing else is wrong.
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
        sides.entry(result.check.side()).or_default().push(format!("{} does not hold", result.name));
    }
    sides.into_iter().map(|(side, what)| format!("{side}: {}", what.join(", "))).collect()
}

fn since(analysis: &Analysis) -> Vec<String> {
    let Some(first) = analysis.errors.groups.iter().map(|group| group.first).min() else { return Vec::new() };
    let share = first.as_micros() * 100 / analysis.run.duration.as_micros().max(1);
    let iteration = analysis.timeline.iter().find(|row| row.failures > 0);
    let iteration = iteration.map(|row| format!(", in iteration {}", row.iteration)).unwrap_or_default();
    vec![format!("the first failure came after {} ({share} % of the run){iteration}", figure::duration(first))]
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

/// The first few, and how many more there are.
fn first(mut lines: Vec<String>, noun: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST) as u64;
    lines.truncate(MOST);
    if more > 0 {
        lines.push(format!("and {} below", counted(more, &format!("more {noun}"))));
    }
    lines
}

/// What to do next: a sentence, and a command where there is one.
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
            "The same load again, with the same seed and so the same data (the scenario lies beside this file):",
            Some("stress run scenario.yaml"),
        )),
    }
    steps.into_iter().map(|(text, command)| context! { text, command }).collect()
}

const fn of_side(side: Side) -> (&'static str, Option<&'static str>) {
    match side {
        Side::Server => (
            "Give the cards under “For the server’s logs” to whoever runs the server: they say which request of which site failed, and when.",
            None,
        ),
        Side::Network => (
            "Look at what lies between: proxies, limits of connections, timeouts. The table of errors says which calls met it, and when.",
            None,
        ),
        Side::Client => {
            ("Look at the databases of this run, which are kept in databases/ beside this file, and at logs/.", None)
        }
        Side::Configuration => (
            "Correct the scenario, the credentials or the addresses; this looks at each of them:",
            Some("stress doctor scenario.yaml"),
        ),
        Side::Harness => {
            ("This is a fault of stress itself: please report it, with record.json from beside this file.", None)
        }
    }
}

const fn of_rule(rule: &Rule) -> Option<(&'static str, Option<&'static str>)> {
    Some(match rule.kind {
        RuleKind::Check => (
            "Look at the rows under “Data”: each says who has what, and where it was last seen as it should be. The files that held them are kept:",
            Some("sqlite3 databases/db1.db"),
        ),
        RuleKind::Held => (
            "To see what a change does to these figures, run again after it and compare:",
            Some("stress compare THIS_RUN OTHER_RUN"),
        ),
        RuleKind::Killed => {
            ("Nothing was found wrong in what was recorded until then, and nothing proven: run it to its end.", None)
        }
        RuleKind::TimeLimit => ("Give it more time, or less to do:", Some("stress run scenario.yaml --time-limit 30m")),
        RuleKind::Interrupted => ("Let it run to its end.", None),
        RuleKind::Starved => (
            "Run it on a machine with more processors to spare, or with fewer databases:",
            Some("stress run scenario.yaml --databases 2"),
        ),
        RuleKind::NothingRan | RuleKind::NothingSynced | RuleKind::PhaseSkipped => (
            "Look at what the scenario plans, and why it came to nothing:",
            Some("stress plan scenario.yaml --explain"),
        ),
        RuleKind::NotChecked | RuleKind::NotMeasured => {
            ("What could not be looked at may be wrong: the reason stands at the check or the threshold.", None)
        }
        RuleKind::Threshold | RuleKind::Expected | RuleKind::Crash | RuleKind::ErrorRule => return None,
    })
}
