//! A phase's SQL, decided: its statements, prepared against the tables, and the parameters they can bind.

use serde_json::Value;

use super::SqlPlan;
use super::draft::Draft;
use super::grow_only;
use super::names::Names;
use super::scale::user_id;
use super::tables::{Prepared, Tables};
use super::value::{Parameter, Statement};
use crate::scenario::{Count, Issue, Kind, Sql, Step, Transaction, join};
use crate::suggest::suggest;
use crate::template::{Number, Scope, Text};

/// Decides the SQL of the step with this name.
pub(super) fn decide(
    draft: &mut Draft<'_>,
    tables: &Tables,
    pointer: &str,
    name: &str,
    step: &Step,
    sql: &Sql,
) -> Option<SqlPlan> {
    let parameters = parameters(draft, pointer, name, step);
    let rows = optional_number(draft, &format!("{pointer}/rows"), step.rows.as_ref())?;
    let scope = first(&draft.scope, pointer);
    let scope = scope.rows(rows.as_ref().map_or(Ok(1), |rows| rows.value(&scope)).unwrap_or(1));
    let names = if rows.is_some() { Names::Row } else { Names::Phase };
    let (mut changes, mut any_state) = (false, false);
    let mut statements = Vec::new();
    for (pointer, source) in sources(&format!("{pointer}/sql"), sql) {
        let Some(text) = draft.text(&pointer, source, names) else { continue };
        let mut statement = Statement::new(name, text, source);
        if statement.varies_by_row() {
            let message = "this SQL is rendered and prepared again for every row, which is slow";
            let help = "use a parameter for the part that differs: `:row`, `:id`, or one of your own under `bind`";
            draft.issues.push(Issue::new(&pointer, "phase::slow", message).help(help).warning());
        }
        if source.to_ascii_lowercase().contains(LOGOUT) {
            let message =
                "SQL logs the database out, so nobody would know what is lost and what it is called afterwards";
            let help = "write it as a sync call: `sync: [logout]`";
            draft.issues.push(Issue::new(&pointer, "phase::logout", message).help(help));
        }
        let prepared = prepare(draft, tables, &scope, &pointer, source, &statement);
        changes |= prepared.as_ref().is_none_or(|prepared| !prepared.readonly);
        let found = prepared.map(|prepared| prepared.parameters).unwrap_or_default();
        any_state |= statement.syncs || statement.controls;
        statement.parameters = found.iter().flatten().cloned().collect();
        check_parameters(draft, &pointer, source, &found, parameters.as_deref());
        statements.push(statement);
    }
    if statements.is_empty() {
        return None;
    }
    let kind = step.kind.unwrap_or(Kind::Query);
    if kind != Kind::Query && !changes && draft.is_sound() {
        let word = kind.past();
        let message = format!("no statement of this phase changes rows, but its rows would count as {word}");
        draft.issues.push(Issue::new(format!("{pointer}/kind"), "phase::kind", message).help("write `kind: query`"));
    }
    let batch = match step.transaction.unwrap_or_default() {
        Transaction::One => None,
        Transaction::Each => Some(1),
        Transaction::Batch(rows) => Some(rows.max(1)),
    };
    let expect_rows = optional_number(draft, &format!("{pointer}/expect_rows"), step.expect_rows.as_ref())?;
    let parameters = parameters.unwrap_or_default();
    Some(SqlPlan { kind, statements, parameters, rows, batch, expect_rows, hostile: step.hostile, any_state })
}

/// The function by which a database is logged out.
const LOGOUT: &str = "cloudsync_network_logout";

/// The statements as written under a pointer, each with its place.
pub(super) fn sources<'s>(pointer: &str, sql: &'s Sql) -> Vec<(String, &'s String)> {
    match sql {
        Sql::One(source) => vec![(pointer.to_owned(), source)],
        Sql::Many(sources) => {
            sources.iter().enumerate().map(|(index, source)| (format!("{pointer}/{index}"), source)).collect()
        }
    }
}

/// Every parameter that the phase can bind: the author's own, those that are always there, and the scenario's
/// variables. None when one of the author's own is wrong.
fn parameters(draft: &mut Draft<'_>, pointer: &str, phase: &str, step: &Step) -> Option<Vec<Parameter>> {
    let mut parameters: Vec<Parameter> = Vec::new();
    for (name, value) in &step.bind {
        let text = bound(draft, &join(&format!("{pointer}/bind"), name), name, value);
        parameters.extend(text.map(|text| Parameter::new(phase, name, text)));
    }
    let complete = parameters.len() == step.bind.len();
    for (name, text) in &draft.parameters {
        if !parameters.iter().any(|own| own.name == *name) {
            parameters.push(Parameter::new(phase, name, text.clone()));
        }
    }
    complete.then_some(parameters)
}

/// What one of the author's own parameters is bound to.
fn bound(draft: &mut Draft<'_>, pointer: &str, name: &str, value: &Value) -> Option<Text> {
    match value {
        Value::String(source) => draft.text(pointer, source, Names::Row),
        Value::Null => draft.text(pointer, "{{ none }}", Names::Row),
        Value::Bool(_) | Value::Number(_) => draft.text(pointer, &format!("{{{{ {value} }}}}"), Names::Row),
        Value::Array(_) | Value::Object(_) => {
            let message = format!("`{name}` is a list or a map, but a parameter must be a single value");
            draft.issues.push(Issue::new(pointer, "phase::bind", message).help("write a number, a text or null"));
            None
        }
    }
}

/// Prepares a statement as the first database would run it.
fn prepare(
    draft: &mut Draft<'_>,
    tables: &Tables,
    scope: &Scope,
    pointer: &str,
    source: &str,
    statement: &Statement,
) -> Option<Prepared> {
    let sql = statement.render(scope, 1).map_err(|problem| draft.template(pointer, problem)).ok()?;
    let prepared = tables.prepare(&sql).map_err(|problem| draft.sql(pointer, source, problem)).ok()?;
    grow_only::check(draft, tables, pointer, &sql);
    if let Some(table) = tables.altered(&sql).filter(|table| tables.has(table)) {
        let message = format!("a phase alters the synced table `{table}`, which sync would not notice");
        draft.issues.push(
            Issue::new(pointer, "cloudsync::alter", message).help("use an `alter` step: `- alter: ALTER TABLE …`"),
        );
    }
    // A table or view that a phase makes for itself is there for the phases after it.
    if sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("create"))
        && let Err(problem) = tables.run(&sql)
    {
        draft.sql(pointer, source, problem);
    }
    Some(prepared)
}

/// Whether all parameters of a statement have a value. Nothing is known of those without a name, nor when one of the
/// author's own is wrong.
fn check_parameters(
    draft: &mut Draft<'_>,
    pointer: &str,
    source: &str,
    found: &[Option<String>],
    known: Option<&[Parameter]>,
) {
    for parameter in found {
        let Some(name) = parameter else {
            let message = "a parameter without a name cannot get a value";
            let help = "write `:name`, and add the name under `bind`";
            draft.issues.push(Issue::new(pointer, "phase::bind", message).help(help));
            continue;
        };
        let Some(known) = known.filter(|known| known.iter().all(|known| known.name != *name)) else { continue };
        let start = source.find(&format!(":{name}"));
        let range = start.map(|start| start..start + name.len() + 1);
        let names = known.iter().map(|parameter| parameter.name.as_str());
        let help = suggest(name, names, "add it under `bind`; known parameters");
        let issue = Issue::new(pointer, "phase::bind", format!("the parameter `:{name}` has no value")).range(range);
        draft.issues.push(issue.help(help));
    }
}

/// A number of a step.
pub(super) fn number(draft: &mut Draft<'_>, pointer: &str, count: &Count) -> Option<Number> {
    let source = match count {
        Count::Number(number) => return Some(Number::Fixed(*number)),
        Count::Template(source) => source,
    };
    let number = Number::Rendered(draft.text(pointer, source, Names::Phase)?);
    let value = number.value(&first(&draft.scope, pointer));
    value.map_err(|problem| draft.template(pointer, problem)).ok()?;
    Some(number)
}

/// A number that can be left out; `None` when it is wrong.
#[expect(clippy::option_option, reason = "what is left out is right")]
fn optional_number(draft: &mut Draft<'_>, pointer: &str, count: Option<&Count>) -> Option<Option<Number>> {
    count.map_or(Some(None), |count| number(draft, pointer, count).map(Some))
}

/// The scope of the first database's first repetition of the step with this pointer. What is not repeated with the
/// phases runs in iteration 0.
pub(super) fn first(scope: &Scope, pointer: &str) -> Scope {
    let iteration = u64::from(pointer.starts_with("/phases/"));
    scope.database(1, 1, &user_id(1)).iteration(iteration).repeat(1)
}
