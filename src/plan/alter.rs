//! Tables that are altered in the run: what a step may do to them, and what must still hold afterwards. It must not know
//! which database meets which tables: that is `order`.

use super::draft::Draft;
use super::filter::in_trigger;
use super::phase::sources;
use super::rule::rule_for;
use super::table::{Alteration, TablePlan};
use super::tables::Tables;
use super::{Action, StepPlan, TargetPlan};
use crate::failure::{self, Call, FailureKind, RawError};
use crate::scenario::{ExpectedVerdict, Issue, Policies, Scenario, Sql};

const HELP: &str = "write `ALTER TABLE notes ADD COLUMN …`, `… DROP COLUMN …` or `… RENAME COLUMN … TO …`";

/// Decides the changes of a step, and makes them in `tables` and `plans`.
pub(super) fn decide(
    draft: &mut Draft<'_>,
    tables: &Tables,
    plans: &mut [TablePlan],
    pointer: &str,
    sql: &Sql,
) -> Vec<Alteration> {
    let sources = sources(pointer, sql);
    if sources.is_empty() {
        draft.issues.push(Issue::new(pointer, "cloudsync::alter", "this step alters nothing").help(HELP));
    }
    sources.into_iter().filter_map(|(pointer, source)| one(draft, tables, plans, &pointer, source)).collect()
}

fn one(
    draft: &mut Draft<'_>,
    tables: &Tables,
    plans: &mut [TablePlan],
    pointer: &str,
    source: &str,
) -> Option<Alteration> {
    let sql = draft.rendered(pointer, source)?;
    tables.prepare(&sql).map_err(|problem| draft.sql(pointer, source, problem)).ok()?;
    let Some(table) = tables.altered(&sql) else {
        let message = "an `alter` step can only run ALTER TABLE";
        draft.issues.push(Issue::new(pointer, "cloudsync::alter", message).help(HELP));
        return None;
    };
    if !tables.has(&table) {
        let message = format!("`{table}` is none of the scenario's tables, so an `alter` step cannot alter it");
        let help = "run the statement in a phase's `sql`, or name a table of `schema.tables`";
        draft.issues.push(Issue::new(pointer, "cloudsync::alter", message).help(help));
        return None;
    }
    match tables.alter(pointer, &table, &sql) {
        Ok(issues) => draft.issues.extend(issues),
        Err(problem) => {
            draft.sql(pointer, source, problem);
            return None;
        }
    }
    check_expressions(draft, tables, plans, pointer);
    check_blocks(draft, tables, plans, pointer);
    let plan = plans.iter_mut().find(|plan| plan.name == table)?;
    plan.altered = true;
    plan.alters.push(sql.clone());
    Some(Alteration { table, sql })
}

/// Whether the tables' filters and policies still find their columns.
fn check_expressions(draft: &mut Draft<'_>, tables: &Tables, plans: &[TablePlan], pointer: &str) {
    let mut refuse = |what: String, why: String| {
        let message = format!("after this change, {what} does not prepare: {why}");
        let help = "keep the columns that it reads: it is the same in the whole run";
        draft.issues.push(Issue::new(pointer, "cloudsync::alter", message).help(help));
    };
    for plan in plans {
        let name = &plan.name;
        if let Some(filter) = &plan.filter {
            let columns = tables.columns_of(name).map(|columns| columns.all).unwrap_or_default();
            let prepared = tables.prepare_policy(name, "select", filter).map_err(|problem| problem.message);
            let prepared = prepared.and_then(|()| tables.prepare_filter(name, filter, &in_trigger(filter, &columns)));
            if let Err(why) = prepared {
                refuse(format!("the filter of `{name}`"), why);
            }
        }
        for (operation, policy) in plan.policies.iter().flat_map(Policies::iter) {
            if let Err(problem) = tables.prepare_policy(name, operation, policy) {
                refuse(format!("the {operation} policy of `{name}`"), problem.message);
            }
        }
    }
}

/// Whether the columns whose texts are merged block by block are still there.
fn check_blocks(draft: &mut Draft<'_>, tables: &Tables, plans: &[TablePlan], pointer: &str) {
    for plan in plans {
        let Some(columns) = tables.columns_of(&plan.name).filter(|_| !plan.blocks.is_empty()) else { continue };
        for column in plan.blocks.iter().map(|block| &plan.columns[block.place]) {
            if !columns.all.contains(column) {
                let message = format!(
                    "after this change, `{}` has no column `{column}`, whose texts are merged block by block",
                    plan.name
                );
                let help = format!("keep its name, or remove `{column}` from the table's `columns`");
                draft.issues.push(Issue::new(pointer, "cloudsync::alter", message).help(help));
            }
        }
    }
}

/// What goes against a scenario with `alter` steps as a whole.
pub(super) fn check(draft: &mut Draft<'_>, scenario: &Scenario, target: &TargetPlan, steps: &[&StepPlan]) {
    let is_alter = |step: &&&StepPlan| matches!(step.action, Action::Alter(_));
    let Some(first) = steps.iter().find(is_alter) else { return };
    let pointer = format!("{}/alter", first.pointer);
    if scenario.session.reuse {
        let message = "the databases of an earlier run have the change already, and cannot be altered so again";
        draft.issues.push(Issue::new(&pointer, "session::reuse", message).at_key().help("remove `session.reuse`"));
    }
    for step in steps.iter().filter(|step| step.action.is_hostile()) {
        let message = "rows of a table that is altered are not held against what was written, \
                       so nobody could say which of them came from a hostile phase";
        let help = "use two scenarios: one with `hostile`, one with `alter`";
        draft
            .issues
            .push(Issue::new(format!("{}/hostile", step.pointer), "phase::hostile", message).at_key().help(help));
    }
    let alters = |sql: &str| sql.to_ascii_lowercase().contains("alter table");
    let on_server = steps.iter().any(|step| matches!(&step.action, Action::Admin(sql) if alters(sql.source())));
    let syncs = steps.iter().any(|step| step.syncs());
    if draft.is_sound() && !on_server && syncs && target.has_administrator() && !is_mismatch_expected(scenario) {
        let message =
            "no step alters the table on the server, so the server refuses what the databases send after this";
        let help = "add a step with `admin: ALTER TABLE …` before this one, or expect the failure: \
                    `errors: [{match: {kind: schema_mismatch}, do: [ignore]}]`";
        draft.issues.push(Issue::new(&pointer, "cloudsync::alter", message).at_key().help(help).warning());
    }
}

/// Whether a scenario expects that a side does not know the shape of a table.
fn is_mismatch_expected(scenario: &Scenario) -> bool {
    let message = "cloudsync operation failed: Cannot apply the received payload because the schema hash is unknown 1.";
    let failure = failure::classify(&RawError::said(Call::Send, message));
    let mismatch = |kind: &String| kind == FailureKind::SchemaMismatch.as_str();
    rule_for(&scenario.errors, &failure).is_some()
        || scenario.expect.as_ref().is_some_and(|expect| {
            expect.verdict == ExpectedVerdict::Fail && (expect.kinds.is_empty() || expect.kinds.iter().any(mismatch))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::{Grant, Plan};

    const NOTES: &str = "CREATE TABLE notes (id TEXT PRIMARY KEY, a TEXT, b INTEGER)";

    fn plan(change: impl Fn(&mut Value)) -> Result<Plan, Vec<String>> {
        let mut scenario = json!({
            "version": 1, "name": "alters", "scale": { "databases": 2, "iterations": 1 },
            "schema": { "tables": [{ "name": "notes", "sql": NOTES }] },
            "phases": [{ "sync": ["send"] }],
        });
        change(&mut scenario);
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        let told = |issue: &crate::scenario::Issue| {
            format!("{} {}: {}", issue.pointer, issue.message, issue.help.clone().unwrap_or_default())
        };
        match Plan::new(&scenario, &Grant::default()) {
            Ok((plan, warnings)) => {
                assert!(
                    warnings.iter().any(|issue| issue.message.starts_with("no step alters the table on the server"))
                );
                Ok(plan)
            }
            Err(issues) => Err(issues.iter().filter(|issue| !issue.warning).map(told).collect()),
        }
    }

    fn phase(name: &str, sql: &str, when: Option<&str>) -> Value {
        let mut phase = json!({ "name": name, "kind": "query", "sql": sql, "sync": ["send"] });
        if let Some(when) = when {
            phase["when"] = json!(when);
        }
        phase
    }

    fn alter(sql: &str, when: Option<&str>) -> Value {
        when.map_or_else(|| json!({ "alter": sql }), |when| json!({ "alter": sql, "when": when }))
    }

    const ADD: &str = "ALTER TABLE notes ADD COLUMN w TEXT";

    #[test]
    fn a_step_after_it_may_use_the_new_column_and_one_before_it_may_not() {
        let made = plan(|scenario| {
            scenario["setup"] = json!([alter(ADD, None)]);
            scenario["phases"] = json!([phase("use", "SELECT w FROM notes", None)]);
        });
        let table = &made.expect("a plan").tables[0];
        assert_eq!((table.columns.join(","), table.alters.len(), table.altered), ("id,a,b,w".to_owned(), 1, true));
        assert!(table.in_the_end().ends_with(&format!(";\n{ADD}")), "{}", table.in_the_end());
        let refused = plan(|scenario| {
            scenario["phases"] = json!([phase("early", "SELECT w FROM notes", None), alter(ADD, None)]);
        });
        let [problem] = &refused.expect_err("it is refused")[..] else { panic!("one problem") };
        assert!(problem.starts_with("/phases/0/sql the SQL does not prepare: no such column: w"), "{problem}");
        assert!(problem.contains("database 1, iteration 1"), "{problem}");
    }

    #[test]
    fn a_step_is_looked_at_in_every_state_in_which_it_runs() {
        let drop = "ALTER TABLE notes DROP COLUMN b";
        let of = |alter_when: &str, before: Value, after: Value| {
            plan(|scenario| {
                scenario["scale"]["iterations"] = json!(3);
                scenario["phases"] = json!([before, alter(drop, Some(alter_when)), after]);
            })
            .err()
            .unwrap_or_default()
        };
        let nothing = || phase("nothing", "SELECT 1", None);
        let uses = |when: Option<&str>| phase("uses", "SELECT b FROM notes", when);
        // Before it in the list, but also in the iterations after it.
        let found = of("iteration == 2", uses(None), nothing());
        assert!(
            matches!(&found[..], [one] if one.contains("no such column: b") && one.contains("iteration 3")),
            "{found:?}"
        );
        assert_eq!(of("iteration == 2", uses(Some("iteration < 3")), nothing()), [""; 0]);
        assert_eq!(of("iteration == 2", nothing(), uses(Some("iteration == 1"))), [""; 0]);
        assert_eq!(of("iteration == 2", nothing(), uses(Some("iteration > 1"))).len(), 1);
        // Only one of the databases has the column no more.
        assert_eq!(of("db == 2 and iteration == 1", nothing(), uses(Some("db == 1"))), [""; 0]);
        let found = of("db == 2 and iteration == 1", nothing(), uses(None));
        assert!(matches!(&found[..], [one] if one.contains("database 2, iteration 1")), "{found:?}");
    }

    #[test]
    fn a_table_is_altered_once() {
        let of = |when: Option<&str>| {
            plan(|scenario| {
                scenario["scale"]["iterations"] = json!(3);
                scenario["phases"] = json!([alter(ADD, when), { "sync": ["send"] }]);
            })
            .err()
            .unwrap_or_default()
        };
        let found = of(None);
        assert!(matches!(&found[..], [one] if one.contains("iterations 1 and 2 of database 1")), "{found:?}");
        assert_eq!(of(Some("iteration > 1")).len(), 1);
        assert_eq!(of(Some("iteration == db")), [""; 0]);
        assert_eq!(of(Some("iteration == 9")), [""; 0]);
    }

    #[test]
    fn databases_may_be_altered_by_steps_of_their_own() {
        let made = plan(|scenario| {
            scenario["phases"] = json!([
                alter(ADD, Some("db == 1")),
                phase("one", "SELECT w FROM notes", Some("db == 1")),
                alter(ADD, Some("db == 2")),
                phase("both", "SELECT w FROM notes", None),
            ]);
            scenario["verify"] =
                json!([{ "query": { "on": "databases", "sql": "SELECT count(w) FROM notes", "equals": 0 } }]);
        });
        assert_eq!(made.expect("a plan").tables[0].alters, [ADD]);
    }

    #[test]
    fn what_cloudsync_and_sqlite_would_not_take_is_refused() {
        for (sql, message) in [
            ("CREATE TABLE x (id)", "can only run ALTER TABLE"),
            ("ALTER TABLE nots ADD COLUMN w", "no such table: nots"),
            ("ALTER TABLE notes ADD COLUMN a", "duplicate column name: a"),
            ("ALTER TABLE notes DROP COLUMN c", "no such column: \"c\""),
            ("ALTER TABLE notes DROP COLUMN id", "cannot drop PRIMARY KEY column"),
            ("ALTER TABLE notes RENAME COLUMN id TO ident", "of the primary key of `notes` is renamed"),
            ("ALTER TABLE notes RENAME TO others", "must keep its name"),
            ("ALTER TABLE notes ADD COLUMN w NOT NULL", "NOT NULL without a DEFAULT"),
            ("ALTER TABLE notes ADD COLUMN w DEFAULT CURRENT_TIMESTAMP", "not a constant"),
            ("ALTER TABLE notes ADD COLUMN w DEFAULT (1 + 1)", "not a constant"),
            ("ALTER TABLE notes ADD COLUMN w UNIQUE", "Cannot add a UNIQUE column"),
            ("ALTER TABLE notes ADD COLUMN w AS (b + 1) STORED", "a stored value"),
            ("ALTER TABLE notes DROP COLUMN b; SELECT 1", "several statements"),
            ("ALTER TABLE notes ADD COLUMN w{{ db }}", "`db`"),
        ] {
            let found = plan(|scenario| scenario["setup"] = json!([alter(sql, None)])).err().unwrap_or_default();
            assert!(matches!(&found[..], [one] if one.contains(message)), "{sql}: {found:?}");
        }
        for default in ["7", "-7.5", "'text'", "x'00'", "NULL", "true"] {
            let sql = format!("ALTER TABLE notes ADD COLUMN w TEXT NOT NULL DEFAULT {default}");
            let found = plan(|scenario| scenario["setup"] = json!([alter(&sql, None)])).err();
            assert_eq!(found.is_some(), default == "NULL", "{default}: {found:?}");
        }
    }

    #[test]
    fn filters_and_policies_keep_their_columns_and_what_is_known_of_them_is_true_afterwards() {
        let of = |sql: &str| {
            plan(|scenario| {
                scenario["schema"]["tables"][0]["filter"] = json!("a = 'x'");
                let policies = json!({ "select": "b > 1", "insert": "1", "update": "NEW.b > 1", "delete": "1" });
                scenario["rls"] = json!({ "policies": { "notes": policies } });
                scenario["setup"] = json!([alter(sql, None)]);
            })
        };
        for (sql, what) in [
            ("ALTER TABLE notes RENAME COLUMN a TO c", "the filter of `notes`"),
            ("ALTER TABLE notes DROP COLUMN b", "the select policy of `notes`"),
        ] {
            let found = of(sql).expect_err("it is refused");
            assert!(
                found.iter().any(|one| one.starts_with("/setup/0/alter after this change") && one.contains(what)),
                "{found:?}"
            );
        }
        let made = plan(|scenario| {
            let policies = json!({ "select": "b > 1", "insert": "1", "update": "1", "delete": "1" });
            scenario["rls"] = json!({ "policies": { "notes": policies } });
            scenario["setup"] = json!([alter("ALTER TABLE notes DROP COLUMN a", None)]);
        });
        let table = &made.expect("a plan").tables[0];
        assert_eq!((table.columns.join(","), table.policy_columns.as_slice()), ("id,b".to_owned(), [1].as_slice()));
    }

    #[test]
    fn a_column_of_blocks_stays_and_is_found_where_it_is_afterwards() {
        let of = |sql: &str| {
            plan(|scenario| {
                scenario["schema"]["tables"][0]["sql"] =
                    json!("CREATE TABLE notes (id TEXT PRIMARY KEY, a TEXT, body TEXT)");
                scenario["schema"]["tables"][0]["columns"] = json!({ "body": "block" });
                scenario["setup"] = json!([alter(sql, None)]);
            })
        };
        for sql in ["ALTER TABLE notes RENAME COLUMN body TO text", "ALTER TABLE notes DROP COLUMN body"] {
            let found = of(sql).expect_err("it is refused");
            assert!(matches!(&found[..], [one] if one.contains("`notes` has no column `body`")), "{found:?}");
        }
        let table = &of("ALTER TABLE notes DROP COLUMN a").expect("a plan").tables[0];
        assert_eq!((table.columns.join(","), table.blocks[0].place), ("id,body".to_owned(), 1));
    }

    #[test]
    fn it_does_not_go_with_what_would_run_it_again_or_hide_it() {
        for (pointer, message, change) in [
            ("/setup/0/repeat", "no effect", json!({ "alter": ADD, "repeat": 2 })),
            ("/setup/0", "only one of", json!({ "alter": ADD, "wait": "1s" })),
            ("/setup/0/rows", "no effect", json!({ "alter": ADD, "rows": 2 })),
            ("/setup/0/sql", "use an `alter` step", json!({ "name": "x", "kind": "query", "sql": ADD })),
        ] {
            let found = plan(|scenario| scenario["setup"] = json!([change])).err().unwrap_or_default();
            assert!(matches!(&found[..], [one] if one.starts_with(pointer) && one.contains(message)), "{found:?}");
        }
        let found = plan(|scenario| {
            scenario["setup"] = json!([alter(ADD, None)]);
            scenario["session"] = json!({ "reuse": true });
        });
        assert!(matches!(&found.expect_err("refused")[..], [one] if one.starts_with("/setup/0/alter the databases")));
    }
}
