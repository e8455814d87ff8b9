use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::failure::{Call, Failure, FailureKind, Side, classify_answer};
use crate::fixture::{diverge, fail, failure, plan, query, record, threshold};
use crate::plan::SyncPlan;
use crate::plan::threshold::{Metric, ThresholdPlan, with_built_in};
use crate::record::EndReason;
use crate::record::{Ended, Event, StepKind};
use crate::scenario::{
    ErrorAction, ErrorActionName, ErrorActionOptions, ErrorMatch, ErrorRule, Expect, ExpectedVerdict, Retry, Severity,
};
use crate::template::Number;

fn decided(record: &Record, plan: &Plan) -> (Verdict, RuleKind) {
    let analysis = analyze(record, plan);
    (analysis.verdict, analysis.rules[0].kind)
}

fn locked() -> Failure {
    failure(
        Call::Send,
        1,
        "{\"errors\":[{\"status\":\"500\",\"code\":\"internal_error\",\"detail\":\"database is locked\"}]}",
    )
}

fn rule(kind: FailureKind, action: ErrorActionName) -> ErrorRule {
    ErrorRule {
        matches: ErrorMatch { kind: Some(kind), ..ErrorMatch::default() },
        actions: vec![ErrorAction::Name(action)],
    }
}

#[test]
fn a_run_in_which_everything_holds_passes_and_says_what_it_did() {
    let plan = plan(2);
    let analysis = analyze(&record(&plan), &plan);
    assert_eq!(analysis.verdict, Verdict::Pass);
    assert_eq!(
        analysis.rules[0].message,
        "2 databases, 5 iterations, 28,000 rows changed, 30 sends, 30 checks; all checks passed"
    );
    let totals = &analysis.totals;
    assert_eq!((totals.deleted, totals.inserted, totals.updated), (8_000, 10_000, 10_000));
    assert_eq!((totals.sync_calls(), totals.settling, totals.failed), (60, 4, 0));
    assert_eq!(analysis.timeline.len(), 5);
    assert_eq!(analysis.timing.steps.len(), 5);
    assert_eq!(analysis.timing.phases.len(), 11);
}

#[test]
fn one_failure_that_counts_fails_the_run() {
    let plan = plan(2);
    let mut record = record(&plan);
    fail(&mut record, 2, 3, "insert", StepKind::Send, locked());
    let analysis = analyze(&record, &plan);
    assert_eq!((analysis.verdict, analysis.rules[0].kind), (Verdict::Fail, RuleKind::Threshold));
    assert!(
        analysis.rules[0]
            .message
            .starts_with("errors.total == 0 is not met: the value is 1; most frequent: locked on the server side")
    );
    let group = &analysis.errors.groups[0];
    assert_eq!((group.kind, group.side, group.count), (FailureKind::Locked, Side::Server, 1));
    assert_eq!((&group.databases[..], &group.iterations[..]), (&[2][..], &[3][..]));
    assert_eq!(analysis.databases[1].sends, Calls { made: 16, failed: 1 });
}

#[test]
fn ids_and_counts_that_look_like_errors_are_none() {
    let plan = plan(2);
    let mut record = record(&plan);
    for worker in &mut record.workers {
        worker.site_id = Some("500500500500error0locked00000500".into());
        for event in &mut worker.events {
            event.rows = 500;
        }
    }
    assert_eq!(decided(&record, &plan).0, Verdict::Pass);
}

#[test]
fn a_job_that_failed_counts_once_however_often_it_is_told() {
    let plan = plan(2);
    let mut record = record(&plan);
    let told = |job: u64| {
        let answer = json!({"send": {"status": "syncing", "serverVersion": 1, "lastFailure":
            {"jobId": job, "code": "internal_error", "message": "boom", "retryable": false}}});
        classify_answer(Call::Send, &answer, false).remove(0)
    };
    for iteration in 2..=5 {
        for phase in ["delete", "insert", "update"] {
            fail(&mut record, 1, iteration, phase, StepKind::Send, told(44));
        }
    }
    fail(&mut record, 2, 5, "update", StepKind::Send, told(45));
    let errors = analyze(&record, &plan).errors;
    assert_eq!((errors.total, errors.seen, errors.groups[0].jobs), (2, 13, 2));
}

#[test]
fn a_failure_that_was_tried_again_is_shown_and_not_counted() {
    let mut plan = plan(2);
    let mut record = record(&plan);
    let again = ErrorAction::Options(ErrorActionOptions::Retry(Retry { times: 1, backoff: None }));
    plan.errors = vec![ErrorRule { actions: vec![again], ..rule(FailureKind::Locked, ErrorActionName::Count) }];
    fail(&mut record, 1, 2, "insert", StepKind::Send, locked());
    let events = &mut record.workers[0].events;
    let place = events.iter().position(|event| !event.failures.is_empty()).expect("one failed");
    events[place].retried = true;
    let failed = events[place].clone();
    let next = Event { at: failed.at + failed.took, took: 0, attempt: 2, retried: false, failures: vec![], ..failed };
    events.insert(place + 1, next);
    let analysis = analyze(&record, &plan);
    assert_eq!(analysis.verdict, Verdict::Pass);
    assert_eq!((analysis.errors.total, analysis.errors.retried), (0, 1));
}

#[test]
fn rules_ignore_warn_and_fail() {
    let mut plan = plan(2);
    let mut record = record(&plan);
    fail(&mut record, 1, 2, "insert", StepKind::Send, locked());
    for (action, verdict) in [
        (ErrorActionName::Ignore, (Verdict::Pass, RuleKind::Held)),
        (ErrorActionName::Warn, (Verdict::Pass, RuleKind::Held)),
        (ErrorActionName::Count, (Verdict::Fail, RuleKind::Threshold)),
        (ErrorActionName::Fail, (Verdict::Fail, RuleKind::ErrorRule)),
        (ErrorActionName::Stop, (Verdict::Fail, RuleKind::ErrorRule)),
    ] {
        plan.errors = vec![rule(FailureKind::Locked, action)];
        assert_eq!(decided(&record, &plan), verdict, "{action:?}");
    }
    plan.thresholds = with_built_in(vec![threshold("errors.total <= 5")]);
    plan.errors = vec![rule(FailureKind::Locked, ErrorActionName::Fail)];
    assert_eq!(decided(&record, &plan).1, RuleKind::ErrorRule);
}

#[test]
fn a_crash_fails_the_run_before_anything_else() {
    let plan = plan(2);
    let mut record = record(&plan);
    record.workers[1].crash = Some("index out of bounds".into());
    diverge(&mut record);
    let analysis = analyze(&record, &plan);
    assert_eq!(analysis.rules[0].message, "the worker of database 2 crashed: index out of bounds");
    assert_eq!(analysis.errors.groups[0].kind, FailureKind::Crash);
}

#[test]
fn a_divergence_fails_the_run_unless_findings_are_allowed() {
    let mut plan = plan(2);
    let mut record = record(&plan);
    diverge(&mut record);
    let analysis = analyze(&record, &plan);
    assert_eq!((analysis.verdict, analysis.rules[0].kind), (Verdict::Fail, RuleKind::Check));
    assert!(analysis.rules[0].message.starts_with("converged: table test_sync differs"));
    plan.thresholds = with_built_in(vec![threshold("findings.total <= 2")]);
    assert_eq!(decided(&record, &plan).0, Verdict::Pass);
    plan.thresholds = with_built_in(vec![threshold("findings.total <= 1")]);
    assert_eq!(decided(&record, &plan), (Verdict::Fail, RuleKind::Threshold));
}

#[test]
fn every_metric_is_measured_and_can_be_broken() {
    let mut seen = BTreeSet::new();
    for (kept, broken, fixture) in [
        ("errors.total <= 1", "errors.total < 1", "one error"),
        ("errors{kind=locked,side=server,phase=insert,database=1} == 1", "errors{kind=locked} == 0", "one error"),
        ("errors{database=2} == 0", "errors{database=2} > 0", ""),
        ("send.duration p99 < 30s", "send.duration p99 < 1ms", ""),
        ("send.duration{database=1} min >= 12ms", "send.duration max <= 12ms", ""),
        ("receive.duration mean < 8ms", "receive.duration mean > 8ms", ""),
        ("check.duration{phase=\"insert\"} p95 < 10s", "check.duration{phase=\"insert\"} p50 < 1us", ""),
        ("send.duration{phase=settle} max <= 1ms", "send.duration{phase=settle} max < 1ms", ""),
        ("sync.duration max <= 12500us", "sync.duration max < 12500us", ""),
        ("phase.duration{phase=insert} p50 >= 21ms", "phase.duration{phase=insert} p50 < 21ms", ""),
        ("send.chunks max <= 1", "send.chunks{database=2} max < 1", ""),
        ("send.bytes{phase=insert} mean >= 1KiB", "send.bytes max < 1KiB", ""),
        ("receive.chunks p50 >= 1", "receive.chunks{phase=insert} min > 1", ""),
        ("receive.incomplete{database=1} == 1", "receive.incomplete{phase=insert} == 0", "incomplete"),
        ("start.late max <= 7us", "start.late max < 7us", ""),
        ("rows.rate > 100", "rows.rate < 100", ""),
        ("bytes.rate > 10KiB/s", "bytes.rate > 1GB/s", ""),
        ("settle.duration < 1s", "settle.duration < 1ms", ""),
        ("databases.completed == all", "databases.completed > 2", ""),
        ("findings.total{check=server} == 0", "findings.total{check=server} > 0", ""),
    ] {
        for (text, verdict) in [(kept, Verdict::Pass), (broken, Verdict::Fail)] {
            let mut plan = plan(2);
            plan.phases[0].sync.push(SyncPlan::Sync(None));
            let mut record = record(&plan);
            plan.thresholds = vec![threshold(text)];
            seen.insert(plan.thresholds[0].metric);
            let events = &mut record.workers[0].events;
            let first = events[0].clone();
            events.insert(0, Event { phase: "iteration".into(), step: StepKind::Pace, took: 0, late: 7, ..first });
            if fixture == "one error" {
                fail(&mut record, 1, 2, "insert", StepKind::Send, locked());
            }
            if fixture == "incomplete" {
                let mut events = record.workers[0].events.iter_mut();
                let received = events.find(|event| event.phase == "insert" && event.step == StepKind::Check);
                received.expect("it receives").incomplete = true;
            }
            let analysis = analyze(&record, &plan);
            assert_eq!(analysis.verdict, verdict, "{text}: {:?}", analysis.thresholds);
            assert!(analysis.thresholds[0].measured.is_some());
        }
    }
    assert_eq!(seen, BTreeSet::from(Metric::ALL));
}

#[test]
fn a_broken_threshold_that_only_warns_does_not_fail() {
    let mut plan = plan(2);
    plan.thresholds.push(ThresholdPlan { severity: Severity::Warn, ..threshold("send.duration p99 < 1us") });
    let record = record(&plan);
    let analysis = analyze(&record, &plan);
    assert_eq!(analysis.verdict, Verdict::Pass);
    assert_eq!(analysis.thresholds[3].state, LimitState::Broken);
}

#[test]
fn a_threshold_that_could_not_be_measured_leaves_the_verdict_open() {
    let mut plan = plan(2);
    plan.thresholds.push(threshold("sync.duration p99 < 1s"));
    assert_eq!(decided(&record(&plan), &plan), (Verdict::Unknown, RuleKind::NotMeasured));
}

#[test]
fn a_run_that_did_not_earn_a_pass_is_unknown() {
    let base = plan(2);
    let whole = record(&base);
    let case = |change: fn(&mut Record, &mut Plan)| {
        let (mut record, mut plan) = (whole.clone(), base.clone());
        change(&mut record, &mut plan);
        let analysis = analyze(&record, &plan);
        // A record without these facts contradicts itself, too.
        let first = analysis.rules.iter().find(|rule| rule.kind != RuleKind::Disagrees);
        (analysis.verdict, first.expect("a reason").kind)
    };
    let unknown = |kind| (Verdict::Unknown, kind);
    assert_eq!(case(|record, _| record.ended = None), unknown(RuleKind::Killed));
    assert_eq!(
        case(|record, _| {
            record.ended = Some(Ended { at: 900_000, reason: EndReason::TimeLimit });
            record.workers[0].completed = false;
        }),
        unknown(RuleKind::TimeLimit)
    );
    assert_eq!(
        case(|record, _| {
            record.ended = Some(Ended { at: 900_000, reason: EndReason::Interrupted });
            record.workers[0].completed = false;
            record.settle = None;
            diverge(record);
        }),
        unknown(RuleKind::Interrupted)
    );
    assert_eq!(
        case(|record, _| record.workers.iter_mut().for_each(|it| it.events.clear())),
        unknown(RuleKind::NothingRan)
    );
    assert_eq!(
        case(|record, _| record.workers.iter_mut().for_each(|it| it.events.retain(|event| !event.step.is_sync()))),
        unknown(RuleKind::NothingSynced)
    );
    assert_eq!(
        case(|record, _| record.workers.iter_mut().for_each(|it| it.events.retain(|event| event.phase != "update"))),
        unknown(RuleKind::PhaseSkipped)
    );
    assert_eq!(
        case(|record, _| record.state.as_mut().expect("it has one").server = None),
        unknown(RuleKind::NotChecked)
    );
    assert_eq!(case(|_, plan| plan.checks.push(query(json!(0)))), unknown(RuleKind::NotChecked));
}

#[test]
fn a_phase_that_is_never_repeated_may_be_skipped() {
    let mut plan = plan(2);
    let mut record = record(&plan);
    record.workers.iter_mut().for_each(|it| it.events.retain(|event| event.phase != "update"));
    plan.phases[2].repeat = Number::Fixed(0);
    assert_eq!(decided(&record, &plan).0, Verdict::Pass);
}

#[test]
fn a_failure_beats_an_open_question() {
    let plan = plan(2);
    let mut record = record(&plan);
    record.ended = Some(Ended { at: 900_000, reason: EndReason::Interrupted });
    fail(&mut record, 1, 2, "insert", StepKind::Send, locked());
    assert_eq!(decided(&record, &plan), (Verdict::Fail, RuleKind::Threshold));
}

#[test]
fn of_two_thresholds_of_equal_text_only_the_one_that_aborts_stopped_the_run() {
    let mut plan = plan(2);
    let limit = threshold("errors.total < 1");
    let second = ThresholdPlan { pointer: Some("/thresholds/1".into()), abort: true, ..limit.clone() };
    plan.thresholds = vec![limit, second];
    let mut record = record(&plan);
    record.ended = Some(Ended { at: 900_000, reason: EndReason::Stopped });
    fail(&mut record, 1, 2, "insert", StepKind::Send, locked());
    let rules = analyze(&record, &plan).rules;
    let stopped = |rule: &Rule| (rule.message.ends_with("; this stopped the run early"), rule.pointer.clone());
    let told: Vec<_> = rules.iter().map(stopped).collect();
    assert_eq!(told, [(true, Some("/thresholds/1".to_owned())), (false, Some("/thresholds/0".to_owned()))]);
}

#[test]
fn a_worker_that_gave_up_fails_the_run() {
    let plan = plan(2);
    let mut record = record(&plan);
    record.workers[1].completed = false;
    let analysis = analyze(&record, &plan);
    assert_eq!(
        analysis.rules[0].message,
        "databases.completed == all is not met: the value is 1; not completed: database 2"
    );
    record.workers.pop();
    assert_eq!(analyze(&record, &plan).databases.len(), 2);
    assert_eq!(decided(&record, &plan).0, Verdict::Fail);
}

#[test]
fn a_scenario_that_must_fail_passes_only_when_it_fails_as_it_says() {
    let mut plan = plan(2);
    let expect = |kinds: &[&str]| {
        Some(Expect { verdict: ExpectedVerdict::Fail, kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect() })
    };
    let whole = record(&plan);
    plan.expect = expect(&[]);
    assert_eq!(decided(&whole, &plan), (Verdict::Fail, RuleKind::Expected));
    let mut red = whole.clone();
    diverge(&mut red);
    fail(&mut red, 1, 2, "insert", StepKind::Send, locked());
    for (kinds, verdict) in [
        (&[][..], Verdict::Pass),
        (&["locked", "converged"][..], Verdict::Pass),
        (&["locked", "isolation"][..], Verdict::Fail),
    ] {
        plan.expect = expect(kinds);
        assert_eq!(decided(&red, &plan), (verdict, RuleKind::Expected), "{kinds:?}");
    }
    let mut killed = whole;
    killed.ended = None;
    plan.expect = expect(&[]);
    assert_eq!(decided(&killed, &plan), (Verdict::Fail, RuleKind::Expected));
}

#[test]
fn clusters_are_named_and_an_even_spread_is_too() {
    let plan = plan(6);
    let mut record = record(&plan);
    for iteration in 4..=5 {
        for phase in ["delete", "insert"] {
            fail(&mut record, 3, iteration, phase, StepKind::Check, locked());
        }
    }
    let clusters = analyze(&record, &plan).clusters;
    assert_eq!(clusters[0], "all 4 are in database 3");
    assert!(clusters.last().is_some_and(|words| words.starts_with("none occurred before")), "{clusters:?}");
    let mut even = crate::fixture::record(&plan);
    for database in 1..=6 {
        for iteration in 1..=5 {
            for phase in ["delete", "insert", "update"] {
                fail(&mut even, database, iteration, phase, StepKind::Check, locked());
            }
        }
    }
    let words = analyze(&even, &plan).clusters;
    assert_eq!(words, ["none; the failures are spread evenly over databases, iterations and phases"]);
}

#[test]
fn a_record_with_absurd_numbers_is_judged_without_panic() {
    let plan = plan(2);
    let mut record = record(&plan);
    for event in &mut record.workers[0].events {
        (event.at, event.took, event.rows, event.bytes) = (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
        event.iteration = u64::MAX;
    }
    record.ended = None;
    let analysis = analyze(&record, &plan);
    assert!(analysis.timing.load > Some(Duration::from_secs(1)));
    record.workers.clear();
    record.state = None;
    record.settle = None;
    assert_eq!(decided(&record, &plan).0, Verdict::Unknown);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_order_of_the_workers_changes_nothing(
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        failing in proptest::collection::vec((1..=6_u32, 1..=5_u64), 0..12),
    ) {
        let plan = plan(6);
        let mut record = record(&plan);
        for (database, iteration) in failing {
            fail(&mut record, database, iteration, "insert", StepKind::Send, locked());
        }
        let mut shuffled = record.clone();
        shuffled.workers = order.into_iter().map(|at| record.workers[at].clone()).collect();
        prop_assert_eq!(analyze(&record, &plan), analyze(&shuffled, &plan));
    }
}
