//! What GitHub Actions is told, when it runs us: problems on the lines of a pull request, the report in the job's summary,
//! and the words that its log must not show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::problem::Problem;
use crate::analysis::{Analysis, LimitState, RuleKind, ThresholdResult, Verdict};
use crate::diagnostic::{Diagnostic, diagnose};
use crate::failure::Secret;
use crate::load::{Origin, written_at};
use crate::plan::threshold::Unit;
use crate::scenario::{Issue, Severity};
use crate::source::Source;
use crate::verify::Outcome;

/// GitHub takes no summary of a step that is larger, in bytes.
const LARGEST_SUMMARY: usize = 1024 * 1024;
/// Of each check so many findings become annotations; of all GitHub shows ten.
const MOST_FINDINGS: usize = 3;

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
    pub(super) fn summarize(&self, markdown: &str) -> Result<(), Problem> {
        self.summary.as_ref().map_or(Ok(()), |path| {
            append(path, markdown).map_err(|error| {
                let path = path.display();
                Problem::could_not_run(format!("failed to write the summary of the job to `{path}`: {error}"))
            })
        })
    }
}

fn append(summary: &Path, markdown: &str) -> io::Result<()> {
    let mut file = File::options().append(true).create(true).open(summary)?;
    let used = file.metadata()?.len();
    let room = LARGEST_SUMMARY.saturating_sub(usize::try_from(used).unwrap_or(usize::MAX));
    file.write_all(fitting(markdown, room).as_bytes())
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
/// scenario: it has no problems of its own. `origins` say what of the scenario that ran was written in a profile.
pub(super) fn findings(analysis: &Analysis, source: &Source, origins: &BTreeMap<String, Origin>) -> Vec<Diagnostic> {
    let mut issues = issues(analysis);
    for issue in &mut issues {
        issue.pointer = written_at(origins, &issue.pointer);
    }
    diagnose(source, &issues)
}

fn issues(analysis: &Analysis) -> Vec<Issue> {
    let mut issues = Vec::new();
    let failed = analysis.verdict == Verdict::Fail;
    for rule in &analysis.rules {
        let (list, code) = match rule.kind {
            RuleKind::Held | RuleKind::Check | RuleKind::Threshold => continue,
            RuleKind::Expected if !failed => continue,
            RuleKind::Expected => ("/expect", "verdict::expected"),
            RuleKind::Crash => ("/name", "verdict::crash"),
            RuleKind::ErrorRule => ("/errors", "verdict::error_rule"),
            RuleKind::Disagrees => ("/name", "verdict::disagrees"),
            RuleKind::Killed => ("/name", "verdict::killed"),
            RuleKind::TimeLimit => ("/scale/time_limit", "verdict::time_limit"),
            RuleKind::Interrupted => ("/name", "verdict::interrupted"),
            RuleKind::NothingRan => ("/phases", "verdict::nothing_ran"),
            RuleKind::NothingSynced => ("/phases", "verdict::nothing_synced"),
            RuleKind::NothingChanged => ("/phases", "verdict::nothing_changed"),
            RuleKind::Starved => ("/scale", "verdict::starved"),
            RuleKind::PhaseSkipped => ("/phases", "verdict::phase_skipped"),
            RuleKind::NotChecked => ("/verify", "verdict::not_checked"),
            RuleKind::NotMeasured => ("/thresholds", "verdict::not_measured"),
        };
        issues.push(Issue::new(rule.pointer.as_deref().unwrap_or(list), code, rule.message.clone()));
    }
    for result in analysis.checks.iter().filter(|_| failed) {
        let Outcome::Failed(findings) = &result.outcome else { continue };
        let pointer = result.pointer.as_deref().unwrap_or("/verify");
        for finding in findings.iter().take(MOST_FINDINGS) {
            let message = format!("{}: {}", result.name, finding.message);
            issues.push(Issue::new(pointer, "run::finding", message));
        }
    }
    // What the built-in ones count is told one by one.
    let told_apart = [Unit::Failures, Unit::Findings];
    let counted = |result: &ThresholdResult| result.is_built_in() && told_apart.contains(&result.metric.unit());
    let broken = |result: &&ThresholdResult| result.state == LimitState::Broken && !counted(result);
    for result in analysis.thresholds.iter().filter(broken) {
        let pointer = result.pointer.as_deref().unwrap_or("/thresholds");
        let issue = Issue::new(pointer, "run::threshold", result.not_met());
        match result.severity {
            Severity::Fail if failed => issues.push(issue),
            Severity::Fail => {}
            Severity::Warn => issues.push(issue.warning()),
        }
    }
    for group in analysis.errors.groups.iter().filter(|group| failed && group.count > 0) {
        let pointer = group.pointer.as_deref().unwrap_or("/phases");
        let message = format!("{} × {} on the {} side: {}", group.count, group.kind, group.side, group.sample);
        issues.push(Issue::new(pointer, "run::error", message));
    }
    issues
}

/// Commands that hide secrets, each line of them.
pub(super) fn masks(secrets: &[Secret]) -> String {
    let lines = secrets.iter().flat_map(|secret| secret.expose().lines()).filter(|line| line.len() >= Secret::SHORTEST);
    let lines: BTreeSet<&str> = lines.collect();
    let mask = |line: &str| "::add-mask::".to_owned() + &line.replace('%', "%25").replace('\r', "%0D") + "\n";
    lines.into_iter().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::fixture;
    use crate::plan::Plan;
    use crate::record::{Holder, QueryAnswer, Record};

    const SCENARIO: &str = "version: 1
name: small
scale: {databases: 2, iterations: 5, rows: 1000}
schema: {tables: [{name: test_sync, sql: CREATE TABLE test_sync (id TEXT PRIMARY KEY)}]}
phases:
  - {name: delete, kind: delete, sql: DELETE FROM test_sync, sync: [send, check]}
  - {name: insert, kind: insert, sql: INSERT INTO test_sync VALUES (:id), sync: [send, check]}
  - {name: update, kind: update, sql: UPDATE test_sync SET id = id, sync: [send, check]}
";

    fn planned(source: &Source) -> Plan {
        let scenario = serde_json::from_value(source.value.clone()).expect("a scenario");
        Plan::new(&scenario, &crate::plan::Grant::default()).expect("a plan").0
    }

    /// What GitHub is told of a run of [`SCENARIO`] that says this besides.
    fn told(more: &str, origins: &BTreeMap<String, Origin>, harm: fn(&mut Record)) -> String {
        let source = Source::parse("a,b.yaml", format!("{SCENARIO}{more}"));
        let plan = planned(&source);
        let mut record = fixture::record(&plan);
        harm(&mut record);
        annotations(&findings(&analyze(&record, &plan), &source, origins))
    }

    /// The lines of the file that are told of, with what is told.
    fn lines(told: &str) -> Vec<(usize, String)> {
        told.lines()
            .map(|told| {
                let (_, line) = told.split_once("line=").expect("a line");
                let (line, _) = line.split_once(',').expect("its end");
                let (_, title) = told.split_once("title=").expect("a title");
                let severity = told.trim_start_matches(':').split(' ').next().unwrap_or_default();
                let (title, _) = title.split_once("::").expect("a message");
                (line.parse().expect("a number"), format!("{severity} {}", title.replace("%3A", ":")))
            })
            .collect()
    }

    #[test]
    fn what_broke_is_on_the_line_that_asked_for_it() {
        let more = "thresholds:\n  - send.duration p99 < 1us\nverify:\n  - server\n  - converged\n";
        let none = BTreeMap::new();
        let text = told(more, &none, |record| {
            fixture::diverge(record);
            let locked = fixture::failure(crate::failure::Call::Send, 5, "database is locked,\n100% of it");
            fixture::fail(record, 1, 1, "insert", crate::record::StepKind::Send, locked);
        });
        insta::assert_snapshot!(text);
        assert_eq!(told("", &none, |_| {}), "");
    }

    #[test]
    fn thresholds_and_checks_of_equal_text_are_each_told_of_on_their_own_line() {
        let broken = "thresholds:
  - {expr: send.duration p99 < 1us, severity: warn}
  - send.duration p99 < 1us
verify:
  - query: {on: server, sql: SELECT 1, equals: 2}
  - query: {on: server, sql: SELECT 1, equals: 2}
";
        let text = told(broken, &BTreeMap::new(), |record| {
            let answer =
                |check| QueryAnswer { check, holder: Holder::Server, value: 1.into(), rows: Some(1), failure: None };
            record.state.as_mut().expect("it has one").queries = vec![answer(0), answer(1)];
        });
        let expected = [
            (10, "warning run::threshold"),
            (11, "error run::threshold"),
            (13, "error run::finding"),
            (14, "error run::finding"),
        ];
        assert_eq!(lines(&text), expected.map(|(line, title)| (line, title.to_owned())));
    }

    #[test]
    fn what_could_not_be_done_is_on_the_line_that_asked_for_it() {
        let open = "thresholds:
  - sync.duration p99 < 1s
  - sync.duration p99 < 1s
verify:
  - converged
  - query: {on: server, sql: SELECT 1, equals: 1}
";
        let text = told(open, &BTreeMap::new(), |record| {
            record.workers.iter_mut().for_each(|worker| worker.events.retain(|event| event.phase != "update"));
        });
        let expected = [
            (8, "error verdict::phase_skipped"),
            (10, "error verdict::not_measured"),
            (11, "error verdict::not_measured"),
            (14, "error verdict::not_checked"),
        ];
        // A record without these facts contradicts itself, too.
        let (disagreeing, others): (Vec<_>, Vec<_>) =
            lines(&text).into_iter().partition(|(_, title)| title == "error verdict::disagrees");
        assert!(disagreeing.iter().all(|(line, _)| *line == 2) && !disagreeing.is_empty(), "{disagreeing:?}");
        assert_eq!(others, expected.map(|(line, title)| (line, title.to_owned())));
    }

    #[test]
    fn what_a_profile_asks_for_is_on_the_line_of_the_profile() {
        let more = "thresholds:
  - send.duration p99 < 1us
profiles:
  quick:
    thresholds:
      - send.duration p99 < 1us
";
        let origins = BTreeMap::from([("/thresholds".to_owned(), Origin::Profile("quick".to_owned()))]);
        assert_eq!(lines(&told(more, &BTreeMap::new(), |_| {})), [(10, "error run::threshold".to_owned())]);
        assert_eq!(lines(&told(more, &origins, |_| {})), [(14, "error run::threshold".to_owned())]);
    }

    #[test]
    fn an_open_verdict_is_an_error_too() {
        let text = told("", &BTreeMap::new(), |record| record.ended = None);
        assert!(text.starts_with("::error file=a%2Cb.yaml,line=2,"), "{text}");
    }

    #[test]
    fn every_line_of_a_secret_is_masked() {
        let secrets = ["k3y%longer", "multiple\nlines, too\nno"].map(Secret::from);
        assert_eq!(masks(&secrets), "::add-mask::k3y%25longer\n::add-mask::lines, too\n::add-mask::multiple\n");
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
