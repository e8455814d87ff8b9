//! Runs that never were, as large and as hostile as the pages must bear.

use serde_json::json;
use stress::failure::{Call, Failure, FailureKind, RawError, Side, classify};
use stress::record::{
    DatabaseState, Difference, EndReason, Ended, Event, FinalState, Generator, GrowthSample, Holder, Holding,
    LogExcerpt, Machine, Record, RowDifference, ServerState, SettleRecord, StepKind, TableSize, TableState,
    TargetFacts, UserState, WorkerRecord,
};
use stress::report;
use stress::scenario::{Scenario, TargetKind};
use stress::{Analysis, Plan, analyze};

/// Texts that would like to be more than text.
pub(crate) const HOSTILE: [&str; 6] = [
    "</script><script>window.bad = 1</script>",
    "<!-- <script> --><img src=x onerror='window.bad = 2'>",
    "\"><b class=bad>&lt;&amp;\"'`",
    "{{ 7 * 7 }} {% raw %} ${bad}",
    "red \u{1b}[31m \u{202e}txt\u{0} \u{2028}",
    "مرحبا עולם",
];

/// A run that was made: its record, and what it comes to.
pub(crate) struct Run {
    pub(crate) record: Record,
    plan: Plan,
}

impl Run {
    /// In which all went well.
    pub(crate) fn passed(databases: u32, iterations: u64) -> Self {
        let scenario: Scenario = serde_json::from_value(json!({
            "version": 1,
            "name": "notes",
            "description": "Devices write notes, all at once.",
            "seed": 42,
            "scale": { "databases": databases, "iterations": iterations, "rows": 100 },
            "target": "embedded",
            "schema": { "tables": [{ "name": "notes", "sql": "CREATE TABLE notes (id TEXT PRIMARY KEY, body TEXT, size INTEGER)" }] },
            "phases": [
                { "name": "insert", "kind": "insert", "sql": "INSERT INTO notes (id) VALUES (:id)", "sync": ["send", "receive"] },
                { "name": "update", "kind": "update", "sql": "UPDATE notes SET size = 1", "sync": ["send", "receive"] },
            ],
            "verify": ["converged", "server"],
            "thresholds": ["send.duration p99 < 5s"],
        }))
        .expect("it is a scenario");
        let (plan, _) = Plan::new(&scenario, &stress::Grant::default()).expect("it makes a plan");
        let workers: Vec<WorkerRecord> = (1..=databases).map(|database| worker(database, iterations)).collect();
        let end =
            workers.iter().flat_map(|worker| &worker.events).map(|event| event.at + event.took).max().unwrap_or(0);
        let record = Record {
            version: stress::record::RECORD_VERSION,
            stress: "0.1.0".into(),
            id: "20260901T120000Z-1a2b3c".into(),
            path: "scenarios/notes.yaml".into(),
            scenario,
            started: "2026-09-01T12:00:00Z".parse().expect("it is a time"),
            machine: Machine { os: "linux".into(), arch: "x86_64".into(), cpus: 8, sqlite: "3.50.0".into() },
            target: TargetFacts {
                kind: TargetKind::Embedded,
                version: "0.1.0".into(),
                address: "http://127.0.0.1:7800".into(),
                extension: None,
            },
            workers,
            failures: Vec::new(),
            settle: Some(SettleRecord { rounds: 3, at: end, took: 40_000, stuck: Vec::new() }),
            state: Some(state(databases)),
            generator: Some(Generator {
                ticks: 900,
                lag_p99: 4_000,
                lag_max: 9_000,
                wall: 9_000_000,
                cpu: Some(20_000_000),
            }),
            ended: Some(Ended { at: end + 50_000, reason: EndReason::Done }),
        };
        Self { record, plan }
    }

    /// In which so many sync calls failed, spread over databases, iterations and time.
    pub(crate) fn failing(databases: u32, iterations: u64, failures: usize) -> Self {
        let mut run = Self::passed(databases, iterations);
        let calls =
            run.record.workers.iter_mut().flat_map(|worker| &mut worker.events).filter(|event| event.step.is_sync());
        let every = (databases as usize * usize::try_from(iterations).expect("few") * 4 / failures.max(1)).max(1);
        for (number, event) in calls.step_by(every).take(failures).enumerate() {
            let status = [500, 503, 429][number % 3];
            let message = format!(
                "{{\"errors\":[{{\"status\":\"{status}\",\"detail\":\"database is locked, attempt {number}\"}}]}}"
            );
            event.failures.push(classify(&RawError::said(Call::Send, message).with_status(status)));
        }
        run
    }

    /// In which rows of one database differ.
    pub(crate) fn diverged() -> Self {
        let mut run = Self::failing(3, 6, 7);
        let state = run.record.state.as_mut().expect("it has one");
        state.databases[1].tables[0].digest = "bad0".repeat(8);
        let holding = |holder, row: Option<&str>| Holding { holder, row: row.map(str::to_owned), unsent: Some(false) };
        state.differences = vec![Difference {
            user: 1,
            table: "notes".into(),
            total: 2,
            rows: vec![
                RowDifference {
                    key: "'db1_r3_50'".into(),
                    holders: vec![
                        holding(Holder::Database(1), Some("'db1_r3_50', 'a, ''b''', 7")),
                        holding(Holder::Database(2), Some("'db1_r3_50', 'a, ''b''', 6")),
                        holding(Holder::Server, Some("'db1_r3_50', 'a, ''b''', 7")),
                    ],
                    tombstone: Some(false),
                    clocks: Vec::new(),
                    writes: None,
                },
                RowDifference {
                    key: "'db3_r2_9'".into(),
                    holders: vec![
                        holding(Holder::Database(1), Some("'db3_r2_9', 'x', 1")),
                        holding(Holder::Database(2), None),
                        holding(Holder::Server, Some("'db3_r2_9', 'x', 1")),
                    ],
                    tombstone: None,
                    clocks: Vec::new(),
                    writes: None,
                },
            ],
        }];
        run
    }

    /// In which everything went wrong in every database: failures that no two share, rows that all hold otherwise,
    /// damaged files, crashes.
    pub(crate) fn ruined(databases: u32, iterations: u64, failures: usize) -> Self {
        let mut run = Self::failing(databases, iterations, failures);
        let events = run.record.workers.iter_mut().flat_map(|worker| &mut worker.events);
        for (number, failure) in events.flat_map(|event| &mut event.failures).enumerate() {
            let letters: String = number.to_string().bytes().map(|digit| char::from(digit + 49)).collect();
            failure.fingerprint = format!("{} {letters}", failure.fingerprint);
            failure.message = format!("{} {}", failure.message, "why ".repeat(1000));
        }
        for worker in &mut run.record.workers {
            worker.crash = Some(format!("database {} panicked", worker.database));
        }
        let state = run.record.state.as_mut().expect("it has one");
        for database in &mut state.databases {
            database.integrity = Some(format!("row {} missing from index", database.database));
            database.tables[0].digest = format!("{:032x}", database.database);
        }
        let row = |number: u32| RowDifference {
            key: format!("'db1_r1_{number}'"),
            holders: (1..=databases)
                .map(|database| Holding {
                    holder: Holder::Database(database),
                    row: Some(format!("'db1_r1_{number}', '{}', {database}", "text ".repeat(100))),
                    unsent: None,
                })
                .collect(),
            tombstone: None,
            clocks: Vec::new(),
            writes: None,
        };
        state.differences =
            vec![Difference { user: 1, table: "notes".into(), total: 5000, rows: (1..=20).map(row).collect() }];
        run
    }

    /// That a person ended early.
    pub(crate) fn interrupted() -> Self {
        let mut run = Self::passed(2, 6);
        run.record.ended = Some(Ended { at: 100_000, reason: EndReason::Interrupted });
        (run.record.settle, run.record.state) = (None, None);
        run.record.workers[1].completed = false;
        run.record.workers[1].iterations = 2;
        run.record.workers[1].events.retain(|event| event.iteration <= 2);
        run
    }

    /// Whose every text would like to be more than text.
    pub(crate) fn hostile() -> Self {
        let mut run = Self::diverged();
        let record = &mut run.record;
        record.scenario.description = HOSTILE.join(" ");
        run.plan.description = HOSTILE.join(" ");
        run.plan.name = HOSTILE[0].into();
        record.path = HOSTILE[1].into();
        record.id = HOSTILE[2].into();
        record.target.address = HOSTILE[0].into();
        for (worker, text) in record.workers.iter_mut().zip(HOSTILE) {
            worker.log = Some(LogExcerpt { lines: 2, first: vec![text.into()], last: vec![HOSTILE[0].into()] });
            for event in worker.events.iter_mut().filter(|event| event.phase == "update") {
                event.phase = text.into();
            }
            let event = worker.events.iter_mut().find(|event| event.step == StepKind::Send).expect("it sends");
            event.failures.extend(HOSTILE.map(|text| Failure::new(FailureKind::Http, Side::Server, text)));
        }
        record.workers[0].crash = Some(HOSTILE[0].into());
        let state = record.state.as_mut().expect("it has one");
        for (row, text) in state.differences[0].rows.iter_mut().zip(HOSTILE) {
            row.key = format!("'{text}'");
            row.holders[0].row = Some(format!("'{text}', '{}', 1", HOSTILE[1]));
        }
        state.databases[0].integrity = Some(HOSTILE[0].into());
        run
    }

    pub(crate) fn analysis(&self) -> Analysis {
        analyze(&self.record, &self.plan)
    }

    /// The report as a page.
    pub(crate) fn html(&self) -> String {
        report::html(&self.record, &self.analysis())
    }
}

fn worker(database: u32, iterations: u64) -> WorkerRecord {
    let mut events = Vec::new();
    let mut growth = Vec::new();
    let mut at = u64::from(database) * 300;
    for iteration in 1..=iterations {
        for (phase, step, took, rows) in [
            ("insert", StepKind::Insert, 21_000, 100),
            ("insert", StepKind::Send, 12_000, 0),
            ("insert", StepKind::Receive, 7_000, 90),
            ("update", StepKind::Update, 9_000, 100),
            ("update", StepKind::Send, 11_000, 0),
            ("update", StepKind::Receive, 6_000, 80),
        ] {
            // Spread without a generator of random numbers.
            let took = took + (u64::from(database) * 7919 + iteration * 104_729) % took;
            events.push(Event {
                iteration,
                phase: phase.into(),
                step,
                at,
                took,
                rows,
                chunks: 0,
                bytes: 0,
                incomplete: false,
                late: 0,
                attempt: 1,
                retried: false,
                failures: Vec::new(),
            });
            at += took;
        }
        growth.push(GrowthSample {
            iteration,
            file: 40_960 * iteration,
            wal: 8_192,
            tables: vec![TableSize { table: "notes".into(), rows: 100 * iteration, metadata: Some(200 * iteration) }],
        });
    }
    WorkerRecord {
        database,
        user: 1,
        site_id: Some(format!("{database:032x}")),
        iterations,
        completed: true,
        events,
        growth,
        ..WorkerRecord::default()
    }
}

fn state(databases: u32) -> FinalState {
    let tables = || {
        vec![TableState {
            columns: Vec::new(),
            table: "notes".into(),
            rows: 100,
            digest: "a".repeat(32),
            forbidden: 0,
            leaked: None,
            lapsed: 0,
            left_out: 0,
        }]
    };
    let database = |database| DatabaseState {
        database,
        user: 1,
        foreign_keys: None,
        integrity: Some("ok".into()),
        unsent: Some(false),
        bytes: 409_600,
        tables: tables(),
    };
    FinalState {
        databases: (1..=databases).map(database).collect(),
        server: Some(ServerState {
            tables: tables(),
            users: vec![UserState { user: 1, tables: tables() }],
            tombstones: Vec::new(),
            integrity: None,
        }),
        ..FinalState::default()
    }
}
