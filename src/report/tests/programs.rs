//! The forms for other programs: JUnit, CSV, OpenMetrics and OpenTelemetry.

use std::collections::HashSet;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

use super::super::{Export, csv, junit, junit_unmade, otlp, prometheus};
use super::{all, diverged, failed};
use crate::analysis::{Analysis, LimitState, Verdict, analyze};
use crate::failure::Call;
use crate::fixture::{self, plan, record};
use crate::record::{Record, StepKind};
use crate::scenario::{Expect, ExpectedVerdict, Severity};

/// A run with two failures, one of which looks like a formula.
fn locked() -> (Record, Analysis) {
    let plan = plan(2);
    let mut record = record(&plan);
    let failure = |message| fixture::failure(Call::Send, 5, message);
    fixture::fail(&mut record, 1, 2, "insert", StepKind::Send, failure("database is locked"));
    fixture::fail(&mut record, 2, 2, "insert", StepKind::Send, failure("=1+1, \"quoted\"\nand {more}"));
    let analysis = analyze(&record, &plan);
    (record, analysis)
}

fn parsed(text: &str) -> Report {
    Report::deserialize_from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Failures, errors, and skipped ones.
fn counts(text: &str) -> [usize; 3] {
    let report = parsed(text);
    let suite = &report.test_suites[0];
    [suite.failures, suite.errors, suite.skipped]
}

#[test]
fn every_run_is_told_in_junit() {
    for (name, analysis) in all() {
        insta::assert_snapshot!(format!("junit_{name}"), junit(&analysis));
    }
}

#[test]
fn junit_is_green_for_a_pass_and_for_nothing_else() {
    for (name, analysis) in all() {
        let [failures, errors, _] = counts(&junit(&analysis));
        assert_eq!(failures + errors == 0, analysis.verdict == Verdict::Pass, "{name}");
        let report = parsed(&junit(&analysis));
        assert_eq!(report.test_suites[0].test_cases.len(), 1 + analysis.checks.len() + analysis.thresholds.len());
    }
}

#[test]
fn what_a_scenario_expects_to_break_is_no_failure_of_a_test() {
    let mut plan = plan(2);
    let mut record = record(&plan);
    fixture::diverge(&mut record);
    plan.expect = Some(Expect { verdict: ExpectedVerdict::Fail, kinds: vec!["converged".into()] });
    let text = junit(&analyze(&record, &plan));
    assert_eq!(counts(&text), [0, 0, 0]);
    assert!(text.contains("the check failed, but the scenario allows that"), "{text}");
    plan.expect = Some(Expect { verdict: ExpectedVerdict::Fail, kinds: vec!["locked".into()] });
    let report = parsed(&junit(&analyze(&record, &plan)));
    let case = &report.test_suites[0].test_cases[0];
    let TestCaseStatus::NonSuccess { kind, message, .. } = &case.status else { panic!("{case:?}") };
    assert_eq!((*kind, case.name.as_str()), (NonSuccessKind::Failure, "verdict"));
    assert_eq!(
        message.as_ref().map(quick_junit::XmlString::as_str),
        Some("expected locked, found converged and server")
    );
}

#[test]
fn a_threshold_that_only_warns_is_no_failure_of_a_test() {
    let plan = plan(2);
    let mut analysis = analyze(&record(&plan), &plan);
    let mut warned = analysis.thresholds[0].clone();
    warned.severity = Severity::Warn;
    warned.state = LimitState::Broken;
    analysis.thresholds.push(warned);
    let text = junit(&analysis);
    assert_eq!(counts(&text), [0, 0, 0]);
    assert!(text.contains("broken (warning)"), "{text}");
}

#[test]
fn a_run_that_was_not_made_is_an_error_of_a_test() {
    let text = junit_unmade("small", "no extension \u{1b}[31m<here>\n  help: install it");
    assert_eq!(counts(&text), [0, 1, 0]);
    insta::assert_snapshot!("junit_unmade", text);
}

#[test]
fn the_steps_are_told_in_csv() {
    let (record, _) = locked();
    let text = csv(&record);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().expect("it has them").clone();
    let rows: Vec<_> = reader.records().map(|row| row.expect("it has all columns")).collect();
    let steps: usize = record.workers.iter().map(|worker| worker.events.len()).sum();
    assert_eq!((columns.len(), rows.len()), (17, steps));
    let interesting =
        text.lines().enumerate().filter(|(line, text)| *line < 6 || text.contains(",locked,") || text.contains("more"));
    insta::assert_snapshot!("csv_fail", interesting.map(|(_, line)| line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_run_is_told_in_openmetrics() {
    let (record, analysis) = locked();
    let text = prometheus(&record, &analysis);
    insta::assert_snapshot!("prometheus_fail", text);
    assert_eq!(text, prometheus(&record, &analysis), "the order is always the same");
}

#[test]
fn no_series_is_there_twice_and_every_line_is_one() {
    for (name, mut analysis) in all() {
        let (record, _) = locked();
        // A query that is asked twice gives two checks of one name.
        let checks = analysis.checks.clone();
        analysis.checks.extend(checks);
        analysis.run.scenario = "a \"b\" \\ c\nd".into();
        let text = prometheus(&record, &analysis);
        let mut seen = HashSet::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            assert!(value.parse::<f64>().is_ok(), "{name}: {line}");
            assert!(series.contains("scenario=\"a \\\"b\\\" \\\\ c d\""), "{name}: {line}");
            assert!(seen.insert(series.to_owned()), "{name}: {line}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}

fn spans(exports: &[Export]) -> Vec<Span> {
    let bodies = exports.iter().filter(|export| export.path == "/v1/traces");
    let requests = bodies.map(|export| ExportTraceServiceRequest::decode(&export.body[..]).expect("it is protobuf"));
    requests
        .flat_map(|request| request.resource_spans)
        .flat_map(|spans| spans.scope_spans)
        .flat_map(|spans| spans.spans)
        .collect()
}

#[test]
fn opentelemetry_gets_a_span_per_step_at_the_time_of_the_run() {
    let (record, analysis) = locked();
    let exports: Vec<Export> = otlp(&record, &analysis).collect();
    let spans = spans(&exports);
    let steps: usize = record.workers.iter().map(|worker| worker.events.len()).sum();
    assert_eq!(spans.len(), 1 + record.workers.len() + steps);
    let ids: HashSet<&[u8]> = spans.iter().map(|span| span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), spans.len());
    for span in &spans {
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        let is_root = span.name == "small";
        assert_eq!(span.parent_span_id.is_empty(), is_root, "{}", span.name);
        assert!(is_root || ids.contains(span.parent_span_id.as_slice()), "{}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    let started = u64::try_from(record.started.as_nanosecond()).expect("it is after 1970");
    let wanted = &record.workers[0].events[1];
    let step = spans.iter().find(|span| span.name == "delete").expect("the first step of SQL");
    assert_eq!(step.start_time_unix_nano, started + wanted.at * 1_000);
    assert_eq!(step.end_time_unix_nano - step.start_time_unix_nano, wanted.took * 1_000);
    let broken: Vec<&Span> =
        spans.iter().filter(|span| span.name == "insert: send").filter(|span| span.status.is_some()).collect();
    assert_eq!(broken.len(), 2);
    assert_eq!(broken[0].status.as_ref().map(|status| status.message.as_str()), Some("database is locked"));
}

#[test]
fn opentelemetry_gets_the_totals_as_metrics() {
    let (record, analysis) = locked();
    let metrics = otlp(&record, &analysis).find(|export| export.path == "/v1/metrics").expect("there is one");
    let metrics = ExportMetricsServiceRequest::decode(&metrics.body[..]).expect("it is protobuf");
    let metrics = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    let names: Vec<[&str; 2]> = metrics.iter().map(|metric| [metric.name.as_str(), metric.unit.as_str()]).collect();
    let wanted = [
        ["stress.rows", "{row}"],
        ["stress.payload.chunks", "{chunk}"],
        ["stress.payload", "By"],
        ["stress.errors", "{error}"],
        ["stress.step.duration", "s"],
    ];
    assert_eq!(names, wanted);
    let Some(Data::Histogram(durations)) = &metrics[4].data else { panic!("{:?}", metrics[4]) };
    let steps = record.workers.iter().flat_map(|worker| &worker.events);
    let timed: Vec<_> = steps.filter(|event| event.step.is_sql() || event.step.is_sync()).collect();
    assert_eq!(durations.data_points.iter().map(|point| point.count).sum::<u64>(), timed.len() as u64);
    let seconds: f64 = durations.data_points.iter().filter_map(|point| point.sum).sum();
    let wanted: u64 = timed.iter().map(|event| event.took).sum();
    assert!((seconds - Duration::from_micros(wanted).as_secs_f64()).abs() < 1e-9, "{seconds}");
    for point in &durations.data_points {
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    }
}

#[test]
fn a_run_that_is_sent_twice_is_the_same_run_and_a_large_one_is_sent_in_parts() {
    let plan = plan(60);
    let record = record(&plan);
    let analysis = analyze(&record, &plan);
    let exports: Vec<Export> = otlp(&record, &analysis).collect();
    assert_eq!(exports, otlp(&record, &analysis).collect::<Vec<_>>());
    assert!(exports.len() > 2, "{}", exports.len());
    assert!(exports.iter().all(|export| export.body.len() < 1024 * 1024));
}

#[test]
fn a_message_brings_no_escapes_into_any_form() {
    let (record, _) = locked();
    for (name, analysis) in [("fail", failed()), ("divergence", diverged())] {
        for text in [junit(&analysis), csv(&record), prometheus(&record, &analysis)] {
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{name}: {text}");
        }
    }
}
