use super::*;

fn valid() -> Value {
    json!({
        "version": 1, "name": "small",
        "schema": {"tables": [{"name": "t", "sql": "CREATE TABLE t (id TEXT PRIMARY KEY)"}]},
        "phases": [{"name": "insert", "kind": "insert", "sql": "INSERT …", "sync": ["send"]}]
    })
}

/// The violations of the valid scenario with one value set.
fn with(pointer: &str, value: Value) -> Vec<String> {
    let mut scenario = valid();
    let (parent, key) = pointer.rsplit_once('/').expect("a key");
    let parent = scenario.pointer_mut(parent).expect("the parent exists");
    match parent {
        Value::Object(map) => drop(map.insert(key.to_string(), value)),
        Value::Array(items) => items.push(value),
        _ => panic!("no parent"),
    }
    violations(&scenario).into_iter().map(line).collect()
}

fn line(issue: Issue) -> String {
    format!("{} {}: {} -> {}", issue.pointer, issue.code, issue.message, issue.help.unwrap_or_default())
}

#[test]
fn a_valid_scenario_has_no_violations() {
    assert_eq!(violations(&valid()), []);
}

#[test]
fn the_published_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/scenario.schema.json");
    let generated = format!("{:#}\n", json_schema());
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(path, &generated).expect("the schema can be written");
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert!(published == generated, "run the tests with UPDATE_SCHEMAS=1 and commit {path}");
}

#[test]
fn every_violation_is_told_in_words() {
    let cases = [
        ("/seeed", json!(7)),
        ("/phases/0/snyc", json!([])),
        ("/zzz", json!(1)),
        ("/version", json!(2)),
        ("/name", json!("a b")),
        ("/name", json!(5)),
        ("/seed", json!("1_000")),
        ("/seed", json!(1000.0)),
        ("/seed", json!(1.5)),
        ("/seed", json!(-1)),
        ("/scale", json!({"rows": "1_000", "databases": "4", "iterations": "many", "time_limit": 10})),
        ("/scale", json!({"rows": -5, "databases": 1.0, "iterations": null, "time_limit": "10"})),
        ("/scale", json!(null)),
        ("/scale", json!("big")),
        ("/rls", json!(null)),
        ("/rls", json!({"policies": {"t": {"select": 1, "selct": "x"}}})),
        ("/rls", json!({})),
        ("/phases", json!([])),
        ("/phases", json!({"name": "x"})),
        ("/phases/0/kind", json!("inserts")),
        ("/phases/0/kind", json!("zzz")),
        ("/phases/0/sql", json!(5)),
        ("/phases/0/sql", json!(["a", 5])),
        ("/phases/0/sync", json!("send")),
        ("/phases/0/sync", json!(["snd", "wait", {"wait": 1}, {"recieve": {}}, {"send": {}}])),
        ("/phases/0/transaction", json!({})),
        ("/phases/0/transaction", json!(null)),
        ("/phases/0/transaction", json!(5)),
        ("/phases/0/sync", json!([{"receive": {"untill": "rows", "until": "row", "attempts": 0}}])),
        ("/phases/0/sync", json!([{"receive": {}, "wait": "1s"}])),
        ("/phases/0/sync", json!([{"receive": null}])),
        ("/phases/0/barrier", json!("yes")),
        ("/phases/0/barrier", json!({"skew": 1})),
        ("/phases/0/barrier", json!({"scew": "1ms"})),
        ("/phases/0/think", json!(5)),
        ("/phases/0/think", json!("soon")),
        ("/phases/0/think", json!({"min": "1s"})),
        ("/phases/0/transaction", json!("eech")),
        ("/phases/0/transaction", json!({"batch": 0})),
        ("/phases/0/wait", json!("1 minute")),
        ("/target", json!("cloudsink")),
        ("/target", json!({"embeded": {}})),
        ("/target", json!({"embedded": {"writers": 100, "faults": [{"fault": "drop_rows", "rate": 2}]}})),
        ("/target", json!({"cloudsync": {"provision": "yes", "cleanup": "dropp"}})),
        ("/target", json!({"cloudsync": null})),
        ("/verify", json!(["converge", {"query": {"on": "servr", "sql": "x"}}])),
        ("/thresholds", json!([5, {"severity": "warn"}, {"expr": "x", "severity": "warning"}])),
        (
            "/errors",
            json!([{"match": {"kind": "lock", "http": 99}, "do": []}, {"match": {}, "do": ["retry", "stopp"]}]),
        ),
        ("/expect", json!({"verdict": "red"})),
        (
            "/profiles",
            json!({"a": {"scale": {"row": 5}, "rls": {"databases_per_user": 0}, "version": 1}, "b": null, "c": {"phases": null}}),
        ),
        ("/matrix", json!({"journal": "wal"})),
        ("/vars", json!(["a"])),
        ("/schema", json!({"tables": [{"nam": "x"}]})),
    ];
    let mut text = String::new();
    for (pointer, value) in cases {
        text.extend([pointer, " = ", &value.to_string(), "\n"]);
        for line in with(pointer, value) {
            text.extend(["    ", &line, "\n"]);
        }
    }
    assert!(!text.contains("not valid under"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn what_is_no_map_is_no_scenario() {
    let lines: Vec<String> = violations(&json!([1])).into_iter().map(line).collect();
    assert!(lines[0].contains("the scenario must be a map, found a list"), "{lines:?}");
}

/// Values that a careless author might write anywhere.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1000.0),
        json!(u64::MAX),
        json!(4_294_967_296_u64),
        json!(""),
        json!("x"),
        json!("{{ x }}"),
        json!("1s"),
        json!("999999999d 1ns"),
        json!("send"),
        json!("wait"),
        json!([]),
        json!([1]),
        json!(["send"]),
        json!({}),
        json!({"receive": {}}),
        json!({"batch": 5}),
        json!({"skew": "1ms"}),
        json!({"min": "1s", "max": "2s"}),
        json!({"query": {"on": "server", "sql": "x", "equals": null}}),
    ]
}

/// All pointers into a value.
fn pointers(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_string());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| pointers(value, &join(pointer, key), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{pointer}/{index}"), found));
        }
        _ => {}
    }
}

/// A scenario that uses every key.
fn full() -> Value {
    let step = json!({
        "name": "a", "kind": "query", "sql": ["x"], "rows": 1, "repeat": "{{ x }}", "bind": {"a": 1}, "transaction": "each",
        "when": "x", "sync": ["send", {"receive": {"until": "rows", "attempts": 1, "every": "1s", "max_chunks": 1}},
            {"sync": {"wait": "1s", "retries": 1}}, {"wait": "1s"}, {"check": {}}],
        "barrier": true, "think": "1s", "expect_rows": 1, "timeout": "1s", "wait": "1s", "admin": "x"
    });
    json!({
        "version": 1, "name": "full", "description": "x", "vars": {"a": 1}, "seed": 1, "matrix": {"a": [1]},
        "scale": {"databases": 1, "iterations": 1, "rows": 1, "time_limit": "1m"},
        "profiles": {"small": {"scale": {"rows": 1}}},
        "target": {"embedded": {"hub": "x", "busy_timeout": "1s", "writers": 1, "journal_mode": "wal", "latency": "1s",
            "faults": [{"fault": "locked", "rate": 0.5, "at": [1], "databases": [1]}]}},
        "schema": {"tables": [{"name": "t", "sql": "x", "also": ["x"]}]},
        "rls": {"databases_per_user": 1, "policies": {"t": {"select": "x", "insert": "x", "update": "x", "delete": "x"}}},
        "session": {"open": "per-run", "pragmas": {"a": 1}},
        "setup": [step], "phases": [step, {"think": {"min": "1s", "max": "1s"}, "barrier": {"skew": "1s"}, "transaction": {"batch": 1}}],
        "teardown": [step], "settle": {"rounds": 1, "wait": "1s"},
        "verify": ["server", {"query": {"on": "databases", "sql": "x", "equals": 1}}],
        "thresholds": ["x", {"expr": "x", "severity": "warn", "abort": true}],
        "errors": [{"match": {"kind": "http", "side": "server", "http": 500, "text": "x"}, "do": ["warn", {"retry": {"times": 1, "backoff": "1s"}}]}],
        "expect": {"verdict": "fail", "kinds": ["x"]}
    })
}

#[test]
fn what_passes_the_schema_always_deserializes_and_what_fails_it_never_says_nothing() {
    let cloudsync = json!({"cloudsync": {"extension": "x", "address": "x", "connection_string": "x", "database": "x",
        "managed_database_id": "x", "management_key": "x", "apikey": "x", "tokens": ["x"], "provision": true,
        "cleanup": "drop", "allow_databases": ["x"], "settings": {"a": 1}}});
    let mut other = full();
    other["target"] = cloudsync;
    let (mut passed, mut failed) = (0, 0);
    for base in [full(), other] {
        assert_eq!(violations(&base), []);
        let mut places = Vec::new();
        pointers(&base, "", &mut places);
        for place in places {
            for odd in odd_values() {
                let mut mutated = base.clone();
                *mutated.pointer_mut(&place).expect("a pointer into it") = odd.clone();
                let accepted = serde_json::from_value::<Scenario>(mutated.clone());
                if VALIDATOR.is_valid(&mutated) {
                    passed += 1;
                    assert!(accepted.is_ok(), "{place} = {odd}: {accepted:?}");
                } else {
                    failed += 1;
                    let issues = violations(&mutated);
                    assert!(!issues.is_empty(), "{place} = {odd}");
                    for issue in issues {
                        assert!(
                            !issue.message.contains("breaks the rule") && issue.help.is_some(),
                            "{place} = {odd}: {issue:?}"
                        );
                    }
                }
            }
        }
    }
    assert!(passed > 500 && failed > 2000, "{passed} {failed}");
}
