//! Steps as written → steps decided: what each does and when, and which keys go together.

use std::collections::HashSet;
use std::time::Duration;

use super::alter;
use super::calls;
use super::crash::CrashPlan;
use super::draft::Draft;
use super::names::Names;
use super::order::{self, Written};
use super::phase;
use super::scale::ScalePlan;
use super::sync::SyncPlan;
use super::table::TablePlan;
use super::tables::Tables;
use super::{Action, StepPlan};
use crate::scenario::{Barrier, CrashAt, HumanDuration, Issue, Scenario, Step, Think};
use crate::suggest::list;
use crate::template::{Expression, Number};

/// The three lists of steps.
pub(super) struct Steps {
    pub(super) setup: Vec<StepPlan>,
    pub(super) phases: Vec<StepPlan>,
    pub(super) teardown: Vec<StepPlan>,
}

impl Steps {
    /// Decides them all, and whether their names tell them apart.
    pub(super) fn decide(
        draft: &mut Draft<'_>,
        scenario: &Scenario,
        scale: &ScalePlan,
        tables: &Tables,
        plans: &mut [TablePlan],
    ) -> Self {
        let lists = [("/setup", &scenario.setup), ("/phases", &scenario.phases), ("/teardown", &scenario.teardown)];
        let all = lists
            .into_iter()
            .flat_map(|(list, steps)| steps.iter().enumerate().map(move |(index, step)| Written { list, index, step }));
        let all: Vec<Written<'_>> = all.collect();
        let decided = if all.iter().any(|written| written.step.alter.is_some()) {
            order::decide(draft, &all, scale, (tables, plans), decide_one)
        } else {
            all.iter().map(|written| decide_one(draft, tables, plans, written)).collect()
        };
        let (mut steps, mut decided) = (Self { setup: vec![], phases: vec![], teardown: vec![] }, decided.into_iter());
        for (list, (_, written)) in [&mut steps.setup, &mut steps.phases, &mut steps.teardown].into_iter().zip(lists) {
            list.extend(decided.by_ref().take(written.len()).flatten());
        }
        check_names(draft, &steps.all());
        steps
    }

    /// All steps, in the order of the run.
    pub(super) fn all(&self) -> Vec<&StepPlan> {
        self.setup.iter().chain(&self.phases).chain(&self.teardown).collect()
    }
}

/// Decides a step against the tables as they are.
fn decide_one(
    draft: &mut Draft<'_>,
    tables: &Tables,
    plans: &mut [TablePlan],
    written: &Written<'_>,
) -> Option<StepPlan> {
    let Written { list, index, step } = *written;
    let pointer = format!("{list}/{index}");
    check_keys(draft, &pointer, step);
    let when = step.when.as_ref().and_then(|source| expression(draft, &format!("{pointer}/when"), source));
    let repeat = match &step.repeat {
        None => Some(Number::Fixed(1)),
        Some(count) => phase::number(draft, &format!("{pointer}/repeat"), count),
    };
    let think = step.think.as_ref().and_then(|think| think_time(draft, &format!("{pointer}/think"), think));
    let barrier = step.barrier.as_ref().and_then(|barrier| match barrier {
        Barrier::Flag(on) => on.then_some(Duration::ZERO),
        Barrier::Skew(skew) => Some(skew.skew.get()),
    });
    let name = step.name.clone().unwrap_or_else(|| default_name(list, index, step));
    let action = action(draft, (tables, plans), &pointer, &name, step)?;
    let written = step.sync.iter().enumerate();
    let sync: Vec<SyncPlan> = written
        .filter_map(|(index, call)| calls::decide(draft, tables, &format!("{pointer}/sync/{index}"), call))
        .collect();
    let timeout = step.timeout.map(HumanDuration::get);
    if step.rate.is_some() && step.repeat.is_none() {
        let message = "`rate` paces the repetitions of a phase, but the phase has no `repeat`";
        let help = "add `repeat`, or set `scale.rate` for iterations";
        draft.issues.push(Issue::new(format!("{pointer}/rate"), "phase::rate", message).help(help));
    }
    let rate = step.rate;
    let crash = crash(draft, &pointer, step, &action, &sync);
    Some(StepPlan { pointer, name, action, when, repeat: repeat?, rate, think, barrier, sync, crash, timeout })
}

/// The crash in a step with this action and these sync calls; none where there is none, and where it is wrong.
fn crash(draft: &mut Draft<'_>, pointer: &str, step: &Step, action: &Action, sync: &[SyncPlan]) -> Option<CrashPlan> {
    let crash = step.crash.as_ref()?;
    let problem = match (crash.at, action) {
        (CrashAt::AfterSend, _) if sync.iter().any(SyncPlan::sends) => None,
        (CrashAt::AfterSend, _) => {
            Some(("`after_send` needs a `send` or `sync` in the step's `sync`", "add one: `sync: [send, receive]`"))
        }
        (CrashAt::InTransaction, Action::Sql(sql)) if sql.statements.iter().any(|statement| statement.controls) => {
            Some((
                "`in_transaction` does not work where the SQL begins or ends transactions itself",
                "remove these statements: the phase runs in a transaction",
            ))
        }
        (CrashAt::InTransaction | CrashAt::AfterStatements, Action::Sql(_)) => None,
        (
            CrashAt::InTransaction | CrashAt::AfterStatements,
            Action::Admin(_) | Action::Alter(_) | Action::Wait(_) | Action::Nothing,
        ) => Some(("only a step with `sql` can die there", "add `sql`, or write `at: after_send`")),
    };
    if let Some((message, help)) = problem {
        draft.issues.push(Issue::new(format!("{pointer}/crash/at"), "phase::crash", message).help(help));
    }
    let when = match &crash.when {
        Some(source) => Some(expression(draft, &format!("{pointer}/crash/when"), source)?),
        None => None,
    };
    Some(CrashPlan { at: crash.at, when })
}

/// A step without a name is called after what it does and its place.
fn default_name(list: &str, index: usize, step: &Step) -> String {
    let word = match step {
        Step { sql: Some(_), .. } => "phase",
        Step { admin: Some(_), .. } => "admin",
        Step { alter: Some(_), .. } => "alter",
        Step { wait: Some(_), .. } => "wait",
        Step { .. } => "sync",
    };
    let part = if list == "/phases" { "" } else { &format!("{}-", &list[1..]) };
    format!("{part}{word}-{}", index + 1)
}

fn action(
    draft: &mut Draft<'_>,
    (tables, plans): (&Tables, &mut [TablePlan]),
    pointer: &str,
    name: &str,
    step: &Step,
) -> Option<Action> {
    if let Some(sql) = &step.sql {
        return phase::decide(draft, tables, pointer, name, step, sql).map(Action::Sql);
    }
    if let Some(source) = &step.admin {
        let pointer = format!("{pointer}/admin");
        return draft.text(&pointer, source, Names::Phase).map(Action::Admin);
    }
    if let Some(sql) = &step.alter {
        return Some(Action::Alter(alter::decide(draft, tables, plans, &format!("{pointer}/alter"), sql)));
    }
    Some(step.wait.map_or(Action::Nothing, |wait| Action::Wait(wait.get())))
}

fn check_names(draft: &mut Draft<'_>, steps: &[&StepPlan]) {
    let mut seen = HashSet::new();
    for step in steps {
        if !seen.insert(step.name.as_str()) {
            let message =
                format!("the name `{}` is used twice, so reports could not tell the two steps apart", step.name);
            let pointer = format!("{}/name", step.pointer);
            draft.issues.push(Issue::new(pointer, "phase::name", message).help("give each step a different name"));
        }
    }
}

/// Which keys go together: a phase of SQL, or one of `sync`, `wait`, `admin` and `alter`.
fn check_keys(draft: &mut Draft<'_>, pointer: &str, step: &Step) {
    let code = "phase::keys";
    let actions = [
        ("sql", step.sql.is_some()),
        ("admin", step.admin.is_some()),
        ("alter", step.alter.is_some()),
        ("wait", step.wait.is_some()),
    ];
    let actions: Vec<&str> = actions.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
    if actions.len() > 1 {
        let message = format!("a step can have only one of {}", list(&actions));
        draft.issues.push(Issue::new(pointer, code, message).help("write them as separate steps"));
    }
    if actions.is_empty() && step.sync.is_empty() {
        let message = "this step does nothing";
        draft.issues.push(Issue::new(pointer, code, message).help("add `sql`, `sync`, `wait`, `admin` or `alter`"));
    }
    if step.sql.is_some() {
        for (key, missing) in [("name", step.name.is_none()), ("kind", step.kind.is_none())] {
            if missing {
                let help = match key {
                    "name" => "reports and thresholds use the name: `name: insert`",
                    _ => "write `delete`, `insert`, `update` or `query`: the totals count its rows under this kind",
                };
                draft.issues.push(Issue::new(pointer, code, format!("a phase needs a `{key}`")).help(help));
            }
        }
    } else {
        let keys = [
            ("kind", step.kind.is_some()),
            ("rows", step.rows.is_some()),
            ("bind", !step.bind.is_empty()),
            ("transaction", step.transaction.is_some()),
            ("expect_rows", step.expect_rows.is_some()),
            ("hostile", step.hostile),
        ];
        for (key, given) in keys {
            if given {
                let message = format!("`{key}` has no effect without `sql`");
                draft.issues.push(Issue::new(format!("{pointer}/{key}"), code, message).at_key());
            }
        }
    }
    if step.alter.is_some() && step.repeat.is_some() {
        let message = "`repeat` has no effect on `alter`: a table can be altered so only once";
        draft.issues.push(Issue::new(format!("{pointer}/repeat"), code, message).at_key());
    }
    if step.barrier.is_some() && step.sync.is_empty() {
        let message = "`barrier` has no effect without `sync`: it makes the sync calls start together";
        draft.issues.push(Issue::new(format!("{pointer}/barrier"), code, message).at_key());
    }
}

fn expression(draft: &mut Draft<'_>, pointer: &str, source: &str) -> Option<Expression> {
    let bare = source.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(inside) = bare {
        let message = "`when` is an expression, not a text";
        let help = format!("write it without the braces: `when: {}`", inside.trim());
        draft.issues.push(Issue::new(pointer, "phase::when", message).help(help));
        return None;
    }
    draft.expression(pointer, source)
}

fn think_time(draft: &mut Draft<'_>, pointer: &str, think: &Think) -> Option<(Duration, Duration)> {
    match think {
        Think::Fixed(time) => Some((time.get(), time.get())),
        Think::Range(range) if range.min > range.max => {
            let message = format!("the shortest think time, {}, is above the longest, {}", range.min, range.max);
            draft.issues.push(Issue::new(pointer, "phase::think", message).help("swap `min` and `max`"));
            None
        }
        Think::Range(range) => Some((range.min.get(), range.max.get())),
    }
}
