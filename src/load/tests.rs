use super::*;
use crate::scenario::{Count, Target, TargetKind, TargetOptions};
use serde_json::json;

const GOOD: &str = r#"version: 1
name: good
vars: {table: notes, user_name: x}
scale: {databases: 4, rows: 1000}
target:
  embedded: {writers: 2}
profiles:
  small: {scale: {databases: 2}, target: {cloudsync: {managed_database_id: db_x, apikey: "{{ env.STRESS_KEY }}"}}, rls: null}
  big: {vars: {extra: 1}, scale: {rows: 100000}}
rls: {policies: {"{{ table }}": {select: "1"}}}
schema: {tables: [{name: "{{ table }}", sql: "CREATE TABLE {{ table }} (id TEXT PRIMARY KEY)"}]}
phases: [{sync: [send]}]
"#;

/// The first variation of a file.
fn first(loaded: &Loaded) -> Variation {
    loaded.clone().into_first()
}

/// The scenario of a file without a matrix.
fn scenario(loaded: &Loaded) -> Scenario {
    assert_eq!(loaded.variations.len(), 1);
    first(loaded).scenario
}

fn loaded(text: &str, overrides: &Overrides) -> Result<Loaded, LoadError> {
    load_source(Source::parse("s.yaml", text), overrides)
}

fn lines(text: &str, overrides: &Overrides) -> Vec<String> {
    let error = load_source(Source::parse("s.yaml", text), overrides).expect_err("problems");
    error.diagnostics().iter().map(Diagnostic::line).collect()
}

fn profile(name: &str) -> Overrides {
    Overrides { profile: Some(name.into()), ..Overrides::default() }
}

#[test]
fn a_profile_is_laid_over_key_by_key() {
    let base = loaded(GOOD, &Overrides::default()).expect("a good file");
    assert_eq!(base.profiles, ["small", "big"]);
    assert!(scenario(&base).rls.is_some() && scenario(&base).profiles.is_empty());
    let small = loaded(GOOD, &profile("small")).expect("a good file");
    assert_eq!(
        (&scenario(&small).scale.databases, &scenario(&small).scale.rows),
        (&Count::Number(2), &Count::Number(1000))
    );
    assert_eq!(scenario(&small).rls, None, "a key set to null is left out");
    assert!(
        matches!(scenario(&small).target, Target::Options(TargetOptions::Cloudsync(_))),
        "kinds of target do not merge"
    );
    assert_eq!(small.origins["/scale/databases"], Origin::Profile("small".into()));
    assert_eq!(small.origins["/scale/rows"], Origin::File);
    assert_eq!(small.origins["/scale/iterations"], Origin::Default);
    let big = loaded(GOOD, &profile("big")).expect("a good file");
    assert_eq!(Value::Object(scenario(&big).vars.clone()), json!({"table": "notes", "user_name": "x", "extra": 1}));
}

#[test]
fn overrides_win_over_profiles_and_say_where_they_come_from() {
    let mut overrides = Overrides {
        rows: Some(7),
        databases: Some(3),
        time_limit: Some("5m".into()),
        seed: Some(42),
        target: Some(TargetKind::Cloudsync),
        ..profile("small")
    };
    overrides.vars = environment_vars([
        ("STRESS_VAR_USER_NAME".to_string(), "5".to_string()),
        ("STRESS_VAR_OTHER".into(), "x".into()),
        ("HOME".into(), "/".into()),
    ]);
    overrides.vars.push(("table".into(), parse_var("true"), Origin::Flag("--var")));
    let loaded = loaded(GOOD, &overrides).expect("a good file");
    let scenario = scenario(&loaded);
    assert_eq!((&scenario.scale.rows, &scenario.scale.databases), (&Count::Number(7), &Count::Number(3)));
    assert_eq!(scenario.seed, Some(42));
    assert_eq!(Value::Object(scenario.vars.clone()), json!({"table": true, "user_name": 5}));
    assert!(matches!(scenario.target, Target::Options(_)), "the options of the same kind are kept");
    assert_eq!(loaded.origins["/vars/user_name"], Origin::Environment("STRESS_VAR_USER_NAME".into()));
    assert_eq!(loaded.origins["/vars/table"], Origin::Flag("--var"));
    assert_eq!(loaded.messages.len(), 1, "a variable of another scenario is only a warning");
    let embedded = Overrides { target: Some(TargetKind::Embedded), ..profile("small") };
    let loaded = load_source(Source::parse("s.yaml", GOOD), &embedded).expect("a good file");
    assert_eq!(first(&loaded).scenario.target, Target::Name(TargetKind::Embedded));
    assert_eq!(first(&loaded).plan.target.kind(), TargetKind::Embedded);
}

#[test]
fn a_drawn_seed_is_taken_where_none_is_given() {
    let drawn = Overrides { drawn_seed: Some(5), ..Overrides::default() };
    let seed = |text: &str, overrides: &Overrides| {
        let loaded = loaded(text, overrides).expect("a good file");
        (first(&loaded).scenario.seed, first(&loaded).plan.seed, loaded.origins["/seed"].clone())
    };
    assert_eq!(seed(GOOD, &drawn), (Some(5), 5, Origin::Default));
    assert_eq!(seed(GOOD, &Overrides { seed: Some(6), ..drawn.clone() }), (Some(6), 6, Origin::Flag("--seed")));
    assert_eq!(seed(&format!("seed: 7\n{GOOD}"), &drawn), (Some(7), 7, Origin::File));
    assert_eq!(seed(GOOD, &Overrides::default()), (None, 0, Origin::Default));
}

#[test]
fn a_matrix_of_too_many_runs_is_refused_at_once_unless_they_are_allowed() {
    let values: Vec<String> = (0..40).map(|value| value.to_string()).collect();
    let values = values.join(", ");
    let text = format!("matrix: {{a: [{values}], b: [{values}], c: [{values}], d: [{values}], e: [{values}]}}\n{GOOD}");
    let told = lines(&text, &Overrides::default());
    assert!(told[0].contains("102400000 combinations") && told[0].contains("--max-runs N"), "{told:?}");
    let text = format!("matrix: {{a: [{values}], b: [{values}]}}\n{GOOD}");
    assert!(loaded(&text, &Overrides::default()).is_err());
    let allowed = Overrides { max_runs: Some(1_600), ..Overrides::default() };
    assert_eq!(loaded(&text, &allowed).expect("it is allowed").variations.len(), 1_600);
}

#[test]
fn every_combination_of_a_matrix_is_planned() {
    let text = format!("matrix: {{table: [notes, drafts], size: [1, 2]}}\n{GOOD}");
    let loaded = loaded(&text, &Overrides::default()).expect("a good file");
    let planned = |variation: &Variation| (variation.label.clone(), variation.plan.tables[0].name.clone());
    let planned: Vec<_> = loaded.variations.iter().map(|variation| planned(&variation)).collect();
    let wanted = [
        ("size=1, table=notes", "notes"),
        ("size=1, table=drafts", "drafts"),
        ("size=2, table=notes", "notes"),
        ("size=2, table=drafts", "drafts"),
    ];
    assert_eq!(planned, wanted.map(|(label, table)| (label.to_owned(), table.to_owned())));
    assert!(loaded.variations.iter().all(|variation| variation.scenario.matrix.is_empty()));
}

#[test]
fn a_matrix_without_values_or_with_a_name_that_is_taken_is_refused_where_it_stands() {
    let text = format!("matrix: {{table: [], db: [1], a b: [1]}}\n{GOOD}");
    assert_eq!(
        lines(&text, &Overrides::default()),
        [
            "s.yaml:1:17: error[vars::matrix]: `table` has no values, so there is nothing to run -> write a list with at least one value",
            "s.yaml:1:21: error[vars::reserved]: the variable name `db` is reserved -> choose another name",
            "s.yaml:1:30: error[vars::name]: `a b` cannot be used in a template -> use letters, digits and `_`, and start with a letter",
        ]
    );
}

#[test]
fn problems_of_a_scenario_that_is_in_no_file_have_their_places() {
    let loaded = loaded(GOOD, &Overrides::default()).expect("a good file");
    let mut scenario = scenario(&loaded).clone();
    scenario.schema.tables[0].sql = "CREATE TABLE".into();
    let error = Variation::of(scenario, "scenario.yaml", &crate::plan::Grant::default()).expect_err("no table");
    let lines: Vec<String> = error.diagnostics().iter().map(Diagnostic::line).collect();
    assert!(lines[0].starts_with("scenario.yaml:") && lines[0].contains(": error[sql::create]: "), "{lines:?}");
}

#[test]
fn what_is_asked_wrongly_is_told_with_the_flag() {
    let mut overrides = Overrides { time_limit: Some("5".into()), ..profile("smal") };
    overrides.vars.push(("tabel".into(), json!(1), Origin::Flag("--var")));
    assert_eq!(
        lines(GOOD, &overrides),
        [
            "--profile: error[load::unknown_profile]: the scenario has no profile `smal` -> did you mean `small`?",
            "--var: error[load::unknown_var]: the scenario has no variable `tabel` -> did you mean `table`?",
            "--time-limit: error[scenario::duration]: the text `5` is not a duration -> write the unit, as in `5s`",
        ]
    );
}

#[test]
fn problems_of_a_profile_are_told_where_the_profile_stands_and_once() {
    let text = GOOD
        .replace("databases: 2}", "databses: 2}")
        .replace("rows: 100000", "rows: x")
        .replace("name: good", "name: g d");
    let all = lines(&text, &Overrides::default());
    assert_eq!(
        all,
        [
            "s.yaml:2:7: error[scenario::value]: `name` cannot be the text `g d` -> use letters, digits, `-` and `_`, and start with a letter or digit",
            "s.yaml:8:19: error[scenario::unknown_key]: unknown key `databses` in `scale` -> did you mean `databases`?",
            "s.yaml:9:41: error[scenario::type]: `rows` must be a whole number or a quoted template, found the text `x` -> write a number, or quote a template: `\"{{ scale.rows }}\"`",
        ]
    );
}

#[test]
fn the_meaning_is_checked_in_every_profile_and_beside_mistyped_keys() {
    let text =
        GOOD.replace("phases: [{", "phases: [{name: p, kind: insert, sql: \"INSERT INTO {{ extra }} VALUES (1)\", ");
    let unknown = "s.yaml:12:55: error[template::name]: unknown variable `extra` -> declare it under `vars`; known names: `table`, `user_name`, `scale`, `seed`, `db`, `iteration`, `repeat`, `rows`, `user`, `user_id`";
    let syntax = "s.yaml:12:39: error[sql::prepare]: the SQL does not prepare: near \"1\": syntax error";
    assert_eq!(lines(&text, &Overrides::default()), [syntax, unknown]);
    let text = text.replace("phases: [{", "seeed: 1\nphases: [{syncc: [], ");
    let all = lines(&text, &profile("small"));
    assert_eq!(all.len(), 3, "what else is wrong is told beside the mistyped keys: {all:?}");
}

#[test]
fn words_of_yaml_1_1_are_warned_about_where_nothing_worse_is_said() {
    let text =
        GOOD.replace("table: notes", "table: no, n: 010").replace("phases:", "session: {pragmas: {a: on}}\nphases:");
    let loaded = loaded(&text, &Overrides::default()).expect("only warnings");
    let lines: Vec<String> = loaded.diagnostics().iter().map(Diagnostic::line).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("s.yaml:3:15: warning[yaml::lookalike]: `no` is text here"), "{lines:?}");
    let wrong = GOOD.replace("{sync: [send]}", "{sync: [send], barrier: yes}");
    assert_eq!(super::tests::lines(&wrong, &Overrides::default()).len(), 1);
}

#[test]
fn a_vars_file_is_a_map() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vars.yaml");
    std::fs::write(&path, "table: a\ncount: 5\n").expect("a file");
    let vars = vars_file(&path).expect("a map");
    assert_eq!(vars[1], ("count".into(), json!(5), Origin::VarsFile(path.clone())));
    std::fs::write(&path, "[a]").expect("a file");
    assert!(vars_file(&path).expect_err("no map").to_string().contains("does not contain a map"));
}

#[test]
fn a_long_scenario_is_checked_quickly() {
    let mut text = GOOD.replace("phases: [{sync: [send]}]\n", "phases:\n");
    for phase in 0..1_250 {
        text.push_str("  - name: p");
        text.push_str(&phase.to_string());
        text.push_str(
            "\n    kind: insert\n    sql: INSERT INTO notes VALUES ('é')\n    sync: [send, {wait: 1s}, {wait: 1}]\n",
        );
    }
    let start = std::time::Instant::now();
    let error = loaded(&text, &Overrides::default()).expect_err("durations without units");
    assert_eq!(error.problems.len(), 1_250);
    crate::diagnostic::render(&error.diagnostics(), false, 80);
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}

#[test]
fn a_query_that_receives_wait_for_is_asked_for_one_value_and_nothing_else() {
    let problem = |until: &str| {
        let sync = format!("phases: [{{sync: [{{receive: {{until: {until}}}}}]}}]");
        lines(&GOOD.replace("phases: [{sync: [send]}]", &sync), &Overrides::default()).remove(0)
    };
    for (until, told) in [
        (
            "{sql: SELECT id FROM notez, equals: 1}",
            "error[sql::prepare]: the SQL does not prepare: no such table: notez -> did you mean `notes`?",
        ),
        (
            "{sql: DELETE FROM notes, equals: 1}",
            "error[sync::until]: the query of `until` must be a SELECT that returns one column -> write a query such as `SELECT count(*) FROM …`",
        ),
        (
            "{sql: SELECT cloudsync_network_send_changes(), equals: 1}",
            "error[sync::until]: the query of `until` calls a sync function, but it only asks whether to receive again -> query the scenario's own tables",
        ),
        (
            "{sql: \"SELECT 1 WHERE 1 = :row\", equals: 1}",
            "error[sync::until]: the parameter `:row` has no value in the query of `until` -> use a template instead, such as `{{ db }}`",
        ),
        (
            "{sql: SELECT 1, equals: [1]}",
            "error[sync::until]: `equals` is a list or a map, but the query returns a single value -> write a number, a text or null",
        ),
        (
            "{sql: \"SELECT {{ nothing }}\", equals: 1}",
            "error[template::name]: unknown variable `nothing` -> declare it under `vars`; known names: ",
        ),
        ("{sql: SELECT 1}", "error[scenario::missing_key]: `until` has no `equals` -> add `equals: …`"),
        ("rowz", "error[scenario::value]: the text `rowz` is not a value of `until` -> did you mean `rows`?"),
    ] {
        let line = problem(until);
        assert!(line.starts_with("s.yaml:12:") && line.contains(told), "{until}: {line}");
    }
}

#[test]
fn sql_that_logs_out_is_told_how_to_do_it() {
    let sql = "phases: [{name: out, kind: query, sql: SELECT cloudsync_network_logout()}]";
    let line = lines(&GOOD.replace("phases: [{sync: [send]}]", sql), &Overrides::default()).remove(0);
    assert!(
        line.contains("error[phase::logout]: ") && line.ends_with("-> write it as a sync call: `sync: [logout]`"),
        "{line}"
    );
    let sync = "phases: [{sync: [logout, receive, reset_sync_version, send]}]";
    loaded(&GOOD.replace("phases: [{sync: [send]}]", sync), &Overrides::default()).expect("they can be written");
}

#[test]
fn a_crash_stands_where_the_device_can_die() {
    let problem = |step: &str| lines(&GOOD.replace("{sync: [send]}", step), &Overrides::default()).remove(0);
    for (step, told) in [
        (
            "{sync: [receive], crash: {at: after_send}}",
            "error[phase::crash]: `after_send` needs a `send` or `sync` in the step's `sync` -> add one: `sync: [send, receive]`",
        ),
        (
            "{sync: [send], crash: {at: in_transaction}}",
            "error[phase::crash]: only a step with `sql` can die there -> add `sql`, or write `at: after_send`",
        ),
        (
            "{name: a, kind: query, sql: [BEGIN, SELECT 1, COMMIT], crash: {at: in_transaction}}",
            "error[phase::crash]: `in_transaction` does not work where the SQL begins or ends transactions itself",
        ),
        (
            "{sync: [send], crash: {at: after_send, when: \"{{ db }}\"}}",
            "error[phase::when]: `when` is an expression, not a text -> write it without the braces: `when: db`",
        ),
        ("{sync: [send], crash: {at: later}}", "error[scenario::value]: the text `later` is not a value of `at`"),
    ] {
        let line = problem(step);
        assert!(line.starts_with("s.yaml:12:") && line.contains(told), "{step}: {line}");
    }
}

#[test]
fn a_check_on_databases_calls_no_function_of_the_extension() {
    let text = |on: &str| {
        let query = "SELECT count(*) FROM notes WHERE CloudSync_Db_Version() > 1";
        format!("{GOOD}verify: [{{query: {{on: {on}, sql: {query}, equals: 1}}}}]\n")
    };
    let told = lines(&text("databases"), &Overrides::default());
    let message = "error[verify::query]: `cloudsync_db_version` is a function of the extension, which is not loaded for checks -> ask in a phase: `kind: query`, with `expect_rows`";
    assert!(matches!(told.as_slice(), [line] if line.ends_with(message)), "{told:?}");
    let told = lines(&text("server"), &Overrides::default());
    assert!(matches!(told.as_slice(), [line] if line.contains("the target has no `connection_string`")), "{told:?}");
}
