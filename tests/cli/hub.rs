//! A hub of its own: several runs share it, and a port that is taken is named.

use std::net::TcpListener;

use crate::harness::{Invocation, Place, Running};

pub(crate) const KEYS: [(&str, &str); 2] =
    [("STRESS_HUB_API_KEY", "key-of-the-test-itself"), ("STRESS_HUB_MANAGEMENT_KEY", "other-key-of-the-test")];

/// A command that knows the hub's keys.
pub(crate) fn with_keys(invocation: Invocation) -> Invocation {
    KEYS.iter().fold(invocation, |invocation, (name, value)| invocation.env(name, value))
}

/// Starts a hub on a free port and gives it with its address.
pub(crate) fn hub(place: &Place) -> (Running, String) {
    hub_with(place, &KEYS)
}

/// Starts a hub with these keys on a free port and gives it with its address.
pub(crate) fn hub_with(place: &Place, keys: &[(&str, &str)]) -> (Running, String) {
    let invocation = place.stress(&["hub", "--address", "127.0.0.1:0", "--data", "hub"]);
    started(place, keys.iter().fold(invocation, |invocation, (name, value)| invocation.env(name, value)))
}

/// Starts this hub and gives it with its address.
pub(crate) fn started(place: &Place, hub: Invocation) -> (Running, String) {
    // Its output goes to a file, which can be read while it runs.
    let out = std::fs::File::create(place.path("hub.txt")).expect("there is room");
    let mut running = hub.stdout(out).start();
    let told = || std::fs::read_to_string(place.path("hub.txt")).unwrap_or_default();
    running.until("its address", || told().contains("Ctrl-C"));
    let address = told().lines().find_map(|line| line.strip_prefix("hub: ").map(str::to_owned));
    (running, address.expect("it names its address"))
}

#[test]
fn a_hub_serves_several_runs_and_stops_when_asked_to() {
    let place = Place::new();
    let (running, address) = hub(&place);
    let text = crate::harness::scenario(&format!("target: {{ embedded: {{ hub: \"{address}\" }} }}\n"));
    place.write("scenario.yaml", &text);
    for _ in 0..2 {
        with_keys(place.stress(&["run", "scenario.yaml", "-q"])).done().exits(0);
    }
    let wrong = place.stress(&["run", "scenario.yaml"]).env(KEYS[0].0, "wrong-key").env(KEYS[1].0, "wrong-key").done();
    wrong.exits(3).prints_nothing().says(&[&address, "HTTP 401", "help:"]);
    running.signal("INT");
    let done = running.done().exits(0);
    let told = std::fs::read_to_string(place.path("hub.txt")).expect("its output");
    assert!(!told.contains("key-of-the-test") && !done.err.contains("key-of-the-test"), "{told}{done}");
}

#[test]
fn a_port_in_use_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let done = place.stress(&["hub", "--address", &address, "--data", "hub"]).done().exits(3).prints_nothing();
    done.says(&[&format!("error: failed to listen on {address}: the port is in use"), "help: stop the other process"]);
}

#[test]
fn a_hub_that_cannot_keep_its_files_or_its_address_says_so() {
    let place = Place::new();
    place.write("file", "");
    let done = place.stress(&["hub", "--address", "127.0.0.1:0", "--data", "file"]).done().exits(3).prints_nothing();
    done.says(&["file"]);
    let done = place.stress(&["hub", "--address", "nowhere", "--data", "hub"]).done().exits(2).prints_nothing();
    done.says(&["nowhere", "--address"]);
}
