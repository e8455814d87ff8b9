//! Load by the clock: `scale.rate`, a phase's `rate`, `scale.ramp_up`.

use crate::harness::{Place, Report};

/// A scenario whose server takes 50 ms for every answer.
fn rated(scale: &str, rest: &str, code: i32) -> Report {
    Place::of(&format!(
        "target: {{ embedded: {{ latency: 50ms }} }}\nscale: {{ databases: 2, rows: 5, {scale} }}\n{rest}"
    ))
    .judged(code)
}

#[test]
fn a_rate_that_is_kept_starts_iterations_by_the_clock() {
    let report = rated("iterations: 3, rate: 1/s", "", 0);
    let kept = &report.0["timing"]["rates"][0];
    assert_eq!((&kept["wanted"], &kept["kept"]), (&1.0.into(), &true.into()), "{kept}");
    // Three starts, a second apart: two seconds at least, however fast the machine is.
    assert!(report.number("/timing/load") >= 2_000_000);
    assert!(report.number("/timing/effort/waiting") > report.number("/timing/effort/sync"));
}

#[test]
fn a_rate_that_cannot_be_kept_is_said_and_shows_in_the_latencies() {
    let report = rated("iterations: 8, rate: 100/s", "", 0);
    let timing = &report.0["timing"];
    assert_eq!(timing["rates"][0]["kept"], false, "{timing}");
    let send = timing["steps"].as_array().expect("steps").iter().find(|step| step["step"] == "send").expect("send");
    let of = |latency: &serde_json::Value| latency["max"].as_u64().expect("microseconds");
    // The last iteration was to begin after 70 ms, and seven before it took 50 ms and more each.
    assert!(of(&send["intended"]) > of(send) + 200_000, "{send}");
}

#[test]
fn how_late_starts_are_can_be_limited() {
    let report = rated("iterations: 8, rate: 100/s", "thresholds: [start.late max < 100ms]\n", 1);
    assert!(report.rule().1.contains("start.late max < 100ms"), "{:?}", report.rule());
}

#[test]
fn databases_start_one_after_another_over_the_ramp_up() {
    let report = rated("iterations: 1, ramp_up: 2s", "", 0);
    assert!(report.number("/timing/load") >= 1_000_000, "the second of two starts after half of it");
}

#[test]
fn a_rate_of_what_is_not_repeated_is_refused() {
    let place = Place::of(
        "phases:\n  - { name: put, kind: insert, rate: 5/s, sql: \"INSERT INTO notes (id) VALUES (:id)\", sync: [send] }\n",
    );
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["phase::rate", "add `repeat`"]);
}
