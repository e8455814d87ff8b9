//! A driver that works passes, whatever the seed.

use crate::harness::{Place, Report};
use crate::scene::{HOT, INSERT, UPDATE, each, liar, python, scenario, skeleton};

const CLEAR: &str = "  - { name: clear, kind: delete, sql: DELETE FROM t, sync: [send, receive] }\n";
const SEEDS: u64 = 20;

#[test]
fn nothing_is_asked_of_a_server_to_which_nothing_was_sent() {
    if !python("nothing_is_asked_of_a_server_to_which_nothing_was_sent") {
        return;
    }
    let phase = "  - { name: keep, kind: insert, sql: \"INSERT INTO t (id) VALUES (:id)\" }\n";
    let text =
        scenario(&liar(), "lie: fails, op: server_query, times: 0", "20s", "databases: 2, iterations: 1", &[phase]);
    let place = Place::new();
    place.write("scenario.yaml", &text.replace("verify: [written, converged, bootstrap, server]\n", ""));
    assert_eq!(place.judged(0).errors(), []);
}

#[test]
fn the_skeleton_passes_with_every_seed() {
    if !python("the_skeleton_passes_with_every_seed") {
        return;
    }
    let scale = "databases: 4, iterations: 2, rows: 25";
    let text = scenario(&skeleton(), "", "20s", scale, &[CLEAR, INSERT, UPDATE, HOT]);
    let seeds: Vec<u64> = (0..SEEDS).collect();
    let wrong = each(&seeds, |seed| {
        let place = Place::new();
        place.write("scenario.yaml", &text);
        let done = place.stress(&["run", "scenario.yaml", "--json", "--seed", &seed.to_string()]).done();
        if done.code != Some(0) {
            return Err(done.to_string());
        }
        let report = Report::parse(&done.out);
        let checks = report.0["checks"].as_array().cloned().unwrap_or_default();
        let passed = |name: &str| checks.iter().any(|check| check["check"] == name && check["outcome"] == "passed");
        let all = ["written", "converged", "bootstrap", "server"].iter().all(|name| passed(name));
        if all { Ok(()) } else { Err(format!("seed {seed}: not every check was made: {checks:?}")) }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
