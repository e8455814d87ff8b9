//! How long things took: latency per step and per phase, rates, the load's duration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{SETTLE, Scene, Totals};
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
    event.step.is_sql() || event.step.is_sync()
}

fn steps(scene: &Scene<'_>) -> Vec<LatencyRow> {
    let mut rows: BTreeMap<StepKind, Latency> = BTreeMap::new();
    for (_, event) in scene.load().filter(|(_, event)| is_timed(event)) {
        rows.entry(event.step).or_default().record(event.took);
    }
    rows.into_iter().map(|(step, latency)| LatencyRow { phase: None, step, latency }).collect()
}

fn phases(scene: &Scene<'_>) -> Vec<LatencyRow> {
    let plan = scene.plan;
    let order: Vec<&str> = plan
        .setup
        .iter()
        .chain(&plan.phases)
        .chain(&plan.teardown)
        .map(|step| step.name.as_str())
        .chain([SETTLE])
        .collect();
    let place = |phase: &str| order.iter().position(|name| *name == phase).unwrap_or(order.len());
    let mut rows: BTreeMap<(usize, &str, StepKind), Latency> = BTreeMap::new();
    for (_, event) in scene.events().filter(|(_, event)| is_timed(event)) {
        rows.entry((place(&event.phase), &event.phase, event.step)).or_default().record(event.took);
    }
    rows.into_iter()
        .map(|((_, phase, step), latency)| LatencyRow { phase: Some(phase.to_owned()), step, latency })
        .collect()
}
