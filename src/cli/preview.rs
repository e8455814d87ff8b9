//! A plan as text: what will run, how often, and what the first rows look like.

use crate::plan::{Action, BlockPlan, CheckPlan, Plan, Question, SqlPlan, SqlValue, StepPlan, TablePlan};
use crate::scenario::Algorithm;
use crate::sql::one_line;
use crate::template::{Scope, TemplateProblem};

/// Rows whose values are shown.
const ROWS: u64 = 2;

/// The plan as text, as its first database carries it out.
pub(super) fn text(plan: &Plan, seeded: bool) -> String {
    let mut page = Page::default();
    page.head(plan, seeded);
    page.steps(plan);
    page.end(plan);
    page.0
}

/// The steps alone, as the first database carries them out.
pub(super) fn steps(plan: &Plan) -> String {
    let mut page = Page::default();
    page.steps(plan);
    page.0
}

/// Lines with a label and a value.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, value: &str) {
        let line = format!("{label:<12}{value}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn head(&mut self, plan: &Plan, seeded: bool) {
        self.line("scenario", &plan.name);
        if !plan.description.is_empty() {
            self.line("", &plan.description);
        }
        self.line(
            "seed",
            &if seeded {
                plan.seed.to_string()
            } else {
                "random for each run; the values below are those of seed 0".to_owned()
            },
        );
        let reused = if plan.reuse { ", as the last run left them" } else { "" };
        self.line("databases", &format!("{}, each on its own thread{reused}", plan.databases.len()));
        self.users(plan);
        let rate = plan.rate.map_or_else(String::new, |rate| format!(", {rate} by each database"));
        self.line("iterations", &format!("{}{rate}", plan.iterations));
        if !plan.ramp_up.is_zero() {
            self.line("ramp-up", &format!("the databases start over {:?}", plan.ramp_up));
        }
        self.line("time limit", &format!("{:?}", plan.time_limit));
        for table in &plan.tables {
            let (columns, key) = (table.columns.join(", "), table.primary_key.join(", "));
            let filter = table.filter.as_ref().map_or_else(String::new, |filter| format!(", only rows with {filter}"));
            let grows = if table.algorithm == Algorithm::Gos { ", only grows" } else { "" };
            let blocks: String = table.blocks.iter().map(|block| block_words(table, block)).collect();
            self.line("table", &format!("{} ({columns}), key {key}{filter}{grows}{blocks}", table.name));
        }
    }

    fn users(&mut self, plan: &Plan) {
        if !plan.rls {
            self.line("users", "no row-level security: all databases share all rows");
            return;
        }
        for user in &plan.users {
            let databases = plan.databases.iter().filter(|database| database.user == user.index);
            let own: Vec<String> = databases.map(|database| database.index.to_string()).collect();
            let label = if user.index == 1 { "users" } else { "" };
            self.line(label, &format!("{} has databases {}", user.id, own.join(", ")));
        }
    }

    fn steps(&mut self, plan: &Plan) {
        let scope = plan.database_scope(&plan.databases[0]);
        for (title, when, iteration, steps) in [
            ("setup", "once, by every database", 0, &plan.setup),
            ("phases", "in every iteration, by every database", 1, &plan.phases),
            ("teardown", "once, by every database", 0, &plan.teardown),
        ] {
            if steps.is_empty() {
                continue;
            }
            self.line("", "");
            self.line(title, when);
            for step in steps {
                self.line("", &indented(&step_text(step, &scope.iteration(iteration).repeat(1))));
            }
        }
    }

    fn end(&mut self, plan: &Plan) {
        self.line("", "");
        if plan.syncs() {
            self.line("settle", &format!("up to {} rounds, {:?} apart", plan.settle.rounds, plan.settle.wait));
        } else {
            self.line("settle", "none: no step makes a sync call");
        }
        let checks: Vec<String> = plan.checks.iter().map(check_text).collect();
        self.line("verify", &checks.join(", "));
        for threshold in &plan.thresholds {
            self.line("threshold", &threshold.text);
        }
        self.line("", "");
        let scope = plan.database_scope(&plan.databases[0]).iteration(1).repeat(1);
        for (label, value) in totals(plan, &scope) {
            self.line(&label, &value);
        }
    }
}

/// Sums over the whole run, as far as they are known beforehand.
/// What is said of a column whose texts are merged block by block.
fn block_words(table: &TablePlan, block: &BlockPlan) -> String {
    let between = block.delimiter.as_ref().map_or_else(String::new, |delimiter| format!(" between {delimiter:?}"));
    format!(", {} merged block by block{between}", table.columns[block.place])
}

fn totals(plan: &Plan, scope: &Scope) -> Vec<(String, String)> {
    // Beyond what a number holds, the largest one says enough.
    let times = (plan.databases.len() as u64).saturating_mul(plan.iterations);
    let mut operations = 0_u64;
    let mut open = Vec::new();
    let mut syncs = 0_u64;
    let mut bytes = 0_u64;
    for step in &plan.phases {
        let repeat = step.repeat.value(scope).unwrap_or(1);
        let calls = step.sync.iter().filter(|call| call.calls()).count() as u64;
        syncs = syncs.saturating_add(calls.saturating_mul(repeat));
        let Action::Sql(sql) = &step.action else { continue };
        match sql.rows.as_ref().map(|rows| rows.value(scope).unwrap_or(0)) {
            Some(rows) => {
                let written = rows.saturating_mul(repeat);
                operations = operations.saturating_add(written.saturating_mul(sql.statements.len() as u64));
                bytes = bytes.saturating_add(written.saturating_mul(row_bytes(sql, &scope.rows(rows))));
            }
            None => open.push(step.name.as_str()),
        }
    }
    let open = match open.as_slice() {
        [] => String::new(),
        names => format!(", plus the rows that {} change", names.join(" and ")),
    };
    let settling = if plan.syncs() { ", plus those of settling" } else { "" };
    vec![
        ("rows".to_owned(), format!("{}{open}", operations.saturating_mul(times))),
        ("sync calls".to_owned(), format!("{}{settling}", syncs.saturating_mul(times))),
        ("data".to_owned(), format!("about {} bytes written by the phases with rows", bytes.saturating_mul(times))),
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
        Action::Admin(sql) => add(format!("  on the server: {}", shown(sql.render(scope)))),
        Action::Alter(alterations) => {
            for one in alterations {
                add(format!("  alter: {}", one_line(&one.sql)));
            }
        }
        Action::Sql(sql) => sql_text(sql, scope, &mut add),
    }
    if !step.sync.is_empty() {
        let calls: Vec<String> = step.sync.iter().map(|call| call.in_words(scope)).collect();
        let barrier = match step.barrier {
            None => String::new(),
            Some(skew) if skew.is_zero() => ", all databases at the same moment".to_owned(),
            Some(skew) => format!(", the databases {skew:?} apart"),
        };
        add(format!("  sync: {}{barrier}", calls.join(", ")));
    }
    if let Some(crash) = &step.crash {
        add(format!("  crash: {}", crash.in_words()));
    }
    text
}

fn sql_text(sql: &SqlPlan, scope: &Scope, add: &mut dyn FnMut(String)) {
    let rows = sql.rows.as_ref().map(|rows| rows.value(scope).unwrap_or(0));
    let scope = &scope.rows(rows.unwrap_or(1));
    let grouped = match sql.batch {
        None => "in one transaction".to_owned(),
        Some(1) => "each in its own transaction".to_owned(),
        Some(batch) => format!("{batch} per transaction"),
    };
    match rows {
        Some(rows) => add(format!("  {rows} rows, {grouped}:")),
        None => add(format!("  {grouped}:")),
    }
    let shown_rows = 1..=rows.unwrap_or(1).min(ROWS);
    for statement in &sql.statements {
        let texts = if statement.varies_by_row() { shown_rows.clone() } else { 1..=1 };
        for row in texts {
            add(format!("    {}", shown(statement.render(scope, row))));
        }
        if statement.parameters.is_empty() {
            continue;
        }
        for row in shown_rows.clone() {
            let value = |name: &String| format!(":{name} = {}", value(sql, name, scope, row));
            let values: Vec<String> = statement.parameters.iter().map(value).collect();
            add(format!("      row {row}: {}", values.join(", ")));
        }
    }
}

fn shown(sql: Result<String, TemplateProblem>) -> String {
    sql.map_or_else(|problem| problem.message, |sql| one_line(&sql))
}

/// What a parameter is bound to at a row, as an SQL literal.
fn value(sql: &SqlPlan, name: &str, scope: &Scope, row: u64) -> String {
    let value = sql.parameter(name).map(|parameter| parameter.value(scope, row));
    value.map_or_else(String::new, |value| value.map_or_else(|problem| problem.message, |value| value.to_string()))
}

/// Bytes of the values that the statements bind at a row.
fn row_bytes(sql: &SqlPlan, scope: &Scope) -> u64 {
    let names = sql.statements.iter().flat_map(|statement| &statement.parameters);
    let values = names.filter_map(|name| sql.parameter(name)?.value(scope, 1).ok());
    values.map(|value: SqlValue| value.bytes() as u64).sum()
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
