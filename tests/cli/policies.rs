//! Policies with quotes: a column in double quotes is a column on both targets, and a text in double quotes is refused
//! once.

use crate::harness::{Place, Report};
use crate::provision::armed;
use crate::standin::StandIn;

/// A table whose owner column needs quotes, and its policies.
const QUOTED: &str = r#"
schema:
  tables:
    - name: notes
      sql: CREATE TABLE notes (id TEXT PRIMARY KEY, "user id" TEXT NOT NULL DEFAULT '', body TEXT)
rls:
  databases_per_user: 1
  policies:
    notes:
      select: auth_userid() = "user id"
      insert: auth_userid() = NEW."user id"
      update: auth_userid() = NEW."user id" AND auth_userid() = OLD."user id"
      delete: auth_userid() = OLD."user id"
phases:
  - name: insert
    kind: insert
    rows: 20
    sql: INSERT INTO notes (id, "user id", body) VALUES (:id, :user_id, 'text')
    sync: [send, receive]
"#;
const PROVISIONED: &str = "    management_key: \"{{ env.TEST_MANAGEMENT }}\"\n    provision: true\n";

#[test]
fn a_quoted_column_is_a_column_on_the_embedded_target() {
    let place = Place::of(&format!("{QUOTED}verify: [converged, server, isolation]\n"));
    place.judged(0);
    let leaking = "target: { embedded: { faults: [{ fault: leak_rows }] } }\n";
    let place = Place::of(&format!("{leaking}{QUOTED}verify: [isolation]\n"));
    let done = place.stress(&["run", "scenario.yaml", "--json"]).done().exits(1);
    assert_eq!(Report::parse(&done.out).failed_checks(), ["isolation"]);
}

#[test]
fn a_quoted_column_reaches_the_cloud_in_backticks() {
    let standin = StandIn::start();
    let place = Place::of(&format!("{}{QUOTED}", standin.target(PROVISIONED)));
    armed(place.stress(&["validate", "scenario.yaml"])).done().exits(0);
    armed(place.stress(&["provision", "scenario.yaml"])).done().exits(0);
    let asked = standin.asked();
    let set: Vec<&String> = asked.iter().filter(|sql| sql.starts_with("SET RLS")).collect();
    assert_eq!(set.len(), 4, "{asked:?}");
    assert_eq!(set[0], "SET RLS DATABASE test_notes TABLE notes SELECT \"auth_userid() = `user id`\"");
}

#[test]
fn a_text_in_double_quotes_is_refused_once() {
    let wrong = QUOTED.replace("select: auth_userid() = \"user id\"", "select: \"\\\"x\\\" = 'x'\"");
    let standin = StandIn::start();
    for target in [String::new(), standin.target(PROVISIONED)] {
        let place = Place::of(&format!("{target}{wrong}"));
        let done = armed(place.stress(&["validate", "scenario.yaml", "--format", "json"])).done().exits(2);
        let files: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
        let problems = files[0]["problems"].as_array().expect("a list");
        let errors: Vec<_> = problems.iter().filter(|problem| problem["severity"] != "warning").collect();
        assert_eq!(errors.len(), 1, "{problems:?}");
        assert!(
            errors[0]["message"].as_str().is_some_and(|message| message.contains("no such column: \"x\"")),
            "{errors:?}"
        );
    }
}
