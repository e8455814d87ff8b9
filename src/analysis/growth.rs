//! Growth over the run: sizes and send latency by iteration, their trends, and whether the last iteration ran against the
//! same system as the first.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Scene;
use crate::figure::{self, counted};
use crate::record::GrowthSample;

/// The minimum number of iterations for a trend.
const FEWEST: usize = 3;
/// A trend that multiplies or divides a measure by this much makes a different system.
const ANOTHER: f64 = 1.5;
/// The minimum coefficient of determination (R²) of a trend.
const EXPLAINED: f64 = 0.5;

/// Growth over the run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Growth {
    /// The measures that have values for at least three iterations.
    pub rows: Vec<GrowthRow>,
    /// The number of deletions that the server remembers at the end, by table.
    pub tombstones: Vec<(String, u64)>,
    /// A sentence whether the last iteration ran against the same system as the first; `None` without enough values.
    pub words: Option<String>,
}

/// One measure over the iterations, the mean of all databases.
#[derive(Debug, Clone, PartialEq)]
pub struct GrowthRow {
    /// The measure.
    pub measure: Measure,
    /// The first and the last iteration with a value.
    pub iterations: (u64, u64),
    /// The value in the first iteration, in the unit of the measure.
    pub first: f64,
    /// The value in the last iteration, in the unit of the measure.
    pub last: f64,
    /// The growth per iteration (least squares), in the unit of the measure.
    pub slope: f64,
    /// The last value of the trend, as a multiple of its first one; `None` if there is no trend.
    pub times: Option<f64>,
}

/// A measure of growth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The number of rows in all tables.
    Rows,
    /// The number of rows in the metadata tables of sync.
    Metadata,
    /// The size of the database file, in bytes.
    File,
    /// The size of the write-ahead log, in bytes.
    Wal,
    /// The duration of a send, in microseconds.
    Send,
}

impl Measure {
    const ALL: [Self; 5] = [Self::Rows, Self::Metadata, Self::File, Self::Wal, Self::Send];

    /// The measure's name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Metadata => "metadata rows",
            Self::File => "file size",
            Self::Wal => "write-ahead log",
            Self::Send => "send latency",
        }
    }

    /// A value with its unit.
    pub fn shown(self, value: f64) -> String {
        let whole = figure::whole(value.abs());
        let sign = if value < 0.0 && whole > 0 { "-" } else { "" };
        let shown = match self {
            Self::Rows | Self::Metadata => figure::thousands(whole),
            Self::File | Self::Wal => figure::bytes(whole),
            Self::Send => figure::duration(Duration::from_micros(whole)),
        };
        format!("{sign}{shown}")
    }

    /// Whether growth of this measure makes a different system. A write-ahead log grows and shrinks all the time.
    const fn tells(self) -> bool {
        match self {
            Self::Rows | Self::Metadata | Self::File | Self::Send => true,
            Self::Wal => false,
        }
    }

    fn of(self, sample: &GrowthSample) -> Option<u64> {
        match self {
            Self::Rows => Some(sample.tables.iter().map(|table| table.rows).fold(0, u64::saturating_add)),
            Self::Metadata => {
                let metadata = sample.tables.iter().map(|table| table.metadata);
                metadata.collect::<Option<Vec<u64>>>().map(|rows| rows.into_iter().fold(0, u64::saturating_add))
            }
            Self::File => Some(sample.file),
            Self::Wal => Some(sample.wal),
            Self::Send => None,
        }
    }
}

impl Growth {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let rows: Vec<GrowthRow> = Measure::ALL.into_iter().filter_map(|measure| row(scene, measure)).collect();
        let server = scene.record.state.as_ref().and_then(|state| state.server.as_ref());
        let tombstones = server.map_or_else(Vec::new, |server| {
            server.tombstones.iter().map(|table| (table.table.clone(), table.rows)).collect()
        });
        let words = in_words(&rows);
        Self { rows, tombstones, words }
    }
}

fn row(scene: &Scene<'_>, measure: Measure) -> Option<GrowthRow> {
    let mut iterations: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    let mut add = |iteration: u64, value: u64| {
        let (sum, count) = iterations.entry(iteration).or_default();
        *sum += value as f64;
        *count += 1.0;
    };
    for worker in &scene.workers {
        for sample in &worker.growth {
            if let Some(value) = measure.of(sample) {
                add(sample.iteration, value);
            }
        }
    }
    if measure == Measure::Send {
        for (_, event) in scene.load().filter(|(_, event)| event.iteration > 0) {
            if event.step.sends() && event.failures.is_empty() {
                add(event.iteration, event.took);
            }
        }
    }
    let points: Vec<(f64, f64)> =
        iterations.iter().map(|(iteration, (sum, count))| (*iteration as f64, sum / count)).collect();
    if points.len() < FEWEST || points.iter().all(|(_, value)| *value == 0.0) {
        return None;
    }
    let (first, last) = (points.first()?, points.last()?);
    let line = Line::through(&points)?;
    let from = line.at(first.0).max(1.0);
    let times = (line.explained >= EXPLAINED).then(|| line.at(last.0).max(0.0) / from);
    Some(GrowthRow {
        measure,
        iterations: (*iterations.keys().next()?, *iterations.keys().next_back()?),
        first: first.1,
        last: last.1,
        slope: line.slope,
        times,
    })
}

fn in_words(rows: &[GrowthRow]) -> Option<String> {
    let (first, last) = rows.iter().map(|row| row.iterations).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let changed = rows.iter().filter(|row| row.measure.tells());
    let changed: Vec<String> = changed
        .filter_map(|row| {
            let times = row.times?;
            (times >= ANOTHER || times <= 1.0 / ANOTHER).then(|| {
                let (measure, shown) = (row.measure.as_str(), |value| row.measure.shown(value));
                let sign = if row.slope < 0.0 { "" } else { "+" };
                format!("{measure} {sign}{} per iteration, to {times:.1} times the first value", shown(row.slope))
            })
        })
        .collect();
    Some(if changed.is_empty() {
        format!(
            "iteration {last} ran against the same system as iteration {first}: no trend in {}",
            counted(rows.len() as u64, "measure")
        )
    } else {
        format!("iteration {last} ran against a different system than iteration {first}: {}", changed.join("; "))
    })
}

/// A straight line through points.
struct Line {
    slope: f64,
    intercept: f64,
    /// The coefficient of determination, from 0 to 1.
    explained: f64,
}

impl Line {
    /// The line by least squares; `None` if all points have the same x.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(x - mean_x, y - mean_y)).sum::<f64>();
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        if xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let explained = if yy > 0.0 { (xy * xy / (xx * yy)).min(1.0) } else { 0.0 };
        Some(Self { slope, intercept: mean_y - slope * mean_x, explained })
    }

    fn at(&self, x: f64) -> f64 {
        self.slope.mul_add(x, self.intercept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{plan, record};
    use crate::record::TableSize;

    fn grown(metadata: fn(u64) -> u64) -> Growth {
        let plan = plan(2);
        let mut record = record(&plan);
        for worker in &mut record.workers {
            worker.growth = (1..=5)
                .map(|iteration| GrowthSample {
                    iteration,
                    file: 4096 * 100,
                    wal: 4096 * (iteration % 2),
                    tables: vec![TableSize {
                        table: "test_sync".into(),
                        rows: 1000,
                        metadata: Some(metadata(iteration)),
                    }],
                })
                .collect();
        }
        crate::analysis::analyze(&record, &plan).growth
    }

    #[test]
    fn metadata_that_grows_makes_another_system() {
        let growth = grown(|iteration| iteration * 1000);
        let row = growth.rows.iter().find(|row| row.measure == Measure::Metadata).expect("it was measured");
        assert_eq!((row.first, row.last, row.iterations), (1000.0, 5000.0, (1, 5)));
        assert!((row.slope - 1000.0).abs() < 1e-6, "{row:?}");
        let words = growth.words.expect("it can be said");
        assert_eq!(
            words,
            "iteration 5 ran against a different system than iteration 1: metadata rows +1,000 per iteration, to 5.0 times the first value"
        );
    }

    #[test]
    fn what_stays_is_the_same_system() {
        let words = grown(|iteration| 1000 + iteration % 2).words.expect("it can be said");
        assert!(words.starts_with("iteration 5 ran against the same system as iteration 1"), "{words}");
    }
}
