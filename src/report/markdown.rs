//! The report as Markdown, for pull requests and wikis. Text of foreign origin is escaped.

use std::fmt::Write;

use super::beside;
use super::rows;
use super::text::{cut, plain};
use crate::analysis::Analysis;
use crate::figure::counted;
use crate::verify::{CheckResult, Outcome};

/// The maximum length of a message, in characters; `report.json` has the full message.
const LONGEST_MESSAGE: usize = 1000;

/// The report as Markdown.
pub fn markdown(analysis: &Analysis) -> String {
    let mut page = String::new();
    let rule = analysis.rules.first().map(|rule| escaped(&rule.message)).unwrap_or_default();
    line(&mut page, &format!("# {}: {}", analysis.verdict, escaped(&analysis.run.scenario)));
    line(&mut page, &format!("**{}**: {rule}", analysis.verdict));
    for rule in analysis.rules.iter().skip(1) {
        let _ = writeln!(page, "- {}", escaped(&rule.message));
    }
    if analysis.rules.len() > 1 {
        page.push('\n');
    }
    table(&mut page, &["Metric", "Value"], rows::summary(analysis));
    if !analysis.timing.steps.is_empty() {
        line(&mut page, "## Latency");
        let measured = analysis.timing.steps.iter().chain(&analysis.timing.phases);
        table(&mut page, &rows::LATENCY, measured.flat_map(rows::latency));
    }
    growth(&mut page, analysis);
    line(&mut page, "## Databases");
    let (shown, others) = rows::worst(&analysis.databases);
    table(&mut page, &rows::DATABASES, shown.into_iter().map(rows::database));
    if let Some(others) = others {
        line(&mut page, &others);
    }
    if !analysis.errors.groups.is_empty() {
        line(&mut page, "## Errors");
        table(&mut page, &rows::ERRORS, analysis.errors.groups.iter().map(rows::error));
        if !analysis.clusters.is_empty() {
            line(&mut page, &format!("Clusters: {}.", escaped(&analysis.clusters.join("; "))));
        }
    }
    cards(&mut page, analysis);
    line(&mut page, "## Checks");
    for result in &analysis.checks {
        check(&mut page, result);
    }
    if analysis.checks.is_empty() {
        page.push_str("The scenario has no checks.\n");
    }
    page.push('\n');
    line(&mut page, "## Thresholds");
    table(&mut page, &rows::THRESHOLDS, analysis.thresholds.iter().map(rows::threshold));
    line(&mut page, "## Run");
    table(&mut page, &["", ""], rows::identity(analysis));
    logs(&mut page, analysis);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn growth(page: &mut String, analysis: &Analysis) {
    if !analysis.growth.rows.is_empty() {
        line(page, "## Growth");
        table(page, &beside::GROWTH, analysis.growth.rows.iter().map(beside::growth));
    }
    for note in beside::growth_notes(&analysis.growth) {
        line(page, &format!("{}.", escaped(&note)));
    }
    if let Some(generator) = &analysis.generator {
        line(page, &format!("Load generator: **{}**; {}.", generator.state.as_str(), escaped(&generator.words)));
    }
}

/// The cards: the facts that find server failures in the server's logs.
fn cards(page: &mut String, analysis: &Analysis) {
    if analysis.cards.is_empty() {
        return;
    }
    line(page, "## For the server's logs");
    line(page, "Times are UTC, by the clock of the load generator.");
    for card in &analysis.cards {
        let (title, lines) = beside::card(card);
        let _ = writeln!(page, "- {}", escaped(&title));
        for line in lines {
            let _ = writeln!(page, "  - {}", escaped(&line));
        }
    }
    page.push('\n');
}

/// The beginning and the end of the logs of databases with failures.
fn logs(page: &mut String, analysis: &Analysis) {
    for (database, log) in &analysis.logs {
        line(page, &format!("## Log of database {database}"));
        let left_out = log.lines.saturating_sub((log.first.len() + log.last.len()) as u64);
        // Markdown shows indented text literally.
        for text in &log.first {
            let _ = writeln!(page, "    {}", plain(text));
        }
        if left_out > 0 {
            let _ = writeln!(page, "    … {}", counted(left_out, "line"));
        }
        for text in &log.last {
            let _ = writeln!(page, "    {}", plain(text));
        }
        page.push('\n');
    }
}

fn check(page: &mut String, result: &CheckResult) {
    let (name, word) = rows::check(result);
    let _ = writeln!(page, "- {}: **{word}**", escaped(&name));
    if let Outcome::NotChecked(reason) = &result.outcome {
        let _ = writeln!(page, "  - {}", escaped(reason));
    }
    for finding in result.findings() {
        let _ = writeln!(page, "  - {}", escaped(&finding.message));
        for fate in &finding.fates {
            let _ = writeln!(page, "    - {}", escaped(fate));
        }
        for row in &finding.rows {
            let (key, holders) = rows::differing(row);
            let holders: Vec<String> = holders.iter().map(|holder| escaped(holder)).collect();
            let _ = writeln!(page, "    - {}: {}", escaped(&key), holders.join("; "));
        }
    }
    for note in &result.notes {
        let _ = writeln!(page, "  - note: {}", escaped(note));
    }
}

/// A paragraph.
fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push_str("\n\n");
}

fn table<const N: usize>(page: &mut String, header: &[&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let _ = writeln!(page, "| {} |", header.join(" | "));
    let _ = writeln!(page, "|{}", " --- |".repeat(N));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.map(|cell| escaped(&cell)).join(" | "));
    }
    page.push('\n');
}

/// Text escaped so that Markdown shows it literally, on one line, also in a table.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for c in cut(&plain(text), LONGEST_MESSAGE).chars() {
        match c {
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '<' | '>' | '#' | '~' => {
                shown.push('\\');
                shown.push(c);
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_from_elsewhere_is_markup() {
        assert_eq!(escaped("a|b `c`\n<d> [e](f)"), "a\\|b \\`c\\` \\<d\\> \\[e\\](f)");
    }
}
