//! A run over time, in buckets: throughput, latency of sync calls, and failures, in several views. The number of buckets
//! is limited, however many events there are.

use std::collections::BTreeMap;
use std::time::Duration;

use super::chart::{Axis, Chart, Group, Line, MOST_LINES, Mark, Unit, View};
use crate::analysis::Analysis;
use crate::figure::counted;
use crate::record::{Event, Record, WorkerRecord};
use crate::report::text::plain;

/// The maximum number of buckets; a screen cannot show more.
const MOST: u64 = 400;
/// The minimum number of buckets, unless the run is shorter than this many milliseconds.
const FEWEST: u64 = 24;
/// The number of events that a bucket needs for meaningful percentiles.
const EVENTS: u64 = 4;

/// Buckets of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Buckets {
    /// The width, in microseconds.
    width: u64,
    number: usize,
}

impl Buckets {
    /// Buckets of a round width for a run of this many microseconds.
    fn of(end: u64, events: u64) -> Self {
        let number = (events / EVENTS).clamp(FEWEST, MOST);
        let mut width = 1000;
        for factor in [2, 5, 10].into_iter().cycle() {
            if width * number >= end {
                break;
            }
            // 1, 2, 5, 10, 20, …
            width = if factor == 5 { width / 2 * 5 } else { width * 2 };
        }
        Self { width, number: usize::try_from(end / width).unwrap_or_default() + 1 }
    }

    /// The middles of the buckets, in seconds.
    fn middles(self) -> Vec<f64> {
        (0..self.number).map(|bucket| (bucket as f64 + 0.5) * self.width as f64 / 1e6).collect()
    }

    fn at(self, moment: u64) -> usize {
        usize::try_from(moment / self.width).unwrap_or(usize::MAX).min(self.number - 1)
    }

    /// Spreads rows over the duration of their statement, so that a slow insert is not a peak at its end.
    fn spread(self, work: Work, into: &mut [f64]) {
        let (start, end) = (work.at, work.at.saturating_add(work.took.max(1)));
        let (first, last) = (self.at(start), self.at(end));
        let rate = work.rows as f64 / (end - start).max(1) as f64;
        for (bucket, sum) in into.iter_mut().enumerate().take(last + 1).skip(first) {
            let from = start.max(bucket as u64 * self.width);
            let until = if bucket == last { end } else { (bucket as u64 + 1) * self.width };
            *sum += rate * until.saturating_sub(from) as f64;
        }
    }
}

/// Rows, with the duration of their statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work {
    /// The start, in microseconds since the start of the run.
    at: u64,
    /// The duration, in microseconds.
    took: u64,
    rows: u64,
}

impl Work {
    const fn of(event: &Event) -> Self {
        Self { at: event.at, took: event.took, rows: event.rows }
    }

    /// All statements that change rows.
    pub(crate) fn all(record: &Record) -> Vec<Self> {
        let events = record.workers.iter().flat_map(|worker| &worker.events);
        events.filter(|event| changes(event)).map(Self::of).collect()
    }

    /// The end of the call.
    pub(crate) const fn end(&self) -> u64 {
        self.at.saturating_add(self.took)
    }
}

fn changes(event: &Event) -> bool {
    event.step.changes_rows()
}

/// The data of one line, by bucket.
struct Tally {
    changed: Vec<f64>,
    received: Vec<f64>,
    /// The durations of sync calls, in microseconds.
    waits: Vec<Vec<u64>>,
    failures: Vec<u64>,
}

impl Tally {
    fn new(buckets: Buckets) -> Self {
        let number = buckets.number;
        Self {
            changed: vec![0.0; number],
            received: vec![0.0; number],
            waits: vec![Vec::new(); number],
            failures: vec![0; number],
        }
    }

    fn add(&mut self, buckets: Buckets, event: &Event) {
        let bucket = buckets.at(event.at.saturating_add(event.took));
        if event.step.is_sync() {
            buckets.spread(Work::of(event), &mut self.received);
            self.waits[bucket].push(event.took);
        } else if changes(event) {
            buckets.spread(Work::of(event), &mut self.changed);
        }
        self.failures[bucket] += event.failures.len() as u64;
    }

    fn quantile(&self, name: &str, percent: usize) -> Line {
        let of = |waits: &Vec<u64>| {
            let mut waits = waits.clone();
            waits.sort_unstable();
            let rank = (waits.len() * percent).div_ceil(100);
            waits.get(rank.max(1) - 1).map(|wait| *wait as f64 / 1e3)
        };
        Line { name: name.to_owned(), values: self.waits.iter().map(of).collect() }
    }

    fn failures(&self, name: &str) -> Line {
        let shown = |failures: &u64| (*failures > 0).then_some(*failures as f64);
        Line { name: name.to_owned(), values: self.failures.iter().map(shown).collect() }
    }
}

fn rate(name: &str, rows: &[f64], buckets: Buckets) -> Line {
    let seconds = buckets.width as f64 / 1e6;
    Line { name: name.to_owned(), values: rows.iter().map(|rows| Some(rows / seconds)).collect() }
}

/// A run over time; `None` if nothing ran.
pub(super) fn over_time(record: &Record, analysis: &Analysis) -> Option<Group> {
    let events: Vec<(&WorkerRecord, &Event)> =
        record.workers.iter().flat_map(|worker| worker.events.iter().map(move |event| (worker, event))).collect();
    let end = events.iter().map(|(_, event)| event.at.saturating_add(event.took)).max()?;
    let buckets = Buckets::of(end.min(u64::MAX / 4), events.len() as u64);
    let views = vec![
        Some(everything(&events, buckets)),
        by(&events, buckets, "by step", |_, event| step(event)),
        by(&events, buckets, "by phase", |_, event| Some(plain(&event.phase))),
        by_database(&events, buckets, analysis),
    ];
    Some(Group {
        id: "time",
        axis: Axis::Seconds,
        x: buckets.middles(),
        marks: marks(record, analysis),
        views: views.into_iter().flatten().collect(),
    })
}

fn step(event: &Event) -> Option<String> {
    event.step.is_load().then(|| event.step.as_str().to_owned())
}

fn marks(record: &Record, analysis: &Analysis) -> Vec<Mark> {
    let first = analysis.errors.groups.iter().map(|group| group.first).min();
    let settle = record.settle.as_ref().map(|settle| Duration::from_micros(settle.at));
    let mark = |at: Option<Duration>, label| at.map(|at| Mark { at: at.as_secs_f64(), label });
    [mark(first, "first failure"), mark(settle, "settling")].into_iter().flatten().collect()
}

/// All databases together: percentiles, and failures by kind.
fn everything(events: &[(&WorkerRecord, &Event)], buckets: Buckets) -> View {
    let mut all = Tally::new(buckets);
    let mut kinds: BTreeMap<String, Tally> = BTreeMap::new();
    for (_, event) in events {
        all.add(buckets, event);
        for failure in &event.failures {
            let name = format!("{} ({})", failure.kind, failure.side);
            let tally = kinds.entry(name).or_insert_with(|| Tally::new(buckets));
            tally.failures[buckets.at(event.at.saturating_add(event.took))] += 1;
        }
    }
    let mut kinds: Vec<(String, Tally)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.failures.iter().sum::<u64>()));
    let note = if kinds.len() > MOST_LINES {
        format!("the {MOST_LINES} most frequent of {} kinds of failures", kinds.len())
    } else {
        String::new()
    };
    let waits = [("p50", 50), ("p95", 95), ("p99", 99)].map(|(name, percent)| all.quantile(name, percent));
    let rows = [rate("changed", &all.changed, buckets), rate("received", &all.received, buckets)];
    let failures = kinds.iter().take(MOST_LINES).map(|(name, tally)| tally.failures(name));
    view("all", note, "Latency of sync calls", rows.into(), waits.into(), failures.collect(), buckets)
}

/// A view with a line for each phase, database or similar.
fn by(
    events: &[(&WorkerRecord, &Event)],
    buckets: Buckets,
    name: &str,
    key: impl Fn(&WorkerRecord, &Event) -> Option<String>,
) -> Option<View> {
    let mut order: Vec<String> = Vec::new();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut left_out: Vec<String> = Vec::new();
    for (worker, event) in events {
        let counts = event.step.is_load() || !event.failures.is_empty();
        let Some(key) = key(worker, event).filter(|_| counts) else { continue };
        if !tallies.contains_key(&key) {
            if order.len() == MOST_LINES {
                if !left_out.contains(&key) && left_out.len() < 1000 {
                    left_out.push(key);
                }
                continue;
            }
            order.push(key.clone());
        }
        tallies.entry(key).or_insert_with(|| Tally::new(buckets)).add(buckets, event);
    }
    let note = if left_out.is_empty() {
        String::new()
    } else {
        format!("the first {MOST_LINES} of {}", order.len() + left_out.len())
    };
    let lines = |line: &dyn Fn(&str, &Tally) -> Line, some: fn(&Tally) -> bool| -> Vec<Line> {
        order.iter().filter(|key| some(&tallies[*key])).map(|key| line(key, &tallies[key])).collect()
    };
    let rows =
        lines(&|key, tally| rate(key, &tally.changed, buckets), |tally| tally.changed.iter().any(|rows| *rows > 0.0));
    let waits = lines(&|key, tally| tally.quantile(key, 95), |tally| tally.waits.iter().any(|waits| !waits.is_empty()));
    let failures =
        lines(&|key, tally| tally.failures(key), |tally| tally.failures.iter().any(|failures| *failures > 0));
    (order.len() > 1).then(|| view(name, note, "Latency of sync calls, p95", rows, waits, failures, buckets))
}

fn by_database(events: &[(&WorkerRecord, &Event)], buckets: Buckets, analysis: &Analysis) -> Option<View> {
    let mut worst: Vec<(u64, u32)> = analysis
        .databases
        .iter()
        .map(|database| (database.errors + database.sends.failed + database.receives.failed, database.database))
        .collect();
    worst.sort_by_key(|(failed, database)| (std::cmp::Reverse(*failed), *database));
    let any_failed = worst.first().is_some_and(|(failed, _)| *failed > 0);
    worst.truncate(MOST_LINES);
    let mut shown: Vec<u32> = worst.into_iter().map(|(_, database)| database).collect();
    shown.sort_unstable();
    let some = |worker: &WorkerRecord, _: &Event| {
        shown.contains(&worker.database).then(|| format!("database {}", worker.database))
    };
    let mut view = by(events, buckets, "by database", some)?;
    if analysis.databases.len() > shown.len() {
        let all = counted(analysis.databases.len() as u64, "database");
        let which = if any_failed { "with the most failures of" } else { "first of" };
        view.note = format!("the {MOST_LINES} {which} {all}");
    }
    Some(view)
}

fn view(
    name: &str,
    note: String,
    latency: &str,
    rows: Vec<Line>,
    waits: Vec<Line>,
    failures: Vec<Line>,
    buckets: Buckets,
) -> View {
    let width = crate::figure::duration(Duration::from_micros(buckets.width));
    let chart = |id, title: String, unit, lines| Chart { id, title, unit, stacked: id == "failures", lines };
    View {
        name: name.to_owned(),
        note,
        charts: vec![
            chart("throughput", "Rows per second".to_owned(), Unit::Rate, rows),
            chart("latency", latency.to_owned(), Unit::Milliseconds, waits),
            chart("failures", format!("Failures per {width}"), Unit::Count, failures),
        ],
    }
}

/// Rows changed per second, for a comparison: a line for each series of runs, with the mean of its runs.
pub(crate) fn throughput(series: &[(String, Vec<&[Work]>)]) -> Group {
    let all = || series.iter().flat_map(|(_, runs)| runs.iter().copied().flatten());
    let buckets = Buckets::of(all().map(Work::end).max().unwrap_or_default().min(u64::MAX / 4), all().count() as u64);
    let line = |(name, runs): &(String, Vec<&[Work]>)| {
        let mut rows = vec![0.0; buckets.number];
        for work in runs.iter().copied().flatten() {
            buckets.spread(*work, &mut rows);
        }
        let rows: Vec<f64> = rows.iter().map(|rows| rows / runs.len().max(1) as f64).collect();
        let end = runs.iter().copied().flatten().map(Work::end).max();
        let mut line = rate(name, &rows, buckets);
        // A run has no rate after its end.
        line.values.truncate(end.map_or(0, |end| buckets.at(end) + 1));
        line.values.resize(buckets.number, None);
        line
    };
    let chart = Chart {
        id: "throughput",
        title: "Rows changed per second".to_owned(),
        unit: Unit::Rate,
        stacked: false,
        lines: series.iter().map(line).collect(),
    };
    Group {
        id: "time",
        axis: Axis::Seconds,
        x: buckets.middles(),
        marks: Vec::new(),
        views: vec![View { name: "all".to_owned(), note: String::new(), charts: vec![chart] }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::fixture::{plan, record};

    fn group(databases: u32) -> (Record, Group) {
        let plan = plan(databases);
        let record = record(&plan);
        let group = over_time(&record, &analyze(&record, &plan)).expect("something was done");
        (record, group)
    }

    #[test]
    fn no_row_is_lost_between_the_buckets() {
        let (record, group) = group(3);
        let width = group.x[1] - group.x[0];
        let events = || record.workers.iter().flat_map(|worker| &worker.events);
        let changed: u64 = events().filter(|event| event.step.is_sql()).map(|event| event.rows).sum();
        for view in &group.views {
            let lines = view.charts[0].lines.iter().filter(|line| line.name != "received");
            let drawn: f64 = lines.flat_map(|line| &line.values).flatten().map(|rate| rate * width).sum();
            assert!((drawn - changed as f64).abs() < 1.0, "{}: {drawn} {changed}", view.name);
        }
    }

    #[test]
    fn however_long_a_run_is_its_buckets_are_few_and_round() {
        for (end, events) in [(0, 0), (900, 5), (1_000_000, 10), (3_600_000_000, 1_000_000), (u64::MAX / 4, 9)] {
            let buckets = Buckets::of(end, events);
            assert!(buckets.number <= 600, "{buckets:?}");
            assert!(u128::from(buckets.width) * buckets.number as u128 >= u128::from(end), "{buckets:?}");
            let digits = buckets.width.to_string();
            assert!(["1", "2", "5"].contains(&digits.trim_end_matches('0')), "{buckets:?}");
        }
    }

    #[test]
    fn a_thousand_databases_are_eight_lines_and_a_note() {
        let (_, group) = group(100);
        let view = group.views.last().expect("it has views");
        assert_eq!((view.charts[0].lines.len(), view.note.as_str()), (8, "the 8 first of 100 databases"));
    }
}
