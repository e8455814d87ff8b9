//! Hubs and runs that are stopped for a while (SIGSTOP): for a run that is stopped, the clock jumps.

use std::thread::sleep;
use std::time::Duration;

use crate::harness::{Done, Report};
use crate::scene::Scene;
use crate::tally::{Case, campaign, times};

/// The most that a run may last beyond its limit.
const LATE: Duration = Duration::from_secs(8);

/// The report of a run that was stopped or whose hub was: it blames no data.
fn blames_no_data(done: &Done) -> Report {
    assert!(matches!(done.code, Some(0 | 1 | 4)), "{done}");
    let report = Report::parse(&done.out);
    assert_eq!(report.failed_checks(), [""; 0], "{}", report.0["checks"]);
    report
}

fn scale(iterations: u64, limit: &str) -> String {
    format!("scale: {{ databases: 3, iterations: {iterations}, rows: 21, time_limit: {limit} }}\n")
}

#[test]
fn a_hub_that_is_stopped_for_good_ends_the_run_at_its_limit() {
    campaign("SIGSTOP of the hub until the limit", times(2), |case| {
        let limit = Duration::from_secs(3);
        let scene = Scene::new(true, case.number % 2 == 1, &scale(1_000_000, "3s"));
        let running = scene.run(1, &["--json"]).within(limit + Duration::from_secs(30)).start();
        sleep(Duration::from_millis(600) + case.moment(1500));
        let (hub, _) = scene.hub.as_ref().expect("it is separate");
        hub.signal("STOP");
        let done = running.done();
        hub.signal("CONT");
        case.ended(&done);
        case.late(done.took.saturating_sub(limit));
        assert!(done.took < limit + LATE, "{done}");
        if done.code == Some(3) {
            // On a slow machine, the run had not begun yet.
            assert!(done.out.is_empty() && done.err.contains("timed out"), "{done}");
            return;
        }
        let report = blames_no_data(&done);
        assert_ne!(report.verdict(), "pass", "{done}");
        assert!(report.errors().iter().all(|(_, side)| *side == "network"), "{:?}", report.errors());
    });
}

#[test]
fn a_hub_that_is_stopped_for_a_while_is_waited_for() {
    campaign("SIGSTOP of the hub for a while", times(2), |case| {
        let scene = Scene::new(true, case.number % 2 == 1, &scale(15, "60s"));
        let running = scene.run(1, &["--json"]).start();
        sleep(Duration::from_millis(400) + case.moment(800));
        let (hub, _) = scene.hub.as_ref().expect("it is separate");
        hub.signal("STOP");
        sleep(Duration::from_millis(500) + case.moment(1500));
        hub.signal("CONT");
        let done = running.done();
        case.ended(&done);
        assert_eq!(blames_no_data(&done).verdict(), "pass", "{done}");
    });
}

/// A rate that is kept, were the run not stopped.
const RATE: &str = "scale: { databases: 3, iterations: 15, rows: 21, time_limit: 60s, rate: 10/s }\n";

#[test]
fn a_run_that_is_stopped_for_a_while_blames_nobody() {
    campaign("SIGSTOP of the run for a while", times(4), |case| {
        let scene =
            Scene::new(case.number % 2 == 1, case.number % 4 >= 2, case.turn(&[&scale(15, "60s"), RATE, RATE, RATE]));
        stopped(case, &scene, &["pass", "unknown"]);
    });
}

#[test]
fn a_run_that_is_stopped_beyond_its_limit_is_cut_off_and_blames_nobody() {
    campaign("SIGSTOP of the run beyond its limit", times(2), |case| {
        let scene = Scene::new(case.number % 2 == 1, false, &scale(1_000_000, "2s"));
        stopped(case, &scene, &["unknown"]);
    });
}

/// Stops the run for one to three seconds.
fn stopped(case: &mut Case<'_>, scene: &Scene, verdicts: &[&str]) {
    let running = scene.run(1, &["--json"]).start();
    sleep(Duration::from_millis(300) + case.moment(900));
    running.signal("STOP");
    sleep(Duration::from_secs(1) + case.moment(2000));
    running.signal("CONT");
    let done = running.done();
    case.ended(&done);
    if done.code == Some(3) && verdicts == ["unknown"] {
        // It was stopped before it had begun.
        assert!(done.out.is_empty() && done.err.contains("timed out"), "{done}");
        return;
    }
    let report = blames_no_data(&done);
    assert!(verdicts.contains(&report.verdict()), "{:?}: {done}", report.rule());
    assert_eq!(report.errors(), [], "{done}");
}
