//! The distribution of latencies: for each step, a small picture on a logarithmic axis next to its percentiles.

use std::fmt::Write;
use std::time::Duration;

use minijinja::{Value, context};

use super::svg::path;
use crate::analysis::{Analysis, LatencyRow};
use crate::figure;
use crate::latency::Latency;
use crate::record::{Event, Record};
use crate::report::rows;

/// The number of columns in a picture.
const FIELDS: usize = 80;
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 40.0;

/// The axis, from the shortest to the longest of all durations: logarithms to base 10 of microseconds.
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn of(pictures: &[Picture<'_>]) -> Option<Self> {
        let logarithm = |duration: Duration| (duration.as_micros().max(1) as f64).log10();
        let from = pictures.iter().filter_map(|picture| picture.latency.min()).min().map(logarithm)?.floor();
        let to = pictures.iter().filter_map(|picture| picture.latency.max()).max().map(logarithm)?;
        Some(Self { from, to: to.ceil().max(from + 1.0) })
    }

    /// The position of a duration, from 0 to 1.
    fn place(&self, microseconds: f64) -> f64 {
        ((microseconds.max(1.0).log10() - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn field(&self, microseconds: u64) -> usize {
        let place = figure::whole((self.place(microseconds as f64) * FIELDS as f64).floor());
        usize::try_from(place).unwrap_or(FIELDS).min(FIELDS - 1)
    }
}

/// The latencies of one picture.
struct Picture<'a> {
    row: &'a LatencyRow,
    latency: &'a Latency,
    /// Whether the durations count from the scheduled start.
    is_intended: bool,
    fields: [u64; FIELDS],
}

impl Picture<'_> {
    fn add(&mut self, event: &Event, scale: &Scale) {
        let fits = self.row.phase.as_ref().map_or(event.phase != "settle", |phase| *phase == event.phase);
        if self.row.step == event.step && fits {
            let late = if self.is_intended { event.late } else { 0 };
            self.fields[scale.field(event.took.saturating_add(late))] += 1;
        }
    }
}

/// The table of latencies with its pictures; `None` if there are no latencies.
pub(super) fn table(record: &Record, analysis: &Analysis) -> Option<Value> {
    let measured = || analysis.timing.steps.iter().chain(&analysis.timing.phases);
    let mut pictures: Vec<Picture<'_>> = Vec::new();
    for row in measured() {
        let picture = |latency, is_intended| Picture { row, latency, is_intended, fields: [0; FIELDS] };
        pictures.push(picture(&row.latency, false));
        pictures.extend(row.intended.as_ref().map(|latency| picture(latency, true)));
    }
    let scale = Scale::of(&pictures)?;
    for event in record.workers.iter().flat_map(|worker| &worker.events) {
        for picture in &mut pictures {
            picture.add(event, &scale);
        }
    }
    let rows: Vec<Value> = pictures
        .iter()
        .zip(measured().flat_map(rows::latency))
        .map(|(picture, [name, cells @ ..])| {
            let svg = Value::from_safe_string(svg(picture, &scale));
            context! { name, cells => cells.to_vec(), svg, whole => picture.row.phase.is_none() }
        })
        .collect();
    let decades = figure::whole(scale.to - scale.from);
    let ticks: Vec<Value> = (0..=decades)
        .map(|decade| {
            let microseconds = 10_f64.powf(scale.from + decade as f64);
            let at = decade as f64 / decades as f64 * 100.0;
            context! { at => format!("{at:.1}"), text => short(microseconds) }
        })
        .collect();
    Some(context! { header => rows::LATENCY[1..].to_vec(), rows, ticks })
}

/// `1 ms`, without a fraction.
fn short(microseconds: f64) -> String {
    match microseconds {
        small if small < 1e3 => format!("{small:.0} µs"),
        middle if middle < 1e6 => format!("{:.0} ms", middle / 1e3),
        large => format!("{:.0} s", large / 1e6),
    }
}

fn svg(Picture { latency, fields, .. }: &Picture<'_>, scale: &Scale) -> String {
    let most = fields.iter().copied().max().unwrap_or(1).max(1) as f64;
    let width = WIDTH / FIELDS as f64;
    let mut area = format!("M0 {HEIGHT}");
    for (field, number) in fields.iter().enumerate() {
        // A single duration must be visible, too.
        let height = if *number == 0 { 0.0 } else { (*number as f64 / most * HEIGHT).max(2.0) };
        let (x, y) = (field as f64 * width, HEIGHT - height);
        let _ = write!(area, "L{x:.0} {y:.1}h{width:.0}");
    }
    let _ = write!(area, "V{HEIGHT}z");
    let mut shapes = format!(r#"<path class="area" d="{area}"/>"#);
    for (class, percent) in [("p50", 50.0), ("p95", 95.0), ("p99", 99.0)] {
        if let Some(at) = latency.percentile(percent) {
            let x = scale.place(at.as_micros() as f64) * WIDTH;
            let _ = write!(shapes, r#"<path class="{class}" d="{}"/>"#, path([(x, 0.0), (x, HEIGHT)].into_iter()));
        }
    }
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false">{shapes}</svg>"#
    )
}
