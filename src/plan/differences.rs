//! Where the embedded target does not do what CloudSync does, and which scenarios depend on that. `stress help embedded`
//! lists the differences; a scenario for the embedded target that depends on one gets a warning.

use super::draft::Draft;
use super::table::TablePlan;
use super::tables::Tables;
use super::{Action, Statement, StepPlan, TargetPlan};
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

const OPEN_TRANSACTION: Difference = Difference {
    subject: "sync calls in a transaction",
    embedded: "a send in an open transaction is an error",
    cloudsync: "the send works, and sends what is not committed (tried with version 1.1.4); its documentation advises \
                against that",
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
    if !matches!(target, TargetPlan::Embedded(_)) {
        return;
    }
    for (index, table) in scenario.schema.tables.iter().enumerate() {
        if plans.iter().any(|plan| plan.name == table.name && tables.has_unique(&plan.name)) {
            push(draft, format!("/schema/tables/{index}/sql"), UNIQUE);
        }
    }
    for plan in plans {
        let select = plan.policies.as_ref().and_then(|policies| policies.select.as_ref());
        if select.is_some_and(|select| !tables.reads(&plan.name, "select", select).tables.is_empty()) {
            push(draft, join(&join("/rls/policies", &plan.name), "select"), MEMBERSHIP);
        }
    }
    for step in steps {
        let Action::Sql(sql) = &step.action else { continue };
        let pointer = format!("{}/sql", step.pointer);
        let asks = |statement: &Statement| statement.source().to_ascii_lowercase().contains("cloudsync_db_version(");
        if sql.statements.iter().any(asks) {
            push(draft, pointer.clone(), VERSIONS);
        }
        if sql.statements.iter().any(|statement| statement.syncs) {
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
