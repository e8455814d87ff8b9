use proptest::prelude::*;

use super::*;
use crate::analysis::analyze;
use crate::fixture;
use crate::plan::CheckKind;

fn sample(sends: &[f64]) -> Sample {
    let plan = fixture::plan(2);
    let record = fixture::record(&plan);
    let mut sample = Sample::of(&record, &analyze(&record, &plan));
    sample.durations.insert(StepKind::Send, sends.to_vec());
    sample
}

fn around(middle: f64) -> Vec<f64> {
    (0..200).map(|place| middle * (0.9 + f64::from(place) / 1000.0)).collect()
}

#[test]
fn a_run_is_no_worse_than_itself() {
    let run = sample(&around(20_000.0));
    let comparison = compare(std::slice::from_ref(&run), std::slice::from_ref(&run), 0.1);
    assert_eq!(comparison.regressions, Vec::<String>::new());
    assert!(terminal(&comparison, 100).ends_with("PASS: no significant regression\n"));
    assert_eq!(json(&comparison)["verdict"], "pass");
}

#[test]
fn a_latency_that_is_much_worse_is_a_regression_and_a_better_one_is_not() {
    let (fast, slow) = (sample(&around(20_000.0)), sample(&around(30_000.0)));
    let worse = compare(std::slice::from_ref(&fast), std::slice::from_ref(&slow), 0.1);
    // Four of 400 calls are above the p99 of both, which can be chance.
    assert_eq!(worse.regressions.len(), 2, "{:?}", worse.regressions);
    assert!(worse.regressions[0].starts_with("send p50 is 30.0 ms, was 20.0 ms (+50 %, p < 0.001)"));
    assert!(terminal(&worse, 100).contains("WORSE"));
    assert_eq!(compare(&[slow], &[fast], 0.1).regressions, Vec::<String>::new());
}

#[test]
fn what_is_worse_within_the_bound_or_by_next_to_nothing_is_no_regression() {
    for (before, after) in [(20_000.0, 21_500.0), (100.0, 500.0)] {
        let comparison = compare(&[sample(&around(before))], &[sample(&around(after))], 0.1);
        assert_eq!(comparison.regressions, Vec::<String>::new(), "{before} {after}");
    }
}

#[test]
fn with_enough_runs_it_is_runs_that_are_compared() {
    // One slow run of five makes thousands of slow calls, and is still one run.
    let series = |slow: usize| -> Vec<Sample> {
        (0..5).map(|run| sample(&around(if run < slow { 60_000.0 } else { 20_000.0 + run as f64 }))).collect()
    };
    assert_eq!(compare(&series(0), &series(1), 0.1).regressions, Vec::<String>::new());
    let worse = compare(&series(0), &series(5), 0.1).regressions;
    assert_eq!(
        worse,
        [
            "send p50 is 59.9 ms, was 20.0 ms (+200 %, p 0.007)",
            "send p95 is 65.3 ms, was 21.8 ms (+200 %, p 0.007)",
            "send p99 is 65.8 ms, was 21.9 ms (+200 %, p 0.007)",
        ]
    );
}

#[test]
fn a_worse_verdict_and_a_new_finding_are_regressions() {
    let plan = fixture::plan(2);
    let mut record = fixture::record(&plan);
    let good = Sample::of(&record, &analyze(&record, &plan));
    fixture::diverge(&mut record);
    let bad = Sample::of(&record, &analyze(&record, &plan));
    let worse = compare(std::slice::from_ref(&good), std::slice::from_ref(&bad), 0.1);
    assert_eq!(worse.regressions[0], "the verdict is FAIL, was PASS");
    assert!(worse.new_errors.contains(&ErrorName::Finding(CheckKind::Converged)), "{worse:?}");
    let better = compare(&[bad], &[good], 0.1);
    assert_eq!((better.regressions.len(), better.gone_errors.is_empty()), (0, false));
    assert!(markdown(&better).contains("gone: findings of converged"));
}

#[test]
fn what_cannot_be_compared_is_noted() {
    let mut other = sample(&[]);
    other.facts.insert("the number of rows", "7".to_owned());
    let comparison = compare(&[sample(&[])], &[other], 0.1);
    assert!(comparison.notes.iter().any(|note| note.starts_with("the number of rows differs")));
}

proptest! {
    #[test]
    fn the_order_of_runs_does_not_matter(
        mut first in proptest::collection::vec(proptest::collection::vec(0.0..1e6_f64, 0..20), 1..7),
        second in proptest::collection::vec(proptest::collection::vec(0.0..1e6_f64, 0..20), 1..7),
    ) {
        let samples = |runs: &[Vec<f64>]| runs.iter().map(|run| sample(run)).collect::<Vec<_>>();
        let there = compare(&samples(&first), &samples(&second), 0.1);
        first.reverse();
        let again = compare(&samples(&first), &samples(&second), 0.1);
        prop_assert_eq!(there, again);
    }
}
