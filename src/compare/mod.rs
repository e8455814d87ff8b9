//! The comparison of two runs, or of two series of runs: what changed, and whether chance can explain it. Pure: from judged
//! runs to a comparison and its text. Nothing here knows where runs are stored.

mod change;
mod html;
mod render;
mod sample;

pub(crate) use change::{Comparison, QuantileChange, ShareChange, StepChange, VerdictChange};
pub(crate) use html::{Series, html};
pub(crate) use render::{json, markdown, terminal};
pub(crate) use sample::{ErrorName, Sample};

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::Verdict;
use crate::record::StepKind;
use crate::statistics::{fisher, mann_whitney, quantile, quantile_test};

/// The significance level: a difference is significant if its p-value is below this.
pub(crate) const SIGNIFICANT: f64 = 0.01;
/// The minimum increase in latency for a regression, in microseconds, however significant it is.
pub(crate) const LEAST_MICROSECONDS: f64 = 1000.0;
/// With at least this many runs on each side, runs are compared rather than calls: the calls of one run share the
/// conditions of its machine.
pub(crate) const ENOUGH_RUNS: usize = 5;
/// The percentiles that are compared, with the number of values that each needs; with fewer values, it would just be the
/// maximum.
const QUANTILES: [(&str, f64, usize); 3] = [("p50", 0.5, 2), ("p95", 0.95, 20), ("p99", 0.99, 100)];

/// Compares two series of judged runs; `bound` is the increase in latency that is not a regression (0.1 for 10 %).
pub(crate) fn compare(first: &[Sample], second: &[Sample], bound: f64) -> Comparison {
    let verdicts = verdicts(first, second);
    let errors = share(first, second, |sample| (sample.failed_calls, sample.calls));
    let steps = steps(first, second, bound);
    let [ours, theirs] = [first, second].map(|runs| runs.iter().flat_map(|run| &run.errors).collect::<BTreeSet<_>>());
    let mut comparison = Comparison {
        notes: notes(first, second),
        verdicts,
        steps,
        errors,
        new_errors: theirs.difference(&ours).map(|name| (*name).clone()).collect(),
        gone_errors: ours.difference(&theirs).map(|name| (*name).clone()).collect(),
        rows_per_second: [first, second].map(|runs| median(runs, |run| run.rows_per_second)),
        duration: [first, second].map(|runs| median(runs, |run| Some(run.duration))),
        regressions: Vec::new(),
    };
    comparison.regressions = regressions(&comparison);
    comparison
}

/// The rank of a verdict, from better to worse.
fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Unknown => 1,
        Verdict::Fail => 2,
    }
}

fn verdicts(first: &[Sample], second: &[Sample]) -> VerdictChange {
    let worst = |runs: &[Sample]| {
        runs.iter().map(|run| run.verdict).max_by_key(|verdict| badness(*verdict)).unwrap_or(Verdict::Unknown)
    };
    let failed = share(first, second, |sample| (u64::from(sample.verdict == Verdict::Fail), 1));
    VerdictChange { worst: [worst(first), worst(second)], failed }
}

fn share(first: &[Sample], second: &[Sample], count: fn(&Sample) -> (u64, u64)) -> ShareChange {
    let sum = |runs: &[Sample]| runs.iter().map(count).fold((0_u64, 0_u64), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (first, second) = (sum(first), sum(second));
    ShareChange { first, second, p: fisher(first, second) }
}

fn steps(first: &[Sample], second: &[Sample], bound: f64) -> Vec<StepChange> {
    let kinds: BTreeSet<StepKind> = first.iter().chain(second).flat_map(|run| run.durations.keys().copied()).collect();
    kinds.into_iter().map(|step| StepChange::of(step, first, second, bound)).collect()
}

impl StepChange {
    fn of(step: StepKind, first: &[Sample], second: &[Sample], bound: f64) -> Self {
        let runs = [first, second].map(|runs| {
            runs.iter().filter_map(|run| run.durations.get(&step).map(Vec::as_slice)).collect::<Vec<&[f64]>>()
        });
        let calls = [0, 1].map(|side: usize| runs[side].concat());
        let by_run = runs.iter().all(|runs| runs.len() >= ENOUGH_RUNS);
        let fewest =
            if by_run { runs.iter().flatten().map(|run| run.len()).min() } else { calls.iter().map(Vec::len).min() };
        let quantiles = QUANTILES.iter().filter_map(|(name, at, needed)| {
            if fewest.is_none_or(|fewest| fewest < *needed) {
                return None;
            }
            let (values, p) = if by_run {
                let [ours, theirs] = [0, 1]
                    .map(|side: usize| runs[side].iter().filter_map(|run| quantile(run, *at)).collect::<Vec<_>>());
                ([quantile(&ours, 0.5)?, quantile(&theirs, 0.5)?], mann_whitney(&ours, &theirs)?.p)
            } else {
                ([quantile(&calls[0], *at)?, quantile(&calls[1], *at)?], quantile_test(&calls[0], &calls[1], *at)?)
            };
            let [before, after] = values;
            let worse = after > before * (1.0 + bound) && after - before > LEAST_MICROSECONDS;
            Some(QuantileChange { name, values, p, is_regression: worse && p < SIGNIFICANT })
        });
        Self {
            step,
            counts: [calls[0].len(), calls[1].len()],
            shift: mann_whitney(&calls[0], &calls[1]),
            quantiles: quantiles.collect(),
        }
    }
}

fn median(runs: &[Sample], value: fn(&Sample) -> Option<f64>) -> Option<f64> {
    quantile(&runs.iter().filter_map(value).collect::<Vec<f64>>(), 0.5)
}

/// The differences that make the two sides hard to compare.
fn notes(first: &[Sample], second: &[Sample]) -> Vec<String> {
    let mut facts: BTreeMap<&str, [BTreeSet<&str>; 2]> = BTreeMap::new();
    for (side, runs) in [first, second].into_iter().enumerate() {
        for (name, value) in runs.iter().flat_map(|run| &run.facts) {
            facts.entry(name).or_default()[side].insert(value);
        }
    }
    let told = |values: &BTreeSet<&str>| values.iter().copied().collect::<Vec<_>>().join(", ");
    let mut notes: Vec<String> = facts
        .into_iter()
        .filter(|(_, [ours, theirs])| ours != theirs)
        .map(|(name, [ours, theirs])| format!("{name} differs: {} before, {} now", told(&ours), told(&theirs)))
        .collect();
    if first.len().min(second.len()) < ENOUGH_RUNS {
        notes.push(format!(
            "with fewer than {ENOUGH_RUNS} runs on each side, single calls are compared: what changed between the \
             runs, such as the machine's load, counts as a change; `stress run --repeat` tells them apart"
        ));
    }
    notes
}

fn regressions(comparison: &Comparison) -> Vec<String> {
    let mut regressions = Vec::new();
    let [before, after] = comparison.verdicts.worst;
    if badness(after) > badness(before) {
        regressions.push(format!("the verdict is {after}, was {before}"));
    }
    let grew = |change: &ShareChange| change.p < SIGNIFICANT && change.second_share() > change.first_share();
    if grew(&comparison.verdicts.failed) {
        regressions.push(format!("runs fail more often: {}", render::share(&comparison.verdicts.failed)));
    }
    for name in &comparison.new_errors {
        regressions.push(format!("new: {name}"));
    }
    if grew(&comparison.errors) {
        regressions.push(format!("calls fail more often: {}", render::share(&comparison.errors)));
    }
    for step in &comparison.steps {
        for change in step.quantiles.iter().filter(|change| change.is_regression) {
            regressions.push(format!("{} {} is {}", step.step.as_str(), change.name, render::change(change)));
        }
    }
    regressions
}

#[cfg(test)]
mod tests;
