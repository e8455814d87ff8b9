//! How long things took: latency per step and per phase, rates, the load's duration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::effort::rates;
use super::{Effort, RateKept, SETTLE, Scene, Totals};
use crate::latency::Latency;
use crate::record::{Event, StepKind};

/// How long things took.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// From the first to the last thing done before settling; none when nothing was.
    pub load: Option<Duration>,
    /// How long settling took, when it was done.
    pub settle: Option<Duration>,
    /// How many rounds it took.
    pub rounds: Option<u32>,
    /// Rows changed per second of the load.
    pub rows_per_second: Option<f64>,
    /// Payload bytes per second of the load.
    pub bytes_per_second: Option<f64>,
    /// Where the databases' time went.
    pub effort: Effort,
    /// Whether the scenario's rates were kept.
    pub rates: Vec<RateKept>,
    /// SQL and sync calls by what they do, settling left out.
    pub steps: Vec<LatencyRow>,
    /// The same by phase, in the plan's order, settling at the end.
    pub phases: Vec<LatencyRow>,
}

/// The latencies of one kind of step.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyRow {
    /// The phase; all when absent.
    pub phase: Option<String>,
    /// What was done.
    pub step: StepKind,
    /// How long it took, failed ones included.
    pub latency: Latency,
    /// With a `rate`: how long it took from when its iteration (or repetition) was to begin. Calls that wait for a slow
    /// one before them count that waiting, as their users would.
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

/// From the first to the last thing done before settling.
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

/// Latencies of one kind of step, as they are gathered.
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
