//! Whole runs on a prepared cloud: the real extension, whose sync calls reach nobody, and the stand-in of the
//! administrator's interfaces. What was made for a run is gone after it, however it ended, and no secret is seen.

use base64::Engine;

use crate::cloudsync::extension;
use crate::harness::{Done, Invocation, Place, RLS, files};
use crate::provision::armed;
use crate::standin::{API_KEY, MANAGEMENT_KEY, StandIn, Wrong};

const KEYS: &str = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n    cleanup: drop\n";

const REST: &str = "
scale: { databases: 4, iterations: 1, rows: 5, time_limit: 60s }
settle: { rounds: 1, wait: 1ms }
verify: [converged]
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, 'text', :row)
    sync: [send, receive]
";

fn place(standin: &StandIn) -> Place {
    let rls = RLS.replace("databases_per_user: 1", "databases_per_user: 2");
    Place::of(&format!("{}{rls}{REST}", standin.target(KEYS)))
}

fn run(place: &Place, extension: &str) -> Invocation {
    armed(place.stress(&["run", "scenario.yaml"])).env("STRESS_CLOUDSYNC_EXTENSION", extension)
}

/// No token is alive, and nothing of the run is left.
fn is_left(standin: &StandIn) {
    let project = standin.project();
    assert!(project.tokens.is_empty(), "{:?}", project.tokens);
    assert!(project.databases.is_empty() && project.managed.is_empty(), "{project:?}");
}

/// Nothing that was printed or written has a secret in any form.
fn is_silent(place: &Place, done: &Done) {
    let mut told = format!("{}{}", done.out, done.err).into_bytes();
    if place.path("runs").exists() {
        for file in files(&place.path("runs")) {
            told.extend(std::fs::read(file).expect("a file"));
        }
    }
    let tokens = (1..=4).map(|index| format!("{index}|sqa_s3cret+{index}"));
    for secret in [API_KEY.to_owned(), MANAGEMENT_KEY.to_owned()].into_iter().chain(tokens) {
        let encoded = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC).to_string();
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&secret);
        for form in [secret, encoded, base64] {
            assert!(!told.windows(form.len()).any(|window| window == form.as_bytes()), "{form}: {done}");
        }
    }
}

#[test]
fn a_run_makes_tokens_with_an_expiry_and_revokes_them_and_drops_what_it_made() {
    let Some(extension) = extension("a_run_makes_tokens_with_an_expiry_and_revokes_them") else { return };
    let standin = StandIn::start();
    let place = place(&standin);
    let done = run(&place, &extension).done().exits(1);
    let project = standin.project();
    let made: Vec<_> =
        project.asked.iter().filter(|asked| asked.path == "/v2/tokens" && asked.method == "POST").collect();
    assert_eq!(made.len(), 2);
    let mut users: Vec<&str> = made.iter().filter_map(|asked| asked.body["userId"].as_str()).collect();
    users.sort_unstable();
    assert_eq!(users, ["018ecfc2-b2b1-7cc3-a9f0-000000000001", "018ecfc2-b2b1-7cc3-a9f0-000000000002"]);
    for asked in made {
        let expires: jiff::Timestamp = asked.body["expiresAt"].as_str().unwrap_or_default().parse().expect("a time");
        // The time limit, a minute, and ten more.
        let minutes = expires.duration_since(jiff::Timestamp::now()).as_mins();
        assert!((5..=11).contains(&minutes), "{expires}");
    }
    drop(project);
    is_left(&standin);
    is_silent(&place, &done);
    done.says(&["2 access tokens created", "2 access tokens revoked", "database test_notes: removed"]);
}

#[test]
fn the_devices_of_a_run_are_forgotten_and_those_of_others_are_not() {
    let Some(extension) = extension("the_devices_of_a_run_are_forgotten_and_those_of_others_are_not") else { return };
    let standin = StandIn::start();
    let place = place(&standin);
    standin.project().devices.insert("0190cc".to_owned());
    // The sites are known only once the run is there: they register while it works.
    let started = run(&place, &extension).start();
    let record = place.path("runs/test/latest/record.json");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::time::Instant::now() < deadline {
        let text = std::fs::read_to_string(&record).unwrap_or_default();
        let record: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let sites = record["workers"].as_array().into_iter().flatten().filter_map(|worker| worker["site_id"].as_str());
        let sites: Vec<String> = sites.map(str::to_owned).collect();
        if sites.len() == 4 {
            standin.project().devices.extend(sites);
            break;
        }
    }
    started.done().exits(1).says(&["devices: 4 of this scenario's runs removed"]);
    assert_eq!(standin.project().devices.iter().collect::<Vec<_>>(), ["0190cc"]);
}

#[test]
fn tokens_that_cannot_all_be_made_are_revoked_and_the_run_does_not_start() {
    let Some(extension) = extension("tokens_that_cannot_all_be_made_are_revoked") else { return };
    for wrong in [Wrong::Status(500, "{\"error\":{\"detail\":\"no more tokens\"}}"), Wrong::Echo(403)] {
        let standin = StandIn::start();
        // The check of every token fails; creating them has worked.
        standin.plant("GET /v2/tokens/authorized", wrong, u32::MAX);
        let place = place(&standin);
        let done = run(&place, &extension).done().exits(3).says(&["create the users' access tokens"]);
        is_left(&standin);
        is_silent(&place, &done);
    }
}

#[test]
fn after_an_interrupt_the_server_is_left_all_the_same() {
    let Some(extension) = extension("after_an_interrupt_the_server_is_left_all_the_same") else { return };
    let standin = StandIn::start();
    let place = place(&standin);
    let text = std::fs::read_to_string(place.path("scenario.yaml")).expect("the scenario");
    place.write("scenario.yaml", &text.replace("iterations: 1,", "iterations: 1000000,"));
    let mut running = run(&place, &extension).start();
    running.until("work", || {
        std::fs::read_to_string(place.path("runs/test/latest/logs/db1.log")).is_ok_and(|log| log.contains("iter 1"))
    });
    running.signal("INT");
    let done = running.done().exits(130).says(&["2 access tokens revoked", "database test_notes: removed"]);
    is_left(&standin);
    is_silent(&place, &done);
}

#[test]
fn a_token_that_cannot_be_revoked_is_told_and_does_not_change_the_verdict() {
    let Some(extension) = extension("a_token_that_cannot_be_revoked_is_told") else { return };
    let standin = StandIn::start();
    standin.plant("DELETE /v2/tokens", Wrong::Echo(400), u32::MAX);
    let place = place(&standin);
    let done = run(&place, &extension).done().exits(1);
    is_silent(&place, &done);
    done.says(&["revoke the users' access tokens", "[hidden]", "the access tokens expire"]);
}
