mod programs;

use std::path::Path;

use super::{json, markdown, schema, terminal};
use crate::analysis::{Analysis, Verdict, analyze};
use crate::failure::{Call, Failure, FailureKind, Side};
use crate::fixture::{diverge, fail, failure, plan, plan_with_users, record};
use crate::record::{
    EndReason, Ended, ForbiddenRow, Generator, GrowthSample, Leak, LogExcerpt, StepKind, Stuck, TableSize, Tombstones,
};
use crate::scenario::{ErrorAction, ErrorActionName, ErrorMatch, ErrorRule};

fn passed() -> Analysis {
    let plan = plan(2);
    analyze(&record(&plan), &plan)
}

/// Errors of several sides, one of them with what could harm a report, one ignored.
fn failed() -> Analysis {
    let mut plan = plan_with_users(4);
    plan.errors = vec![ErrorRule {
        matches: ErrorMatch { kind: Some(FailureKind::RateLimited), ..ErrorMatch::default() },
        actions: vec![ErrorAction::Name(ErrorActionName::Ignore)],
    }];
    let mut record = record(&plan);
    let locked = "{\"errors\":[{\"status\":\"500\",\"code\":\"internal_error\",\"title\":\"Internal error\",\"detail\":\"database is locked\"}]}";
    for (database, iteration, phase, step, failure) in [
        (1, 4, "insert", StepKind::Send, failure(Call::Send, 1, locked)),
        (3, 4, "insert", StepKind::Send, failure(Call::Send, 1, locked)),
        (3, 5, "insert", StepKind::Send, failure(Call::Send, 1, locked)),
        (3, 5, "update", StepKind::Update, failure(Call::Sql, 5, "database is locked")),
        (
            2,
            3,
            "delete",
            StepKind::Check,
            failure(Call::Receive, 1, "Failed to connect to h port 9 after 500 ms: Error"),
        ),
        (4, 2, "update", StepKind::Send, failure(Call::Send, 1, "<b>\u{1b}[31m| `so` |\n\u{202e}500</b>")),
        (4, 2, "insert", StepKind::Send, failure(Call::Send, 1, "Too Many Requests")),
    ] {
        fail(&mut record, database, iteration, phase, step, failure);
    }
    let state = record.state.as_mut().expect("it has one");
    state.databases[0].tables[0].forbidden = 2;
    state.databases[0].tables[0].leaked = Some(1);
    let row = |key: &str, leaked| ForbiddenRow {
        database: 1,
        table: "test_sync".into(),
        key: key.into(),
        row: format!("{key}, 'malicious', 500"),
        leaked,
    };
    state.forbidden = vec![row("'db3_r1_500'", true), row("'malicious_1'", false)];
    beside(&mut record);
    analyze(&record, &plan)
}

/// What is measured beside the work.
fn beside(record: &mut crate::record::Record) {
    record.generator =
        Some(Generator { ticks: 900, lag_p99: 150_000, lag_max: 900_000, wall: 9_000_000, cpu: Some(20_000_000) });
    let worker = &mut record.workers[0];
    worker.watched = 15;
    worker.leaks = vec![Leak {
        iteration: 2,
        phase: "insert".into(),
        at: 90_000,
        table: "test_sync".into(),
        before: 1,
        after: 3,
        keys: vec!["'db3_r1_500'".into()],
    }];
    worker.growth = (1..=5)
        .map(|iteration| GrowthSample {
            iteration,
            file: 40_960 * iteration,
            wal: 8_192,
            tables: vec![TableSize { table: "test_sync".into(), rows: 1_000, metadata: Some(1_000 * iteration) }],
        })
        .collect();
    worker.log = Some(LogExcerpt {
        lines: 90,
        first: vec!["[DB1][iter 1] inserted, count=1000 (12.3 ms)".into()],
        last: vec!["[DB1][iter 5] send error: <b>\u{1b}[31m| `so` |</b> (1.0 ms)".into()],
    });
    let server = record.state.as_mut().and_then(|state| state.server.as_mut()).expect("it was read");
    server.tombstones = vec![Tombstones { table: "test_sync".into(), rows: 4_000 }];
}

fn diverged() -> Analysis {
    let plan = plan(2);
    let mut record = record(&plan);
    diverge(&mut record);
    record.settle.as_mut().expect("it has one").stuck =
        vec![Stuck { database: 2, unsent: Some(false), busy_receives: 2 }];
    analyze(&record, &plan)
}

fn unknown() -> Analysis {
    let plan = plan(2);
    let mut record = record(&plan);
    record.ended = Some(Ended { at: 600_000, reason: EndReason::Interrupted });
    record.settle = None;
    record.state = None;
    record.workers[1].completed = false;
    record.workers[1].iterations = 2;
    record.workers[1].events.retain(|event| event.iteration > 0 && event.iteration <= 2);
    analyze(&record, &plan)
}

fn many() -> Analysis {
    let plan = plan(60);
    let mut record = record(&plan);
    record.workers[41].crash = Some("thread 'db 42' panicked: locked\u{1b}[0m".into());
    record.workers[41].completed = false;
    fail(&mut record, 7, 1, "insert", StepKind::Send, Failure::new(FailureKind::Http, Side::Server, "x".repeat(5_000)));
    analyze(&record, &plan)
}

fn all() -> [(&'static str, Analysis); 5] {
    [("pass", passed()), ("fail", failed()), ("divergence", diverged()), ("unknown", unknown()), ("many", many())]
}

fn stripped(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        shown.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    shown
}

#[test]
fn every_run_is_told_on_a_terminal() {
    for (name, analysis) in all() {
        insta::assert_snapshot!(format!("terminal_{name}"), stripped(&terminal(&analysis, 100)));
    }
}

#[test]
fn every_run_is_told_in_markdown() {
    for (name, analysis) in all() {
        insta::assert_snapshot!(format!("markdown_{name}"), markdown(&analysis));
    }
}

#[test]
fn every_run_is_told_in_json() {
    for (name, analysis) in [("fail", failed()), ("divergence", diverged())] {
        let document = serde_json::to_string_pretty(&json(&analysis)).expect("it is JSON");
        insta::assert_snapshot!(format!("json_{name}"), document);
    }
}

#[test]
fn the_last_line_is_the_verdict_and_its_rule() {
    for (name, analysis) in all() {
        let page = stripped(&terminal(&analysis, 120));
        let last = page.lines().last().expect("it has lines");
        assert!(last.starts_with(&format!("{}: ", analysis.verdict)), "{name}: {last}");
    }
    assert_eq!(failed().verdict, Verdict::Fail);
    assert_eq!(unknown().verdict, Verdict::Unknown);
}

#[test]
fn a_report_fits_its_width() {
    for (name, analysis) in all() {
        for width in [60, 72, 80, 100, 140, 200] {
            for line in stripped(&terminal(&analysis, width)).lines() {
                assert!(line.chars().count() <= width, "{name} at {width}: {line}");
            }
        }
        for width in [0, 1, 20, 40, usize::MAX] {
            let text = stripped(&terminal(&analysis, width));
            let last = text.trim_end().lines().last().unwrap_or_default();
            assert!(last.starts_with(&format!("{}: ", analysis.verdict)), "{name} at {width}: {text}");
        }
    }
}

#[test]
fn a_message_brings_no_escapes_of_its_own() {
    for (name, analysis) in all() {
        let page = stripped(&terminal(&analysis, 100));
        assert!(!page.contains(['\u{1b}', '\u{202e}']), "{name}");
        assert!(!markdown(&analysis).contains(['\u{1b}', '\u{202e}']), "{name}");
    }
}

#[test]
fn rows_named_like_errors_are_no_errors() {
    let plan = plan(2);
    let mut record = record(&plan);
    for worker in &mut record.workers {
        for event in &mut worker.events {
            event.rows = 500;
        }
    }
    let analysis = analyze(&record, &plan);
    assert_eq!((analysis.verdict, analysis.errors.seen), (Verdict::Pass, 0));
}

#[test]
fn the_same_record_gives_the_same_reports() {
    let (first, second) = (failed(), failed());
    assert_eq!(terminal(&first, 100), terminal(&second, 100));
    assert_eq!(markdown(&first), markdown(&second));
    assert_eq!(json(&first).to_string(), json(&second).to_string());
}

#[test]
fn every_report_is_valid_by_its_schema() {
    let validator = jsonschema::validator_for(&schema()).expect("it is a schema");
    for (name, analysis) in all() {
        let report = json(&analysis);
        let problems: Vec<String> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
    }
}

#[test]
fn the_schema_in_the_repository_is_the_one_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/report.schema.json");
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema()).expect("it is JSON"));
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(path.parent().expect("it is in a directory")).expect("the directory can be made");
        std::fs::write(&path, &generated).expect("the schema can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert_eq!(kept, generated, "run the tests with UPDATE_SCHEMAS=1 to write schemas/report.schema.json anew");
}
