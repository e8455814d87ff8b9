//! Row-level security: the policies of each table.

use super::draft::Draft;
use super::table::{Elsewhere, TablePlan};
use super::tables::{Reads, Tables};
use crate::scenario::{Issue, Policies, Scenario, join};
use crate::suggest::suggest;

/// Decides the policies of the tables, when row-level security is on.
pub(super) fn decide(draft: &mut Draft<'_>, scenario: &Scenario, tables: &mut Tables, plans: &mut [TablePlan]) {
    let Some(rls) = &scenario.rls else { return };
    for (written, policies) in &rls.policies {
        let pointer = join("/rls/policies", written);
        let Some(name) = draft.rendered(&pointer, written) else { continue };
        let rendered = rendered(draft, &pointer, policies);
        let names: Vec<String> = plans.iter().map(|plan| plan.name.clone()).collect();
        match plans.iter_mut().find(|plan| plan.name == name) {
            Some(plan) => {
                for (operation, policy) in rendered.iter() {
                    check(draft, tables, &join(&pointer, operation), (&name, operation), policy);
                    note(plan, tables.reads(&name, operation, policy));
                }
                plan.policies = Some(rendered);
            }
            None if names.is_empty() => {}
            None => {
                let help = suggest(&name, names.iter().map(String::as_str), "the scenario's tables");
                let message = format!("there is no table `{name}` in this scenario");
                draft.issues.push(Issue::new(pointer, "rls::table", message).at_key().help(help));
            }
        }
    }
    for plan in plans.iter().filter(|plan| plan.policies.is_none()) {
        let message = format!("table `{}` has no policies, so no user can see its rows", plan.name);
        let help = format!("add `{}:` with its select, insert, update and delete policies", plan.name);
        draft.issues.push(Issue::new("/rls/policies", "rls::table", message).help(help));
    }
}

/// Notes anew what the policies read, after tables were altered.
pub(super) fn renew(tables: &Tables, plans: &mut [TablePlan]) {
    for plan in plans {
        let Some(policies) = plan.policies.clone() else { continue };
        (plan.policy_columns, plan.policies_depend_on) = (Vec::new(), Elsewhere::Nothing);
        for (operation, policy) in policies.iter() {
            note(plan, tables.reads(&plan.name, operation, policy));
        }
    }
}

/// Notes what a policy reads.
fn note(plan: &mut TablePlan, reads: Reads) {
    let place = |column: &String| plan.columns.iter().position(|own| own.eq_ignore_ascii_case(column));
    let places: Vec<usize> = reads.columns.iter().filter_map(place).collect();
    // What is no column of its own, such as a generated one, is not followed.
    let followed = places.len() == reads.columns.len() && !reads.anything;
    plan.policy_columns.extend(places);
    plan.policy_columns.sort_unstable();
    plan.policy_columns.dedup();
    plan.policies_depend_on = match std::mem::replace(&mut plan.policies_depend_on, Elsewhere::Anything) {
        Elsewhere::Nothing if followed && reads.tables.is_empty() => Elsewhere::Nothing,
        Elsewhere::Nothing if followed => Elsewhere::Tables(reads.tables.into_iter().collect()),
        Elsewhere::Tables(mut tables) if followed => {
            tables.extend(reads.tables);
            Elsewhere::Tables(tables)
        }
        Elsewhere::Nothing | Elsewhere::Tables(_) | Elsewhere::Anything => Elsewhere::Anything,
    };
}

fn rendered(draft: &mut Draft<'_>, pointer: &str, policies: &Policies) -> Policies {
    let mut rendered = policies.clone();
    for (operation, policy) in rendered.iter_mut() {
        *policy = policy.take().and_then(|source| draft.rendered(&join(pointer, operation), &source));
    }
    rendered
}

/// Whether a policy prepares. Columns in double quotes are columns; a text in double quotes is none to SQLite either.
fn check(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, (table, operation): (&str, &str), policy: &str) {
    let Err(problem) = tables.prepare_policy(table, operation, policy) else { return };
    let message = format!("the {operation} policy of `{table}` does not prepare: {}", problem.message);
    let help = problem.help.unwrap_or_else(|| {
        match operation {
            "select" => "write columns without a prefix: `auth_userid() = user_id`",
            "update" => "write columns as `OLD.column` and `NEW.column`",
            "insert" => "write columns as `NEW.column`",
            _ => "write columns as `OLD.column`",
        }
        .to_owned()
    });
    draft.issues.push(Issue::new(pointer, "rls::policy", message).help(help).range(problem.range));
}
