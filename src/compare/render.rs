//! A comparison as text: for a terminal, as Markdown, as JSON. Nothing here computes.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::{Comparison, QuantileChange, ShareChange};
use crate::analysis::Verdict;
use crate::figure;

/// The names of the two sides.
const SIDES: [&str; 2] = ["A", "B"];
const HEADER: [&str; 7] = ["step", "percentile", SIDES[0], SIDES[1], "change", "p", ""];

/// The comparison as lines for a terminal; the last one is the verdict.
pub(crate) fn terminal(comparison: &Comparison, width: usize) -> String {
    let mut text = String::new();
    for line in facts(comparison) {
        let _ = writeln!(text, "{line}");
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(HEADER);
    for row in rows(comparison) {
        table.add_row(row);
    }
    for line in table.lines() {
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for line in shifts(comparison, SIDES).into_iter().chain(differences(comparison)) {
        let _ = writeln!(text, "{line}");
    }
    text.push_str(&verdict(comparison));
    text
}

/// The comparison as Markdown.
pub(crate) fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("# {}\n", escaped(verdict(comparison).trim_end()));
    for line in facts(comparison) {
        let _ = write!(text, "\n- {}", escaped(&line));
    }
    let _ = write!(text, "\n\n| {} |\n|---|---|---|---|---|---|---|\n", HEADER.join(" | "));
    for row in rows(comparison) {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    for line in shifts(comparison, SIDES).into_iter().chain(differences(comparison)) {
        let _ = write!(text, "\n- {}", escaped(&line));
    }
    text.push('\n');
    text
}

/// The comparison as a JSON document. Latencies are in microseconds.
pub(crate) fn json(comparison: &Comparison) -> Value {
    let pair = |change: &ShareChange| {
        json!({
            "a": { "hits": change.first.0, "trials": change.first.1 },
            "b": { "hits": change.second.0, "trials": change.second.1 },
            "p": change.p,
        })
    };
    let steps: Vec<Value> = comparison
        .steps
        .iter()
        .map(|step| {
            let quantiles: Vec<Value> = step
                .quantiles
                .iter()
                .map(|change| {
                    json!({
                        "quantile": change.name,
                        "a": change.values[0],
                        "b": change.values[1],
                        "p": change.p,
                        "regression": change.is_regression,
                    })
                })
                .collect();
            json!({
                "step": step.step.as_str(),
                "count": { "a": step.counts[0], "b": step.counts[1] },
                "shift_p": step.shift.map(|shift| shift.p),
                "superiority": step.shift.map(|shift| shift.superiority),
                "quantiles": quantiles,
            })
        })
        .collect();
    let names = |names: &[super::ErrorName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "version": 1,
        "verdict": if comparison.regressions.is_empty() { "pass" } else { "fail" },
        "regressions": comparison.regressions,
        "notes": comparison.notes,
        "verdicts": {
            "a": comparison.verdicts.worst[0].as_str().to_lowercase(),
            "b": comparison.verdicts.worst[1].as_str().to_lowercase(),
            "failed_runs": pair(&comparison.verdicts.failed),
        },
        "failed_calls": pair(&comparison.errors),
        "new_errors": names(&comparison.new_errors),
        "gone_errors": names(&comparison.gone_errors),
        "rows_per_second": { "a": comparison.rows_per_second[0], "b": comparison.rows_per_second[1] },
        "duration": { "a": comparison.duration[0], "b": comparison.duration[1] },
        "steps": steps,
    })
}

fn facts(comparison: &Comparison) -> Vec<String> {
    let [before, after] = comparison.verdicts.worst;
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), |rate| format!("{}/s", figure::rate(rate)));
    let long = |long: Option<f64>| long.map_or_else(|| "–".to_owned(), microseconds);
    let [rows, duration] = [comparison.rows_per_second.map(rate), comparison.duration.map(long)];
    vec![
        format!("verdict   {before} → {after}; runs that failed: {}", share(&comparison.verdicts.failed)),
        format!("errors    calls that failed: {}", share(&comparison.errors)),
        format!("rows      {} → {}", rows[0], rows[1]),
        format!("duration  {} → {}", duration[0], duration[1]),
    ]
}

pub(super) fn rows(comparison: &Comparison) -> impl Iterator<Item = [String; 7]> {
    comparison.steps.iter().flat_map(|step| {
        step.quantiles.iter().map(|change| {
            let [before, after] = change.values;
            [
                step.step.as_str().to_owned(),
                change.name.to_owned(),
                microseconds(before),
                microseconds(after),
                percent(before, after),
                probability(change.p),
                if change.is_regression { "WORSE".to_owned() } else { String::new() },
            ]
        })
    })
}

/// Sentences about the shift of all latencies of a step, with the size of the effect.
pub(super) fn shifts(comparison: &Comparison, [a, b]: [&str; 2]) -> Vec<String> {
    let told = comparison.steps.iter().filter_map(|step| {
        let (name, shift) = (step.step.as_str(), step.shift?);
        let [before, after] = step.counts;
        let chance = shift.superiority * 100.0;
        let p = probability(shift.p);
        Some(format!(
            "{name}: a call of {b} is slower than a call of {a} with a probability of {chance:.0} % (p {p}; {before} and {after} calls)"
        ))
    });
    told.collect()
}

fn differences(comparison: &Comparison) -> Vec<String> {
    let mut lines: Vec<String> = comparison.new_errors.iter().map(|name| format!("new:  {name}")).collect();
    lines.extend(comparison.gone_errors.iter().map(|name| format!("gone: {name}")));
    lines.extend(comparison.notes.iter().map(|note| format!("note: {note}")));
    lines
}

fn verdict(comparison: &Comparison) -> String {
    match comparison.regressions.as_slice() {
        [] => format!("{}: no significant regression\n", Verdict::Pass),
        [first, more @ ..] => {
            let more = if more.is_empty() { String::new() } else { format!(" (and {} more)", more.len()) };
            format!("{}: {first}{more}\n", Verdict::Fail)
        }
    }
}

/// `2 of 40 → 9 of 40 (p 0.048)`.
pub(super) fn share(change: &ShareChange) -> String {
    let of = |(hits, trials): (u64, u64)| format!("{} of {}", figure::thousands(hits), figure::thousands(trials));
    format!("{} → {} (p {})", of(change.first), of(change.second), probability(change.p))
}

/// `12.0 ms, was 8.0 ms (+50 %, p 0.002)`.
pub(super) fn change(change: &QuantileChange) -> String {
    let [before, after] = change.values;
    let (now, was, by) = (microseconds(after), microseconds(before), percent(before, after));
    format!("{now}, was {was} ({by}, p {})", probability(change.p))
}

pub(super) fn microseconds(microseconds: f64) -> String {
    figure::duration(Duration::from_micros(figure::whole(microseconds)))
}

fn percent(before: f64, after: f64) -> String {
    if before > 0.0 { format!("{:+.0} %", (after / before - 1.0) * 100.0) } else { "–".to_owned() }
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// Text without special meaning in Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#') {
            escaped.push('\\');
        }
        escaped.push(if c == '\n' { ' ' } else { c });
    }
    escaped
}
