//! Runs whose messages are harmed on the way to the hub and back: nothing is lost, nothing is doubled, the verdict is the
//! right one, and the run ends in time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{Done, Place, Report, scenario};
use crate::hub::{hub, with_keys};
use crate::relay::{self, Harm, Relay, Seen, Way};

/// Many small iterations, so that there are messages to harm, and errors that are expected of a harmed network.
const SCENARIO: &str = "
scale: { databases: 2, iterations: 6, rows: 20, time_limit: LIMIT }
settle: { rounds: 30, wait: 5ms }
errors:
  - { match: { kind: network }, do: [warn] }
";

/// A run through a relay, with its report.
fn run(limit: &str, decide: impl Fn(&Seen<'_>) -> Harm + Send + Sync + 'static) -> (Done, Report, u64) {
    let place = Place::new();
    let (_hub, address) = hub(&place);
    let relay = Relay::start(&address, decide);
    place.write(
        "scenario.yaml",
        &scenario(&format!(
            "{}target: {{ embedded: {{ hub: \"{}\" }} }}\n",
            SCENARIO.replace("LIMIT", limit),
            relay.url()
        )),
    );
    let done = with_keys(place.stress(&["run", "scenario.yaml", "--json"])).done();
    assert!(!done.out.is_empty(), "{done}");
    let report = Report::parse(&done.out);
    (done, report, relay.harmed())
}

/// Whether a message belongs to sync.
fn is_sync(seen: &Seen<'_>) -> bool {
    seen.path.starts_with("/stress/")
}

/// Harms every seventh message of sync that goes this way and has a body.
fn sometimes(way: Way, harm: Harm) -> impl Fn(&Seen<'_>) -> Harm + Send + Sync + 'static {
    move |seen| {
        let struck = is_sync(seen) && seen.way == way && seen.length > 0 && seen.number % 7 == 3;
        if struck { harm } else { Harm::Nothing }
    }
}

#[test]
fn a_harmed_message_of_sync_loses_and_doubles_nothing() {
    let body = relay::Place::Body;
    for way in [Way::ToHub, Way::FromHub] {
        for harm in [
            Harm::Delay(Duration::from_millis(50)),
            Harm::Drop,
            Harm::Double,
            Harm::Truncate(body(9)),
            Harm::Truncate(relay::Place::Head(9)),
            Harm::Reset(body(9)),
            Harm::Flip(body(9)),
            Harm::Flip(body(40)),
        ] {
            let (done, report, harmed) = run("60s", sometimes(way, harm));
            assert!(harmed > 2, "{way:?} {harm:?}: {harmed} were harmed");
            assert_eq!(report.verdict(), "pass", "{way:?} {harm:?}: {done}");
        }
    }
}

#[test]
fn a_connection_that_goes_silent_ends_the_run_at_its_limit() {
    for way in [Way::ToHub, Way::FromHub] {
        let once = AtomicBool::new(false);
        let (done, report, _) = run("5s", move |seen| {
            let struck = is_sync(seen) && seen.way == way && seen.number > 30 && !once.swap(true, Ordering::Relaxed);
            if struck { Harm::Silence(relay::Place::Head(20)) } else { Harm::Nothing }
        });
        assert_eq!(report.verdict(), "unknown", "{way:?}: {done}");
        assert!(report.rule().1.contains("time limit"), "{way:?}: {done}");
        assert!(done.took < Duration::from_secs(20), "{way:?}: {done}");
    }
}
