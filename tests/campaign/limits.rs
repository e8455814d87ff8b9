//! Runs and hubs under limits of the system: open files, memory, the size of a file.

use std::time::Duration;

use crate::acknowledged::Acknowledged;
use crate::harness::{Done, Report};
use crate::scene::{Scene, start_hub, whole_or_absent, with_keys};
use crate::tally::{Case, campaign, times};

const SCALE: &str = "scale: { databases: 3, iterations: 4, rows: 21, time_limit: 10s }\n";
const LIMIT: Duration = Duration::from_secs(10);
/// The most that a run may last beyond its limit.
const LATE: Duration = Duration::from_secs(8);

/// Runs the scenario under a limit of the shell.
fn limited(case: &mut Case<'_>, scene: &Scene, limit: &str) -> Done {
    let line = format!("ulimit {limit} && exec stress run scenario.yaml --no-progress --seed 1");
    let done = with_keys(scene.place.shell(&line)).done();
    case.ended(&done);
    if let Some(run) = scene.latest() {
        whole_or_absent(&run);
        Acknowledged::read(&run).held_by_the_server(1, &scene.place);
        if done.code != Some(0) && run.join("report.json").exists() {
            let report = std::fs::read_to_string(run.join("report.json")).expect("it is text");
            assert_ne!(Report::parse(&report).verdict(), "pass", "{limit}: {done}");
        }
    }
    done
}

/// A process that does not pass says why, on the side of the machine.
fn passes_or_says(done: &Done, says: &[&str], limit: &str) {
    let told = format!("{}{}", done.out, done.err);
    let said = says.iter().any(|text| told.contains(text));
    assert!(done.code == Some(0) || (matches!(done.code, Some(1 | 3)) && said), "{limit}: {done}");
}

#[test]
fn few_open_files_are_told_before_a_run_starts() {
    campaign("few open files: the run", times(4), |case| {
        let scene = Scene::new(false, false, SCALE);
        let limit = format!("-n {}", 12 + case.below(160));
        let done = limited(case, &scene, &limit);
        passes_or_says(&done, &["open files"], &limit);
    });
}

#[test]
fn few_open_files_of_a_hub_lose_nothing() {
    campaign("few open files: the hub", times(4), |case| {
        let mut scene = Scene::new(false, false, SCALE);
        let limit = format!("-n {}", 12 + case.below(40));
        match start_hub(&scene.place, &format!("ulimit {limit} && ")) {
            Ok(hub) => scene.hub = Some(hub),
            Err(done) => {
                case.ended(&done);
                return passes_or_says(&done, &["open files", "os error 24"], &limit);
            }
        }
        scene.write(SCALE);
        let done = scene.run(1, &[]).done();
        case.ended(&done);
        case.late(done.took.saturating_sub(LIMIT));
        assert!(done.took < LIMIT + LATE, "{limit}: {done}");
        assert!(matches!(done.code, Some(0 | 1 | 3 | 4)), "{limit}: {done}");
        let sent = scene.latest().map(|run| Acknowledged::read(&run)).unwrap_or_default();
        sent.held_by_the_server(1, &scene.place);
        if let Some(run) = scene.latest().filter(|run| run.join("report.json").exists()) {
            let report = std::fs::read_to_string(run.join("report.json")).expect("it is text");
            assert_eq!(Report::parse(&report).failed_checks(), [""; 0], "{limit}: {done}");
        }
    });
}

#[test]
fn little_memory_never_passes_by_mistake() {
    campaign("little memory", times(4), |case| {
        let scene = Scene::new(false, false, SCALE);
        let limit = format!("-v {}", (24 << 10) + case.below(1800 << 10));
        let done = limited(case, &scene, &limit);
        // The allocator ends a process that gets no memory.
        let aborted = done.code.is_none() && done.err.contains("memory allocation of");
        // The loader has no room for the program.
        let unloaded = done.code == Some(127) && scene.latest().is_none();
        if !aborted && !unloaded {
            passes_or_says(&done, &["memory", "address space"], &limit);
        }
    });
}

#[test]
fn files_that_may_not_grow_are_told() {
    campaign("files that may not grow", times(6), |case| {
        let scene = Scene::new(false, false, SCALE);
        let limit = format!("-f {}", 1 << (case.number % 6 * 2));
        let done = limited(case, &scene, &limit);
        passes_or_says(&done, &["too large", "disk", "os error 27"], &limit);
    });
}
