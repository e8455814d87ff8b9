//! The wall clock jumps while a run is at work, by libfaketime.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{Report, skip};
use crate::scene::Scene;
use crate::tally::{campaign, times};

/// libfaketime, where it is installed.
fn library() -> Option<PathBuf> {
    let places = ["/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1"].into_iter();
    let mut found = places.flat_map(|place| glob::glob(place).expect("it is a pattern"));
    found.find_map(Result::ok)
}

#[test]
fn a_clock_that_jumps_changes_no_verdict() {
    let Some(library) = library() else {
        skip("a_clock_that_jumps_changes_no_verdict", "there is no libfaketime (apt-get install libfaketime)");
        return;
    };
    campaign("the wall clock jumps", times(4), |case| {
        let scale = "scale: { databases: 3, iterations: 12, rows: 21, time_limit: 60s, rate: 10/s }\n";
        let scene = Scene::new(false, case.number % 4 >= 2, scale);
        let jump = case.turn(&["+1d", "-1d", "+10m", "-400d"]);
        scene.place.write("clock", "+0s");
        let clock = scene.place.path("clock");
        let run = scene.run(1, &["--json"]).env("LD_PRELOAD", &library.display().to_string());
        let run = run.env("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string()).env("FAKETIME_NO_CACHE", "1");
        let running = run.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").start();
        sleep(Duration::from_millis(300) + case.moment(900));
        scene.place.write("clock", jump);
        let done = running.done();
        case.ended(&done);
        let report = Report::parse(&done.out);
        assert_eq!(report.verdict(), "pass", "{jump}: {done}");
        let took = report.0["run"]["duration_us"].as_u64().map(Duration::from_micros);
        assert!(took.is_none_or(|took| took < Duration::from_secs(60)), "{jump}: {took:?}");
    });
}
