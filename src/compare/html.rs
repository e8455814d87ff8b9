//! An HTML page that compares runs: verdicts side by side, kinds of errors, latencies and throughput in common charts, and
//! the comparison of each run with the first one.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Value, context};

use super::{Comparison, ErrorName, Sample, render};
use crate::analysis::Verdict;
use crate::figure::{self, counted};
use crate::record::StepKind;
use crate::report::Standing;
use crate::report::html::chart::{Axis, Chart, Group, Line, Unit, View, place_of_percent};
use crate::report::html::series::{self, Work};
use crate::report::html::{drawn, few, message, page};
use crate::statistics::quantile;

const PAGE: &str = include_str!("compare.html");

/// The percentiles in the charts, each only if there are enough calls for it.
const PERCENTS: [f64; 17] =
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95, 99.99];

/// The maximum number of kinds of errors.
const MOST_ERRORS: usize = 200;

/// A run, or a series of runs, with the path that names it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// The path, as given on the command line.
    pub path: String,
    /// The runs.
    pub samples: Vec<Sample>,
}

/// All series on one page, with the comparisons of each later series with the first one.
pub(crate) fn html(series: &[Series], comparisons: &[Comparison]) -> String {
    let names: Vec<String> = (0..series.len()).map(name).collect();
    let groups = [throughput(series, &names), latencies(series, &names)];
    let worse: Vec<String> = comparisons
        .iter()
        .zip(&names[1..])
        .flat_map(|(comparison, name)| {
            comparison.regressions.iter().map(move |line| message(&format!("{name}: {line}")))
        })
        .collect();
    let worse = few(worse, "more regression");
    let many = counted(series.iter().map(|series| series.samples.len() as u64).sum(), "run");
    let verdict = if worse.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let content = context! {
        many => many.clone(),
        word => verdict.as_str(),
        class => verdict.as_str().to_lowercase(),
        worse,
        series => series.iter().zip(&names).map(|(series, name)| told(series, name)).collect::<Vec<_>>(),
        names => names.clone(),
        time => drawn(&groups[0]),
        latencies => drawn(&groups[1]),
        errors => errors(series),
        errors_beyond => kinds(series).len().saturating_sub(MOST_ERRORS),
        comparisons => comparisons.iter().zip(&names[1..]).map(|(one, name)| comparison(one, [&names[0], name])).collect::<Vec<_>>(),
    };
    page(
        PAGE,
        &format!("{verdict}: {} compared", counted(series.len() as u64, "run")),
        Standing::File,
        &groups,
        content,
    )
}

/// The name of a series: `A`, `B`, …, `Z`, then numbers.
fn name(index: usize) -> String {
    u8::try_from(index)
        .ok()
        .filter(|index| *index < 26)
        .map_or_else(|| format!("run {}", index + 1), |index| char::from(b'A' + index).to_string())
}

fn told(series: &Series, name: &str) -> Value {
    let median = |value: fn(&Sample) -> Option<f64>| {
        quantile(&series.samples.iter().filter_map(value).collect::<Vec<f64>>(), 0.5)
    };
    let sum = |value: fn(&Sample) -> u64| series.samples.iter().map(value).sum::<u64>();
    let mut verdicts: BTreeMap<&str, u64> = BTreeMap::new();
    for sample in &series.samples {
        *verdicts.entry(sample.verdict.as_str()).or_default() += 1;
    }
    let several = series.samples.len() > 1;
    let verdicts: Vec<Value> = verdicts
        .into_iter()
        .map(|(word, number)| {
            context! {
                text => if several { format!("{word} × {number}") } else { word.to_owned() },
                class => match word { "PASS" => "good", "FAIL" => "bad", _ => "open" },
            }
        })
        .collect();
    let worst = series.samples.iter().max_by_key(|sample| super::badness(sample.verdict));
    context! {
        name,
        path => message(&series.path),
        id => worst.map(|sample| sample.id.clone()).filter(|id| !several && !series.path.contains(id)),
        verdicts,
        rule => worst.map(|sample| message(&sample.rule)),
        duration => median(|sample| Some(sample.duration)).map(render::microseconds),
        rate => median(|sample| sample.rows_per_second).map(|rate| format!("{}/s", figure::rate(rate))),
        failed => format!("{} of {}", figure::thousands(sum(|sample| sample.failed_calls)), figure::thousands(sum(|sample| sample.calls))),
    }
}

fn throughput(series: &[Series], names: &[String]) -> Group {
    let works: Vec<(String, Vec<&[Work]>)> = series
        .iter()
        .zip(names)
        .map(|(series, name)| (name.clone(), series.samples.iter().map(|sample| sample.work.as_slice()).collect()))
        .collect();
    series::throughput(&works)
}

/// A chart for each step, with a line for each series.
fn latencies(series: &[Series], names: &[String]) -> Group {
    let steps: BTreeSet<StepKind> =
        series.iter().flat_map(|series| &series.samples).flat_map(|sample| sample.durations.keys().copied()).collect();
    let line = |step: StepKind, series: &Series, name: &String| {
        let calls = series.samples.iter().filter_map(|sample| sample.durations.get(&step)).flatten();
        let calls: Vec<f64> = calls.copied().collect();
        let value = |percent: &f64| {
            let beyond = calls.len() as f64 * (1.0 - percent / 100.0);
            (beyond >= 1.0).then(|| quantile(&calls, percent / 100.0)).flatten().map(|microseconds| microseconds / 1e3)
        };
        Line { name: name.clone(), values: PERCENTS.iter().map(value).collect() }
    };
    let chart = |step: StepKind| Chart {
        id: step.as_str(),
        title: format!("{}: latency by percentile", step.as_str()),
        unit: Unit::Milliseconds,
        stacked: false,
        lines: series.iter().zip(names).map(|(series, name)| line(step, series, name)).collect(),
    };
    let mut charts: Vec<Chart> = steps.into_iter().map(chart).filter(|chart| !chart.is_empty()).collect();
    let reaches = |line: &Line| line.values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let shown = charts.iter().flat_map(|chart| &chart.lines).map(reaches).max().unwrap_or(0);
    charts.iter_mut().flat_map(|chart| &mut chart.lines).for_each(|line| line.values.truncate(shown));
    Group {
        id: "latency",
        axis: Axis::Percentiles,
        x: PERCENTS.iter().take(shown).map(|percent| place_of_percent(*percent)).collect(),
        marks: Vec::new(),
        views: vec![View { name: "all".to_owned(), note: String::new(), charts }],
    }
}

/// Kinds of errors and findings, with the number of runs of each series in which they occurred.
fn errors(series: &[Series]) -> Vec<Value> {
    let row = |error: &&ErrorName| {
        let runs = |series: &Series| {
            let number = series.samples.iter().filter(|sample| sample.errors.contains(error)).count();
            match (number, series.samples.len()) {
                (0, _) => String::new(),
                (_, 1) => "yes".to_owned(),
                (number, all) => format!("{number} of {all}"),
            }
        };
        let runs: Vec<String> = series.iter().map(runs).collect();
        let (first, others) = (runs.first().is_some_and(|runs| !runs.is_empty()), runs.iter().skip(1));
        let change = match (first, others.clone().any(|runs| !runs.is_empty()), others.clone().any(String::is_empty)) {
            (false, ..) => "new",
            (true, false, _) => "gone",
            (true, true, true) => "gone in some",
            (true, true, false) => "",
        };
        context! { name => message(&error.to_string()), runs, change }
    };
    kinds(series).iter().take(MOST_ERRORS).map(row).collect()
}

fn kinds(series: &[Series]) -> BTreeSet<&ErrorName> {
    series.iter().flat_map(|series| &series.samples).flat_map(|sample| &sample.errors).collect()
}

fn comparison(comparison: &Comparison, names: [&str; 2]) -> Value {
    let rows: Vec<Value> = render::rows(comparison)
        .map(|row| context! { cells => row[..6].to_vec(), is_worse => !row[6].is_empty() })
        .collect();
    let lines = |lines: &[String]| few(lines.iter().map(|line| message(line)).collect(), "more line");
    context! {
        name => names[1],
        rows,
        regressions => lines(&comparison.regressions),
        shifts => lines(&render::shifts(comparison, names)),
        notes => lines(&comparison.notes),
        failed => render::share(&comparison.errors),
    }
}
