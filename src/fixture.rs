//! Plans and records of runs that never were, for the tests of the judging and telling rooms.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::failure::{Call, Failure, RawError, classify};
use crate::plan::threshold::{ThresholdPlan, with_built_in};
use crate::plan::{
    Action, CheckPlan, Collation, DatabasePlan, Elsewhere, Grant, KeyColumn, Plan, Question, SettlePlan, SqlPlan,
    StepPlan, SyncPlan, TablePlan, TargetPlan, Triggered, UserPlan,
};
use crate::record::{
    DatabaseState, Difference, EndReason, Ended, Event, FinalState, Holder, Holding, Machine, Record, RowDifference,
    ServerState, SettleRecord, StepKind, TableState, TargetFacts, UserState, WorkerRecord, WrittenState,
};
use crate::scenario::{CheckName, EmbeddedOptions, Kind, OpenPolicy, TargetKind, Threshold};
use crate::template::{Number, Scope, Variables};

/// The table of the seed, five iterations of delete, insert and update with a send and a check after each.
pub(crate) fn plan(databases: u32) -> Plan {
    Plan {
        name: "small".into(),
        description: "Deletes, inserts and updates the same table, all at once.".into(),
        seed: 42,
        scope: Scope::new(Variables { vars: Map::new(), scale: Map::new(), seed: 42 }),
        target: TargetPlan::Embedded(EmbeddedOptions::default()),
        databases: (1..=databases).map(|index| DatabasePlan { index, user: 1, credential: None }).collect(),
        users: vec![UserPlan { index: 1, id: "018ecfc2-b2b1-7cc3-a9f0-000000000001".into() }],
        rls: false,
        iterations: 5,
        rate: None,
        ramp_up: std::time::Duration::ZERO,
        rows: 1000,
        time_limit: Duration::from_secs(600),
        tables: vec![TablePlan {
            name: "test_sync".into(),
            sql: "CREATE TABLE test_sync (id TEXT PRIMARY KEY, name TEXT, value INTEGER)".into(),
            also: Vec::new(),
            filter: None,
            algorithm: crate::scenario::Algorithm::default(),
            alters: Vec::new(),
            altered: false,
            blocks: Vec::new(),
            columns: ["id", "name", "value"].map(str::to_owned).to_vec(),
            places: vec![0, 1, 2],
            primary_key: vec!["id".into()],
            key: vec![KeyColumn { place: 0, collation: Collation::Binary }],
            policies: None,
            policy_columns: Vec::new(),
            policies_depend_on: Elsewhere::Nothing,
            triggered: Triggered::default(),
        }],
        reuse: false,
        open: OpenPolicy::PerIteration,
        pragmas: Vec::new(),
        foreign_keys: false,
        setup: Vec::new(),
        phases: vec![phase("delete", Kind::Delete), phase("insert", Kind::Insert), phase("update", Kind::Update)],
        teardown: Vec::new(),
        settle: SettlePlan { rounds: 10, wait: Duration::from_millis(10) },
        checks: vec![check(CheckName::Converged), check(CheckName::Server)],
        thresholds: with_built_in(Vec::new()),
        grant: Grant::default(),
        errors: Vec::new(),
        expect: None,
    }
}

/// The same with row-level security and two databases per user.
pub(crate) fn plan_with_users(databases: u32) -> Plan {
    let mut plan = plan(databases);
    plan.rls = true;
    plan.checks.push(check(CheckName::Isolation));
    for database in &mut plan.databases {
        database.user = database.index.div_ceil(2);
    }
    let users = databases.div_ceil(2);
    plan.users =
        (1..=users).map(|index| UserPlan { index, id: format!("018ecfc2-b2b1-7cc3-a9f0-{index:012}") }).collect();
    plan
}

fn phase(name: &str, kind: Kind) -> StepPlan {
    let sql = SqlPlan {
        kind,
        statements: Vec::new(),
        rows: None,
        parameters: Vec::new(),
        batch: None,
        expect_rows: None,
        hostile: false,
        any_state: false,
    };
    let receive = crate::plan::ReceivePlan {
        check: true,
        until: None,
        attempts: 1,
        every: Duration::from_millis(250),
        max_chunks: None,
    };
    StepPlan {
        pointer: format!("/phases/{name}"),
        name: name.into(),
        action: Action::Sql(sql),
        when: None,
        repeat: Number::Fixed(1),
        rate: None,
        think: None,
        barrier: None,
        sync: vec![SyncPlan::Send, SyncPlan::Receive(receive)],
        crash: None,
        timeout: None,
    }
}

/// A run of the plan in which nothing went wrong.
pub(crate) fn record(plan: &Plan) -> Record {
    let workers: Vec<WorkerRecord> = plan.databases.iter().map(|database| worker(plan, database)).collect();
    let end = workers.iter().flat_map(|worker| &worker.events).map(|event| event.at + event.took).max().unwrap_or(0);
    Record {
        version: crate::record::RECORD_VERSION,
        stress: "0.1.0".into(),
        id: "20260901T120000Z-1a2b3c".into(),
        path: "scenarios/small.yaml".into(),
        scenario: scenario(),
        started: "2026-09-01T12:00:00Z".parse().expect("it is a time"),
        machine: Machine { os: "linux".into(), arch: "x86_64".into(), cpus: 4, sqlite: "3.50.0".into() },
        target: TargetFacts {
            kind: TargetKind::Embedded,
            version: "1.1.4".into(),
            address: "http://127.0.0.1:7800".into(),
            extension: None,
        },
        workers,
        failures: Vec::new(),
        settle: Some(SettleRecord { rounds: 3, at: end, took: 40_000, stuck: Vec::new() }),
        state: Some(state(plan)),
        generator: None,
        ended: Some(Ended { at: end + 100_000, reason: EndReason::Done }),
    }
}

/// A scenario with the first phase of [`plan`] alone.
pub(crate) fn scenario() -> crate::scenario::Scenario {
    let document = json!({
        "version": 1,
        "name": "small",
        "seed": 42,
        "scale": {"databases": 2, "iterations": 5, "rows": 1000},
        "schema": {"tables": [{"name": "test_sync", "sql": "CREATE TABLE test_sync (id TEXT PRIMARY KEY)"}]},
        "phases": [{"name": "delete", "kind": "delete", "sql": "DELETE FROM test_sync", "sync": ["send", "check"]}],
    });
    serde_json::from_value(document).expect("it is a scenario")
}

fn worker(plan: &Plan, database: &DatabasePlan) -> WorkerRecord {
    let mut events = Vec::new();
    let mut at = u64::from(database.index) * 100;
    let mut add = |iteration, phase: &str, step, took: u64, rows, bytes| {
        events.push(Event {
            iteration,
            phase: phase.into(),
            step,
            at,
            took,
            rows,
            chunks: u64::from(bytes > 0),
            bytes,
            incomplete: false,
            late: 0,
            attempt: 1,
            retried: false,
            failures: Vec::new(),
        });
        at += took;
    };
    for iteration in 1..=plan.iterations {
        add(iteration, "session", StepKind::Open, 900, 0, 0);
        for phase in &plan.phases {
            let Action::Sql(sql) = &phase.action else { continue };
            let (step, took) = match sql.kind {
                Kind::Delete => (StepKind::Delete, 4_000),
                Kind::Insert => (StepKind::Insert, 21_000),
                Kind::Update => (StepKind::Update, 9_000),
                Kind::Query => (StepKind::Query, 1_000),
            };
            let rows = if iteration == 1 && step == StepKind::Delete { 0 } else { plan.rows };
            add(iteration, &phase.name, step, took + iteration * 10, rows, 0);
            for call in &phase.sync {
                let (send, receive) = (12_000 + iteration * 100, 7_000 + iteration * 50);
                match call {
                    SyncPlan::Send => add(iteration, &phase.name, StepKind::Send, send, 0, rows * 48),
                    SyncPlan::Sync(_) => add(iteration, &phase.name, StepKind::Sync, send, 0, rows * 48),
                    SyncPlan::Receive(one) => {
                        let step = if one.check { StepKind::Check } else { StepKind::Receive };
                        add(iteration, &phase.name, step, receive, rows / 2, rows * 24);
                    }
                    SyncPlan::Logout | SyncPlan::ResetSyncVersion | SyncPlan::Wait(_) => {}
                }
            }
        }
        add(iteration, "session", StepKind::Close, 300, 0, 0);
    }
    add(0, "settle", StepKind::Send, 1_000, 0, 0);
    add(0, "settle", StepKind::Receive, 1_000, 0, 0);
    WorkerRecord {
        database: database.index,
        user: database.user,
        site_id: Some(format!("{:032x}", 0x00c0_ffee_0000_u64 + u64::from(database.index))),
        iterations: plan.iterations,
        completed: true,
        crash: None,
        events,
        ..WorkerRecord::default()
    }
}

fn state(plan: &Plan) -> FinalState {
    let tables = |user: u32| vec![table(1000, &format!("{user:032x}"))];
    FinalState {
        databases: plan
            .databases
            .iter()
            .map(|database| DatabaseState {
                database: database.index,
                user: database.user,
                integrity: Some("ok".into()),
                foreign_keys: None,
                unsent: Some(false),
                bytes: 409_600,
                tables: tables(database.user),
            })
            .collect(),
        written: Some(WrittenState { keys: 1000, ..WrittenState::default() }),
        server: Some(ServerState {
            tables: if plan.rls { vec![table(1000 * plan.users.len() as u64, &"f".repeat(32))] } else { tables(1) },
            users: plan.users.iter().map(|user| UserState { user: user.index, tables: tables(user.index) }).collect(),
            tombstones: Vec::new(),
            integrity: None,
        }),
        ..FinalState::default()
    }
}

/// A table's content in a nutshell.
pub(crate) fn table(rows: u64, digest: &str) -> TableState {
    TableState {
        columns: Vec::new(),
        table: "test_sync".into(),
        rows,
        digest: digest.into(),
        forbidden: 0,
        leaked: None,
        lapsed: 0,
        left_out: 0,
    }
}

/// A failure with a real text.
pub(crate) fn failure(call: Call, rc: i32, message: &str) -> Failure {
    classify(&RawError::said(call, message).with_codes(Some((rc, rc))))
}

/// Makes a step of a database fail.
pub(crate) fn fail(record: &mut Record, database: u32, iteration: u64, phase: &str, step: StepKind, failure: Failure) {
    let worker = record.workers.iter_mut().find(|worker| worker.database == database).expect("the database is there");
    let event = worker
        .events
        .iter_mut()
        .find(|event| event.iteration == iteration && event.phase == phase && event.step == step)
        .expect("the step is there");
    event.failures.push(failure);
}

/// Database 2 misses two rows and has another value in a third; the server is as database 1 is.
pub(crate) fn diverge(record: &mut Record) {
    let state = record.state.as_mut().expect("a record of a run has it");
    state.databases[1].tables[0] = table(998, &format!("{:032x}", 0xbad));
    let holding = |holder, row: Option<&str>| Holding { holder, row: row.map(str::to_owned), unsent: None };
    let row = |key: &str, one: &str, two: Option<&str>| RowDifference {
        key: key.into(),
        holders: vec![
            holding(Holder::Database(1), Some(one)),
            holding(Holder::Database(2), two),
            holding(Holder::Server, Some(one)),
        ],
        tombstone: None,
        clocks: Vec::new(),
        writes: None,
    };
    state.differences = vec![Difference {
        user: 1,
        table: "test_sync".into(),
        total: 3,
        rows: vec![
            row("'db1_r3_500'", "'db1_r3_500', 'error: locked', 500", None),
            row("'db1_r3_501'", "'db1_r3_501', 'row 501', 501", None),
            row("'db2_r5_7'", "'db2_r5_7', 'row 7', 8", Some("'db2_r5_7', 'row 7', 7")),
        ],
    }];
}

/// A check of all tables that the scenario does not ask for by name.
pub(crate) fn check(name: CheckName) -> CheckPlan {
    CheckPlan { pointer: None, question: Question::Named(name) }
}

/// A query that the server has to answer with a value.
pub(crate) fn query(equals: Value) -> CheckPlan {
    let sql = "SELECT count(*)\n  FROM test_sync".into();
    CheckPlan { pointer: None, question: Question::Query { on: crate::scenario::QueryOn::Server, sql, equals } }
}

/// The first threshold of a scenario with the phases of [`plan`].
pub(crate) fn threshold(text: &str) -> ThresholdPlan {
    let phases = ["delete", "insert", "update"].map(str::to_owned);
    ThresholdPlan::new("/thresholds/0", &Threshold::Text(text.into()), &phases, 9).expect(text)
}
