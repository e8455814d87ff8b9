//! The report for OpenTelemetry: the messages for a collector over HTTP, with one span per step and the totals as metrics.
//! Times and ids come from the run, so that a run that is sent twice stays one run.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span, status};
use prost::Message;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::text::plain;
use crate::analysis::{Analysis, Verdict};
use crate::record::{Event, Record, WorkerRecord};

/// The maximum number of spans per message, because collectors refuse very large messages.
const SPANS: usize = 2_000;
/// The upper bounds of the histogram buckets for durations, in seconds.
const BOUNDS: [f64; 15] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A message for a collector.
#[derive(Debug, Clone, PartialEq)]
pub struct Export {
    /// The path below the collector's address.
    pub path: &'static str,
    /// The message, as protobuf.
    pub body: Vec<u8>,
}

/// The messages about a run.
pub fn otlp<'a>(record: &'a Record, analysis: &'a Analysis) -> impl Iterator<Item = Export> + 'a {
    let run = Run { record, analysis, start: nanoseconds(record) };
    let metrics = Export { path: "/v1/metrics", body: run.metrics().encode_to_vec() };
    let roots = std::iter::once(run.root()).chain(record.workers.iter().map(move |worker| run.database(worker)));
    let mut spans = roots.chain(record.workers.iter().flat_map(move |worker| run.steps(worker)));
    let traces = std::iter::from_fn(move || {
        let spans: Vec<Span> = spans.by_ref().take(SPANS).collect();
        (!spans.is_empty()).then(|| Export { path: "/v1/traces", body: run.traces(spans).encode_to_vec() })
    });
    std::iter::once(metrics).chain(traces)
}

/// A run and its start, in nanoseconds of Unix time.
#[derive(Clone, Copy)]
struct Run<'a> {
    record: &'a Record,
    analysis: &'a Analysis,
    start: u64,
}

impl<'a> Run<'a> {
    fn traces(self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let spans = ScopeSpans { scope: Some(self.scope()), spans, ..ScopeSpans::default() };
        let resource = Some(self.resource());
        let spans = ResourceSpans { resource, scope_spans: vec![spans], ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![spans] }
    }

    fn scope(self) -> InstrumentationScope {
        let version = self.analysis.run.stress.clone();
        InstrumentationScope { name: "stress".to_owned(), version, ..InstrumentationScope::default() }
    }

    fn resource(self) -> Resource {
        let run = &self.analysis.run;
        let attributes = vec![
            text("service.name", "stress"),
            text("service.version", &run.stress),
            text("service.instance.id", &run.id),
            text("os.type", &run.machine.os),
            text("host.arch", &run.machine.arch),
            text("stress.scenario", &run.scenario),
            // As text, because not every reader keeps 64 bits.
            text("stress.seed", &run.seed.to_string()),
            text("stress.target", run.target.kind.as_str()),
            text("stress.target.version", &run.target.version),
            text("stress.sqlite.version", &run.machine.sqlite),
        ];
        Resource { attributes, ..Resource::default() }
    }

    fn id(self, part: &str) -> Vec<u8> {
        xxh3_64(format!("{} {part}", self.record.id).as_bytes()).to_be_bytes().to_vec()
    }

    /// The span of a part of the run; its start and end are in microseconds since the start of the run.
    fn span(self, part: &str, parent: Option<&str>, name: String, from: u64, to: u64) -> Span {
        Span {
            trace_id: xxh3_128(self.record.id.as_bytes()).to_be_bytes().to_vec(),
            span_id: self.id(part),
            parent_span_id: parent.map(|parent| self.id(parent)).unwrap_or_default(),
            name,
            kind: span::SpanKind::Internal.into(),
            start_time_unix_nano: self.at(from),
            end_time_unix_nano: self.at(to),
            ..Span::default()
        }
    }

    fn at(self, microseconds: u64) -> u64 {
        self.start.saturating_add(microseconds.saturating_mul(1_000))
    }

    fn end(self) -> u64 {
        u64::try_from(self.analysis.run.duration.as_micros()).unwrap_or(u64::MAX)
    }

    fn root(self) -> Span {
        let (run, verdict) = (&self.analysis.run, self.analysis.verdict);
        let rule = self.analysis.rules.first().map(|rule| plain(&rule.message)).unwrap_or_default();
        let code = match verdict {
            Verdict::Pass => status::StatusCode::Ok,
            Verdict::Fail => status::StatusCode::Error,
            Verdict::Unknown => status::StatusCode::Unset,
        };
        let message = if verdict == Verdict::Fail { rule.clone() } else { String::new() };
        Span {
            attributes: vec![text("stress.verdict", verdict.as_str()), text("stress.rule", &rule)],
            status: Some(Status { message, code: code.into() }),
            ..self.span("run", None, plain(&run.scenario), 0, self.end())
        }
    }

    fn database(self, worker: &WorkerRecord) -> Span {
        let from = worker.events.first().map_or(0, |event| event.at);
        let to = worker.events.iter().map(|event| event.at.saturating_add(event.took)).max().unwrap_or(from);
        let crash = |message: &String| Status { message: plain(message), code: status::StatusCode::Error.into() };
        let part = format!("database {}", worker.database);
        Span {
            attributes: vec![
                number("stress.database", worker.database.into()),
                number("stress.user", worker.user.into()),
            ],
            status: worker.crash.as_ref().map(crash),
            ..self.span(&part, Some("run"), part.clone(), from, to)
        }
    }

    fn steps(self, worker: &'a WorkerRecord) -> impl Iterator<Item = Span> + 'a {
        worker.events.iter().enumerate().map(move |(index, event)| self.step(worker, index, event))
    }

    fn step(self, worker: &WorkerRecord, index: usize, event: &Event) -> Span {
        let (phase, step) = (plain(&event.phase), event.step.as_str());
        let name = if phase == step { phase.clone() } else { format!("{phase}: {step}") };
        let mut attributes = vec![
            number("stress.database", worker.database.into()),
            number("stress.iteration", event.iteration),
            text("stress.phase", &phase),
            text("stress.step", step),
        ];
        for (key, count) in
            [("stress.rows", event.rows), ("stress.chunks", event.chunks), ("stress.bytes", event.bytes)]
        {
            if count > 0 {
                attributes.push(number(key, count));
            }
        }
        if event.incomplete {
            attributes.push(number("stress.incomplete", 1));
        }
        if event.attempt > 1 {
            attributes.push(number("stress.attempt", event.attempt.into()));
        }
        let failure = event.failures.first();
        if let Some(failure) = failure {
            attributes.push(text("error.type", failure.kind.as_str()));
            attributes.push(text("stress.side", &failure.side.to_string()));
        }
        let failed = |message: &str| Status { message: plain(message), code: status::StatusCode::Error.into() };
        let parent = format!("database {}", worker.database);
        Span {
            attributes,
            status: failure.map(|failure| failed(&failure.message)),
            ..self.span(
                &format!("{parent} step {index}"),
                Some(&parent),
                name,
                event.at,
                event.at.saturating_add(event.took),
            )
        }
    }

    fn metrics(self) -> ExportMetricsServiceRequest {
        let totals = &self.analysis.totals;
        let rows = [
            ("deleted", totals.deleted),
            ("inserted", totals.inserted),
            ("updated", totals.updated),
            ("queried", totals.queried),
            ("received", totals.received),
        ];
        let rows = rows.map(|(operation, count)| (vec![text("stress.operation", operation)], count));
        let errors = self.analysis.errors.groups.iter().fold(BTreeMap::new(), |mut sums, group| {
            *sums.entry((group.kind, group.side)).or_insert(0) += group.count;
            sums
        });
        let errors = errors.into_iter().map(|((kind, side), count)| {
            (vec![text("error.type", kind.as_str()), text("stress.side", &side.to_string())], count)
        });
        let metrics = vec![
            self.sum("stress.rows", "{row}", "Rows by operation", rows),
            self.sum(
                "stress.payload.chunks",
                "{chunk}",
                "Payload chunks of all sync calls",
                [(Vec::new(), totals.chunks)],
            ),
            self.sum("stress.payload", "By", "Payload of all sync calls", [(Vec::new(), totals.bytes)]),
            self.sum("stress.errors", "{error}", "Failures that count in errors.total", errors),
            self.durations(),
        ];
        let scope = ScopeMetrics { scope: Some(self.scope()), metrics, ..ScopeMetrics::default() };
        let resource = Some(self.resource());
        let metrics = ResourceMetrics { resource, scope_metrics: vec![scope], ..ResourceMetrics::default() };
        ExportMetricsServiceRequest { resource_metrics: vec![metrics] }
    }

    fn sum(
        self,
        name: &str,
        unit: &str,
        description: &str,
        points: impl IntoIterator<Item = (Vec<KeyValue>, u64)>,
    ) -> Metric {
        let point = |(attributes, count): (Vec<KeyValue>, u64)| NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start,
            time_unix_nano: self.at(self.end()),
            value: Some(number_data_point::Value::AsInt(signed(count))),
            ..NumberDataPoint::default()
        };
        let sum = Sum {
            data_points: points.into_iter().map(point).collect(),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic: true,
        };
        metric(name, unit, description, metric::Data::Sum(sum))
    }

    fn durations(self) -> Metric {
        let mut points = BTreeMap::new();
        for event in self.record.workers.iter().flat_map(|worker| &worker.events) {
            if event.step.is_load() {
                let point = points.entry((event.phase.as_str(), event.step)).or_insert_with(|| HistogramDataPoint {
                    attributes: vec![text("stress.phase", &event.phase), text("stress.step", event.step.as_str())],
                    start_time_unix_nano: self.start,
                    time_unix_nano: self.at(self.end()),
                    sum: Some(0.0),
                    bucket_counts: vec![0; BOUNDS.len() + 1],
                    explicit_bounds: BOUNDS.to_vec(),
                    ..HistogramDataPoint::default()
                });
                let seconds = Duration::from_micros(event.took).as_secs_f64();
                point.count += 1;
                point.bucket_counts[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
                point.sum = point.sum.map(|sum| sum + seconds);
                point.min = Some(point.min.map_or(seconds, |least| least.min(seconds)));
                point.max = Some(point.max.map_or(seconds, |most| most.max(seconds)));
            }
        }
        let histogram = Histogram {
            data_points: points.into_values().collect(),
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
        };
        let description = "Duration of steps, settling included";
        metric("stress.step.duration", "s", description, metric::Data::Histogram(histogram))
    }
}

fn metric(name: &str, unit: &str, description: &str, data: metric::Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

/// The start of the run, in nanoseconds of Unix time.
fn nanoseconds(record: &Record) -> u64 {
    u64::try_from(record.started.as_nanosecond()).unwrap_or_default()
}

/// A number for the protocol, whose integers are signed.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, any_value::Value::StringValue(plain(value)))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(signed(value)))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
