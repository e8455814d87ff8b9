//! What is checked at the end, and what is limited.

use super::StepPlan;
use super::check::{CheckKind, CheckPlan, Question};
use super::draft::Draft;
use super::tables::Tables;
use super::target::TargetPlan;
use super::threshold::{self, ThresholdPlan};
use crate::scenario::{Check, CheckName, CheckOptions, Issue, Query, QueryOn, Scenario, Threshold};

/// Decides the checks: those of `verify`, or what can be checked when the scenario does not say.
pub(super) fn decide(
    draft: &mut Draft<'_>,
    scenario: &Scenario,
    target: &TargetPlan,
    tables: &Tables,
    syncs: bool,
) -> Vec<CheckPlan> {
    let Some(written) = &scenario.verify else { return by_default(scenario, target, syncs) };
    let mut checks = Vec::new();
    for (index, check) in written.iter().enumerate() {
        let pointer = format!("/verify/{index}");
        match check {
            Check::Name(name) => {
                check_named(draft, scenario, target, &pointer, *name, syncs);
                checks.push(CheckPlan { pointer: Some(pointer), question: Question::Named(*name) });
            }
            Check::Options(CheckOptions::Query(query)) => {
                let question = query_question(draft, target, tables, &format!("{pointer}/query"), query);
                checks.extend(question.map(|question| CheckPlan { pointer: Some(pointer), question }));
            }
        }
    }
    checks
}

fn by_default(scenario: &Scenario, target: &TargetPlan, syncs: bool) -> Vec<CheckPlan> {
    if !syncs {
        return Vec::new();
    }
    let all = [
        (CheckName::Written, true),
        (CheckName::Converged, true),
        (CheckName::Server, target.has_administrator()),
        (CheckName::Isolation, scenario.rls.is_some()),
        (CheckName::Bootstrap, matches!(target, TargetPlan::Turso(_))),
    ];
    let check = |name| CheckPlan { pointer: None, question: Question::Named(name) };
    all.into_iter().filter(|(_, can)| *can).map(|(name, _)| check(name)).collect()
}

fn check_named(
    draft: &mut Draft<'_>,
    scenario: &Scenario,
    target: &TargetPlan,
    pointer: &str,
    name: CheckName,
    syncs: bool,
) {
    if !syncs {
        let message = "no step makes a sync call, so there is nothing to compare";
        let help = "add `sync: [send, receive]` to a step, or remove this check; a `query` on databases needs no sync";
        draft.issues.push(Issue::new(pointer, "verify::check", message).help(help));
    }
    if name == CheckName::Isolation && scenario.rls.is_none() {
        let message = "`isolation` has nothing to check without `rls`";
        let help = "declare the policies under `rls`, or remove this check";
        draft.issues.push(Issue::new(pointer, "verify::check", message).help(help));
    }
    if name == CheckName::Server {
        require_server(draft, target, pointer);
    }
}

fn query_question(
    draft: &mut Draft<'_>,
    target: &TargetPlan,
    tables: &Tables,
    pointer: &str,
    query: &Query,
) -> Option<Question> {
    if query.on == QueryOn::Server {
        require_server(draft, target, &format!("{pointer}/on"));
    }
    let sql_pointer = format!("{pointer}/sql");
    let sql = draft.rendered(&sql_pointer, &query.sql)?;
    match tables.prepare(&sql) {
        Ok(prepared) if prepared.columns != 1 || !prepared.readonly => {
            let message = "the query of a check must return one column";
            let help = "write a query such as `SELECT count(*) FROM …`";
            draft.issues.push(Issue::new(sql_pointer, "verify::query", message).help(help));
        }
        Ok(_) => {}
        Err(problem) => draft.sql(&sql_pointer, &query.sql, problem),
    }
    if query.on == QueryOn::Databases
        && let Some(function) = tables.extension_function(&sql)
    {
        let message = format!("`{function}` is a function of the extension, which is not loaded for checks");
        let help = "ask in a phase: `kind: query`, with `expect_rows`";
        draft.issues.push(Issue::new(format!("{pointer}/sql"), "verify::query", message).help(help));
    }
    let equals = draft.rendered_value(&format!("{pointer}/equals"), &query.equals)?;
    Some(Question::Query { on: query.on, sql, equals })
}

fn require_server(draft: &mut Draft<'_>, target: &TargetPlan, pointer: &str) {
    if !target.may_answer() {
        let message = "this check queries the server, and the target has no `connection_string`";
        let help = "add `connection_string: \"{{ env.SQLITECLOUD_CONNECTION }}\"` to the target, or remove this check";
        draft.issues.push(Issue::new(pointer, "verify::server", message).help(help));
    }
}

/// Decides the limits, those that are always on first.
pub(super) fn thresholds(
    draft: &mut Draft<'_>,
    scenario: &Scenario,
    steps: &[&StepPlan],
    databases: usize,
) -> Vec<ThresholdPlan> {
    let phases: Vec<String> = steps.iter().map(|step| step.name.clone()).collect();
    let databases = u32::try_from(databases).unwrap_or(u32::MAX);
    let mut plans = Vec::new();
    for (index, written) in scenario.thresholds.iter().enumerate() {
        let pointer = format!("/thresholds/{index}");
        match ThresholdPlan::new(&pointer, written, &phases, databases) {
            Ok(plan) => plans.push(plan),
            Err(problem) => {
                let pointer = match written {
                    Threshold::Text(_) => pointer,
                    Threshold::Options(_) => format!("{pointer}/expr"),
                };
                let issue = Issue::new(pointer, "threshold::expression", problem.message).range(Some(problem.range));
                draft.issues.push(issue.maybe_help(problem.help));
            }
        }
    }
    threshold::with_built_in(plans)
}

/// Hostile phases are judged by the policies, under `isolation`.
pub(super) fn check_hostile(draft: &mut Draft<'_>, scenario: &Scenario, checks: &[CheckPlan], steps: &[&StepPlan]) {
    let isolation = checks.iter().any(|check| check.kind() == CheckKind::Isolation);
    for step in steps.iter().filter(|step| step.action.is_hostile()) {
        let (message, help) = if scenario.rls.is_none() {
            (
                "a hostile phase needs `rls`: without policies, every write is allowed",
                "declare the policies under `rls`",
            )
        } else if !isolation {
            (
                "a hostile phase needs the check `isolation`, which looks for the rows that the policies deny",
                "add `isolation` to `verify`",
            )
        } else {
            continue;
        };
        let issue = Issue::new(format!("{}/hostile", step.pointer), "phase::hostile", message);
        draft.issues.push(issue.at_key().help(help));
    }
}
