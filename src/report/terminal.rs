//! The report for a terminal: tables that fit its width, colours as escape sequences, and the verdict as the last line.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};

use super::beside;
use super::rows;
use super::text::{cut, plain, wrap};
use crate::analysis::{Analysis, GeneratorState, LimitState, Verdict};
use crate::figure::counted;
use crate::verify::{CheckResult, Finding, Outcome, TracedRow};

/// The minimum width of tables, in characters.
const NARROWEST: usize = 40;
/// The maximum length of a message, in characters; `report.json` has the full message.
const LONGEST_MESSAGE: usize = 400;
/// The maximum number of rows per finding; `report.json` has all recorded rows.
const MOST_ROWS: usize = 10;
/// The maximum number of iterations in the timeline.
const TIMELINE: usize = 40;

const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();

/// The report in lines of at most `width` characters, with escape sequences for colours. Its last line is the verdict.
pub fn terminal(analysis: &Analysis, width: usize) -> String {
    let mut page = Page { text: String::new(), width: width.max(NARROWEST) };
    page.heading("Run");
    for [name, value] in rows::identity(analysis) {
        page.lines(&format!("{name:<9} {value}"), 10);
    }
    page.heading("Result");
    page.table(&["metric", "value"], rows::summary(analysis).into_iter().map(Vec::from));
    latency(&mut page, analysis);
    growth(&mut page, analysis);
    databases(&mut page, analysis);
    errors(&mut page, analysis);
    cards(&mut page, analysis);
    checks(&mut page, analysis);
    page.heading("Thresholds");
    page.table(&rows::THRESHOLDS, analysis.thresholds.iter().map(|result| rows::threshold(result).into()));
    verdict(&mut page, analysis);
    page.text
}

fn latency(page: &mut Page, analysis: &Analysis) {
    if !analysis.timing.steps.is_empty() {
        page.heading("Latency per step, without settling");
        page.table(&rows::LATENCY, analysis.timing.steps.iter().flat_map(rows::latency).map(Into::into));
    }
    if !analysis.timing.phases.is_empty() {
        page.heading("Latency per phase");
        page.table(&rows::LATENCY, analysis.timing.phases.iter().flat_map(rows::latency).map(Into::into));
    }
}

fn growth(page: &mut Page, analysis: &Analysis) {
    let growth = &analysis.growth;
    if !growth.rows.is_empty() {
        page.heading("Growth (mean of all databases)");
        page.table(&beside::GROWTH, growth.rows.iter().map(|row| beside::growth(row).into()));
    }
    for note in beside::growth_notes(growth) {
        page.lines(&note, 2);
    }
    if let Some(generator) = &analysis.generator {
        page.heading("Load generator");
        let style = match generator.state {
            GeneratorState::Served => GOOD,
            GeneratorState::Strained => OPEN,
            GeneratorState::Starved => BAD,
        };
        page.styled(style, generator.state.as_str(), 0);
        page.lines(&plain(&generator.words), 2);
    }
}

/// The cards: the facts that find server failures in the server's logs.
fn cards(page: &mut Page, analysis: &Analysis) {
    if !analysis.cards.is_empty() {
        page.heading("For the server's logs (UTC, by this machine's clock)");
    }
    for card in &analysis.cards {
        let (title, lines) = beside::card(card);
        page.lines(&short(&title), 2);
        for line in lines {
            page.lines(&format!("  {line}"), 4);
        }
    }
    if !analysis.logs.is_empty() {
        let indexes: Vec<u32> = analysis.logs.iter().map(|(database, _)| *database).collect();
        let whose = crate::verify::databases(&indexes);
        page.lines(&format!("The beginning and the end of the logs of {whose} are in report.md and report.json."), 0);
    }
}

fn databases(page: &mut Page, analysis: &Analysis) {
    page.heading("Databases");
    let (shown, others) = rows::worst(&analysis.databases);
    page.table(&rows::DATABASES, shown.iter().map(|summary| rows::database(summary).into()));
    if let Some(line) = others {
        page.lines(&line, 0);
    }
    for summary in shown {
        if let Some(crash) = &summary.crash {
            page.styled(BAD, &format!("database {} crashed: {}", summary.database, short(crash)), 2);
        }
    }
}

fn errors(page: &mut Page, analysis: &Analysis) {
    if analysis.errors.groups.is_empty() {
        return;
    }
    page.heading("Errors by kind and side");
    page.table(
        &rows::ERRORS,
        analysis.errors.groups.iter().map(|group| {
            let [count, kind, side, place, sample] = rows::error(group);
            vec![count, kind, side, place, short(&sample)]
        }),
    );
    if !analysis.clusters.is_empty() {
        page.lines(&format!("Clusters: {}.", analysis.clusters.join("; ")), 2);
    }
    let with_failures: Vec<_> = analysis.timeline.iter().filter(|row| row.failures > 0).collect();
    if with_failures.is_empty() {
        return;
    }
    page.heading("Failures by iteration");
    let most = with_failures.iter().map(|row| row.failures).max().unwrap_or(1);
    for row in with_failures.iter().take(TIMELINE) {
        let room = page.width.saturating_sub(30).clamp(8, 40) as u64;
        let bar = "█".repeat(usize::try_from((row.failures * room / most).max(1)).unwrap_or(1));
        page.lines(&format!("{:>6} {bar} {}", row.iteration, row.failures), 0);
    }
    if with_failures.len() > TIMELINE {
        let more = with_failures.len() - TIMELINE;
        page.lines(&format!("and {} more", counted(more as u64, "iteration")), 0);
    }
}

fn checks(page: &mut Page, analysis: &Analysis) {
    page.heading("Checks");
    if analysis.checks.is_empty() {
        page.lines("the scenario has no checks", 0);
    }
    let mut shown: Vec<&[TracedRow]> = Vec::new();
    for result in &analysis.checks {
        check(page, result, &mut shown);
    }
}

fn check<'a>(page: &mut Page, result: &'a CheckResult, shown: &mut Vec<&'a [TracedRow]>) {
    let (name, word) = rows::check(result);
    let style = match &result.outcome {
        Outcome::Passed => GOOD,
        Outcome::Failed(_) => BAD,
        Outcome::NotChecked(_) => OPEN,
    };
    page.styled(style, &format!("{name}: {word}"), 2);
    match &result.outcome {
        Outcome::Passed => {}
        Outcome::Failed(findings) => findings.iter().for_each(|finding| self::finding(page, finding, shown)),
        Outcome::NotChecked(reason) => page.lines(&format!("  {}", short(reason)), 2),
    }
    for note in &result.notes {
        page.lines(&format!("  note: {}", short(note)), 4);
    }
}

/// A finding with its rows. Rows that another finding already shows are not repeated.
fn finding<'a>(page: &mut Page, finding: &'a Finding, shown: &mut Vec<&'a [TracedRow]>) {
    page.lines(&format!("  {}", short(&finding.message)), 4);
    if finding.rows.is_empty() {
        return;
    }
    if shown.contains(&finding.rows.as_slice()) {
        page.lines("    the same rows as above", 4);
        return;
    }
    shown.push(&finding.rows);
    for fate in &finding.fates {
        page.lines(&format!("    {}", short(fate)), 6);
    }
    for row in finding.rows.iter().take(MOST_ROWS) {
        let (key, holders) = rows::differing(row);
        page.lines(&format!("    {}", short(&key)), 6);
        for holder in holders {
            page.lines(&format!("      {}", short(&holder)), 8);
        }
    }
    let listed = finding.rows.len().min(MOST_ROWS) as u64;
    if finding.total > listed {
        page.lines(&format!("    {listed} shown of {}", counted(finding.total, "differing row")), 4);
    }
}

fn verdict(page: &mut Page, analysis: &Analysis) {
    page.heading("Verdict");
    let warned = analysis.thresholds.iter().filter(|result| result.state == LimitState::Broken).count();
    if warned > 0 && analysis.verdict == Verdict::Pass {
        page.lines("Some broken thresholds only warn.", 0);
    }
    let rule = analysis.rules.first().map(|rule| plain(&rule.message)).unwrap_or_default();
    let line = format!("{}: {rule}", analysis.verdict);
    if analysis.rules.len() > 1 || line.chars().count() > page.width {
        for rule in &analysis.rules {
            page.lines(&format!("- {}", short(&rule.message)), 2);
        }
    }
    let style = match analysis.verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail => BAD,
        Verdict::Unknown => OPEN,
    };
    let run = &analysis.run;
    page.lines(
        &format!("seed {}, run {}, {} in {}", run.seed, plain(&run.id), plain(&run.scenario), plain(&run.path)),
        2,
    );
    let line = cut(&line, page.width);
    let _ = writeln!(page.text, "\n{style}{line}{style:#}");
}

/// A message without control characters, cut to the maximum length.
fn short(message: &str) -> String {
    cut(&plain(message), LONGEST_MESSAGE)
}

/// The text written so far.
struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn heading(&mut self, heading: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.styled(BOLD, heading, 0);
    }

    fn lines(&mut self, text: &str, indent: usize) {
        for line in wrap(text, self.width, indent) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    fn styled(&mut self, style: Style, text: &str, indent: usize) {
        for line in wrap(text, self.width, indent) {
            let _ = writeln!(self.text, "{style}{line}{style:#}");
        }
    }

    fn table(&mut self, header: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_BORDERS_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width).unwrap_or(u16::MAX))
            .set_header(header.iter().copied());
        for row in rows {
            table.add_row(row);
        }
        for line in table.lines() {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}
