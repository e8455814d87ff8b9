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
        if let Action::Sql(sql) = &step.action
            && sql.statements.iter().any(|statement| calls_cloudsync(statement.source()))
        {
            refuse(at("sql"), "the SQL calls a function of CloudSync", "use `sync` for sync calls, or remove the call");
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

/// Whether SQL seems to call a function of the extension.
fn calls_cloudsync(sql: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let is_call =
        |rest: &str| rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').starts_with('(');
    sql.match_indices("cloudsync_").any(|(at, _)| is_call(&sql[at..]))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::{CheckKind, CheckPlan, Grant, Plan};

    fn plan(change: impl Fn(&mut Value), grant: &Grant) -> Result<Plan, Vec<String>> {
        let mut scenario = json!({
            "version": 1, "name": "driven", "scale": { "databases": 2, "iterations": 1 },
            "target": { "driver": { "command": ["my-driver"] } },
            "schema": { "tables": [{ "name": "t", "sql": "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL)" }] },
            "phases": [{ "name": "p", "kind": "insert", "sql": "INSERT INTO t VALUES (:row, 'a')", "sync": ["send"] }],
        });
        change(&mut scenario);
        let scenario = serde_json::from_value(scenario).expect("a scenario");
        let told = |issue: &crate::scenario::Issue| format!("{} {}", issue.pointer, issue.message);
        let planned = Plan::new(&scenario, grant);
        planned.map(|(plan, _)| plan).map_err(|issues| issues.iter().filter(|issue| !issue.warning).map(told).collect())
    }

    fn refused(pointer: &str, value: &Value) -> String {
        let set = |scenario: &mut Value| {
            let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
            scenario.pointer_mut(parent).expect("it is there")[key] = value.clone();
        };
        let problems = plan(set, &Grant::default()).expect_err(pointer);
        let [problem] = &problems[..] else { panic!("{pointer}: one problem: {problems:?}") };
        problem.clone()
    }

    #[test]
    fn a_driver_has_tables_that_cloudsync_does_not_accept_but_each_has_a_key() {
        let made = plan(|_| {}, &Grant::default()).expect("a plan");
        let checks: Vec<CheckKind> = made.checks.iter().map(CheckPlan::kind).collect();
        assert_eq!(checks, [CheckKind::Written, CheckKind::Converged], "whether it answers more is not known here");
        let turso = plan(|scenario| scenario["target"] = json!("turso"), &Grant::default()).expect("a plan");
        let checks: Vec<CheckKind> = turso.checks.iter().map(CheckPlan::kind).collect();
        let all = [CheckKind::Written, CheckKind::Converged, CheckKind::Server, CheckKind::Bootstrap];
        assert_eq!(checks, all, "what Turso answers is known");
        let keyless = refused("/schema/tables/0/sql", &json!("CREATE TABLE t (id INTEGER, a TEXT)"));
        assert!(keyless.starts_with("/schema/tables/0/sql table `t` has no primary key"), "{keyless}");
    }

    #[test]
    fn what_is_cloudsyncs_alone_is_refused_where_it_stands() {
        let alter = json!([{ "alter": "ALTER TABLE t ADD COLUMN b" }]);
        let cases = [
            ("/schema/tables/0/filter", json!("id > 1"), "/schema/tables/0/filter `filter`"),
            ("/schema/tables/0/algo", json!("gos"), "/schema/tables/0/algo `algo`"),
            ("/schema/tables/0/columns", json!({ "a": "block" }), "/schema/tables/0/columns `columns`"),
            ("/session", json!({ "reuse": true }), "/session/reuse `reuse`"),
            ("/session", json!({ "pragmas": { "cache_size": 9 } }), "/session/pragmas pragmas"),
            (
                "/session",
                json!({ "credentials": [{ "databases": [1], "use": "none" }] }),
                "/session/credentials `credentials`",
            ),
            ("/phases/0/sql", json!("INSERT INTO t SELECT :row, cloudsync_uuid()"), "/phases/0/sql the SQL calls"),
            ("/phases", alter, "/phases/0/alter `alter`"),
            ("/phases", json!([{ "admin": "SELECT 1" }, { "sync": ["send"] }]), "/phases/0/admin `admin`"),
            ("/phases/0/crash", json!({ "at": "after_send" }), "/phases/0/crash `crash`"),
            ("/phases/0/sync", json!(["send", "logout"]), "/phases/0/sync/1 `logout`"),
            ("/phases/0/sync", json!(["reset_sync_version", "send"]), "/phases/0/sync/0 `reset_sync_version`"),
            ("/phases/0/sync", json!([{ "sync": { "wait": "1s", "retries": 2 } }]), "/phases/0/sync/0 the tries"),
        ];
        for (pointer, value, wanted) in cases {
            let problem = refused(pointer, &value);
            assert!(problem.starts_with(wanted), "{pointer}: {problem}");
            assert!(problem.ends_with("and the target `driver` opens its databases with a driver"), "{problem}");
        }
    }

    #[test]
    fn the_programs_and_their_texts_are_checked() {
        let options = |options: Value| refused("/target/driver", &options);
        let command = |key: &str, value: Value| {
            let mut all = json!({ "command": ["d", "{{ port }}", "{{ directory }}", "{{ env.STRESS_X }}"] });
            all[key] = value;
            all
        };
        let cases = [
            (json!({ "command": [] }), "/target/driver/command the command names no program"),
            (json!({ "command": [" "] }), "/target/driver/command the command names no program"),
            (json!({ "command": ["d", "{{ prt }}"] }), "/target/driver/command/1 unknown variable `prt`"),
            (json!({ "command": ["d", "{{ db }}"] }), "/target/driver/command/1 `db` cannot be used here"),
            (
                command("settings", json!({ "a": [{ "b": "{{ env.HOME }}" }] })),
                "/target/driver/settings/a/0/b the scenario may not read",
            ),
            (command("server", json!({ "command": [] })), "/target/driver/server/command the command names no program"),
            (
                command("server", json!({ "command": ["s"], "ready": {} })),
                "/target/driver/server/ready `ready` needs either",
            ),
            (
                command("server", json!({ "command": ["s"], "ready": { "tcp": "a", "http": "b" } })),
                "/target/driver/server/ready `ready` needs either",
            ),
            (
                command("server", json!({ "command": ["s"], "ready": { "tcp": "{{ x }}" } })),
                "/target/driver/server/ready/tcp unknown variable `x`",
            ),
        ];
        for (value, wanted) in cases {
            let problem = options(value);
            assert!(problem.starts_with(wanted), "{problem}");
        }
        assert!(refused("/target", &json!("driver")).starts_with("/target the target `driver` needs a `command`"));
        let turso = refused("/target", &json!({ "turso": { "server": "127.0.0.1:8080" } }));
        assert!(turso.starts_with("/target/turso/server `127.0.0.1:8080` is not the address of a server"), "{turso}");
    }

    #[test]
    fn a_sandbox_starts_no_program_that_a_scenario_names() {
        let sandbox = Grant::Sandbox(Vec::new());
        let problems = plan(|_| {}, &sandbox).expect_err("it is refused");
        assert!(
            problems[0].starts_with("/target/driver the sandbox does not let a scenario name programs"),
            "{problems:?}"
        );
        plan(|scenario| scenario["target"] = json!("turso"), &sandbox).expect("Turso's driver is ours");
    }
}
