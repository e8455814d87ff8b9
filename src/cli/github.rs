//! What GitHub Actions is told, when it runs us: problems on the lines of a pull request, the report in the job's summary,
//! and the words that its log must not show.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use crate::analysis::{Analysis, LimitState, RuleKind, ThresholdResult, Verdict};
use crate::diagnostic::{Diagnostic, diagnose};
use crate::plan::threshold::Metric;
use crate::scenario::{Issue, Severity};
use crate::session::Credential;
use crate::source::{Source, join};
use crate::target::Connected;
use crate::verify::Outcome;

/// GitHub takes no summary of a step that is larger, in bytes.
const LARGEST_SUMMARY: usize = 1024 * 1024;
/// Of each check so many findings become annotations; of all GitHub shows ten.
const MOST_FINDINGS: usize = 3;
/// Shorter texts are words like any other: hiding them would hide the log.
const SHORTEST_SECRET: usize = 6;

/// The job that runs us.
#[derive(Debug, Clone)]
pub(super) struct Github {
    /// The file that becomes the job's summary.
    summary: Option<PathBuf>,
}

impl Github {
    /// From the variables that the runner sets; none elsewhere.
    pub(super) fn from_environment() -> Option<Self> {
        let runs_us = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        runs_us.then(|| Self { summary: std::env::var_os("GITHUB_STEP_SUMMARY").map(PathBuf::from) })
    }

    /// Adds Markdown to the job's summary, in full or as far as there is room.
    pub(super) fn summarize(&self, markdown: &str) -> Result<(), String> {
        let Some(path) = &self.summary else { return Ok(()) };
        let failed = |error| format!("failed to write the summary of the job to `{}`: {error}", path.display());
        let mut file = File::options().append(true).create(true).open(path).map_err(failed)?;
        let used = file.metadata().map_err(failed)?.len();
        let room = LARGEST_SUMMARY.saturating_sub(usize::try_from(used).unwrap_or(usize::MAX));
        file.write_all(fitting(markdown, room).as_bytes()).map_err(failed)
    }
}

/// As many whole lines as fit into so many bytes, and a word about the rest.
fn fitting(markdown: &str, room: usize) -> String {
    const REST: &str = "\n\nThe rest does not fit into this summary; it is in report.md of the run.\n";
    if markdown.len() < room {
        return format!("{markdown}\n");
    }
    let Some(room) = room.checked_sub(REST.len()) else { return String::new() };
    let end = markdown.match_indices('\n').map(|(at, _)| at).take_while(|at| *at <= room).last();
    format!("{}{REST}", &markdown[..end.unwrap_or_default()])
}

/// Workflow commands for these problems, one a line.
pub(super) fn annotations(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| diagnostic.github() + "\n").collect()
}

/// What a run that did not pass comes to, each thing on the line of the scenario that asked for it. `source` is a good
/// scenario: it has no problems of its own.
pub(super) fn findings(analysis: &Analysis, source: &Source) -> Vec<Diagnostic> {
    diagnose(source, &issues(analysis, source))
}

fn issues(analysis: &Analysis, source: &Source) -> Vec<Issue> {
    let mut issues = Vec::new();
    let failed = analysis.verdict == Verdict::Fail;
    for rule in &analysis.rules {
        let (pointer, code) = match rule.kind {
            RuleKind::Held | RuleKind::Check | RuleKind::Threshold => continue,
            RuleKind::Expected if !failed => continue,
            RuleKind::Expected => ("/expect", "verdict::expected"),
            RuleKind::Crash => ("/name", "verdict::crash"),
            RuleKind::ErrorRule => ("/errors", "verdict::error_rule"),
            RuleKind::Killed => ("/name", "verdict::killed"),
            RuleKind::TimeLimit => ("/scale/time_limit", "verdict::time_limit"),
            RuleKind::Interrupted => ("/name", "verdict::interrupted"),
            RuleKind::NothingRan => ("/phases", "verdict::nothing_ran"),
            RuleKind::NothingSynced => ("/phases", "verdict::nothing_synced"),
            RuleKind::Starved => ("/scale", "verdict::starved"),
            RuleKind::PhaseSkipped => ("/phases", "verdict::phase_skipped"),
            RuleKind::NotChecked => ("/verify", "verdict::not_checked"),
            RuleKind::NotMeasured => ("/thresholds", "verdict::not_measured"),
        };
        issues.push(Issue::new(pointer, code, rule.message.clone()));
    }
    for result in analysis.checks.iter().filter(|_| failed) {
        let Outcome::Failed(findings) = &result.outcome else { continue };
        let pointer = place(source, "verify", |check| check == result.check.as_str());
        for finding in findings.iter().take(MOST_FINDINGS) {
            let message = format!("{}: {}", result.name, finding.message);
            issues.push(Issue::new(pointer.clone(), "run::finding", message));
        }
    }
    // What the built-in ones count is told one by one.
    let counted = |result: &ThresholdResult| {
        result.built_in && matches!(result.metric, Metric::ErrorsTotal | Metric::FindingsTotal)
    };
    let broken = |result: &&ThresholdResult| result.state == LimitState::Broken && !counted(result);
    for result in analysis.thresholds.iter().filter(broken) {
        let pointer = place(source, "thresholds", |text| text == result.text);
        let issue = Issue::new(pointer, "run::threshold", result.not_met());
        match result.severity {
            Severity::Fail if failed => issues.push(issue),
            Severity::Fail => {}
            Severity::Warn => issues.push(issue.warning()),
        }
    }
    for group in analysis.errors.groups.iter().filter(|group| failed && group.count > 0) {
        let phase = group.phases.first();
        let pointer = place(source, "phases", |name| Some(name) == phase.map(String::as_str));
        let message = format!("{} × {} on the {} side: {}", group.count, group.kind, group.side, group.sample);
        issues.push(Issue::new(pointer, "run::error", message));
    }
    issues
}

/// Where an entry of a list stands that is this text, or has it as its name or expression; else the list.
fn place(source: &Source, list: &str, is_it: impl Fn(&str) -> bool) -> String {
    let list = join("", list);
    let entries = source.value.pointer(&list).and_then(serde_json::Value::as_array);
    let text = |entry: &serde_json::Value| {
        [Some(entry), entry.get("name"), entry.get("expr")]
            .into_iter()
            .flatten()
            .any(|value| value.as_str().is_some_and(&is_it))
    };
    let index = entries.and_then(|entries| entries.iter().position(text));
    index.map_or_else(|| list.clone(), |index| join(&list, &index.to_string()))
}

/// Commands that hide the variables of the environment which a scenario's target names, and what their parameters hold.
pub(super) fn hide_variables(source: &Source, variable: impl Fn(&str) -> Option<String>) -> String {
    let target = source.value.get("target").map(ToString::to_string).unwrap_or_default();
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let names: BTreeSet<String> = target.split("env.").skip(1).map(name).collect();
    let values: Vec<String> = names.iter().filter_map(|name| variable(name)).collect();
    let parameters = values.iter().flat_map(|value| value.split(['?', '&']));
    let parameters = parameters.filter_map(|part| Some(part.split_once('=')?.1));
    masks(values.iter().map(String::as_str).chain(parameters))
}

/// Commands that hide what the databases of a run authenticate with.
pub(super) fn hide_credentials(target: &Connected) -> String {
    let all = target.credentials.iter().chain(target.wrong_credentials.values());
    masks(all.filter_map(|credential| match credential {
        Credential::Token(secret) | Credential::ApiKey(secret) => Some(secret.as_str()),
        Credential::Nothing => None,
    }))
}

fn masks<'a>(secrets: impl Iterator<Item = &'a str>) -> String {
    let secrets: BTreeSet<&str> = secrets.filter(|secret| secret.len() >= SHORTEST_SECRET).collect();
    let lines = secrets.into_iter().flat_map(str::lines).filter(|line| line.len() >= SHORTEST_SECRET);
    lines.map(|line| "::add-mask::".to_owned() + &line.replace('%', "%25").replace('\r', "%0D") + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::fixture;

    const SCENARIO: &str = "name: small\nthresholds:\n  - send.duration p99 < 1us\nphases:\n  - name: insert\n\
                            verify:\n  - server\n  - converged\n";

    #[test]
    fn what_broke_is_on_the_line_that_asked_for_it() {
        let plan = fixture::plan(2);
        let mut record = fixture::record(&plan);
        fixture::diverge(&mut record);
        let locked = fixture::failure(crate::failure::Call::Send, 5, "database is locked,\n100% of it");
        fixture::fail(&mut record, 1, 1, "insert", crate::record::StepKind::Send, locked);
        let analysis = analyze(&record, &plan);
        let text = annotations(&findings(&analysis, &Source::parse("a,b.yaml", SCENARIO)));
        insta::assert_snapshot!(text);
        let passed = analyze(&fixture::record(&plan), &plan);
        assert_eq!(annotations(&findings(&passed, &Source::parse("a.yaml", SCENARIO))), "");
    }

    #[test]
    fn an_open_verdict_is_an_error_too() {
        let plan = fixture::plan(2);
        let mut record = fixture::record(&plan);
        record.ended = None;
        let text = annotations(&findings(&analyze(&record, &plan), &Source::parse("a.yaml", SCENARIO)));
        assert!(text.starts_with("::error file=a.yaml,line=1,"), "{text}");
    }

    #[test]
    fn variables_of_the_target_are_hidden_with_their_parts_and_no_others() {
        let source = Source::parse(
            "a.yaml",
            "vars: {x: \"{{ env.OTHER }}\"}\ntarget: {cloudsync: {connection_string: \"{{ env.CONNECTION }}\"}}\n",
        );
        let variable = |name: &str| match name {
            "CONNECTION" => Some("sqlitecloud://host/db?apikey=k3y%longer".to_owned()),
            _ => Some("nothing to hide".to_owned()),
        };
        assert_eq!(
            hide_variables(&source, variable),
            "::add-mask::k3y%25longer\n::add-mask::sqlitecloud://host/db?apikey=k3y%25longer\n"
        );
        assert_eq!(
            masks(["short", "multiple\nlines, too"].into_iter()),
            "::add-mask::multiple\n::add-mask::lines, too\n"
        );
    }

    #[test]
    fn a_summary_is_cut_at_a_line_and_never_too_large() {
        assert_eq!(fitting("# all of it\n", 100), "# all of it\n\n");
        let text = "é line\n".repeat(40);
        let cut = fitting(&text, 200);
        assert!(
            cut.len() <= 200 && cut.starts_with("é line\né line\n") && cut.ends_with("report.md of the run.\n"),
            "{cut}"
        );
        assert_eq!(fitting(&text, 10), "");
    }
}
