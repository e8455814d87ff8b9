//! What only CloudSync's databases can do, refused where a scenario asks a driver's for it. What the driver itself cannot
//! do is known only when it has introduced itself, or when it is one that ships.

use super::draft::Draft;
use super::target::TargetPlan;
use super::{Action, StepPlan, SyncPlan};
use crate::scenario::{Algorithm, Issue, Scenario};

const CODE: &str = "target::driver";

/// Refuses what a driver's databases cannot do.
pub(super) fn check(draft: &mut Draft<'_>, scenario: &Scenario, target: &TargetPlan, steps: &[&StepPlan]) {
    if !target.kind().is_driven() {
        return;
    }
    let mut refuse = |pointer: String, message: &str, help: &str| {
        let message = format!("{message}, and the target `{}` opens its databases with a driver", target.kind());
        draft.issues.push(Issue::new(pointer, CODE, message).at_key().help(help));
    };
    let remove = "remove it, or use the target `embedded` or `cloudsync`";
    for (index, table) in scenario.schema.tables.iter().enumerate() {
        let at = |key: &str| format!("/schema/tables/{index}/{key}");
        if table.filter.is_some() {
            refuse(at("filter"), "`filter` is CloudSync's", remove);
        }
        if table.algo != Algorithm::default() {
            refuse(at("algo"), "`algo` is CloudSync's", remove);
        }
        if !table.columns.is_empty() {
            refuse(at("columns"), "`columns` says how CloudSync merges a column", remove);
        }
    }
    if scenario.session.reuse {
        refuse("/session/reuse".to_owned(), "`reuse` opens the databases of an earlier run", "remove `reuse`");
    }
    if !scenario.session.pragmas.is_empty() {
        let help = "remove them; what the engine needs to know can stand under the target's `settings`";
        refuse("/session/pragmas".to_owned(), "pragmas are for SQLite in this process", help);
    }
    if !scenario.session.credentials.is_empty() {
        let help = "remove them; what the engine needs to know can stand under the target's `settings`";
        refuse("/session/credentials".to_owned(), "`credentials` are CloudSync's", help);
    }
    if scenario.rls.is_some() && matches!(target, TargetPlan::Turso(_)) {
        refuse("/rls".to_owned(), "Turso has no row-level security", "remove `rls`");
    }
    for step in steps {
        let at = |key: &str| format!("{}/{key}", step.pointer);
        if matches!(step.action, Action::Alter(_)) {
            refuse(
                at("alter"),
                "`alter` is CloudSync's",
                "alter the table with a phase of `kind: query`, or remove the step",
            );
        }
        if matches!(step.action, Action::Admin(_)) {
            refuse(at("admin"), "`admin` is SQL for the administrator of an SQLiteCloud project", remove);
        }
        if step.crash.is_some() {
            refuse(
                at("crash"),
                "`crash` lets one database die, but all databases of a driver are in one process",
                remove,
            );
        }
        for (index, call) in step.sync.iter().enumerate() {
            let at = at(&format!("sync/{index}"));
            match call {
                SyncPlan::Logout => refuse(at, "`logout` is CloudSync's", remove),
                SyncPlan::ResetSyncVersion => refuse(at, "`reset_sync_version` is CloudSync's", remove),
                SyncPlan::Sync(Some(_)) => refuse(at, "the tries of `sync` are CloudSync's", "write `sync`"),
                SyncPlan::Send | SyncPlan::Receive(_) | SyncPlan::Sync(None) | SyncPlan::Wait(_) => {}
            }
        }
    }
}
