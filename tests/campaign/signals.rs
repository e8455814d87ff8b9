//! Runs and hubs that are killed or interrupted at random moments.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::harness::Report;
use crate::scene::{Scene, start_hub};
use crate::tally::{Case, campaign, times};

/// The last moment at which a run is disturbed, in milliseconds after its start.
const LAST: u64 = 2500;
/// The most that may pass from the last signal to the end.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_killed_run_never_passes_and_the_next_one_goes_on() {
    campaign("SIGKILL of the run", times(8), |case| {
        let scene = Scene::of(case, "");
        let running = scene.run(1, &[]).start();
        sleep(case.moment(LAST));
        running.signal("KILL");
        assert_eq!(running.done().code, None);
        if let Some(report) = scene.left(case)
            && matches!(report.code, Some(1 | 4))
        {
            // Nothing failed before: there is nothing that it could blame.
            let report = Report::parse(&report.out);
            assert_eq!((report.verdict(), report.rule().0), ("unknown", "killed"), "{:?}", report.rule());
        }
        scene.goes_on(case, 1);
    });
}

#[test]
fn a_killed_hub_is_the_side_that_is_blamed_and_loses_nothing_that_it_acknowledged() {
    campaign("SIGKILL of the hub, and of the run after it", times(4), |case| {
        let mut scene = Scene::new(true, case.number % 2 == 1, "");
        let running = scene.run(1, &[]).start();
        sleep(case.moment(LAST));
        let (hub, _) = scene.hub.take().expect("it is separate");
        hub.signal("KILL");
        assert_eq!(hub.done().code, None);
        sleep(case.moment(2500));
        running.signal("KILL");
        let done = running.done();
        if done.code.is_some() {
            // It ended by itself, before it had begun: it could not reach the hub.
            assert_eq!(done.code, Some(3), "{done}");
        }
        if let Some(report) = scene.left(case)
            && report.code == Some(1)
        {
            only_the_network_failed(&Report::parse(&report.out));
        }
        scene.hub = Some(start_hub(&scene.place, "").expect("the hub starts again"));
        scene.write("");
        scene.goes_on(case, 1);
    });
}

/// A hub that was killed is not there any more; nobody else did anything wrong.
pub(crate) fn only_the_network_failed(report: &Report) {
    assert_eq!(report.failed_checks(), [""; 0], "{}", report.0["checks"]);
    assert!(report.errors().iter().all(|(_, side)| *side == "network"), "{:?}", report.errors());
}

/// Sends signals with pauses between them, and gives how the process ended.
fn interrupt(case: &mut Case<'_>, scene: &Scene, signals: &[&str]) {
    let running = scene.run(1, &[]).start();
    sleep(case.moment(LAST));
    let listened = scene.place.path("runs/test/latest/scenario.yaml").exists();
    for (number, signal) in signals.iter().enumerate() {
        if number > 0 {
            sleep(case.moment(400));
        }
        running.signal(signal);
    }
    let last = Instant::now();
    let done = running.done();
    case.late(last.elapsed());
    case.ended(&done);
    assert!(last.elapsed() < PATIENCE, "{signals:?}: it ended late: {done}");
    // Before it listens, a signal ends it as the system does.
    assert!(done.code == Some(130) || (done.code.is_none() && !listened), "{signals:?}: {done}");
    assert!(!done.out.contains("PASS:"), "{signals:?}: {done}");
}

#[test]
fn an_interrupted_run_never_passes_and_the_next_one_goes_on() {
    const SIGNALS: [&[&str]; 8] = [
        &["INT"],
        &["INT", "INT"],
        &["INT", "INT", "INT"],
        &["TERM"],
        &["HUP"],
        &["TERM", "HUP"],
        &["HUP", "INT", "TERM"],
        &["TERM", "TERM", "TERM"],
    ];
    campaign("SIGINT, SIGTERM and SIGHUP, once to three times", times(8), |case| {
        let scene = Scene::of(case, "");
        interrupt(case, &scene, case.turn(&SIGNALS));
        if let Some(report) = scene.left(case) {
            assert_ne!(report.code, Some(1), "nobody but the person ended it: {report}");
        }
        scene.goes_on(case, 1);
        if let Some((hub, _)) = scene.hub {
            hub.signal(case.turn(&["INT", "INT", "TERM", "HUP"]));
            hub.done().exits(0);
        }
    });
}
