//! Messages between a run and its hub that are harmed on the way, at random places: both ends are ours.

use std::time::Duration;

use crate::acknowledged::Acknowledged;
use crate::harness::Report;
use crate::relay::{self, Harm, Relay, Way};
use crate::scene::Scene;
use crate::tally::{Case, campaign, times};

/// Calls that fail on the way are made again.
const HEALED: &str = "errors: [{ match: { kind: network }, do: [{ retry: { times: 8, backoff: 20ms } }, warn] }]\n";
/// The most that a run may last beyond its limit.
const LATE: Duration = Duration::from_secs(8);

/// A place in a message: often in its head, often in its body.
fn anywhere(case: &mut Case<'_>) -> relay::Place {
    let at = usize::try_from(case.below(3000)).expect("it is small");
    if case.below(3) == 0 { relay::Place::Head(at) } else { relay::Place::Body(at) }
}

/// Harms one message in five to twelve on one way: in every second case only messages of sync, with calls that are made
/// again, so that nothing is left to complain of.
fn harmed(kind: &'static str, limit: u64, harm: fn(&mut Case<'_>) -> Harm) {
    campaign(kind, times(2), |case| {
        let healed = case.number % 2 == 0;
        let way = case.turn(&[Way::ToHub, Way::FromHub, Way::FromHub, Way::ToHub]);
        let (every, first) = (5 + case.below(8), case.below(5));
        let struck: Vec<Harm> = (0..16).map(|_| harm(case)).collect();
        let scene = Scene::new(true, case.number % 4 >= 2, "");
        let (_, hub) = scene.hub.as_ref().expect("it is separate");
        let relay = Relay::start(hub, move |seen| {
            let strikes = seen.way == way && seen.number % every == first;
            let strikes = strikes && (!healed || seen.path.starts_with("/stress/"));
            if strikes { struck[usize::try_from(seen.number % 16).expect("it is small")] } else { Harm::Nothing }
        });
        let scale = format!("scale: {{ databases: 3, iterations: 6, rows: 21, time_limit: {limit}s }}\n");
        let settle = "settle: { rounds: 40, wait: 5ms }\n";
        scene.write_for(Some(&relay.url()), &format!("{scale}{settle}{}", if healed { HEALED } else { "" }));
        let limit = Duration::from_secs(limit);
        let done = scene.run(1, &["--json"]).within(limit + Duration::from_secs(40)).done();
        case.ended(&done);
        case.late(done.took.saturating_sub(limit));
        assert!(done.took < limit + LATE, "{way:?} {done}");
        let sent = scene.latest().map(|run| Acknowledged::read(&run)).unwrap_or_default();
        sent.held_by_the_server(1, &scene.place);
        if done.code == Some(3) {
            assert!(!healed && done.out.is_empty() && done.err.contains("help:"), "{way:?} {done}");
            return;
        }
        let report = Report::parse(&done.out);
        assert_eq!(report.failed_checks(), [""; 0], "{way:?} {}", report.0["checks"]);
        // A flipped bit of a token is a wrong token.
        let blamed = |side: &str| ["network", "server"].contains(&side) || kind == FLIPPED && side == "configuration";
        assert!(report.errors().iter().all(|(_, side)| blamed(side)), "{way:?} {:?}", report.errors());
        if healed && kind != SILENT {
            assert_eq!(report.verdict(), "pass", "{way:?}, {} harmed: {done}", relay.harmed());
        }
        if report.verdict() == "pass" {
            sent.held(1, &scene.place, case.number % 4 >= 2);
        }
    });
}

const FLIPPED: &str = "a bit of a message is flipped";
const SILENT: &str = "a connection goes silent";

#[test]
fn messages_that_are_delayed_change_nothing() {
    harmed("a message is delayed", 30, |case| Harm::Delay(case.moment(120)));
}

#[test]
fn messages_that_are_swallowed_lose_nothing() {
    harmed("a message is swallowed", 30, |_| Harm::Drop);
}

#[test]
fn messages_that_come_twice_count_once() {
    harmed("a message comes twice", 30, |_| Harm::Double);
}

#[test]
fn messages_that_are_cut_off_lose_nothing() {
    harmed("a message is cut off", 30, |case| Harm::Truncate(anywhere(case)));
}

#[test]
fn messages_with_a_flipped_bit_are_not_believed() {
    harmed(FLIPPED, 30, |case| Harm::Flip(anywhere(case)));
}

#[test]
fn connections_that_are_reset_lose_nothing() {
    harmed("a connection is reset", 30, |case| Harm::Reset(anywhere(case)));
}

#[test]
fn connections_that_go_silent_end_the_run_at_its_limit() {
    harmed(SILENT, 3, |case| Harm::Silence(anywhere(case)));
}
