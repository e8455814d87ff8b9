//! Whether rows that were inserted and that nothing deleted are still anywhere.

use crate::figure::counted;
use crate::plan::{Action, Plan, SqlPlan, StepPlan};
use crate::record::{Event, FinalState, StepKind, WorkerRecord};

/// Words of SQL that can make rows go. Where one stands outside a phase that is counted as deleting, nothing is said.
const TAKING: [&str; 5] = ["delete", "replace", "drop", "alter", "{{"];

/// Tables into which rows were inserted, of which nothing deleted any, and of which no database holds any.
pub(super) fn gone(plan: &Plan, workers: &[&WorkerRecord], state: &FinalState) -> Vec<String> {
    if plan.is_hostile() || state.databases.len() != plan.databases.len() || can_take(plan) {
        return Vec::new();
    }
    let events = || workers.iter().flat_map(|worker| &worker.events);
    let took = |event: &Event| event.step == StepKind::Delete && (event.rows > 0 || !event.failures.is_empty());
    if events().any(took) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for table in &plan.tables {
        let filling: Vec<&str> =
            plan.steps().filter(|step| fills(step, &table.name)).map(|step| step.name.as_str()).collect();
        let of_table = |event: &&Event| {
            event.step == StepKind::Insert && event.failures.is_empty() && filling.contains(&event.phase.as_str())
        };
        let inserted = events().filter(of_table).map(|event| event.rows).fold(0, u64::saturating_add);
        let states = state.databases.iter().flat_map(|held| &held.tables).filter(|held| held.table == table.name);
        let held = states
            .map(|held| held.rows.saturating_add(held.forbidden).saturating_add(held.left_out))
            .fold(0, u64::saturating_add);
        if inserted > 0 && held == 0 {
            let rows = counted(inserted, "row");
            let name = &table.name;
            found.push(format!("table {name}: {rows} inserted and none deleted, but no database holds a row"));
        }
    }
    found
}

/// Whether rows can go without being counted as deleted.
fn can_take(plan: &Plan) -> bool {
    let takes = |sql: &str| {
        let sql = sql.to_ascii_lowercase();
        TAKING.iter().any(|word| sql.contains(word))
    };
    let tables = plan.tables.iter().flat_map(|table| std::iter::once(&table.sql).chain(&table.also));
    let steps = plan.steps().any(|step| match &step.action {
        Action::Sql(sql) => StepKind::of(sql.kind) != StepKind::Delete && sources(sql).any(takes),
        Action::Admin(_) => true,
        Action::Alter(_) | Action::Wait(_) | Action::Nothing => false,
    });
    steps || tables.map(String::as_str).any(takes)
}

fn sources(sql: &SqlPlan) -> impl Iterator<Item = &str> {
    sql.statements.iter().map(crate::plan::Statement::source)
}

/// Whether a phase inserts into a table, and does nothing else.
fn fills(step: &StepPlan, table: &str) -> bool {
    let into = |source: &str| {
        let rest = source.trim_start().get(..12).filter(|head| head.eq_ignore_ascii_case("insert into "));
        let rest = rest.and_then(|_| source.trim_start().get(12..)).unwrap_or_default().trim_start();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        name.eq_ignore_ascii_case(table)
    };
    match &step.action {
        Action::Sql(sql) => StepKind::of(sql.kind) == StepKind::Insert && sources(sql).all(into),
        Action::Admin(_) | Action::Alter(_) | Action::Wait(_) | Action::Nothing => false,
    }
}
