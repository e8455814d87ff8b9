//! The report as JUnit XML, for tools that show test results. Every check, threshold and other condition of the scenario is
//! a test case. All test cases succeed exactly if the verdict is PASS.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::rows;
use super::text::plain;
use crate::analysis::{Analysis, LimitState, RuleKind, ThresholdResult, Verdict};
use crate::figure::counted;
use crate::scenario::Severity;
use crate::verify::{CheckResult, Outcome};

/// The maximum number of rows per finding; `report.json` has all recorded rows.
const MOST_ROWS: usize = 10;

/// The report as JUnit XML.
pub fn junit(analysis: &Analysis) -> String {
    let run = &analysis.run;
    let mut suite = TestSuite::new(run.scenario.as_str());
    suite.timestamp = run.started.to_string().parse().ok();
    suite.set_time(run.duration);
    for [name, value] in properties(analysis) {
        suite.add_property((name.as_str(), value.as_str()));
    }
    suite.add_test_case(case(analysis, "run", "verdict", verdict(analysis)));
    for result in &analysis.checks {
        let status = check(result, decides(analysis, RuleKind::Check));
        let mut case = case(analysis, "verify", &result.name, status);
        say(&mut case, &result.notes);
        if let (Outcome::Failed(_), TestCaseStatus::Success { .. }) = (&result.outcome, &case.status) {
            say(&mut case, &[format!("the check failed, but the scenario allows that: {}", findings(result))]);
        }
        suite.add_test_case(case);
    }
    for result in &analysis.thresholds {
        let status = threshold(result, decides(analysis, RuleKind::Threshold));
        let mut case = case(analysis, "thresholds", &result.text, status);
        if let Some(measured) = result.measured {
            let [_, _, state] = rows::threshold(result);
            say(&mut case, &[format!("it is {measured}: {state}")]);
        }
        suite.add_test_case(case);
    }
    document(suite)
}

/// The JUnit report of a run that could not start.
pub fn junit_unmade(scenario: &str, message: &str) -> String {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    let first = plain(message.lines().next().unwrap_or_default());
    status.set_type("could_not_run").set_message(first).set_description(lines(message.lines()));
    let mut case = TestCase::new("verdict", status);
    case.set_classname(format!("{}.run", plain(scenario)));
    let mut suite = TestSuite::new(plain(scenario));
    suite.add_test_case(case);
    document(suite)
}

fn document(suite: TestSuite) -> String {
    let mut report = Report::new("stress");
    report.time = suite.time;
    report.add_test_suite(suite);
    let text = report.to_string().expect("a text takes everything");
    // Jenkins' schema does not allow this attribute here.
    text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1)
}

fn case(analysis: &Analysis, part: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(plain(name), status);
    case.set_classname(format!("{}.{part}", analysis.run.scenario));
    case
}

fn say(case: &mut TestCase, notes: &[String]) {
    if !notes.is_empty() {
        case.set_system_out(lines(notes.iter().map(String::as_str)));
    }
}

fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(plain).collect::<Vec<_>>().join("\n")
}

/// Whether this kind of rule led to the verdict FAIL. A failure that the scenario expects does not.
fn decides(analysis: &Analysis, kind: RuleKind) -> bool {
    analysis.verdict == Verdict::Fail && analysis.rules.iter().any(|rule| rule.kind == kind)
}

/// Test cases for the remaining rules: crashes, rules under `errors:`, an unmet `expect`, and the reasons for UNKNOWN.
fn verdict(analysis: &Analysis) -> TestCaseStatus {
    let own = |kind: RuleKind| match kind {
        RuleKind::Held | RuleKind::Check | RuleKind::Threshold => false,
        RuleKind::Expected
        | RuleKind::Crash
        | RuleKind::ErrorRule
        | RuleKind::Disagrees
        | RuleKind::Killed
        | RuleKind::TimeLimit
        | RuleKind::Interrupted
        | RuleKind::NothingRan
        | RuleKind::NothingSynced
        | RuleKind::NothingChanged
        | RuleKind::Starved
        | RuleKind::PhaseSkipped
        | RuleKind::NotChecked
        | RuleKind::NotMeasured => true,
    };
    let kind = match analysis.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => NonSuccessKind::Failure,
        Verdict::Unknown => NonSuccessKind::Error,
    };
    let Some(first) = analysis.rules.iter().find(|rule| own(rule.kind)) else { return TestCaseStatus::success() };
    let mut status = TestCaseStatus::non_success(kind);
    let all = analysis.rules.iter().map(|rule| rule.message.as_str());
    status.set_type(first.kind.as_str()).set_message(plain(&first.message)).set_description(lines(all));
    status
}

fn check(result: &CheckResult, decides: bool) -> TestCaseStatus {
    match &result.outcome {
        Outcome::Failed(_) if decides => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let first = result.findings().first().map(|finding| plain(&finding.message)).unwrap_or_default();
            status.set_type(result.check.as_str()).set_message(first).set_description(findings(result));
            status
        }
        Outcome::Passed | Outcome::Failed(_) => TestCaseStatus::success(),
        Outcome::NotChecked(reason) => skipped(reason),
    }
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(plain(reason));
    status
}

/// The findings of a check with some of their rows, one item per line.
fn findings(result: &CheckResult) -> String {
    let mut told = Vec::new();
    for finding in result.findings() {
        told.push(plain(&finding.message));
        told.extend(finding.fates.iter().map(|fate| format!("  {}", plain(fate))));
        for row in finding.rows.iter().take(MOST_ROWS) {
            let (key, holders) = rows::differing(row);
            told.push(format!("  {key}: {}", holders.join("; ")));
        }
        let shown = finding.rows.len().min(MOST_ROWS) as u64;
        if shown > 0 && finding.total > shown {
            told.push(format!("  {shown} shown of {}", counted(finding.total, "differing row")));
        }
    }
    told.join("\n")
}

fn threshold(result: &ThresholdResult, decides: bool) -> TestCaseStatus {
    match (&result.state, result.severity) {
        (LimitState::Broken, Severity::Fail) if decides => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("threshold").set_message(plain(&result.not_met()));
            status
        }
        (LimitState::Kept | LimitState::Broken, _) => TestCaseStatus::success(),
        (LimitState::NotMeasured(reason), _) => skipped(reason),
    }
}

/// Properties of the run: its id, its versions, its target and its machine.
fn properties(analysis: &Analysis) -> Vec<[String; 2]> {
    let run = &analysis.run;
    let property = |name: &str, value: String| [name.to_owned(), plain(&value)];
    vec![
        property("run", run.id.clone()),
        property("scenario.path", run.path.clone()),
        property("verdict", analysis.verdict.to_string()),
        property("rule", analysis.rules.first().map(|rule| rule.message.clone()).unwrap_or_default()),
        property("seed", run.seed.to_string()),
        property("databases", run.databases.to_string()),
        property("iterations", run.iterations.to_string()),
        property("rows", run.rows.to_string()),
        property("stress.version", run.stress.clone()),
        property("target", run.target.kind.to_string()),
        property("target.version", run.target.version.clone()),
        property("target.address", run.target.address.clone()),
        property("sqlite.version", run.machine.sqlite.clone()),
        property("machine.os", run.machine.os.clone()),
        property("machine.arch", run.machine.arch.clone()),
        property("machine.cpus", run.machine.cpus.to_string()),
    ]
}
