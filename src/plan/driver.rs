//! Whether a scenario fits a target whose databases a driver opens: the programs and their texts, and what only CloudSync's
//! databases can do, which is refused where the scenario asks for it. What the driver itself cannot do is known only when
//! it has introduced itself, or when it is one that ships.

use serde_json::Value;

use super::draft::Draft;
use super::names::Names;
use super::target::TargetPlan;
use super::{Action, StepPlan, SyncPlan};
use crate::scenario::{Algorithm, DriverOptions, DriverReady, Issue, Scenario, TursoOptions, join};

const CODE: &str = "target::driver";
const AT: &str = "/target/driver";

/// Checks the options of a driver of the user's own.
pub(super) fn check_options(draft: &mut Draft<'_>, options: &DriverOptions) {
    if draft.grant.is_sandbox() {
        let message = "the sandbox does not let a scenario name programs to be started";
        let help = "read the program first, then run the scenario without `--sandbox`";
        draft.issues.push(Issue::new(AT, "target::sandbox", message).help(help));
    }
    let server = options.server.as_ref();
    let commands = [
        (format!("{AT}/command"), Some(&options.command)),
        (format!("{AT}/server/command"), server.map(|server| &server.command)),
    ];
    for (pointer, command) in commands.iter().filter_map(|(pointer, command)| Some((pointer, (*command)?))) {
        if command.first().is_none_or(|program| program.trim().is_empty()) {
            let help = "write the program and its arguments: `[python3, my-driver.py]`";
            draft.issues.push(Issue::new(pointer, CODE, "the command names no program").help(help));
        }
        for (index, text) in command.iter().enumerate() {
            draft.text(&format!("{pointer}/{index}"), text, Names::Driver);
        }
    }
    if let Some(ready) = server.and_then(|server| server.ready.as_ref()) {
        check_ready(draft, ready);
    }
    for (key, value) in &options.settings {
        check_texts(draft, &join(&format!("{AT}/settings"), key), value);
    }
}

fn check_ready(draft: &mut Draft<'_>, ready: &DriverReady) {
    let at = format!("{AT}/server/ready");
    if ready.tcp.is_some() == ready.http.is_some() {
        let help = "write `ready: {tcp: \"127.0.0.1:{{ port }}\"}`, or `http` with a whole address";
        draft.issues.push(Issue::new(&at, CODE, "`ready` needs either `tcp` or `http`").help(help));
    }
    for (key, text) in [("tcp", &ready.tcp), ("http", &ready.http)] {
        if let Some(text) = text {
            draft.text(&format!("{at}/{key}"), text, Names::Driver);
        }
    }
}

/// The texts of a setting, however deep they are.
fn check_texts(draft: &mut Draft<'_>, pointer: &str, value: &Value) {
    match value {
        Value::String(text) => drop(draft.text(pointer, text, Names::Driver)),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                check_texts(draft, &format!("{pointer}/{index}"), value);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                check_texts(draft, &join(pointer, key), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Checks the options of the driver for Turso.
pub(super) fn check_turso(draft: &mut Draft<'_>, options: &TursoOptions) {
    let Some(server) = &options.server else { return };
    if !server.starts_with("http://") && !server.starts_with("https://") {
        let help = "write the address of the sync server, such as `http://127.0.0.1:8080`";
        let message = format!("`{server}` is not the address of a server");
        draft.issues.push(Issue::new("/target/turso/server", "target::turso", message).help(help));
    }
}

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
