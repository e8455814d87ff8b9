//! Steps as written → steps decided: what each does, its SQL prepared against the tables, its sync calls.

use std::time::Duration;

use serde_json::Value;

use super::build::{Builder, escape};
use super::names::Names;
use super::tables::Tables;
use super::{Action, ReceivePlan, SqlPlan, StepPlan, SyncPlan};
use crate::scenario::{
    Barrier, Count, HumanDuration, Issue, Kind, ReceiveOptions, Sql, Step, SyncCall, SyncName, SyncOptions, Think,
    Transaction,
};
use crate::suggest::{list, suggest};
use crate::template::{Expression, Number, Text};

/// The row id that a phase's `:id` gives without a `bind` of its own: the seed's.
pub(super) const DEFAULT_ID: &str = "db{{ db }}_r{{ iteration }}_{{ row }}";

/// Parameters that every statement can use.
pub(super) const PARAMETERS: [&str; 9] = ["db", "id", "iteration", "repeat", "row", "rows", "seed", "user", "user_id"];

/// Decides a list of steps: `/setup`, `/phases` or `/teardown`.
pub(super) fn build(builder: &mut Builder, tables: &Tables, list: &str, steps: &[Step]) -> Vec<StepPlan> {
    let each = steps.iter().enumerate();
    each.filter_map(|(index, one)| step(builder, tables, list, index, one)).collect()
}

fn step(builder: &mut Builder, tables: &Tables, list: &str, index: usize, step: &Step) -> Option<StepPlan> {
    let pointer = format!("{list}/{index}");
    check_keys(builder, &pointer, step);
    let when = step.when.as_ref().and_then(|source| expression(builder, &format!("{pointer}/when"), source));
    let repeat = step
        .repeat
        .as_ref()
        .map_or(Some(Number::Fixed(1)), |count| number(builder, &format!("{pointer}/repeat"), count));
    let think = step.think.as_ref().and_then(|think| think_time(builder, &format!("{pointer}/think"), think));
    let barrier = step.barrier.as_ref().and_then(|barrier| match barrier {
        Barrier::Flag(on) => on.then_some(Duration::ZERO),
        Barrier::Skew(skew) => Some(skew.skew.get()),
    });
    let action = action(builder, tables, &pointer, step)?;
    let sync = step.sync.iter().map(sync_call).collect();
    let word = match &action {
        Action::Sql(_) => "phase",
        Action::Admin(_) => "admin",
        Action::Wait(_) => "wait",
        Action::Nothing => "sync",
    };
    let part = if list == "/phases" { "" } else { &format!("{}-", &list[1..]) };
    let name = step.name.clone().unwrap_or_else(|| format!("{part}{word}-{}", index + 1));
    let timeout = step.timeout.map(HumanDuration::get);
    if step.rate.is_some() && step.repeat.is_none() {
        let message = "`rate` says how often the phase is repeated, and it is not";
        let help = "add `repeat`, or set `scale.rate` for iterations";
        builder.issues.push(Issue::new(format!("{pointer}/rate"), "phase::rate", message).help(help));
    }
    let rate = step.rate;
    Some(StepPlan { pointer, name, action, when, repeat: repeat?, rate, think, barrier, sync, timeout })
}

fn action(builder: &mut Builder, tables: &Tables, pointer: &str, step: &Step) -> Option<Action> {
    if let Some(sql) = &step.sql {
        return sql_plan(builder, tables, pointer, step, sql).map(Action::Sql);
    }
    if let Some(source) = &step.admin {
        let pointer = format!("{pointer}/admin");
        return builder.text(&pointer, source, Names::Phase).map(Action::Admin);
    }
    if let Some(wait) = step.wait {
        return Some(Action::Wait(wait.get()));
    }
    Some(Action::Nothing)
}

fn sql_plan(builder: &mut Builder, tables: &Tables, pointer: &str, step: &Step, sql: &Sql) -> Option<SqlPlan> {
    let bind: Vec<(String, Text)> = step
        .bind
        .iter()
        .filter_map(|(name, value)| {
            let pointer = format!("{pointer}/bind/{}", escape(name));
            let text = match value {
                Value::String(source) => builder.text(&pointer, source, Names::Row),
                Value::Null => builder.text(&pointer, "{{ none }}", Names::Row),
                Value::Bool(_) | Value::Number(_) => builder.text(&pointer, &format!("{{{{ {value} }}}}"), Names::Row),
                Value::Array(_) | Value::Object(_) => {
                    let message = format!("`{name}` is a list or a mapping, and a parameter is a single value");
                    builder
                        .issues
                        .push(Issue::new(&pointer, "phase::bind", message).help("give a number, a text or null"));
                    None
                }
            };
            Some((name.clone(), text?))
        })
        .collect();
    let rows = match &step.rows {
        None => None,
        Some(count) => Some(number(builder, &format!("{pointer}/rows"), count)?),
    };
    let sources: Vec<(String, &String)> = match sql {
        Sql::One(source) => vec![(format!("{pointer}/sql"), source)],
        Sql::Many(sources) => {
            sources.iter().enumerate().map(|(index, source)| (format!("{pointer}/sql/{index}"), source)).collect()
        }
    };
    let kind = step.kind.unwrap_or(Kind::Query);
    let mut changes = false;
    let mut statements = Vec::new();
    let complete = bind.len() == step.bind.len();
    for (pointer, source) in sources {
        let names = if rows.is_some() { Names::Row } else { Names::Phase };
        let Some(text) = builder.text(&pointer, source, names) else { continue };
        if text.varies_by_row() {
            let message = "this SQL is rendered and prepared again for every row, which is the slow way";
            let help = "bind what differs as a parameter: `:row`, `:id`, or one of your own under `bind`";
            builder.issues.push(Issue::new(&pointer, "phase::slow", message).help(help).warning());
        }
        changes |= prepare(builder, tables, &pointer, source, &text, &bind, complete);
        statements.push(text);
    }
    if statements.is_empty() {
        return None;
    }
    if kind != Kind::Query && !changes && builder.issues.iter().all(|issue| issue.warning) {
        let word = kind.past();
        let message = format!("no statement of this phase changes rows, and its rows would count as {word}");
        builder.issues.push(Issue::new(format!("{pointer}/kind"), "phase::kind", message).help("write `kind: query`"));
    }
    let batch = match step.transaction.unwrap_or_default() {
        Transaction::One => None,
        Transaction::Each => Some(1),
        Transaction::Batch(rows) => Some(rows.max(1)),
    };
    let expect_rows = match &step.expect_rows {
        None => None,
        Some(count) => Some(number(builder, &format!("{pointer}/expect_rows"), count)?),
    };
    Some(SqlPlan { kind, statements, rows, bind, batch, expect_rows, hostile: step.hostile })
}

/// Prepares a statement as the first database would run it; gives whether it changes anything.
fn prepare(
    builder: &mut Builder,
    tables: &Tables,
    pointer: &str,
    source: &str,
    text: &Text,
    bind: &[(String, Text)],
    complete: bool,
) -> bool {
    let scope =
        builder.scope.database(1, 1, "018ecfc2-b2b1-7cc3-a9f0-000000000001").iteration(1).repeat(1).rows(1).row(1);
    let sql = match text.render(&scope) {
        Ok(sql) => sql,
        Err(problem) => {
            builder.template_issue(pointer, problem);
            return true;
        }
    };
    let prepared = match tables.prepare(&sql) {
        Ok(prepared) => prepared,
        Err(problem) => {
            builder.sql_issue(pointer, source, problem);
            return true;
        }
    };
    // A table or view that a phase makes for itself is there for the phases after it.
    if sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("create"))
        && let Err(problem) = tables.run(&sql)
    {
        builder.sql_issue(pointer, source, problem);
    }
    let mut known: Vec<String> = bind.iter().map(|(name, _)| name.clone()).collect();
    known.extend(PARAMETERS.map(str::to_owned));
    known.extend(
        builder.vars.iter().filter(|(_, value)| !value.is_object() && !value.is_array()).map(|(name, _)| name.clone()),
    );
    for parameter in &prepared.parameters {
        let Some(name) = parameter else {
            let message = "a parameter without a name has no value";
            builder
                .issues
                .push(Issue::new(pointer, "phase::bind", message).help("write `:name`, with the name under `bind`"));
            continue;
        };
        if !complete || known.contains(name) {
            continue;
        }
        let start = source.find(&format!(":{name}"));
        let range = start.map(|start| start..start + name.len() + 1);
        let help = suggest(name, known.iter().map(String::as_str), "give it under `bind`; there are");
        let issue = Issue::new(pointer, "phase::bind", format!("the parameter `:{name}` has no value")).range(range);
        builder.issues.push(issue.help(help));
    }
    !prepared.readonly
}

/// Which keys go together: a phase of SQL, or one of `sync`, `wait` and `admin`.
fn check_keys(builder: &mut Builder, pointer: &str, step: &Step) {
    let code = "phase::keys";
    let actions: Vec<&str> =
        [("sql", step.sql.is_some()), ("admin", step.admin.is_some()), ("wait", step.wait.is_some())]
            .into_iter()
            .filter_map(|(key, given)| given.then_some(key))
            .collect();
    if actions.len() > 1 {
        let message = format!("a step does one thing, and this one has {}", list(&actions));
        builder.issues.push(Issue::new(pointer, code, message).help("make steps of their own of them"));
    }
    if actions.is_empty() && step.sync.is_empty() {
        let message = "this step does nothing";
        builder.issues.push(Issue::new(pointer, code, message).help("give it `sql`, `sync`, `wait` or `admin`"));
    }
    if step.sql.is_some() {
        for (key, missing) in [("name", step.name.is_none()), ("kind", step.kind.is_none())] {
            if missing {
                let help = match key {
                    "name" => "reports and thresholds call the phase by it: `name: insert`",
                    _ => "one of `delete`, `insert`, `update` and `query`: what the totals count its rows as",
                };
                builder.issues.push(Issue::new(pointer, code, format!("a phase needs a `{key}`")).help(help));
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
                let message = format!("`{key}` means nothing without `sql`");
                builder.issues.push(Issue::new(format!("{pointer}/{key}"), code, message).at_key());
            }
        }
    }
    if step.barrier.is_some() && step.sync.is_empty() {
        let message = "`barrier` means nothing without `sync`: it is the sync calls that start together";
        builder.issues.push(Issue::new(format!("{pointer}/barrier"), code, message).at_key());
    }
}

fn expression(builder: &mut Builder, pointer: &str, source: &str) -> Option<Expression> {
    let bare = source.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    if let Some(inside) = bare {
        let message = "`when` is an expression, not a text";
        let help = format!("write it without the braces: `when: {}`", inside.trim());
        builder.issues.push(Issue::new(pointer, "phase::when", message).help(help));
        return None;
    }
    let compiled = Expression::compile(source).map_err(|problem| builder.template_issue(pointer, problem)).ok()?;
    let names = compiled.variables();
    let known = names.into_iter().all(|(name, range)| builder.check_name(pointer, &name, range.as_ref(), Names::Phase));
    known.then_some(compiled)
}

fn number(builder: &mut Builder, pointer: &str, count: &Count) -> Option<Number> {
    let source = match count {
        Count::Number(number) => return Some(Number::Fixed(*number)),
        Count::Template(source) => source,
    };
    let number = Number::Rendered(builder.text(pointer, source, Names::Phase)?);
    let scope = builder.scope.database(1, 1, "").iteration(1).repeat(1).rows(1);
    match number.value(&scope) {
        Ok(_) => Some(number),
        Err(problem) => {
            builder.template_issue(pointer, problem);
            None
        }
    }
}

fn think_time(builder: &mut Builder, pointer: &str, think: &Think) -> Option<(Duration, Duration)> {
    match think {
        Think::Fixed(time) => Some((time.get(), time.get())),
        Think::Range(range) if range.min > range.max => {
            let message = format!("the shortest think time, {}, is above the longest, {}", range.min, range.max);
            builder.issues.push(Issue::new(pointer, "phase::think", message).help("exchange `min` and `max`"));
            None
        }
        Think::Range(range) => Some((range.min.get(), range.max.get())),
    }
}

fn sync_call(call: &SyncCall) -> SyncPlan {
    let receive = |check: bool, options: &ReceiveOptions| {
        SyncPlan::Receive(ReceivePlan {
            check,
            until: options.until,
            attempts: options.attempts.unwrap_or(40),
            every: options.every.map_or(Duration::from_millis(250), HumanDuration::get),
            max_chunks: options.max_chunks,
        })
    };
    match call {
        SyncCall::Name(SyncName::Send) => SyncPlan::Send,
        SyncCall::Name(SyncName::Receive) => receive(false, &ReceiveOptions::default()),
        SyncCall::Name(SyncName::Check) => receive(true, &ReceiveOptions::default()),
        SyncCall::Name(SyncName::Sync) => SyncPlan::Sync(None),
        SyncCall::Options(SyncOptions::Receive(options)) => receive(false, options),
        SyncCall::Options(SyncOptions::Check(options)) => receive(true, options),
        SyncCall::Options(SyncOptions::Sync(options)) => {
            let wait = options.wait.map_or(Duration::from_millis(100), HumanDuration::get);
            SyncPlan::Sync(Some((wait, options.retries.unwrap_or(1))))
        }
        SyncCall::Options(SyncOptions::Wait(wait)) => SyncPlan::Wait(wait.get()),
    }
}
