//! The rows of the tables, shared by the terminal and the Markdown report.

use crate::analysis::{Analysis, Calls, DatabaseSummary, ErrorGroup, LatencyRow, LimitState, ThresholdResult};
use crate::figure::{self, counted, thousands};
use crate::latency::Latency;
use crate::record::{EndReason, Holder, Holding, RowDifference};
use crate::scenario::Severity;
use crate::verify::{CheckResult, Outcome, TracedRow};

use super::text::plain;

/// The maximum number of databases in the table; if there are more, it shows the worst ones.
pub(super) const MOST_DATABASES: usize = 20;

/// The table of results, with the rows of the original shell script.
pub(super) fn summary(analysis: &Analysis) -> Vec<[String; 2]> {
    let run = &analysis.run;
    let totals = &analysis.totals;
    let row = |metric: &str, value: String| [metric.to_owned(), value];
    let crud = format!(
        "{} ({} deleted, {} inserted, {} updated, {} queried)",
        thousands(totals.crud()),
        thousands(totals.deleted),
        thousands(totals.inserted),
        thousands(totals.updated),
        thousands(totals.queried),
    );
    let kinds: Vec<String> =
        [(totals.sends, "send"), (totals.receives, "receive"), (totals.checks, "check"), (totals.syncs, "sync")]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, noun)| counted(number, noun))
            .collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let settling = if totals.settling > 0 {
        format!(", and {} while settling", thousands(totals.settling))
    } else {
        String::new()
    };
    let mut rows = vec![
        row("Concurrent databases", thousands(run.databases)),
        row("Rows per iteration", thousands(run.rows)),
        row("Iterations per database", thousands(run.iterations)),
        row("Total CRUD operations", crud),
        row("Total sync operations", format!("{}{kinds}{settling}", thousands(totals.sync_calls()))),
        row("Duration", duration(analysis)),
    ];
    rows.extend(analysis.timing.rates.iter().map(|kept| row("Rate", plain(&kept.words()))));
    if let Some(shares) = shares(analysis) {
        rows.push(row("Databases' time", shares));
    }
    if let Some(rate) = analysis.timing.rows_per_second {
        rows.push(row("Rows changed per second", figure::rate(rate)));
    }
    let per_second = analysis
        .timing
        .bytes_per_second
        .map(|rate| format!(" ({}/s)", figure::bytes(figure::whole(rate))))
        .unwrap_or_default();
    rows.push(row("Payload", format!("{}{per_second}", figure::bytes(totals.bytes))));
    rows.push(row("Total errors", errors(analysis)));
    rows.push(row("Error types", error_types(analysis)));
    rows.push(row("Result", analysis.verdict.to_string()));
    rows
}

fn duration(analysis: &Analysis) -> String {
    let cut = match analysis.run.ended {
        Some(EndReason::Done) => "",
        Some(EndReason::TimeLimit) => ", ended early by the time limit",
        Some(EndReason::Interrupted) => ", interrupted",
        Some(EndReason::Stopped) => ", stopped early",
        None => ", then killed",
    };
    let settle = match (analysis.timing.settle, analysis.timing.rounds) {
        (Some(settle), Some(rounds)) => {
            format!(", including {} of settling in {}", figure::duration(settle), counted(u64::from(rounds), "round"))
        }
        _ => String::new(),
    };
    format!("{}{settle}{cut}", figure::duration(analysis.run.duration))
}

/// How the databases spent their time, in percent; parts below half a percent are left out.
pub(super) fn shares(analysis: &Analysis) -> Option<String> {
    let parts = analysis.timing.effort.parts();
    let all: std::time::Duration = parts.iter().map(|(_, part)| *part).sum();
    let percent = |part: std::time::Duration| part.as_secs_f64() / all.as_secs_f64() * 100.0;
    let shown = parts.iter().filter(|(_, part)| !all.is_zero() && percent(*part) >= 0.5);
    let shown: Vec<String> = shown.map(|(name, part)| format!("{name} {:.0} %", percent(*part))).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn errors(analysis: &Analysis) -> String {
    let errors = &analysis.errors;
    let apart: Vec<String> =
        [(errors.retried, "retried"), (errors.ignored, "ignored"), (errors.warned, "warned about")]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", thousands(number)))
            .collect();
    if apart.is_empty() {
        thousands(errors.total)
    } else {
        format!("{}; not counted: {}", thousands(errors.total), apart.join(", "))
    }
}

fn error_types(analysis: &Analysis) -> String {
    let mut types: Vec<(String, u64)> = Vec::new();
    for group in &analysis.errors.groups {
        let name = format!("{} ({})", group.kind, group.side);
        match types.iter_mut().find(|(known, _)| *known == name) {
            Some((_, seen)) => *seen += group.seen,
            None => types.push((name, group.seen)),
        }
    }
    if types.is_empty() {
        return "none".to_owned();
    }
    types.into_iter().map(|(name, seen)| format!("{name} × {}", thousands(seen))).collect::<Vec<_>>().join(", ")
}

pub(super) const LATENCY: [&str; 6] = ["step", "count", "p50", "p95", "p99", "max"];

/// The rows of a step: its latencies and, with a `rate`, its latencies from the scheduled start.
pub(super) fn latency(row: &LatencyRow) -> Vec<[String; 6]> {
    let step = match &row.phase {
        Some(phase) if phase != row.step.as_str() => format!("{}: {}", plain(phase), row.step.as_str()),
        Some(_) | None => row.step.as_str().to_owned(),
    };
    let show = |duration: Option<std::time::Duration>| duration.map_or_else(|| "–".to_owned(), figure::duration);
    let cells = |name: String, latency: &Latency| {
        let quantile = |percent| show(latency.percentile(percent));
        [name, thousands(latency.count()), quantile(50.0), quantile(95.0), quantile(99.0), show(latency.max())]
    };
    let intended = row.intended.as_ref().map(|latency| cells(format!("{step}, from its scheduled start"), latency));
    std::iter::once(cells(step, &row.latency)).chain(intended).collect()
}

pub(super) const DATABASES: [&str; 8] =
    ["database", "user", "iterations", "rows", "sends", "receives", "errors", "state"];

pub(super) fn database(summary: &DatabaseSummary) -> [String; 8] {
    let state = match (&summary.crash, summary.completed) {
        (Some(_), _) => "crashed",
        (None, true) => "completed",
        (None, false) => "not completed",
    };
    [
        summary.database.to_string(),
        summary.user.to_string(),
        thousands(summary.iterations),
        thousands(summary.rows),
        calls(summary.sends),
        calls(summary.receives),
        thousands(summary.errors),
        state.to_owned(),
    ]
}

fn calls(calls: Calls) -> String {
    match calls.failed {
        0 => thousands(calls.made),
        failed => format!("{} ({} failed)", thousands(calls.made), thousands(failed)),
    }
}

/// The databases to show (the worst ones, if there are too many) and a line about the others.
pub(super) fn worst(databases: &[DatabaseSummary]) -> (Vec<&DatabaseSummary>, Option<String>) {
    let mut shown: Vec<&DatabaseSummary> = databases.iter().collect();
    if shown.len() <= MOST_DATABASES {
        return (shown, None);
    }
    shown.sort_by_key(|summary| {
        (
            summary.crash.is_none(),
            summary.completed,
            std::cmp::Reverse(summary.errors),
            std::cmp::Reverse(summary.sends.failed + summary.receives.failed),
            summary.iterations,
            summary.database,
        )
    });
    let others = shown.split_off(MOST_DATABASES);
    let completed = others.iter().filter(|summary| summary.completed).count() as u64;
    let errors = others.iter().map(|summary| summary.errors).sum();
    let line = format!(
        "and {}: {} completed, {}",
        counted(others.len() as u64, "other database"),
        thousands(completed),
        counted(errors, "error"),
    );
    (shown, Some(line))
}

pub(super) const ERRORS: [&str; 5] = ["count", "kind", "side", "where", "first message"];

pub(super) fn error(group: &ErrorGroup) -> [String; 5] {
    let apart: Vec<String> = [
        (group.seen.saturating_sub(group.count + group.retried + group.ignored + group.warned), "repeated"),
        (group.retried, "retried"),
        (group.ignored, "ignored"),
        (group.warned, "warned"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("+{} {what}", thousands(number)))
    .collect();
    let count = [vec![thousands(group.count)], apart].concat().join(" ");
    let mut place = Vec::new();
    if !group.databases.is_empty() {
        let indexes: Vec<u64> = group.databases.iter().map(|index| u64::from(*index)).collect();
        place.push(format!("db {}", figure::runs(&indexes)));
    }
    let iterations: Vec<u64> = group.iterations.iter().copied().filter(|iteration| *iteration > 0).collect();
    if !iterations.is_empty() {
        place.push(format!("iteration {}", figure::runs(&iterations)));
    }
    place.push(plain(&group.phases.join(", ")));
    if group.jobs > 0 {
        place.push(counted(group.jobs, "job"));
    }
    place.push(format!("from {}", figure::duration(group.first)));
    [count, group.kind.to_string(), group.side.to_string(), place.join("; "), plain(&group.sample)]
}

pub(super) const THRESHOLDS: [&str; 3] = ["threshold", "measured", "state"];

pub(super) fn threshold(result: &ThresholdResult) -> [String; 3] {
    let measured = result.measured.map_or_else(|| "n/a".to_owned(), |measured| measured.to_string());
    let state = match (&result.state, result.severity) {
        (LimitState::Kept, _) => "kept".to_owned(),
        (LimitState::Broken, Severity::Fail) => "BROKEN".to_owned(),
        (LimitState::Broken, Severity::Warn) => "broken (warning)".to_owned(),
        (LimitState::NotMeasured(reason), _) => format!("n/a: {}", plain(reason)),
    };
    [plain(&result.text), measured, state]
}

/// A check's name and its outcome in a word.
pub(super) fn check(result: &CheckResult) -> (String, &'static str) {
    let word = match &result.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "FAILED",
        Outcome::NotChecked(_) => "not checked",
    };
    (plain(&result.name), word)
}

/// A differing row: its key, and its contents in each holder. Holders with the same contents share a line.
pub(super) fn differing(traced: &TracedRow) -> (String, Vec<String>) {
    let lines = versions(&traced.row)
        .into_iter()
        .map(|(version, holders)| match version {
            Some(row) => format!("{}: {}", names(&holders), plain(row)),
            None => format!("{}: no such row", names(&holders)),
        })
        .collect();
    (format!("{}: {}", plain(&traced.row.key), traced.state.as_str()), lines)
}

/// Contents of a row (`None` if it does not exist), and the holders that have them.
pub(super) fn versions(row: &RowDifference) -> Vec<(Option<&str>, Vec<Holder>)> {
    let mut versions: Vec<(Option<&str>, Vec<Holder>)> = Vec::new();
    for Holding { holder, row, unsent: _ } in &row.holders {
        match versions.iter_mut().find(|(version, _)| *version == row.as_deref()) {
            Some((_, holders)) => holders.push(*holder),
            None => versions.push((row.as_deref(), vec![*holder])),
        }
    }
    versions
}

/// `db 1–3 and server`.
pub(super) fn names(holders: &[Holder]) -> String {
    let mut indexes = Vec::new();
    let mut others = Vec::new();
    for holder in holders {
        match holder {
            Holder::Database(index) => indexes.push(u64::from(*index)),
            Holder::Server => others.push("server".to_owned()),
            Holder::Bootstrap => others.push("new db".to_owned()),
        }
    }
    if !indexes.is_empty() {
        others.insert(0, format!("db {}", figure::runs(&indexes)));
    }
    figure::list(&others)
}

/// The rows that identify the run and its versions.
pub(super) fn identity(analysis: &Analysis) -> Vec<[String; 2]> {
    let run = &analysis.run;
    let row = |name: &str, value: String| [name.to_owned(), plain(&value)];
    let users = run.users.map(|users| format!(", row-level security with {}", counted(users, "user")));
    let mut rows = vec![
        row("scenario", format!("{} ({})", run.scenario, run.path)),
        row("run", run.id.clone()),
        row("started", run.started.round(jiff::Unit::Second).unwrap_or(run.started).to_string()),
        row("seed", run.seed.to_string()),
        row(
            "target",
            format!(
                "{} {} at {}{}",
                run.target.kind,
                run.target.version,
                run.target.address,
                users.unwrap_or_default()
            ),
        ),
        row(
            "versions",
            format!(
                "stress {}, SQLite {}, {} {}, {}",
                run.stress,
                run.machine.sqlite,
                run.machine.os,
                run.machine.arch,
                counted(run.machine.cpus as u64, "processor"),
            ),
        ),
    ];
    // A driver's engine has no pragmas of ours.
    if !run.target.kind.is_driven() {
        rows.push(row("sqlite", format!("{}; memory statistics off", run.pragmas.join(", "))));
    }
    rows
}
