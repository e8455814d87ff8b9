use std::collections::BTreeSet;

use super::*;
use crate::analysis::Verdict;
use crate::failure::{FailureKind, Side};
use crate::load::Variation;
use crate::plan::Plan;
use crate::scenario::FaultKind;

fn names_of_faults() -> BTreeSet<String> {
    let schema = schemars::schema_for!(FaultKind).to_value();
    let variants = schema["oneOf"].as_array().expect("each has a description");
    variants.iter().map(|variant| variant["const"].as_str().expect("a name").to_owned()).collect()
}

fn name(fault: FaultKind) -> String {
    serde_json::to_value(fault).expect("a name").as_str().expect("a text").to_owned()
}

#[test]
fn every_kind_of_failure_is_planted_where_it_must_be_found() {
    let red = planted().into_iter().filter(|case| case.wanted.verdict == Verdict::Fail);
    let found: BTreeSet<String> = red.filter_map(|case| case.planted).map(|planted| name(planted.fault)).collect();
    assert_eq!(found, names_of_faults());
}

#[test]
fn every_case_is_a_scenario_that_can_be_planned_and_is_told_apart_by_its_name() {
    let cases: Vec<Case> = planted().into_iter().chain(clean()).collect();
    for case in &cases {
        let Variation { scenario, .. } = case.resolve(7).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(scenario.seed, Some(7));
        let (_, warnings) = Plan::new(&scenario, &crate::plan::Grant::default())
            .unwrap_or_else(|issues| panic!("{}: {issues:?}", case.name));
        assert_eq!(warnings, [], "{}", case.name);
        let begins = case.planted.iter().all(|planted| case.name.starts_with(&name(planted.fault)));
        assert!(begins, "{}", case.name);
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
}

fn seen(case: &Case) -> Seen {
    let wanted = &case.wanted;
    Seen {
        strikes: u64::from(case.planted.is_some()),
        verdict: wanted.verdict,
        kinds: wanted.kinds.iter().copied().collect(),
        checks: wanted.checks.iter().copied().collect(),
        states: wanted.states.iter().copied().collect(),
        limits: wanted.limits.iter().copied().collect(),
        sides: wanted.sides.iter().copied().collect(),
        databases: wanted.databases.iter().copied().collect(),
        rule: "a rule".to_owned(),
    }
}

fn outcomes() -> Vec<Outcome> {
    let met = |case: Case| Outcome { seed: 1, seen: Ok(seen(&case)), case };
    planted().into_iter().chain(clean()).map(met).collect()
}

#[test]
fn what_is_wanted_is_ok_and_anything_less_or_more_is_not() {
    let mut good = outcomes();
    let text = table(&good, 120);
    assert!(!text.contains("NOT "), "{text}");
    assert!(text.trim_end().lines().last().is_some_and(|line| line.starts_with("PASS: ")), "{text}");
    let Some(Outcome { seen: Ok(seen), .. }) = good.first_mut() else { panic!("there are cases") };
    let right = seen.clone();
    let mut wrongs = vec![right.clone(); 6];
    wrongs[0].verdict = Verdict::Pass;
    wrongs[1].sides = BTreeSet::from([Side::Client]);
    wrongs[2].checks = BTreeSet::new();
    wrongs[3].kinds.insert(FailureKind::Crash);
    wrongs[4].databases.insert(3);
    wrongs[5].strikes = 0;
    for wrong in wrongs {
        good[0].seen = Ok(wrong);
        let text = table(&good, 120);
        assert!(text.contains("NOT FOUND"), "{text}");
        assert!(text.trim_end().lines().last().is_some_and(|line| line.starts_with("FAIL: ")), "{text}");
    }
}

#[test]
fn a_clean_run_that_goes_red_is_named_with_its_seed() {
    let mut all = outcomes();
    let last = all.last_mut().expect("there are cases");
    last.seed = 77;
    last.seen = Err(NotRun("failed to start".to_owned()));
    let text = table(&all, 120);
    assert!(text.contains("NOT GREEN") && text.contains("seed 77, bait: NOT OK, failed to start"), "{text}");
}

#[test]
fn nothing_run_proves_nothing() {
    assert_eq!(table(&[], 80).trim(), "FAIL: nothing ran");
}
