//! The report as Markdown, for pull requests and wikis. What comes from elsewhere is escaped.

use std::fmt::Write;

use super::rows;
use super::text::{cut, plain};
use crate::analysis::Analysis;
use crate::verify::{CheckResult, Outcome};

/// The longest message shown; `report.json` has it in full.
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
        table(&mut page, &rows::LATENCY, measured.map(rows::latency));
    }
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
    line(&mut page, "## Checks");
    for result in &analysis.checks {
        check(&mut page, result);
    }
    if analysis.checks.is_empty() {
        page.push_str("None was asked for.\n");
    }
    page.push('\n');
    line(&mut page, "## Thresholds");
    table(&mut page, &rows::THRESHOLDS, analysis.thresholds.iter().map(rows::threshold));
    line(&mut page, "## Run");
    table(&mut page, &["", ""], rows::identity(analysis));
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
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

/// Text that Markdown shows as it is, on one line, in a table too.
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
