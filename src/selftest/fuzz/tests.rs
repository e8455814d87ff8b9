use std::collections::BTreeSet;

use super::*;
use crate::analysis::Verdict;
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::scenario::FaultKind;
use crate::selftest::fuzz::made::Work;
use crate::selftest::fuzz::plant::PLANTS;
use crate::selftest::fuzz::shape::Shape;
use crate::selftest::{NotRun, Seen};

/// The faults that no drawn scenario has, with the reason.
const NOT_PLANTED: &[(FaultKind, &str)] = &[(FaultKind::Slow, "it takes two seconds, and only a limit can find it")];

#[test]
fn every_seed_gives_a_scenario_without_problems_and_without_warnings() {
    for seed in 0..1_000 {
        for made in [Made::clean(seed), Made::planted(seed)] {
            let loaded = made.load().unwrap_or_else(|error| panic!("{error}\n{}", made.yaml()));
            let told = loaded.diagnostics();
            // What would be otherwise on CloudSync is told, and is right here.
            let others = told.iter().filter(|one| one.code != "target::difference").count();
            assert_eq!(others, 0, "{told:?}\n{}", made.yaml());
        }
    }
}

#[test]
fn a_seed_gives_the_same_scenario_again_and_another_seed_another_one() {
    for seed in 0..50 {
        assert_eq!(Made::clean(seed).yaml(), Made::clean(seed).yaml());
        assert_eq!(Made::planted(seed), Made::planted(seed));
        assert_ne!(Made::clean(seed).phases, Made::clean(seed + 1).phases);
    }
}

#[test]
fn a_scenario_has_some_oddities_and_each_of_them_comes() {
    let mut drawn = BTreeSet::new();
    for made in (0..3000).map(Made::clean) {
        // A hostile phase brings policies with it.
        assert!((2..=5).contains(&made.shapes.len()), "{:?}", made.shapes);
        drawn.extend(made.shapes);
    }
    assert_eq!(drawn, BTreeSet::from(Shape::ALL));
}

#[test]
fn every_fault_is_planted_in_some_scenario_or_has_a_reason_not_to_be() {
    let schema = schemars::schema_for!(FaultKind).to_value();
    let names = schema["oneOf"].as_array().expect("each has a description").iter();
    let names: BTreeSet<String> = names.map(|fault| fault["const"].as_str().expect("a name").to_owned()).collect();
    let name = |fault: FaultKind| serde_json::to_value(fault).expect("a name").as_str().expect("a text").to_owned();
    let planted = PLANTS.iter().map(|plant| plant.fault).chain(NOT_PLANTED.iter().map(|(fault, _)| *fault));
    assert_eq!(planted.map(name).collect::<BTreeSet<_>>(), names);
    let drawn: BTreeSet<usize> = (0..500).filter_map(|seed| Made::planted(seed).planted).collect();
    assert_eq!(drawn, (0..PLANTS.len()).collect());
}

fn quiet(verdict: Verdict, strikes: u64) -> Seen {
    Seen {
        verdict,
        kinds: BTreeSet::new(),
        checks: BTreeSet::new(),
        states: BTreeSet::new(),
        limits: BTreeSet::new(),
        sides: BTreeSet::new(),
        databases: BTreeSet::new(),
        strikes,
        rule: "a rule".to_owned(),
    }
}

fn red(checks: &[CheckKind], kinds: &[FailureKind], sides: &[Side]) -> Seen {
    Seen {
        checks: checks.iter().copied().collect(),
        kinds: kinds.iter().copied().collect(),
        sides: sides.iter().copied().collect(),
        ..quiet(Verdict::Fail, 1)
    }
}

fn fuzzed(made: &Made, seen: Seen) -> Fuzzed {
    Fuzzed { made: made.clone(), seen: Ok(seen) }
}

/// The drawn scenario with this fault.
fn with(fault: FaultKind) -> Made {
    let made = (0..1000).map(Made::planted).find(|made| made.plant().is_some_and(|plant| plant.fault == fault));
    made.expect("each fault is drawn")
}

#[test]
fn a_clean_run_must_pass_and_find_nothing() {
    let made = Made::clean(1);
    assert!(fuzzed(&made, quiet(Verdict::Pass, 0)).is_as_wanted());
    let found = Seen { checks: BTreeSet::from([CheckKind::Server]), ..quiet(Verdict::Pass, 0) };
    let failed = Seen { kinds: BTreeSet::from([FailureKind::Sql]), ..quiet(Verdict::Pass, 0) };
    for wrong in [quiet(Verdict::Unknown, 0), quiet(Verdict::Fail, 0), found, failed] {
        assert!(!fuzzed(&made, wrong).is_as_wanted());
    }
    assert!(!Fuzzed { made, seen: Err(NotRun("no space".to_owned())) }.is_as_wanted());
}

#[test]
fn a_planted_fault_must_be_found_by_its_checks_on_its_side_alone() {
    let lost = with(FaultKind::DropRow);
    let (server, client) = (&[Side::Server], &[Side::Client]);
    let seen = red(&[CheckKind::Written], &[], server);
    assert!(fuzzed(&lost, seen.clone()).is_as_wanted());
    let wrongs = [
        quiet(Verdict::Pass, 1),
        Seen { strikes: 0, ..seen.clone() },
        Seen { verdict: Verdict::Unknown, ..seen },
        red(&[CheckKind::Query], &[], server),
        red(&[CheckKind::Written], &[], client),
        red(&[CheckKind::Written], &[], &[Side::Server, Side::Client]),
    ];
    for wrong in wrongs {
        assert!(!fuzzed(&lost, wrong).is_as_wanted());
    }
    let hung_up = with(FaultKind::HangUp);
    assert!(fuzzed(&hung_up, red(&[], &[FailureKind::Network], &[Side::Network])).is_as_wanted());
    assert!(!fuzzed(&hung_up, red(&[], &[FailureKind::Http], &[Side::Network])).is_as_wanted());
}

#[test]
fn what_fails_in_another_way_is_another_failure() {
    let made = Made::clean(1);
    let of = |seen| fuzzed(&made, seen);
    let lost = of(red(&[CheckKind::Server, CheckKind::Converged], &[], &[Side::Server]));
    assert!(lost.fails_like(&of(red(&[CheckKind::Server], &[FailureKind::Http], &[Side::Server]))));
    assert!(!lost.fails_like(&of(red(&[CheckKind::Isolation], &[], &[Side::Server]))));
    assert!(!lost.fails_like(&of(quiet(Verdict::Pass, 0))));
    assert!(of(quiet(Verdict::Unknown, 0)).fails_like(&of(quiet(Verdict::Unknown, 0))));
    assert!(!of(quiet(Verdict::Unknown, 0)).fails_like(&lost));
}

#[test]
fn a_scenario_is_made_as_small_as_its_failure_allows() {
    let deletes = |made: &Made| made.phases.iter().any(|phase| matches!(phase.work, Work::Delete(..)));
    let drawn = (0..500).map(Made::clean).find(|made| deletes(made) && made.tables.len() > 1 && made.databases > 3);
    let drawn = drawn.expect("some scenario deletes");
    let mut runs = 0;
    let small = shrink(&drawn, 60, |made| {
        runs += 1;
        deletes(made)
    });
    assert!(runs <= 60, "{runs}");
    assert_eq!((small.phases.len(), small.tables.len(), small.databases, small.iterations), (1, 1, 2, 1));
    small.load().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(shrink(&drawn, 0, |_| true), drawn, "no run is left");
    assert_eq!(shrink(&drawn, 1000, |_| false), drawn, "nothing can go");
}

#[test]
fn the_summary_counts_and_a_wrong_run_is_told_with_what_was_wanted() {
    let (clean, planted) = (Made::clean(3), with(FaultKind::DropRow));
    let good =
        [fuzzed(&clean, quiet(Verdict::Pass, 0)), fuzzed(&planted, red(&[CheckKind::Written], &[], &[Side::Server]))];
    let text = summary(&good);
    assert!(text.contains("drop_row 1"), "{text}");
    let last = "PASS: 1 clean scenario passed, 1 planted fault found with the right kind and side";
    assert_eq!(text.trim_end().lines().last(), Some(last), "{text}");
    let missed = fuzzed(&planted, quiet(Verdict::Pass, 1));
    let text = summary(&[good[0].clone(), missed.clone()]);
    let last = "FAIL: 1 clean scenario passed, 0 of 1 planted fault found with the right kind and side";
    assert_eq!(text.trim_end().lines().last(), Some(last), "{text}");
    let text = told(&missed, Some(&missed));
    let wanted = "with the fault drop_row, expected FAIL with written on server; got PASS: ";
    assert!(text.contains(wanted) && text.contains("version: 1\n") && text.contains(&planted.name()), "{text}");
    assert!(summary(&[]).ends_with("FAIL: nothing ran\n"));
}
