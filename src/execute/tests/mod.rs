//! Runs in process, with what a scenario cannot do: a worker that panics, a run that is stopped at a known moment.

mod agreement;
mod hostile;
mod ledger;
mod manipulated;
mod options;
mod planted;
mod schemas;
mod told;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;

use super::{Control, Job, Progress, run};
use crate::analysis::{RuleKind, Verdict, analyze};
use crate::plan::Plan;
use crate::record::{EndReason, Record, StepKind};
use crate::scenario::Scenario;
use crate::session::Loader;
use crate::target::{self, Connected, embedded};

const SCENARIO: &str = r#"
version: 1
name: test
seed: 1
scale: { databases: 3, iterations: 2, rows: 20, time_limit: 30s }
schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT)
session: { open: per-phase }
phases:
  - name: insert
    kind: insert
    rows: "{{ scale.rows }}"
    sql: INSERT INTO notes (id, body) VALUES (:id, 'row ' || :row)
    sync: [send, receive]
    barrier: true
"#;

fn scenario(text: &str) -> Scenario {
    serde_yaml::from_str::<serde_json::Value>(text)
        .map(|value| serde_json::from_value(value).expect("a scenario"))
        .expect("YAML")
}

/// Runs a scenario on the embedded target, after `change` had its way with the target.
fn run_changed(text: &str, directory: &Path, control: &Control, change: impl FnOnce(&mut Connected)) -> (Record, Plan) {
    let scenario = scenario(text);
    let (plan, _) = Plan::new(&scenario, &crate::plan::Grant::default()).expect("a plan");
    let (mut say, stopped) = (|_: &str| {}, || false);
    let mut attendant = target::Attendant::new(&mut say, &stopped);
    let target =
        target::connect(&plan, &plan.scope, directory, "1", &crate::failure::Secrets::default(), &mut attendant);
    let mut target = target.expect("a hub");
    change(&mut target);
    let progress = Progress::new(plan.databases.len());
    let job = Job {
        plan: &plan,
        scenario: &scenario,
        path: "test.yaml",
        target: &target,
        directory,
        databases: &directory.join("databases"),
        id: "1",
        control,
        progress: &progress,
    };
    let record = run(&job).expect("a run");
    assert_eq!(disagreements(&record, &plan), [""; 0], "a run that was made agrees with itself");
    (record, plan)
}

/// Where a record contradicts itself, as the verdict tells it.
fn disagreements(record: &Record, plan: &Plan) -> Vec<String> {
    let rules = analyze(record, plan).rules;
    rules.into_iter().filter(|rule| rule.kind == RuleKind::Disagrees).map(|rule| rule.message).collect()
}

/// A secret as it is, encoded for an address, and in base64.
pub(crate) const SECRET_FORMS: [&str; 3] =
    ["s3cr3t/key+with=signs", "s3cr3t%2Fkey%2Bwith%3Dsigns", "czNjcjN0L2tleSt3aXRoPXNpZ25z"];

fn panic_with_a_secret(connection: &Connection) -> rusqlite::Result<()> {
    let of_2 = connection.path().is_some_and(|path| path.ends_with("db2.db"));
    let created = || connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, u32>(0));
    assert!(!of_2 || created()? == 0, "planted: {}", SECRET_FORMS.join(" and "));
    embedded::register(connection)
}

#[test]
fn a_secret_in_the_message_of_a_panic_is_in_nothing_that_is_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(SCENARIO, directory.path(), &Control::default(), |target| {
        target.load(Loader::Functions(panic_with_a_secret));
        target.secrets.add(&SECRET_FORMS[0].into());
    });
    assert_eq!(record.workers[1].crash.as_deref(), Some("planted: [hidden] and [hidden] and [hidden]"));
    in_nothing_that_is_written(&record, &plan, directory.path());
}

/// Fails where a report or a file of the run has the secret in one of its forms.
fn in_nothing_that_is_written(record: &Record, plan: &Plan, directory: &Path) {
    let analysis = analyze(record, plan);
    let mut written =
        [crate::report::markdown(&analysis), crate::report::terminal(&analysis, 100)].concat().into_bytes();
    written.extend(crate::report::json(&analysis).to_string().into_bytes());
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("it can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { open.push(path) } else { written.extend(std::fs::read(path).expect("a file")) }
        }
    }
    for form in SECRET_FORMS {
        assert!(!written.windows(form.len()).any(|window| window == form.as_bytes()), "{form}");
    }
}

fn repeat_a_secret(connection: &Connection) -> rusqlite::Result<()> {
    embedded::register(connection)?;
    connection.create_scalar_function(
        "cloudsync_network_check_changes",
        0,
        rusqlite::functions::FunctionFlags::SQLITE_UTF8,
        |_| Err::<i32, _>(rusqlite::Error::UserFunctionError(SECRET_FORMS.join(" and ").into())),
    )
}

#[test]
fn a_secret_in_the_error_of_a_phase_is_in_nothing_that_is_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let phase = "  - { name: ask, kind: query, sql: SELECT cloudsync_network_check_changes() }\n";
    let text = format!("{}phases:\n{phase}", &SCENARIO[..SCENARIO.find("phases:").expect("it has some")]);
    let (record, plan) = run_changed(&text, directory.path(), &Control::default(), |target| {
        target.load(Loader::Functions(repeat_a_secret));
        target.credentials.fill(crate::session::Credential::ApiKey(SECRET_FORMS[0].into()));
        target.secrets.add(&SECRET_FORMS[0].into());
    });
    let asked = record.workers[0].events.iter().find(|event| event.phase == "ask").expect("it was asked");
    assert_eq!(asked.failures[0].message, "[hidden] and [hidden] and [hidden]");
    in_nothing_that_is_written(&record, &plan, directory.path());
}

/// Opens of database 2, counted to panic at the third: after its creation and its first session.
static OPENS: AtomicU32 = AtomicU32::new(0);

fn panic_in_database_2(connection: &Connection) -> rusqlite::Result<()> {
    let of_2 = connection.path().is_some_and(|path| path.ends_with("db2.db"));
    assert!(!of_2 || OPENS.fetch_add(1, Ordering::SeqCst) < 2, "planted");
    embedded::register(connection)
}

#[test]
fn a_panic_is_a_crash_of_its_worker_alone_and_holds_nobody_up_at_a_barrier() {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(SCENARIO, directory.path(), &Control::default(), |target| {
        target.load(Loader::Functions(panic_in_database_2));
    });
    let crashes: Vec<Option<&str>> = record.workers.iter().map(|worker| worker.crash.as_deref()).collect();
    assert_eq!(crashes, [None, Some("planted"), None]);
    for worker in [&record.workers[0], &record.workers[2]] {
        assert!(worker.completed && worker.iterations == 2, "{worker:?}");
    }
    assert_eq!(analyze(&record, &plan).verdict, Verdict::Fail);
}

#[test]
fn every_session_that_was_opened_is_closed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(SCENARIO, directory.path(), &Control::default(), |_| {});
    for worker in &record.workers {
        let count = |step| worker.events.iter().filter(|event| event.step == step).count();
        assert_eq!(count(StepKind::Open), count(StepKind::Close), "{worker:?}");
        assert!(count(StepKind::Open) >= 2, "a session per phase, and one to settle");
    }
    assert_eq!(analyze(&record, &plan).verdict, Verdict::Pass);
}

#[test]
fn a_run_that_is_stopped_before_it_starts_did_nothing_and_says_nothing_good() {
    let directory = tempfile::tempdir().expect("a directory");
    let control = Control::default();
    control.finish(EndReason::Interrupted);
    let (record, plan) = run_changed(SCENARIO, directory.path(), &control, |_| {});
    assert_eq!(record.ended.map(|ended| ended.reason), Some(EndReason::Interrupted));
    assert!(record.workers.iter().all(|worker| worker.events.is_empty() && !worker.completed));
    assert_eq!(analyze(&record, &plan).verdict, Verdict::Unknown);
}

#[test]
fn a_statement_without_end_is_interrupted_at_its_limit_and_the_run_goes_on() {
    let text = SCENARIO.replace(
        "phases:\n",
        "phases:\n  - name: endless\n    kind: query\n    timeout: 200ms\n    sql: WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT sum(x) FROM n\n",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&text, directory.path(), &Control::default(), |_| {});
    for worker in &record.workers {
        let cut: Vec<_> =
            worker.events.iter().filter(|event| event.phase == "endless" && !event.failures.is_empty()).collect();
        assert_eq!(cut.len(), 2, "{worker:?}");
        assert!(cut.iter().all(|event| event.took < 5_000_000), "{cut:?}");
        assert!(worker.completed);
    }
    let analysis = analyze(&record, &plan);
    assert_eq!(analysis.verdict, Verdict::Fail);
}

/// The rows that each database has at the end.
fn rows_held(record: &Record) -> Vec<u64> {
    let state = record.state.as_ref().expect("the end was looked at");
    state.databases.iter().map(|database| database.tables[0].rows).collect()
}

#[test]
fn what_fails_within_a_phase_takes_all_of_the_phase_with_it() {
    let one = "INSERT INTO notes (id) SELECT 'x' || value FROM generate_series(1, 30) UNION ALL SELECT 'x1'";
    let (first, second) = ("INSERT INTO notes (id) VALUES ('first')", "INSERT INTO notes (id) SELECT id FROM notes");
    for sql in [serde_json::json!(one), serde_json::json!([first, second])] {
        let text = format!("{SCENARIO}  - {{ name: failing, kind: insert, sql: {sql} }}\n");
        let directory = tempfile::tempdir().expect("a directory");
        let (record, _) = run_changed(&text, directory.path(), &Control::default(), |_| {});
        let failed: Vec<_> =
            record.workers.iter().flat_map(|worker| &worker.events).filter(|event| event.phase == "failing").collect();
        assert_eq!(failed.len(), 6, "{sql}");
        assert!(failed.iter().all(|event| event.rows == 0 && !event.failures.is_empty()), "{failed:?}");
        assert_eq!(rows_held(&record), [120, 120, 120], "{sql}");
    }
}

#[test]
fn the_server_s_rows_are_read_as_they_are_page_after_page() {
    let text = SCENARIO
        .replace("rows: 20", "rows: 400")
        .replace("(id TEXT PRIMARY KEY, body TEXT)", "(place INTEGER, id TEXT, a, b, c, PRIMARY KEY (place, id)) WITHOUT ROWID")
        .replace(
            "INSERT INTO notes (id, body) VALUES (:id, 'row ' || :row)",
            "INSERT INTO notes VALUES (:row % 7, 'it''s, ' || :id, :row / 3.0, iif(:row % 2, x'00ff2c27', NULL), iif(:row % 3, ''',''', ''))",
        );
    let directory = tempfile::tempdir().expect("a directory");
    let (record, plan) = run_changed(&text, directory.path(), &Control::default(), |_| {});
    assert_eq!(rows_held(&record), [2400, 2400, 2400]);
    let server = record.state.as_ref().and_then(|state| state.server.as_ref()).expect("the server was read");
    assert_eq!(server.tables[0].rows, 2400);
    let analysis = analyze(&record, &plan);
    assert_eq!(analysis.verdict, Verdict::Pass, "{}", crate::report::terminal(&analysis, 100));
}

#[test]
fn files_are_looked_at_where_something_is_verified() {
    for (verify, integrity) in [("verify: [converged]\n", Some("ok")), ("verify: []\n", None)] {
        let directory = tempfile::tempdir().expect("a directory");
        let text = format!("{SCENARIO}{verify}");
        let (record, _) = run_changed(&text, directory.path(), &Control::default(), |_| {});
        let state = record.state.expect("the end was looked at");
        assert!(state.databases.iter().all(|database| database.integrity.as_deref() == integrity), "{verify}");
    }
}
