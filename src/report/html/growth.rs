//! Growth as charts: sizes and send latency by iteration, the mean of all databases.

use std::collections::BTreeMap;

use super::chart::{Axis, Chart, Group, Line, Unit, View};
use crate::record::Record;

/// Sums and numbers by iteration.
type Means = BTreeMap<u64, (f64, f64)>;

/// The charts; `None` if fewer than two iterations have values.
pub(super) fn over_iterations(record: &Record) -> Option<Group> {
    let mut means: [(&str, Means); 5] =
        ["rows", "metadata rows", "file", "write-ahead log", "send"].map(|name| (name, Means::new()));
    let mut add = |which: usize, iteration: u64, value: f64| {
        let (sum, number) = means[which].1.entry(iteration).or_default();
        *sum += value;
        *number += 1.0;
    };
    for worker in &record.workers {
        for sample in &worker.growth {
            add(0, sample.iteration, sample.tables.iter().map(|table| table.rows as f64).sum());
            let metadata: Option<Vec<u64>> = sample.tables.iter().map(|table| table.metadata).collect();
            if let Some(metadata) = metadata {
                add(1, sample.iteration, metadata.into_iter().map(|rows| rows as f64).sum());
            }
            add(2, sample.iteration, sample.file as f64);
            add(3, sample.iteration, sample.wal as f64);
        }
        let sends = worker.events.iter().filter(|event| event.step.sends());
        for event in sends.filter(|event| event.iteration > 0 && event.failures.is_empty()) {
            add(4, event.iteration, event.took as f64 / 1e3);
        }
    }
    let mut places: Vec<u64> = means.iter().flat_map(|(_, means)| means.keys().copied()).collect();
    places.sort_unstable();
    places.dedup();
    // A picture cannot show more iterations. If there are more, it shows every second one, every third one, and so on.
    let step = places.len().div_ceil(400).max(1);
    let places: Vec<u64> = places.into_iter().step_by(step).collect();
    let line = |(name, means): &(&str, Means)| Line {
        name: (*name).to_owned(),
        values: places.iter().map(|place| means.get(place).map(|(sum, number)| sum / number)).collect(),
    };
    let chart = |id, title: &str, unit, lines: &[(&str, Means)]| {
        let lines: Vec<Line> = lines.iter().filter(|(_, means)| !means.is_empty()).map(line).collect();
        Chart { id, title: title.to_owned(), unit, stacked: false, lines }
    };
    let charts = [
        chart("rows", "Rows in a database", Unit::Count, &means[..2]),
        chart("size", "Size of a database", Unit::Bytes, &means[2..4]),
        chart("send", "Latency of a send", Unit::Milliseconds, &means[4..]),
    ];
    let charts: Vec<Chart> = charts.into_iter().filter(|chart| !chart.is_empty()).collect();
    (places.len() > 1 && !charts.is_empty()).then(|| Group {
        id: "growth",
        axis: Axis::Iterations,
        x: places.iter().map(|place| *place as f64).collect(),
        marks: Vec::new(),
        views: vec![View { name: "all".to_owned(), note: String::new(), charts }],
    })
}
