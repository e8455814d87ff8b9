//! Where the embedded target does not do what CloudSync does, and which scenarios depend on that. `stress help embedded`
//! lists the differences; a scenario for the embedded target that depends on one gets a warning.

use super::draft::Draft;
use super::table::TablePlan;
use super::tables::Tables;
use super::{Action, StepPlan, TargetPlan};
use crate::scenario::{Issue, Scenario, join};

/// A difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    /// What it is about.
    pub(crate) subject: &'static str,
    /// What the embedded target does.
    pub(crate) embedded: &'static str,
    /// What CloudSync does, and how that is known.
    pub(crate) cloudsync: &'static str,
}

const UNIQUE: Difference = Difference {
    subject: "UNIQUE columns",
    embedded: "a row whose value another row holds is not stored: the conflict is reported as a constraint error",
    cloudsync: "the row is written over the other one, without an error: one of the two is missing from then on (tried \
                with version 1.1.4, between two local databases)",
};

const MEMBERSHIP: Difference = Difference {
    subject: "policies that read other tables",
    embedded: "rows that a user may see only since another row came are not sent again; after `reset_sync_version`, a \
               receive brings them",
    cloudsync: "not known: no server was observed",
};

const VERSIONS: Difference = Difference {
    subject: "versions",
    embedded: "cloudsync_db_version() grows by 1 with every changed row of a table",
    cloudsync: "it grows by 1 with every transaction (tried with version 1.1.4)",
};

const ALTERED: Difference = Difference {
    subject: "a column that was dropped or renamed",
    embedded: "changes of it that come from a database which still has it are passed over",
    cloudsync: "not known: its server was not observed",
};

const OPEN_TRANSACTION: Difference = Difference {
    subject: "sync calls in a transaction",
    embedded: "a send in an open transaction is an error",
    cloudsync: "the send works, and sends what is not committed (tried with version 1.1.4); its documentation advises \
                against that",
};

const REPLACED_BLOCKS: Difference = Difference {
    subject: "REPLACE where a text is merged block by block",
    embedded: "the new text takes the place of the old one",
    cloudsync: "blocks of the new text count as removed, and further ones of the old text stay: `q`, `y` over `x`, `y`, `z` \
                leaves `z` (tried with version 1.1.4, in one database); upstream's notes say that later versions write the \
                new text",
};

/// All differences, in the order in which texts list them.
pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        subject: "the first receive",
        embedded: "brings the rows at once; with `prepare: true`, a receive that finds new rows only prepares them",
        cloudsync: "may only prepare the rows: it says `rows: 0, complete: true`, and a later receive brings them \
                    (comment in upstream's integration test)",
    },
    Difference {
        subject: "rows of a receive",
        embedded: "counts rows",
        cloudsync: "counts columns that changed: a row with three columns counts several times (API.md)",
    },
    VERSIONS,
    OPEN_TRANSACTION,
    Difference {
        subject: "denied rows",
        embedded: "are left out, and the rows after them are stored; with `denied: stop`, they and the rows after them \
                   wait at the database",
        cloudsync: "are left out by PostgreSQL servers up to version 1.1.3; since 1.1.4, these stop at the first one \
                    (CHANGELOG.md). For SQLite Cloud, not known",
    },
    MEMBERSHIP,
    Difference {
        subject: "an answer without a body",
        embedded: "is an error, and the rows are sent again",
        cloudsync: "gives the status `error`, and the rows are not sent again before `reset_sync_version` (tried with \
                    version 1.1.4)",
    },
    UNIQUE,
    Difference {
        subject: "ALTER TABLE on the server",
        embedded: "is enough by itself; `cloudsync_begin_alter` and `cloudsync_commit_alter` may stand around it",
        cloudsync: "needs the two functions, as on a database: without them, the triggers do not follow (tried with \
                    version 1.1.4, on a local database)",
    },
    ALTERED,
    Difference {
        subject: "tables that are altered",
        embedded: "each has a schema hash of its own, and only its messages are refused",
        cloudsync: "one schema hash stands for all synced tables together (tried with version 1.1.4), so that every \
                    message of another schema is refused",
    },
    Difference {
        subject: "foreign keys",
        embedded: "are not enforced while rows are received, as these come in the order of their changes",
        cloudsync: "not known for a receive",
    },
    Difference {
        subject: "equal versions",
        embedded: "of a column that two databases wrote equally often, the larger value wins: NULL, then blobs, texts, \
                   reals and integers",
        cloudsync: "the same value wins everywhere; which one is not documented",
    },
    REPLACED_BLOCKS,
    Difference {
        subject: "NULL and blobs where a text is merged block by block",
        embedded: "stay what they are; a blob is merged as a whole",
        cloudsync: "an inserted NULL is captured as one empty block, and a blob as a text (tried with version 1.1.4): other \
                    databases then hold an empty text, as upstream's notes say, or a text",
    },
    Difference {
        subject: "texts merged block by block on the server",
        embedded: "the server learns from the devices which columns these are; the columns hold the merged text, and there is \
                   no function `cloudsync_text_materialize`",
        cloudsync: "not known whether its server has to be told: no server was observed. Upstream's tests call \
                    `cloudsync_set_column` in every database",
    },
    Difference {
        subject: "0.0 and -0.0",
        embedded: "are two values",
        cloudsync: "an update from one to the other is no change (tried with version 1.1.4)",
    },
    Difference {
        subject: "keys 1 and 1.0",
        embedded: "of a column without a type, are one key, as for SQLite",
        cloudsync: "are two keys of one row (tried with version 1.1.4)",
    },
];

/// Warns of what the scenario depends on and would be otherwise on CloudSync.
pub(super) fn warn(
    draft: &mut Draft<'_>,
    scenario: &Scenario,
    target: &TargetPlan,
    (tables, plans): (&Tables, &[TablePlan]),
    steps: &[&StepPlan],
) {
    // Where something is wrong, tables may be missing from the plan.
    if !matches!(target, TargetPlan::Embedded(_)) || !draft.is_sound() {
        return;
    }
    for (index, plan) in plans.iter().enumerate() {
        if tables.has_unique(&plan.name) {
            push(draft, format!("/schema/tables/{index}/sql"), UNIQUE);
        }
    }
    for written in scenario.rls.iter().flat_map(|rls| rls.policies.keys()) {
        let pointer = join("/rls/policies", written);
        let Some(name) = draft.rendered(&pointer, written) else { continue };
        let policies = plans.iter().find(|plan| plan.name == name).and_then(|plan| plan.policies.as_ref());
        let Some(select) = policies.and_then(|policies| policies.select.as_ref()) else { continue };
        if !tables.reads(&name, "select", select).tables.is_empty() {
            push(draft, join(&pointer, "select"), MEMBERSHIP);
        }
    }
    for step in steps {
        let renews = |sql: &str| [" drop ", " rename "].iter().any(|word| sql.to_ascii_lowercase().contains(word));
        if let Action::Alter(alterations) = &step.action
            && alterations.iter().any(|one| renews(&one.sql))
        {
            push(draft, format!("{}/alter", step.pointer), ALTERED);
        }
        let Action::Sql(sql) = &step.action else { continue };
        let pointer = format!("{}/sql", step.pointer);
        let calls = |functions: &[&str]| {
            let any = |source: &str| functions.iter().any(|function| source.contains(function));
            sql.statements.iter().any(|statement| any(&statement.source().to_ascii_lowercase()))
        };
        let replaces = |statement: &str, table: &TablePlan| {
            let replaces = statement.contains("replace into") || statement.contains("or replace");
            replaces && !table.blocks.is_empty() && statement.contains(&table.name.to_ascii_lowercase())
        };
        let replaces_blocks = |source: &str| plans.iter().any(|table| replaces(source, table));
        if sql.statements.iter().any(|statement| replaces_blocks(&statement.source().to_ascii_lowercase())) {
            push(draft, pointer.clone(), REPLACED_BLOCKS);
        }
        if calls(&["cloudsync_db_version("]) {
            push(draft, pointer.clone(), VERSIONS);
        }
        if calls(&["cloudsync_network_send_changes(", "cloudsync_network_sync("]) {
            push(draft, pointer, OPEN_TRANSACTION);
        }
    }
}

fn push(draft: &mut Draft<'_>, pointer: String, difference: Difference) {
    let message = format!(
        "{}: on the embedded target, {}. CloudSync: {}",
        difference.subject, difference.embedded, difference.cloudsync
    );
    let help = "`stress help embedded` lists all differences";
    draft.issues.push(Issue::new(pointer, "target::difference", message).help(help).warning());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::{Grant, Plan};

    /// The places and subjects of the warnings of a scenario.
    fn told(target: &serde_json::Value, sql: &str) -> Vec<String> {
        let policies = |select: &str| json!({ "select": select, "insert": "1", "update": "1", "delete": "1" });
        let scenario = json!({
            "version": 1, "name": "differences", "target": target, "vars": { "notes": "notes" },
            "schema": { "tables": [
                { "name": "teams", "sql": "CREATE TABLE teams (id TEXT PRIMARY KEY, member TEXT)",
                  "columns": { "member": "block" } },
                { "name": "{{ notes }}", "sql": "CREATE TABLE {{ notes }} (id TEXT PRIMARY KEY, n UNIQUE, team TEXT)" },
            ] },
            "rls": { "policies": {
                "teams": policies("1"),
                "{{ notes }}": policies("team IN (SELECT id FROM teams WHERE member = auth_userid())"),
            } },
            "phases": [{ "name": "p", "kind": "query", "sql": sql, "sync": ["send"] }],
        });
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        let (_, issues) = Plan::new(&scenario, &Grant::default()).expect("a plan");
        assert!(issues.iter().all(|issue| issue.warning), "{issues:?}");
        let told = issues.iter().filter(|issue| issue.code == "target::difference");
        let subject = |message: &str| message.split(':').next().unwrap_or_default().to_owned();
        told.map(|issue| format!("{} {}", issue.pointer, subject(&issue.message))).collect()
    }

    #[test]
    fn what_a_scenario_depends_on_is_told_at_its_place_and_only_on_embedded() {
        let tables =
            ["/schema/tables/1/sql UNIQUE columns", "/rls/policies/{{ notes }}/select policies that read other tables"];
        assert_eq!(told(&json!("embedded"), "SELECT 1"), tables);
        let cloudsync = json!({ "cloudsync": {
            "managed_database_id": "d", "address": "http://127.0.0.1:9", "tokens": ["first token", "other token"],
        } });
        for (sql, subject) in [
            ("INSERT OR REPLACE INTO teams VALUES ('t', 'm')", "REPLACE where a text is merged block by block"),
            ("SELECT cloudsync_db_version()", "versions"),
            ("SELECT cloudsync_network_send_changes()", "sync calls in a transaction"),
        ] {
            let more = format!("/phases/0/sql {subject}");
            assert_eq!(told(&json!("embedded"), sql), [tables[0], tables[1], &more]);
            assert_eq!(told(&cloudsync, sql), [""; 0]);
        }
    }
}
