//! Timing: latencies per step and per phase, rates, the duration of the load.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effort::rates;
use super::{Effort, RateKept, SETTLE, Scene, Totals};
use crate::latency::Latency;
use crate::record::{Event, StepKind};

/// Durations, latencies and rates of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The duration from the first to the last step before settling; `None` if no step ran.
    pub load: Option<Duration>,
    /// The duration of settling, if the run settled.
    pub settle: Option<Duration>,
    /// The number of settling rounds.
    pub rounds: Option<u32>,
    /// Rows changed per second, over the duration of the load.
    pub rows_per_second: Option<f64>,
    /// Payload bytes sent and received per second, over the duration of the load.
    pub bytes_per_second: Option<f64>,
    /// How the databases spent their time.
    pub effort: Effort,
    /// Whether the scenario's rates were kept.
    pub rates: Vec<RateKept>,
    /// Latencies of SQL and sync calls by kind of step, settling excluded.
    pub steps: Vec<LatencyRow>,
    /// Latencies by phase, in the plan's order, with settling at the end.
    pub phases: Vec<LatencyRow>,
}

/// The latencies of one kind of step.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyRow {
    /// The phase; `None` for all phases.
    pub phase: Option<String>,
    /// The kind of step.
    pub step: StepKind,
    /// The durations of the steps, failed ones included.
    pub latency: Latency,
    /// With a `rate`: the durations from the scheduled start of the iteration or repetition. They include the time that a
    /// step waited for a slow one before it, as a user would experience it.
    pub intended: Option<Latency>,
}

impl Timing {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let load = load(scene);
        let totals = Totals::of(scene);
        let load_bytes = scene.load().filter(|(_, event)| event.step.is_sync()).map(|(_, event)| event.bytes);
        let settle = scene.record.settle.as_ref();
        Self {
            load,
            settle: settle.map(|settle| Duration::from_micros(settle.took)),
            rounds: settle.map(|settle| settle.rounds),
            rows_per_second: per_second(totals.changed(), load),
            bytes_per_second: per_second(load_bytes.fold(0, u64::saturating_add), load),
            effort: Effort::of(scene),
            rates: rates(scene),
            steps: steps(scene),
            phases: phases(scene),
        }
    }
}

/// The duration from the first to the last step before settling.
fn load(scene: &Scene<'_>) -> Option<Duration> {
    let start = scene.load().map(|(_, event)| event.at).min()?;
    let end = scene.load().map(|(_, event)| event.at.saturating_add(event.took)).max()?;
    Some(Duration::from_micros(end - start))
}

fn per_second(number: u64, load: Option<Duration>) -> Option<f64> {
    load.filter(|load| !load.is_zero()).map(|load| number as f64 / load.as_secs_f64())
}

fn is_timed(event: &Event) -> bool {
    event.step.is_load()
}

/// Latencies of one kind of step, while they are collected.
#[derive(Default)]
struct Gathered {
    latency: Latency,
    intended: Latency,
}

impl Gathered {
    fn record(&mut self, event: &Event) {
        self.latency.record(event.took);
        self.intended.record(event.took.saturating_add(event.late));
    }

    fn row(self, phase: Option<String>, step: StepKind, is_rated: bool) -> LatencyRow {
        LatencyRow { phase, step, latency: self.latency, intended: is_rated.then_some(self.intended) }
    }
}

fn steps(scene: &Scene<'_>) -> Vec<LatencyRow> {
    let mut rows: BTreeMap<StepKind, Gathered> = BTreeMap::new();
    for (_, event) in scene.load().filter(|(_, event)| is_timed(event)) {
        rows.entry(event.step).or_default().record(event);
    }
    let plan = scene.plan;
    let is_rated = plan.rate.is_some() || plan.phases.iter().any(|step| step.rate.is_some());
    rows.into_iter().map(|(step, gathered)| gathered.row(None, step, is_rated)).collect()
}

fn phases(scene: &Scene<'_>) -> Vec<LatencyRow> {
    let plan = scene.plan;
    let all = || plan.setup.iter().chain(&plan.phases).chain(&plan.teardown);
    let order: Vec<&str> = all().map(|step| step.name.as_str()).chain([SETTLE]).collect();
    let place = |phase: &str| order.iter().position(|name| *name == phase).unwrap_or(order.len());
    let mut rows: BTreeMap<(usize, &str, StepKind), Gathered> = BTreeMap::new();
    for (_, event) in scene.events().filter(|(_, event)| is_timed(event)) {
        rows.entry((place(&event.phase), &event.phase, event.step)).or_default().record(event);
    }
    let is_rated = |phase: &str| {
        let in_iterations = plan.rate.is_some() && plan.phases.iter().any(|step| step.name == phase);
        in_iterations || all().any(|step| step.name == phase && step.rate.is_some())
    };
    rows.into_iter()
        .map(|((_, phase, step), gathered)| gathered.row(Some(phase.to_owned()), step, is_rated(phase)))
        .collect()
}
