//! The report as OpenMetrics text, for Prometheus and tools that read its format. Units are seconds and bytes; there is one
//! series per step, kind of error, check and threshold. The scenario is a label of every series.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::text::plain;
use crate::analysis::{Analysis, LimitState, Verdict};
use crate::record::Record;
use crate::verify::Outcome;

/// The upper bounds of the histogram buckets for durations: one millisecond, doubled up to almost nine minutes.
const BUCKETS: (f64, f64, u16) = (0.001, 2.0, 20);

/// The report as OpenMetrics text.
#[expect(clippy::missing_panics_doc, reason = "it cannot: it writes to memory")]
pub fn prometheus(record: &Record, analysis: &Analysis) -> String {
    let labels = [("scenario".into(), plain(&analysis.run.scenario).into())];
    let mut registry = Registry::with_prefix_and_labels("stress", labels.into_iter());
    about_the_run(&mut registry, analysis);
    about_the_work(&mut registry, analysis);
    about_the_judgement(&mut registry, analysis);
    registry.register_with_unit(
        "step_duration",
        "Duration of steps, settling included",
        Unit::Seconds,
        durations(record),
    );
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a text takes everything");
    page
}

fn about_the_run(registry: &mut Registry, analysis: &Analysis) {
    let run = &analysis.run;
    let info = vec![
        ("run", plain(&run.id)),
        ("seed", run.seed.to_string()),
        ("stress", plain(&run.stress)),
        ("target", plain(run.target.kind.as_str())),
        ("target_version", plain(&run.target.version)),
        ("sqlite", plain(&run.machine.sqlite)),
        ("os", plain(&run.machine.os)),
        ("arch", plain(&run.machine.arch)),
    ];
    // Not of type info: the older text format does not have that type, and must be able to read this file.
    registry.register("run", "Labels that identify the run; always 1", Series::gauges([(info, 1.0)]));
    let started = run.started.as_millisecond() as f64 / 1000.0;
    let unit = Unit::Seconds;
    registry.register_with_unit("run_started", "Start of the run, as Unix time", unit, ConstGauge::new(started));
    let duration = run.duration.as_secs_f64();
    registry.register_with_unit("run_duration", "Duration of the run", Unit::Seconds, ConstGauge::new(duration));
    for (name, help, measured) in [
        ("load_duration", "Duration from the first to the last step before settling", analysis.timing.load),
        ("settle_duration", "Duration of settling", analysis.timing.settle),
    ] {
        if let Some(measured) = measured {
            registry.register_with_unit(name, help, Unit::Seconds, ConstGauge::new(measured.as_secs_f64()));
        }
    }
    registry.register("databases", "Planned number of databases", ConstGauge::new(run.databases as f64));
}

fn about_the_work(registry: &mut Registry, analysis: &Analysis) {
    let totals = &analysis.totals;
    let rows = [
        ("deleted", totals.deleted),
        ("inserted", totals.inserted),
        ("updated", totals.updated),
        ("queried", totals.queried),
        ("received", totals.received),
    ];
    let rows = rows.map(|(operation, count)| (vec![("operation", operation.to_owned())], count));
    registry.register("rows", "Rows by operation", Series::counters(rows));
    let calls = [
        ("send", totals.sends),
        ("receive", totals.receives),
        ("check", totals.checks),
        ("sync", totals.syncs),
        ("settle", totals.settling),
    ];
    let calls = calls.map(|(call, count)| (vec![("call", call.to_owned())], count));
    registry.register("sync_calls", "Sync calls; those of settling are a series of their own", Series::counters(calls));
    registry.register("sync_calls_failed", "Sync calls that failed", ConstCounter::new(totals.failed));
    let help = "Sync calls whose answer said that there is more to receive";
    registry.register("sync_calls_incomplete", help, ConstCounter::new(totals.incomplete));
    registry.register("payload_chunks", "Payload chunks of all sync calls", ConstCounter::new(totals.chunks));
    registry.register_with_unit("payload", "Payload of all sync calls", Unit::Bytes, ConstCounter::new(totals.bytes));
    let errors = analysis.errors.groups.iter().fold(BTreeMap::new(), |mut sums, group| {
        *sums.entry((group.kind.to_string(), group.side.to_string())).or_insert(0) += group.count;
        sums
    });
    let errors = errors.into_iter().map(|((kind, side), count)| (vec![("kind", kind), ("side", side)], count));
    registry.register("errors", "Failures that count in errors.total", Series::counters(errors));
}

fn about_the_judgement(registry: &mut Registry, analysis: &Analysis) {
    let state = |wanted: Verdict| {
        let name = wanted.as_str().to_lowercase();
        (vec![("verdict", name)], f64::from(u8::from(analysis.verdict == wanted)))
    };
    let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Unknown].map(state);
    registry.register("verdict", "1 for the run's verdict, 0 for the others", Series::gauges(verdicts));
    let checks = analysis.checks.iter().filter_map(|result| {
        let held = match result.outcome {
            Outcome::Passed => 1.0,
            Outcome::Failed(_) => 0.0,
            Outcome::NotChecked(_) => return None,
        };
        Some((vec![("check", plain(&result.name))], held))
    });
    registry.register(
        "check_holds",
        "1 for a check that passed, 0 for one that failed; absent if the check was not made",
        Series::gauges(checks),
    );
    let findings = analysis.checks.iter().fold(BTreeMap::new(), |mut sums, result| {
        *sums.entry(result.check.as_str()).or_insert(0) += result.findings().len() as u64;
        sums
    });
    let findings = findings.into_iter().map(|(check, count)| (vec![("check", check.to_owned())], count));
    registry.register("findings", "Findings of the checks", Series::counters(findings));
    let thresholds = analysis.thresholds.iter().filter_map(|result| {
        let kept = match result.state {
            LimitState::Kept => 1.0,
            LimitState::Broken => 0.0,
            LimitState::NotMeasured(_) => return None,
        };
        Some((vec![("threshold", plain(&result.text))], kept))
    });
    registry.register(
        "threshold_kept",
        "1 for a threshold that was kept, 0 for a broken one",
        Series::gauges(thresholds),
    );
}

fn durations(record: &Record) -> Series {
    let mut histograms = BTreeMap::new();
    for event in record.workers.iter().flat_map(|worker| &worker.events) {
        if event.step.is_load() {
            let (first, factor, count) = BUCKETS;
            histograms
                .entry((event.phase.as_str(), event.step))
                .or_insert_with(|| Histogram::new(exponential_buckets(first, factor, count)))
                .observe(std::time::Duration::from_micros(event.took).as_secs_f64());
        }
    }
    let points = histograms.into_iter().map(|((phase, step), histogram)| {
        (vec![("phase", plain(phase)), ("step", step.as_str().to_owned())], Point::Histogram(histogram))
    });
    Series { kind: MetricType::Histogram, points: points.collect() }
}

/// Labels of a point.
type Labels = Vec<(&'static str, String)>;

/// The points of one metric, in the order in which they are written; the library's own families have no order.
#[derive(Debug)]
struct Series {
    kind: MetricType,
    points: Vec<(Labels, Point)>,
}

#[derive(Debug)]
enum Point {
    Counter(ConstCounter<u64>),
    Gauge(ConstGauge<f64>),
    Histogram(Histogram),
}

impl Series {
    fn counters(points: impl IntoIterator<Item = (Labels, u64)>) -> Self {
        let points = points.into_iter().map(|(labels, count)| (labels, Point::Counter(ConstCounter::new(count))));
        Self { kind: MetricType::Counter, points: points.collect() }
    }

    /// Merges points with the same labels, such as those of a query that the scenario makes twice: the lowest value wins.
    fn gauges(points: impl IntoIterator<Item = (Labels, f64)>) -> Self {
        let mut least: Vec<(Labels, f64)> = Vec::new();
        for (labels, value) in points {
            match least.iter_mut().find(|(known, _)| *known == labels) {
                Some((_, least)) => *least = least.min(value),
                None => least.push((labels, value)),
            }
        }
        let points = least.into_iter().map(|(labels, value)| (labels, Point::Gauge(ConstGauge::new(value))));
        Self { kind: MetricType::Gauge, points: points.collect() }
    }
}

impl EncodeMetric for Series {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        for (labels, point) in &self.points {
            let encoder = encoder.encode_family(labels)?;
            match point {
                Point::Counter(counter) => counter.encode(encoder)?,
                Point::Gauge(gauge) => gauge.encode(encoder)?,
                Point::Histogram(histogram) => histogram.encode(encoder)?,
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        self.kind
    }
}
