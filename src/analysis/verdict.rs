//! The verdict and the rules behind it. FAIL needs proof of a failure, PASS needs enough work without one; everything else
//! is UNKNOWN.

use std::collections::BTreeSet;
use std::fmt;

use super::errors::Occurrence;
use super::limits::{LimitState, ThresholdResult, completed};
use super::rule::{Rule, RuleKind, rule};
use super::{ErrorTable, GeneratorState, GeneratorSummary, SETTLE, Scene, Totals};
use crate::figure::{self, counted};
use crate::plan::rule::Treatment;
use crate::plan::threshold::Unit;
use crate::plan::{Action, StepPlan};
use crate::record::{EndReason, StepKind};
use crate::scenario::{ExpectedVerdict, Severity};
use crate::template::Number;
use crate::verify::{CheckResult, Outcome};

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The run did its work, and every check and threshold passed.
    Pass,
    /// A check or a threshold failed, or a worker crashed.
    Fail,
    /// Nothing failed, but the run did too little to pass.
    Unknown,
}

impl Verdict {
    /// `PASS`, `FAIL`, `UNKNOWN`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Places named in which a record contradicts itself; the others are counted.
const DISAGREEMENTS: usize = 20;

/// The facts for the verdict.
pub(super) struct Facts<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) occurrences: &'a [Occurrence<'a>],
    pub(super) errors: &'a ErrorTable,
    pub(super) checks: &'a [CheckResult],
    pub(super) thresholds: &'a [ThresholdResult],
    pub(super) generator: Option<&'a GeneratorSummary>,
    pub(super) disagreements: &'a [String],
}

/// The verdict and the reasons for it; the first one decided.
pub(super) fn decide(facts: &Facts<'_>) -> (Verdict, Vec<Rule>) {
    let scene = facts.scene;
    let failed = failures(facts);
    let open = doubts(facts);
    let (verdict, rules) = if !failed.is_empty() {
        (Verdict::Fail, failed)
    } else if !open.is_empty() {
        (Verdict::Unknown, open)
    } else {
        (Verdict::Pass, vec![rule(RuleKind::Held, held(scene))])
    };
    let (verdict, rules) = expected(scene, facts.occurrences, facts.checks, verdict, rules);
    trusted(facts.disagreements, verdict, rules)
}

/// No verdict but FAIL stands on a record that contradicts itself. The failure that proves a FAIL is told first.
fn trusted(disagreements: &[String], verdict: Verdict, mut rules: Vec<Rule>) -> (Verdict, Vec<Rule>) {
    if disagreements.is_empty() {
        return (verdict, rules);
    }
    let told = |message: &String| rule(RuleKind::Disagrees, format!("the record contradicts itself: {message}"));
    let mut all: Vec<Rule> = disagreements.iter().take(DISAGREEMENTS).map(told).collect();
    let more = disagreements.len().saturating_sub(DISAGREEMENTS);
    if more > 0 {
        let places = counted(more as u64, "more place");
        all.push(rule(RuleKind::Disagrees, format!("the record contradicts itself in {places}")));
    }
    match verdict {
        Verdict::Fail => {
            rules.extend(all);
            (Verdict::Fail, rules)
        }
        Verdict::Pass | Verdict::Unknown => {
            // That everything held is what cannot be said.
            all.extend(rules.into_iter().filter(|rule| rule.kind != RuleKind::Held));
            (Verdict::Unknown, all)
        }
    }
}

/// The reasons to fail the run.
fn failures(facts: &Facts<'_>) -> Vec<Rule> {
    let Facts { scene, occurrences, errors, checks, thresholds, generator: _, disagreements: _ } = *facts;
    let mut rules = Vec::new();
    for worker in &scene.workers {
        if let Some(message) = &worker.crash {
            rules.push(rule(RuleKind::Crash, format!("the worker of database {} crashed: {message}", worker.database)));
        }
    }
    let decisive = occurrences.iter().find(|one| one.counts && one.treatment == Treatment::Fail);
    if let Some(one) = decisive {
        let failure = &one.failure;
        let message = format!("a rule under `errors:` fails the run on {}: {}", failure.kind, failure.message);
        rules.push(rule(RuleKind::ErrorRule, message));
    }
    // A scenario with its own limit for findings allows some of them; then only that limit counts.
    let allowed = !thresholds.iter().any(|result| result.metric.unit() == Unit::Findings && result.is_built_in());
    for result in checks {
        if let (Outcome::Failed(findings), false) = (&result.outcome, allowed) {
            let first = findings.first().map(|finding| finding.message.as_str()).unwrap_or_default();
            let more = match findings.len() {
                0 | 1 => String::new(),
                several => format!(" (and {} more)", several - 1),
            };
            rules.push(rule(RuleKind::Check, format!("{}: {first}{more}", result.name)).at(result.pointer.as_deref()));
        }
    }
    let broken =
        thresholds.iter().filter(|result| result.severity == Severity::Fail && result.state == LimitState::Broken);
    let (stopped, broken): (Vec<_>, Vec<_>) = broken.partition(|result| has_stopped(scene, result));
    let threshold = |result: &ThresholdResult| {
        rule(RuleKind::Threshold, self::broken(scene, result, errors)).at(result.pointer.as_deref())
    };
    rules.extend(broken.into_iter().map(threshold));
    // The threshold that stopped the run decides; the others may be consequences of the stop.
    let stopped: Vec<Rule> = stopped
        .into_iter()
        .map(|result| {
            let rule = threshold(result);
            Rule { message: format!("{}; this stopped the run early", rule.message), ..rule }
        })
        .collect();
    rules.splice(0..0, stopped);
    rules
}

/// Whether this threshold stopped the run.
fn has_stopped(scene: &Scene<'_>, result: &ThresholdResult) -> bool {
    let stopped = scene.record.ended.is_some_and(|ended| ended.reason == EndReason::Stopped);
    stopped && scene.plan.thresholds.iter().any(|threshold| threshold.abort && threshold.pointer == result.pointer)
}

fn broken(scene: &Scene<'_>, result: &ThresholdResult, errors: &ErrorTable) -> String {
    let unit = result.metric.unit();
    // Which group is the largest says nothing about failures that labels choose.
    let detail = if unit == Unit::Failures && result.metric.labels().is_empty() {
        let largest = errors.groups.iter().find(|group| group.count > 0);
        largest.map(|group| format!("; most frequent: {} on the {} side: {}", group.kind, group.side, group.sample))
    } else if unit == Unit::Databases {
        let undone = undone(scene);
        (!undone.is_empty()).then(|| format!("; not completed: {}", crate::verify::databases(&undone)))
    } else {
        None
    };
    format!("{}{}", result.not_met(), detail.unwrap_or_default())
}

/// The databases whose worker did not do everything.
fn undone(scene: &Scene<'_>) -> Vec<u32> {
    let done = |index| scene.workers.iter().any(|it| it.database == index && it.completed && it.crash.is_none());
    scene.plan.databases.iter().map(|database| database.index).filter(|index| !done(*index)).collect()
}

/// The reasons why the run cannot pass although nothing failed.
fn doubts(facts: &Facts<'_>) -> Vec<Rule> {
    let Facts { scene, checks, thresholds, generator, .. } = *facts;
    let mut rules = Vec::new();
    match scene.record.ended.map(|ended| ended.reason) {
        Some(EndReason::Done) => {}
        None => rules.push(rule(RuleKind::Killed, "the record has no end: the run was killed or is still running")),
        Some(EndReason::TimeLimit) => {
            let limit = figure::duration(scene.plan.time_limit);
            rules.push(rule(RuleKind::TimeLimit, format!("the time limit of {limit} ended the run early")));
        }
        Some(EndReason::Interrupted) => rules.push(rule(RuleKind::Interrupted, "the run was interrupted")),
        Some(EndReason::Stopped) => rules.push(rule(RuleKind::Interrupted, "the run was stopped early")),
    }
    if let Some(generator) = generator.filter(|generator| generator.state == GeneratorState::Starved) {
        rules.push(rule(RuleKind::Starved, format!("the load generator was starved: {}", generator.words)));
    }
    rules.extend(nothing_done(scene));
    rules.extend(nothing_changed(scene));
    rules.extend(skipped(scene));
    for result in checks {
        if let Outcome::NotChecked(reason) = &result.outcome {
            let message = format!("{} could not be checked: {reason}", result.name);
            rules.push(rule(RuleKind::NotChecked, message).at(result.pointer.as_deref()));
        }
    }
    // For a built-in threshold, another rule already says why there is no value.
    for result in thresholds.iter().filter(|result| !result.is_built_in()) {
        if let (LimitState::NotMeasured(reason), Severity::Fail) = (&result.state, result.severity) {
            let message = format!("{} could not be measured: {reason}", result.text);
            rules.push(rule(RuleKind::NotMeasured, message).at(result.pointer.as_deref()));
        }
    }
    rules
}

fn nothing_done(scene: &Scene<'_>) -> Option<Rule> {
    if !scene.events().any(|(_, event)| event.step.is_work()) {
        return Some(rule(RuleKind::NothingRan, "nothing ran: neither SQL nor a sync call"));
    }
    let synced = scene.events().any(|(_, event)| event.step.is_sync() && event.failures.is_empty());
    (scene.plan.syncs() && !synced).then(|| rule(RuleKind::NothingSynced, "nothing synced: no sync call succeeded"))
}

/// Writing phases of which none changed a row: nothing was there to be synced, so that nothing could be lost. That some
/// phases find nothing to change is right, such as a delete in iteration 1.
fn nothing_changed(scene: &Scene<'_>) -> Option<Rule> {
    let writes = |step: &&StepPlan| match &step.action {
        Action::Sql(sql) => StepKind::of(sql.kind).changes_rows(),
        Action::Admin(_) | Action::Alter(_) | Action::Wait(_) | Action::Nothing => false,
    };
    let writing: Vec<&StepPlan> = scene.plan.steps().filter(writes).collect();
    let first = writing.first()?;
    if scene.events().any(|(_, event)| event.step.changes_rows() && event.rows > 0) {
        return None;
    }
    let names: Vec<&str> = writing.iter().map(|step| step.name.as_str()).collect();
    let phases = if names.len() == 1 { "phase" } else { "phases" };
    let message = format!("nothing was written: {phases} {} changed no row in any database", figure::list(&names));
    Some(rule(RuleKind::NothingChanged, message).at(Some(&first.pointer)))
}

/// Phases that no database ran. A phase whose `repeat` is computed may rightly run zero times.
fn skipped(scene: &Scene<'_>) -> Vec<Rule> {
    let plan = scene.plan;
    let done = |name: &str| scene.events().any(|(_, event)| event.phase == name && event.step.is_of_its_phase());
    plan.setup
        .iter()
        .chain(&plan.phases)
        .chain(&plan.teardown)
        .filter(|step| match &step.repeat {
            Number::Fixed(times) => *times > 0,
            Number::Rendered(_) => false,
        })
        .filter(|step| step.name != SETTLE && !done(&step.name))
        .map(|step| {
            let message = format!("phase {} never ran in any database", step.name);
            rule(RuleKind::PhaseSkipped, message).at(Some(&step.pointer))
        })
        .collect()
}

/// What a run did that passed.
fn held(scene: &Scene<'_>) -> String {
    let totals = Totals::of(scene);
    let calls =
        [(totals.sends, "send"), (totals.receives, "receive"), (totals.checks, "check"), (totals.syncs, "sync")];
    let mut done = vec![
        counted(completed(scene), "database"),
        counted(scene.plan.iterations, "iteration"),
        format!("{} changed", counted(totals.changed(), "row")),
    ];
    done.extend(calls.into_iter().filter(|(number, _)| *number > 0).map(|(number, noun)| counted(number, noun)));
    let synced = if scene.plan.syncs() { "" } else { "; the scenario makes no sync calls" };
    let checks = if scene.plan.checks.is_empty() { "the scenario has no checks" } else { "all checks passed" };
    format!("{}{synced}; {checks}", done.join(", "))
}

/// Applies the scenario's `expect` to the verdict.
fn expected(
    scene: &Scene<'_>,
    occurrences: &[Occurrence<'_>],
    checks: &[CheckResult],
    verdict: Verdict,
    rules: Vec<Rule>,
) -> (Verdict, Vec<Rule>) {
    let Some(expect) = &scene.plan.expect else { return (verdict, rules) };
    let seen: BTreeSet<&str> = occurrences
        .iter()
        .map(|one| one.failure.kind.as_str())
        .chain(checks.iter().filter(|result| !result.findings().is_empty()).map(|result| result.check.as_str()))
        .collect();
    let missing: Vec<&str> = expect.kinds.iter().map(String::as_str).filter(|kind| !seen.contains(kind)).collect();
    let as_expected = match expect.verdict {
        ExpectedVerdict::Pass => verdict == Verdict::Pass,
        ExpectedVerdict::Fail => verdict == Verdict::Fail,
    };
    let first = rules.first().map(|rule| rule.message.clone()).unwrap_or_default();
    let (verdict, message) = match (as_expected, expect.verdict) {
        (true, _) if !missing.is_empty() => {
            let saw =
                if seen.is_empty() { "none".to_owned() } else { figure::list(&seen.into_iter().collect::<Vec<_>>()) };
            (Verdict::Fail, format!("expected {}, found {saw}", figure::list(&missing)))
        }
        (true, ExpectedVerdict::Fail) => (Verdict::Pass, format!("the run failed as expected: {first}")),
        (false, ExpectedVerdict::Fail) => {
            (Verdict::Fail, format!("expected FAIL, but the verdict is {verdict}: {first}"))
        }
        (_, ExpectedVerdict::Pass) => return (verdict, rules),
    };
    let mut all = vec![rule(RuleKind::Expected, message)];
    all.extend(rules);
    (verdict, all)
}
