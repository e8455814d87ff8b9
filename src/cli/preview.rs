//! A plan as text: what will run, how often, and what the first rows look like.

use std::fmt::Write;

use crate::plan::{Action, CheckPlan, Plan, Question, SqlPlan, StepPlan, SyncPlan};
use crate::template::{Scope, Text};

/// Rows whose values are shown.
const ROWS: u64 = 2;

/// The plan as text, its templates rendered in `scope`.
pub(super) fn text(plan: &Plan, scope: &Scope, seeded: bool) -> String {
    let mut text = String::new();
    let out = &mut text;
    let mut line = |label: &str, value: &str| {
        let line = format!("{label:<12}{value}");
        writeln!(out, "{}", line.trim_end()).expect("writing to a String cannot fail");
    };
    line("scenario", &plan.name);
    if !plan.description.is_empty() {
        line("", &plan.description);
    }
    line("seed", &if seeded { plan.seed.to_string() } else { "drawn at each run; 0 below".to_owned() });
    let reused = if plan.reuse { ", as the last run left them" } else { "" };
    line("databases", &format!("{}, each on a thread of its own{reused}", plan.databases.len()));
    if plan.rls {
        for user in &plan.users {
            let own: Vec<String> = plan
                .databases
                .iter()
                .filter(|database| database.user == user.index)
                .map(|database| database.index.to_string())
                .collect();
            line(if user.index == 1 { "users" } else { "" }, &format!("{} has databases {}", user.id, own.join(", ")));
        }
    } else {
        line("users", "no row-level security: all databases share all rows");
    }
    let rate = plan.rate.map_or_else(String::new, |rate| format!(", {rate} by each database"));
    line("iterations", &format!("{}{rate}", plan.iterations));
    if !plan.ramp_up.is_zero() {
        line("ramp-up", &format!("the databases start over {:?}", plan.ramp_up));
    }
    line("time limit", &format!("{:?}", plan.time_limit));
    for table in &plan.tables {
        line("table", &format!("{} ({}), key {}", table.name, table.columns.join(", "), table.primary_key.join(", ")));
    }
    let scope = scope.database(1, 1, &plan.users[0].id).iteration(1).repeat(1);
    for (title, steps) in [("setup", &plan.setup), ("phases", &plan.phases), ("teardown", &plan.teardown)] {
        if !steps.is_empty() {
            line("", "");
            line(
                title,
                if title == "phases" { "in every iteration, by every database" } else { "once, by every database" },
            );
            for step in steps {
                line("", &indented(&step_text(step, &scope)));
            }
        }
    }
    line("", "");
    if plan.syncs() {
        line("settle", &format!("up to {} rounds, {:?} apart", plan.settle.rounds, plan.settle.wait));
    } else {
        line("settle", "not at all: no step asks for a sync call");
    }
    let checks: Vec<String> = plan.checks.iter().map(check_text).collect();
    line("verify", &checks.join(", "));
    for threshold in &plan.thresholds {
        line("threshold", &threshold.text);
    }
    line("", "");
    for (label, value) in totals(plan, &scope) {
        line(&label, &value);
    }
    text
}

/// Sums over the whole run, as far as they are known beforehand.
fn totals(plan: &Plan, scope: &Scope) -> Vec<(String, String)> {
    let times = plan.databases.len() as u64 * plan.iterations;
    let mut operations = 0;
    let mut open = Vec::new();
    let mut syncs = 0;
    let mut bytes = 0;
    for step in &plan.phases {
        let repeat = step.repeat.value(scope).unwrap_or(1);
        syncs += repeat * step.sync.iter().filter(|call| !matches!(call, SyncPlan::Wait(_))).count() as u64;
        let Action::Sql(sql) = &step.action else { continue };
        match sql.rows.as_ref().map(|rows| rows.value(scope).unwrap_or(0)) {
            Some(rows) => {
                operations += repeat * rows * sql.statements.len() as u64;
                bytes += repeat * rows * row_bytes(sql, &scope.rows(rows));
            }
            None => open.push(step.name.as_str()),
        }
    }
    let open = match open.as_slice() {
        [] => String::new(),
        names => format!(", and what {} find to change", names.join(" and ")),
    };
    let settling = if plan.syncs() { ", and those of settling" } else { "" };
    vec![
        ("rows".to_owned(), format!("{}{open}", operations * times)),
        ("sync calls".to_owned(), format!("{}{settling}", syncs * times)),
        ("data".to_owned(), format!("about {} bytes written by the phases with rows", bytes * times)),
    ]
}

fn step_text(step: &StepPlan, scope: &Scope) -> String {
    let mut text = String::new();
    let mut add = |part: String| {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&part);
    };
    let when = step.when.as_ref().map_or_else(String::new, |when| format!(", when {}", when.source()));
    let repeat = match step.repeat.value(scope) {
        Ok(1) | Err(_) => String::new(),
        Ok(times) => format!(", {times} times"),
    } + &step.rate.map_or_else(String::new, |rate| format!(" at {rate}"));
    add(format!("{}{repeat}{when}", step.name));
    match &step.action {
        Action::Nothing => {}
        Action::Wait(wait) => add(format!("  wait {wait:?}")),
        Action::Admin(sql) => add(format!("  on the server: {}", rendered(sql, scope))),
        Action::Sql(sql) => sql_text(sql, scope, &mut add),
    }
    if !step.sync.is_empty() {
        let calls: Vec<String> = step.sync.iter().map(sync_text).collect();
        let barrier = match step.barrier {
            None => String::new(),
            Some(skew) if skew.is_zero() => ", all databases at the same moment".to_owned(),
            Some(skew) => format!(", the databases {skew:?} apart"),
        };
        add(format!("  sync: {}{barrier}", calls.join(", ")));
    }
    text
}

fn sql_text(sql: &SqlPlan, scope: &Scope, add: &mut dyn FnMut(String)) {
    let rows = sql.rows.as_ref().map(|rows| rows.value(scope).unwrap_or(0));
    let scope = &scope.rows(rows.unwrap_or(1));
    let grouped = match sql.batch {
        None => "in one transaction".to_owned(),
        Some(1) => "each in a transaction of its own".to_owned(),
        Some(batch) => format!("{batch} to a transaction"),
    };
    match rows {
        Some(rows) => add(format!("  {rows} rows, {grouped}:")),
        None => add(format!("  {grouped}:")),
    }
    for statement in &sql.statements {
        add(format!("    {}", rendered(statement, &scope.row(1))));
        let parameters = parameters(statement.source());
        if parameters.is_empty() {
            continue;
        }
        for row in 1..=rows.unwrap_or(1).min(ROWS) {
            let values: Vec<String> =
                parameters.iter().map(|name| format!(":{name} = {}", value(sql, name, scope, row))).collect();
            add(format!("      row {row}: {}", values.join(", ")));
        }
    }
}

fn rendered(text: &Text, scope: &Scope) -> String {
    let rendered = text.render(scope).unwrap_or_else(|problem| problem.message);
    rendered.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn value(sql: &SqlPlan, name: &str, scope: &Scope, row: u64) -> String {
    let Ok(text) = sql.parameter(name) else { return "?".to_owned() };
    match text.value(&scope.salted(name).row(row)) {
        Ok(value) if value.as_str().is_some() => format!("'{value}'"),
        Ok(value) => value.to_string(),
        Err(problem) => problem.message,
    }
}

/// Bytes of a row's values: text and blobs by length, numbers by eight.
fn row_bytes(sql: &SqlPlan, scope: &Scope) -> u64 {
    let names = sql.statements.iter().flat_map(|statement| parameters(statement.source()));
    names.map(|name| value(sql, &name, scope, 1).len().max(8) as u64).sum()
}

/// The names after colons in a statement, texts in quotes passed over.
fn parameters(sql: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut quote = None;
    for (at, character) in sql.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ':') => {
                let name: String = sql[at + 1..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !name.is_empty() && !names.contains(&name) {
                    names.push(name);
                }
            }
            (Some(_) | None, _) => {}
        }
    }
    names
}

fn sync_text(call: &SyncPlan) -> String {
    match call {
        SyncPlan::Send => "send".to_owned(),
        SyncPlan::Receive(receive) => {
            let word = if receive.check { "check" } else { "receive" };
            let until = receive.until.map(|until| match until {
                crate::scenario::ReceiveUntil::Rows => "rows arrive",
                crate::scenario::ReceiveUntil::Quiet => "quiet",
            });
            until.map_or_else(
                || word.to_owned(),
                |until| format!("{word} until {until}, at most {} times", receive.attempts),
            )
        }
        SyncPlan::Sync(_) => "sync".to_owned(),
        SyncPlan::Wait(wait) => format!("wait {wait:?}"),
    }
}

fn check_text(check: &CheckPlan) -> String {
    match &check.question {
        Question::Named(name) => format!("{name:?}").to_lowercase(),
        Question::Query { on, sql, equals } => {
            let on = match on {
                crate::scenario::QueryOn::Server => "server",
                crate::scenario::QueryOn::Databases => "every database",
            };
            format!("`{sql}` on {on} = {equals}")
        }
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n            ")
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn parameters_are_found_outside_of_texts() {
        assert_eq!(parameters("INSERT INTO t VALUES (:id, ':no', :row || \":nor\", :id)"), ["id", "row"]);
    }
}
