//! The report as one HTML file. It is readable without scripts and without a network; with scripts, its charts are live.
//! Text of foreign origin stays text. Nothing here judges.

mod brief;
pub(crate) mod chart;
mod difference;
mod distribution;
mod growth;
mod heat;
pub(crate) mod series;
pub(crate) mod svg;

use minijinja::{Environment, Value, context};
use xxhash_rust::xxh3::xxh3_128;

use self::chart::{Chart, Group};
use super::text::{cut, plain};
use super::{beside, rows};
use crate::analysis::{Analysis, Card, ErrorGroup, GeneratorState, LimitState, ThresholdResult};
use crate::figure::{self, counted, thousands};
use crate::record::{LogExcerpt, Record};
use crate::scenario::Severity;
use crate::verify::{CheckResult, Finding, Outcome, TracedRow};

/// The maximum length of a message, in characters; `report.json` has the full message.
const LONGEST_MESSAGE: usize = 2000;
/// The maximum number of error groups.
const MOST_ERRORS: usize = 50;
/// The maximum number of databases whose logs are shown.
const MOST_LOGS: usize = 5;
/// The maximum number of findings of a check, of notes of a check, and of reasons for the verdict. There can be one of
/// each per database.
const MOST_LINES: usize = 20;
/// The maximum number of rows per finding.
const MOST_ROWS: usize = 20;
/// The maximum length of the scenario, in characters; `scenario.yaml` has all of it.
const LONGEST_SCENARIO: usize = 60_000;

/// The verdict line of a run that is still running.
const SO_FAR: &str = "no verdict yet; the figures include the steps that were done when the record was last written";

const SHELL: &str = include_str!("shell.html");
const CHARTS: &str = include_str!("charts.html");
const REPORT: &str = include_str!("report.html");
const WAITING: &str = include_str!("waiting.html");
const STYLE: &str = concat!(include_str!("vendor/uPlot.min.css"), "\n", include_str!("page.css"));
const LIBRARY: &str = include_str!("vendor/uPlot.iife.min.js");
const SCRIPT: &str = include_str!("page.js");

/// How a page reaches its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As a file.
    File,
    /// Served, for a run that has ended.
    Ended,
    /// Served, for a run that is still running. The page follows it.
    Following,
}

/// The report as one HTML file.
pub fn html(record: &Record, analysis: &Analysis) -> String {
    html_for(record, analysis, Standing::File)
}

/// The report as an HTML page, as a file or served.
pub fn html_for(record: &Record, analysis: &Analysis, standing: Standing) -> String {
    let run = &analysis.run;
    let groups: Vec<Group> =
        [series::over_time(record, analysis), growth::over_iterations(record)].into_iter().flatten().collect();
    let follows = standing == Standing::Following;
    let word = if follows { "RUNNING" } else { analysis.verdict.as_str() };
    let rules = analysis.rules.iter().map(|rule| message(&rule.message));
    let rules = few(rules.collect(), "more reason");
    let lead = if follows { SO_FAR } else { rules.first().map_or("", String::as_str) };
    let content = context! {
        follows,
        word,
        class => word.to_lowercase(),
        lead,
        rules => if follows { Vec::new() } else { rules.iter().skip(1).cloned().collect() },
        scenario => plain(&run.scenario),
        description => plain(&run.description),
        started => run.started.round(jiff::Unit::Second).unwrap_or(run.started).to_string(),
        answers => brief::answers(analysis),
        next => if follows { Vec::new() } else { brief::next(analysis) },
        tiles => tiles(analysis),
        time => groups.iter().find(|group| group.id == "time").map(drawn),
        growth_charts => groups.iter().find(|group| group.id == "growth").map(drawn),
        heat => heat::map(record, run.databases, run.iterations),
        timeline => timeline(analysis),
        errors => errors(analysis),
        cards => analysis.cards.iter().map(card).collect::<Vec<_>>(),
        checks => checks(analysis),
        latency => distribution::table(record, analysis),
        growth => growth(analysis),
        thresholds => analysis.thresholds.iter().map(threshold).collect::<Vec<_>>(),
        time_limit => record.scenario.scale.time_limit.to_string(),
        databases => databases(analysis),
        logs => analysis.logs.iter().take(MOST_LOGS).map(log).collect::<Vec<_>>(),
        logs_beyond => analysis.logs.len().saturating_sub(MOST_LOGS),
        yaml => verbatim(&record.scenario.to_yaml()),
        identity => rows::identity(analysis),
        generator => generator(record, analysis),
        effort => rows::shares(analysis),
        rates => analysis.timing.rates.iter().map(|kept| plain(&kept.words())).collect::<Vec<_>>(),
    };
    page(REPORT, &format!("{word}: {}", plain(&run.scenario)), standing, &groups, content)
}

/// The page that waits for a record, with the reason why there is none yet.
pub fn html_waiting(reason: &str) -> String {
    page(WAITING, "stress", Standing::Following, &[], context! { reason => message(reason) })
}

/// A page with this body and these groups of charts.
pub(crate) fn page(body: &str, title: &str, standing: Standing, groups: &[Group], content: Value) -> String {
    let data = json(&serde_json::json!({ "groups": groups, "follows": standing == Standing::Following }));
    // The nonce is a hash of the page's content, so nothing inside the page can know it beforehand.
    let nonce = format!("{:032x}", xxh3_128(format!("{title}{data}{content}").as_bytes()));
    let mut environment = Environment::new();
    let added = [("shell.html", SHELL), ("charts.html", CHARTS), ("body.html", body)]
        .into_iter()
        .try_for_each(|(name, source)| environment.add_template_owned(name, source.to_owned()));
    let rendered = added.and_then(|()| {
        environment.get_template("body.html")?.render(context! {
            title,
            nonce,
            served => standing != Standing::File,
            style => Value::from_safe_string(STYLE.to_owned()),
            library => Value::from_safe_string(LIBRARY.to_owned()),
            script => Value::from_safe_string(SCRIPT.to_owned()),
            data => Value::from_safe_string(data),
            ..content
        })
    });
    rendered.expect("the templates are ours, and take every text")
}

/// JSON that cannot end a script or open a comment, wherever it is placed.
fn json(value: &serde_json::Value) -> String {
    [("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029")]
        .iter()
        .fold(value.to_string(), |text, (character, escaped)| text.replace(character, escaped))
}

/// A group for the template, which draws its first view.
pub(crate) fn drawn(group: &Group) -> Value {
    let view = group.views.first();
    let charts = view.into_iter().flat_map(|view| &view.charts);
    let charts = charts.filter(|chart: &&Chart| !chart.is_empty());
    context! {
        id => group.id,
        note => view.map(|view| view.note.clone()),
        charts => charts.map(|chart| svg::drawn(group, chart)).collect::<Vec<_>>(),
    }
}

/// A message without control characters, cut to the maximum length.
pub(crate) fn message(text: &str) -> String {
    cut(&plain(text), LONGEST_MESSAGE)
}

/// The first lines, and the number of the others.
pub(crate) fn few(mut lines: Vec<String>, noun: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST_LINES) as u64;
    lines.truncate(MOST_LINES);
    lines.extend((more > 0).then(|| format!("and {}", counted(more, noun))));
    lines
}

/// A text with its lines and their indents.
fn verbatim(text: &str) -> String {
    let line = |line: &str| {
        let words = line.trim_start();
        format!("{}{}\n", &line[..line.len() - words.len()], plain(words))
    };
    cut(&text.lines().map(line).collect::<String>(), LONGEST_SCENARIO)
}

fn tiles(analysis: &Analysis) -> Vec<Value> {
    let (run, totals, timing) = (&analysis.run, &analysis.totals, &analysis.timing);
    let tile = |label: &str, value: String, detail: String, is_bad: bool| context! { label, value, detail, is_bad };
    let completed = analysis.databases.iter().filter(|database| database.completed).count() as u64;
    let findings: usize = analysis.checks.iter().map(|result| result.findings().len()).sum();
    let checked = analysis.checks.iter().filter(|result| !matches!(result.outcome, Outcome::NotChecked(_))).count();
    let calls = totals.sync_calls() + totals.settling;
    let sends = timing.steps.iter().find(|row| row.step == crate::record::StepKind::Send);
    let p95 = sends.and_then(|row| Some((row.latency.percentile(50.0)?, row.latency.percentile(95.0)?)));
    let (done, planned) = (
        analysis.databases.iter().map(|database| database.iterations).sum(),
        run.iterations.saturating_mul(run.databases),
    );
    let iterations = if done < planned {
        format!("{} of {} completed", thousands(done), counted(planned, "iteration"))
    } else {
        counted(run.iterations, "iteration")
    };
    let mut tiles = vec![
        tile(
            "Databases completed",
            format!("{} of {}", thousands(completed), thousands(run.databases)),
            iterations,
            completed < run.databases && run.ended.is_some(),
        ),
        tile(
            "Rows changed",
            thousands(totals.changed()),
            timing.rows_per_second.map(|rate| format!("{} per second", figure::rate(rate))).unwrap_or_default(),
            false,
        ),
        tile("Sync calls", thousands(calls), format!("{} failed", thousands(totals.failed)), false),
        tile(
            "Errors",
            thousands(analysis.errors.total),
            format!("{} in total", counted(analysis.errors.seen, "failure")),
            analysis.errors.total > 0,
        ),
        tile(
            "Findings in the data",
            thousands(findings as u64),
            format!("{} of {} made", checked, counted(analysis.checks.len() as u64, "check")),
            findings > 0,
        ),
    ];
    tiles.extend(
        p95.map(|(p50, p95)| tile("Send, p95", figure::duration(p95), format!("p50 {}", figure::duration(p50)), false)),
    );
    let settle = timing.settle.map(|settle| format!("including {} of settling", figure::duration(settle)));
    tiles.push(tile("Duration", figure::duration(run.duration), settle.unwrap_or_default(), false));
    tiles
}

fn timeline(analysis: &Analysis) -> Vec<[String; 6]> {
    let step = analysis.timeline.len().div_ceil(100).max(1);
    let rows = analysis.timeline.iter().step_by(step);
    rows.map(|row| {
        [
            thousands(row.iteration),
            figure::duration(row.start),
            figure::duration(row.end),
            thousands(row.rows),
            thousands(row.syncs),
            thousands(row.failures),
        ]
    })
    .collect()
}

fn errors(analysis: &Analysis) -> Value {
    let row = |group: &ErrorGroup| {
        let [count, kind, _, place, sample] = rows::error(group);
        context! { count, kind, side => group.side.as_str(), place, sample => cut(&sample, LONGEST_MESSAGE), code => group.code.as_deref().map(plain), http => group.http }
    };
    let groups = &analysis.errors.groups;
    let beyond = groups.get(MOST_ERRORS..).unwrap_or_default();
    let seen = beyond.iter().map(|group| group.seen).sum();
    let beyond = (!beyond.is_empty())
        .then(|| format!("and {} with {}", counted(beyond.len() as u64, "other group"), counted(seen, "failure")));
    context! { rows => groups.iter().take(MOST_ERRORS).map(row).collect::<Vec<_>>(), beyond }
}

fn card(card: &Card) -> Value {
    let (title, lines) = beside::card(card);
    context! { title => cut(&title, LONGEST_MESSAGE), lines => lines.iter().map(|line| cut(line, LONGEST_MESSAGE)).collect::<Vec<_>>() }
}

fn checks(analysis: &Analysis) -> Vec<Value> {
    // Rows that another check already shows are not repeated.
    let mut shown = Vec::new();
    analysis.checks.iter().map(|result| check(result, &mut shown)).collect()
}

fn check<'a>(result: &'a CheckResult, shown: &mut Vec<&'a [TracedRow]>) -> Value {
    let (name, _) = rows::check(result);
    let (state, word, reason) = match &result.outcome {
        Outcome::Passed => ("good", "passed", None),
        Outcome::Failed(_) => ("bad", "failed", None),
        Outcome::NotChecked(reason) => ("open", "not checked", Some(message(reason))),
    };
    let mut findings = Vec::new();
    for found in result.findings().iter().take(MOST_LINES) {
        let again = !found.rows.is_empty() && shown.contains(&found.rows.as_slice());
        shown.push(&found.rows);
        findings.push(finding(found, again));
    }
    let beyond = result.findings().len().saturating_sub(MOST_LINES) as u64;
    let beyond = (beyond > 0).then(|| format!("and {}", counted(beyond, "more finding")));
    let notes = few(result.notes.iter().map(|note| message(note)).collect(), "more note");
    context! { name, state, word, reason, findings, beyond, notes, side => result.check.side().as_str() }
}

fn finding(finding: &Finding, again: bool) -> Value {
    let rows: Vec<Value> =
        if again { Vec::new() } else { finding.rows.iter().take(MOST_ROWS).map(difference::row).collect() };
    let fates: Vec<String> = if again { Vec::new() } else { finding.fates.iter().map(|fate| message(fate)).collect() };
    let beyond = if again { 0 } else { finding.total.saturating_sub(rows.len() as u64) };
    let beyond = (beyond > 0 && !rows.is_empty()).then(|| format!("{} are not shown", counted(beyond, "more row")));
    context! { message => message(&finding.message), again, fates, rows, beyond }
}

fn growth(analysis: &Analysis) -> Value {
    context! {
        header => beside::GROWTH,
        rows => analysis.growth.rows.iter().map(beside::growth).collect::<Vec<_>>(),
        notes => beside::growth_notes(&analysis.growth),
    }
}

fn threshold(result: &ThresholdResult) -> Value {
    let [text, measured, state] = rows::threshold(result);
    let class = match (&result.state, result.severity) {
        (LimitState::Kept, _) => "good",
        (LimitState::Broken, Severity::Fail) => "bad",
        (LimitState::Broken, Severity::Warn) | (LimitState::NotMeasured(_), _) => "open",
    };
    context! { text, measured, state, class, built_in => result.is_built_in() }
}

fn databases(analysis: &Analysis) -> Value {
    let (shown, others) = rows::worst(&analysis.databases);
    let row = |summary: &crate::analysis::DatabaseSummary| {
        let crash = summary.crash.as_deref().map(message);
        context! { cells => rows::database(summary), is_bad => summary.errors > 0 || summary.crash.is_some(), crash }
    };
    context! { header => rows::DATABASES, rows => shown.into_iter().map(row).collect::<Vec<_>>(), others }
}

fn log((database, log): &(u32, LogExcerpt)) -> Value {
    let left_out = log.lines.saturating_sub((log.first.len() + log.last.len()) as u64);
    let gap = (left_out > 0).then(|| format!("… {}", counted(left_out, "line")));
    let lines: Vec<String> =
        log.first.iter().map(|line| plain(line)).chain(gap).chain(log.last.iter().map(|line| plain(line))).collect();
    context! { database, text => lines.join("\n") }
}

fn generator(record: &Record, analysis: &Analysis) -> Option<Value> {
    let summary = analysis.generator.as_ref()?;
    let class = match summary.state {
        GeneratorState::Served => "good",
        GeneratorState::Strained => "open",
        GeneratorState::Starved => "bad",
    };
    let share = summary.cpu_share.map(|share| format!("{:.0} %", share * 100.0));
    let ticks = record.generator.map(|generator| thousands(generator.ticks));
    Some(context! {
        state => summary.state.as_str(),
        class,
        words => plain(&summary.words),
        lag_p99 => figure::duration(summary.lag_p99),
        lag_max => figure::duration(summary.lag_max),
        share,
        ticks,
    })
}

#[cfg(test)]
mod tests;
