//! The tables of a run: rendered, made in memory, held against CloudSync's rules.

use super::draft::Draft;
use super::table::{Elsewhere, TablePlan, Triggered};
use super::tables::Tables;
use super::{blocks, filter, grow_only};
use crate::scenario::{Algorithm, Issue, Scenario};

/// Decides the tables, and makes them in `tables`. Their policies are decided apart.
pub(super) fn decide(draft: &mut Draft<'_>, scenario: &Scenario, tables: &mut Tables) -> Vec<TablePlan> {
    let mut plans: Vec<TablePlan> = Vec::new();
    for (index, table) in scenario.schema.tables.iter().enumerate() {
        let pointer = format!("/schema/tables/{index}");
        let name = draft.rendered(&format!("{pointer}/name"), &table.name);
        let sql = draft.rendered(&format!("{pointer}/sql"), &table.sql);
        let (Some(name), Some(sql)) = (name, sql) else { continue };
        if plans.iter().any(|plan| plan.name.eq_ignore_ascii_case(&name)) {
            let message = format!("table `{name}` is declared twice");
            draft.issues.push(Issue::new(format!("{pointer}/name"), "sql::create", message));
            continue;
        }
        let Some(columns) = tables.create(&pointer, &name, &sql, &mut draft.issues) else { continue };
        let mut also = Vec::new();
        for (place, source) in table.also.iter().enumerate() {
            let pointer = format!("{pointer}/also/{place}");
            let Some(sql) = draft.rendered(&pointer, source) else { continue };
            if let Err(problem) = tables.run(&sql) {
                draft.sql(&pointer, source, problem);
            }
            also.push(sql);
        }
        let filter = table.filter.as_ref().and_then(|source| {
            filter::decide(draft, tables, &format!("{pointer}/filter"), (&name, &columns.all), source)
        });
        if table.algo == Algorithm::Gos && !grow_only::is_expected(scenario, &name) {
            tables.forbid_changes(&name);
        }
        let blocks = blocks::decide(draft, tables, &pointer, &name, &table.columns);
        plans.push(TablePlan {
            name,
            sql,
            also,
            filter,
            algorithm: table.algo,
            alters: Vec::new(),
            altered: false,
            blocks,
            columns: columns.all,
            places: columns.places,
            primary_key: columns.primary_key,
            key: columns.key,
            policies: None,
            policy_columns: Vec::new(),
            policies_depend_on: Elsewhere::Nothing,
            triggered: Triggered::default(),
        });
    }
    note_triggers(tables, &mut plans);
    plans
}

/// Notes what the tables are after they were altered.
pub(super) fn renew(tables: &mut Tables, plans: &mut [TablePlan]) {
    for plan in plans.iter_mut() {
        plan.triggered = Triggered::default();
        if let Some(columns) = tables.columns_of(&plan.name).filter(|_| plan.altered) {
            let before = std::mem::replace(&mut plan.columns, columns.all);
            for block in &mut plan.blocks {
                let is_it = |column: &String| *column == before[block.place];
                block.place = plan.columns.iter().position(is_it).unwrap_or(block.place);
            }
            plan.places = columns.places;
            plan.primary_key = columns.primary_key;
            plan.key = columns.key;
        }
    }
    note_triggers(tables, plans);
}

/// Notes what triggers do to the tables.
fn note_triggers(tables: &mut Tables, plans: &mut [TablePlan]) {
    let done: Vec<_> = plans.iter().flat_map(|plan| tables.triggered(&plan.name, &plan.columns)).collect();
    // A trigger that replaces a row deletes one.
    let replaces = plans.iter().flat_map(|plan| &plan.also).any(|sql| sql.to_ascii_lowercase().contains("replace"));
    for (table, done) in done {
        if let Some(plan) = plans.iter_mut().find(|plan| plan.name.eq_ignore_ascii_case(&table)) {
            plan.triggered.deletes |= done.inserts && replaces;
            plan.triggered.add(done);
        }
    }
}
