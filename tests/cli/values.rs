//! The values that a seed gives: the same in every version, so that a failure seen with a seed is seen again with it;
//! and the same in `stress plan` and `--verbose` as in the run.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::harness::{Place, files, shipped};

/// The text of a scenario that ships.
fn text(scenario: &str) -> String {
    let path = format!("{}/scenarios/{scenario}.yaml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("it ships")
}

/// The scenario without its sync calls: what every database then holds is what it wrote itself, whatever the others
/// did meanwhile.
fn without_sync(text: &str) -> Value {
    let mut scenario: Value = serde_yaml::from_str(text).expect("YAML");
    let map = scenario.as_object_mut().expect("a scenario is a map");
    for key in ["verify", "thresholds", "profiles"] {
        map.remove(key);
    }
    for list in ["setup", "phases", "teardown"] {
        let Some(steps) = map.get_mut(list).and_then(Value::as_array_mut) else { continue };
        for step in steps.iter_mut().filter_map(Value::as_object_mut) {
            // Without a sync call there is nothing that a policy could deny, either.
            for key in ["sync", "barrier", "hostile"] {
                step.remove(key);
            }
        }
        steps.retain(|step| step.get("sql").is_some());
    }
    scenario
}

fn open(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it opens")
}

/// Every row of every table that is not the sync's own, as text.
fn contents(database: &Connection) -> String {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%cloudsync%' ORDER BY name";
    let mut tables = database.prepare(sql).expect("a schema");
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).expect("a schema");
    let mut text = String::new();
    for table in tables.map(|name| name.expect("a name")) {
        let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\" ORDER BY 1")).expect("a table");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("it can be read");
        while let Some(row) = rows.next().expect("it can be read") {
            let values: Vec<SqlValue> = (0..columns).map(|column| row.get(column).expect("a value")).collect();
            writeln!(text, "{table}: {values:?}").expect("a text takes everything");
        }
    }
    text
}

/// A digest of what every database holds after a run with seed 7.
fn digest(scenario: &str, text: &str, arguments: &[&str]) -> String {
    let place = Place::new();
    place.write("scenario.yaml", text);
    let arguments = [&["run", "scenario.yaml", "--seed", "7", "--keep", "--quiet"], arguments].concat();
    place.stress(&arguments).done().exits(0);
    let databases = files(&place.run_dir(scenario).join("databases"));
    let own = databases.iter().filter(|file| {
        let name = file.file_name().expect("a file has a name").to_string_lossy();
        name.starts_with("db") && name.ends_with(".db")
    });
    let held = own.map(|file| contents(&open(file))).collect::<Vec<_>>().concat();
    assert!(!held.is_empty(), "nothing was written");
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(held.as_bytes()))
}

#[test]
fn the_values_of_a_seed_never_change() {
    let (small, rls) = (text("small"), text("rls"));
    // With one database the shipped scenario itself leaves the same rows each time.
    let one = ["--databases", "1"];
    let digests = [
        digest("small", &without_sync(&small).to_string(), &[]),
        digest("small", &small, &one),
        digest("rls", &without_sync(&rls).to_string(), &[]),
        digest("rls", &rls, &one),
        digest("every-value", &every_value().to_string(), &[]),
    ];
    let stored = [
        "1afabb517b0fa51fb0352e3b34d833a2",
        "3a44193ef987e6c10d7ebcd8a91c6987",
        "c0fdc59262f44485df51be8248f08838",
        "22ee5622052332b1ef67a6340b6361da",
        "5c8553d0c07f95b26c611fc2f0a87b2b",
    ];
    assert_eq!(digests, stored);
}

/// A phase as `stress plan` shows it: its statements for the first rows, and the values of each row.
#[derive(Default)]
struct Shown {
    statements: Vec<Statement>,
}

#[derive(Default)]
struct Statement {
    /// Its texts: one, or one for each row.
    texts: Vec<String>,
    /// For each row what is bound, such as `:a = 1, :b = 'x'`.
    rows: Vec<String>,
}

/// The phases with SQL that `stress plan` shows.
fn shown(plan: &str) -> Vec<Shown> {
    let mut phases: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in plan.lines().skip_while(|line| !line.starts_with("setup") && !line.starts_with("phases")) {
        let depth = line.len() - line.trim_start().len();
        let phase = phases.last_mut().filter(|_| inside);
        match (depth, phase) {
            (16, Some(phase)) => {
                let text = line.trim_start().to_owned();
                match phase.statements.last_mut().filter(|statement| statement.rows.is_empty()) {
                    // Two texts of one statement: `{{ row }}` is in them.
                    Some(statement) => statement.texts.push(text),
                    None => phase.statements.push(Statement { texts: vec![text], rows: Vec::new() }),
                }
            }
            (18, Some(phase)) => {
                let (_, values) = line.trim_start().split_once(": ").expect("`row N: values`");
                phase.statements.last_mut().expect("rows follow a statement").rows.push(values.to_owned());
            }
            (12, _) => {
                phases.push(Shown::default());
                inside = true;
            }
            (14, _) => {}
            _ => inside = false,
        }
    }
    phases.retain(|phase| !phase.statements.is_empty());
    phases
}

/// Splits `:a = 1, :b = 'x, :y'` into names and literals.
fn bound(values: &str) -> Vec<(String, String)> {
    let mut bound = Vec::new();
    let mut rest = values;
    while let Some((name, after)) = rest.split_once(" = ") {
        let (mut end, mut quoted) = (after.len(), false);
        for (at, character) in after.char_indices() {
            match character {
                '\'' => quoted = !quoted,
                ',' if !quoted => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        bound.push((name.trim_start_matches([',', ' ']).to_owned(), after[..end].to_owned()));
        rest = &after[end..];
    }
    bound
}

/// What a database holds in which everything was done that `stress plan` shows, for two rows.
fn done_by_hand(scenario: &Value, plan: &str) -> String {
    let database = Connection::open_in_memory().expect("memory");
    for table in scenario["schema"]["tables"].as_array().expect("tables") {
        let sql = table["sql"].as_str().expect("a text").replace("{{ table }}", "test_sync");
        database.execute_batch(&sql).expect("a table");
    }
    for phase in shown(plan) {
        let rows = phase.statements.iter().map(|one| one.texts.len().max(one.rows.len())).max().unwrap_or(1);
        for row in 0..rows {
            for statement in &phase.statements {
                let text = statement.texts.get(row).unwrap_or(&statement.texts[0]);
                let mut prepared = database.prepare(text).unwrap_or_else(|error| panic!("{text}: {error}"));
                for (name, literal) in statement.rows.get(row).map(|values| bound(values)).unwrap_or_default() {
                    let value: SqlValue = database
                        .query_row(&format!("SELECT {literal}"), [], |row| row.get(0))
                        .unwrap_or_else(|error| panic!("{literal}: {error}"));
                    let index = prepared.parameter_index(&name).expect("a name").expect("it is a parameter");
                    prepared.raw_bind_parameter(index, value).expect("it can be bound");
                }
                prepared.raw_execute().unwrap_or_else(|error| panic!("{text}: {error}"));
            }
        }
    }
    contents(&database)
}

/// Holds what `stress plan` and `--verbose` show of a scenario of one database, one iteration and two rows against what
/// its run writes.
fn plan_is_run(scenario: &Value, seed: &str) {
    let place = Place::new();
    place.write("scenario.yaml", &scenario.to_string());
    let plan = place.stress(&["plan", "scenario.yaml", "--seed", seed]).done().exits(0).out;
    let run = place.stress(&["run", "scenario.yaml", "--seed", seed, "--keep", "--verbose", "--no-progress"]);
    let run = run.done().exits(0);
    let name = scenario["name"].as_str().expect("a name");
    let written = contents(&open(&place.run_dir(name).join("databases/db1.db")));
    let by_hand = done_by_hand(scenario, &plan);
    assert_eq!(written, by_hand, "left: the run, right: the plan\n{plan}");
    for phase in shown(&plan) {
        let first: Vec<&str> = phase.statements.iter().map(|statement| statement.texts[0].as_str()).collect();
        let told = first.join("; ");
        assert!(run.err.contains(&told), "--verbose does not say what plan says: {told}\n{}", run.err);
    }
}

/// Everything that can generate or bind a value, in every place.
fn every_value() -> Value {
    let generated = json!({
        "a": "{{ uuid() }}", "b": "{{ uuid7() }}", "c": "{{ int(1, 1000000) }}", "d": "{{ text(12) }}",
        "e": "{{ bytes(9) }}", "f": "{{ pick(['x', 2, 1.5, none, true]) }}", "g": "{{ name() }}, ':x' {{ int(1, 99) }}",
    });
    let columns = "(id, a, b, c, d, e, f, g)";
    let insert = |values: &str| format!("INSERT INTO notes {columns} VALUES ({values})");
    let all = insert(":id, :a, :b, :c, :d, :e, :f, :g");
    let fixed = json!({
        "id": "once_{{ iteration }}", "a": true, "b": null, "c": 1.5, "d": "it's  'quoted',  :a = 1", "e": 1e300,
        "f": -3, "g": "{{ user_id }}/{{ db }}/{{ seed }}/{{ repeat }}/{{ rows }}"
    });
    let in_sql = "'sql_{{ row }}', '{{ uuid() }}', '{{ text(4) }}  {{ row }}', {{ int(1, 99) }}, :d, :e, \
                  '{% if row > 1 %}{{ uuid() }}{% else %}{{ row }}{% endif %}', :size";
    let two = [all.clone(), "UPDATE notes SET f = :f, g = :row WHERE id = :id".to_owned()];
    json!({
        "version": 1, "name": "every-value", "vars": {"size": 5},
        "scale": {"databases": 1, "iterations": 1, "rows": 2, "time_limit": "60s"},
        "schema": {"tables": [{
            "name": "notes", "sql": "CREATE TABLE notes (id TEXT PRIMARY KEY, a, b, c, d, e, f, g)"
        }]},
        "setup": [{"name": "before", "kind": "insert", "rows": 2, "sql": all, "bind": generated}],
        "phases": [
            {"name": "rows", "kind": "insert", "rows": "{{ scale.rows }}", "sql": all, "bind": generated},
            {"name": "once", "kind": "insert", "sql": all, "bind": fixed},
            {"name": "once-generated", "kind": "update", "sql": "UPDATE notes SET b = :c, c = :a WHERE id = 'once_1'",
                "bind": generated},
            {"name": "in-sql", "kind": "insert", "rows": 2, "sql": insert(in_sql), "bind": generated},
            {"name": "two", "kind": "insert", "rows": 2, "sql": two,
                "bind": {"id": "two_{{ row }}", "a": 1, "b": 2, "c": "{{ int(1, 9) }}", "d": 4, "e": 5,
                    "f": "{{ uuid() }}", "g": 7}},
        ],
        "teardown": [{"name": "after", "kind": "update",
            "sql": "UPDATE notes SET g = :n || ' {{ iteration }} {{ db }}' WHERE id LIKE 'two%'",
            "bind": {"n": "{{ int(1, 1000000) }}"}}],
    })
}

#[test]
fn a_run_of_two_rows_holds_what_plan_shows() {
    for seed in ["0", "1", "7", "9007199254740991"] {
        plan_is_run(&every_value(), seed);
    }
}

#[test]
fn a_run_holds_what_plan_shows_where_the_sql_depends_on_iteration_and_rows() {
    let sql = "INSERT INTO notes VALUES (:id || {% if iteration == 0 %}:zero{% else %}:one{% endif %}, \
               {% if rows == 2 %}:two{% else %}:other{% endif %})";
    let step = |name: &str| {
        json!({"name": name, "kind": "insert", "rows": 2, "sql": sql,
        "bind": {"zero": format!("{name} zero"), "one": format!("{name} one"), "two": "2", "other": "?"}})
    };
    let scenario = json!({
        "version": 1, "name": "depends", "scale": {"databases": 1, "iterations": 1, "time_limit": "60s"},
        "schema": {"tables": [{"name": "notes", "sql": "CREATE TABLE notes (id TEXT PRIMARY KEY, a)"}]},
        "setup": [step("before")], "phases": [step("rows")], "teardown": [step("after")],
    });
    plan_is_run(&scenario, "7");

    // Their number is not known where it is decided.
    let mut circular = scenario;
    circular["phases"][0]["rows"] = json!("{{ rows }}");
    let place = Place::new();
    place.write("scenario.yaml", &circular.to_string());
    place.stress(&["validate", "scenario.yaml"]).done().exits(2).says(&["`rows` is not defined"]);
}

#[test]
fn a_run_of_two_rows_of_every_shipped_scenario_holds_what_plan_shows() {
    for file in shipped() {
        let text = std::fs::read_to_string(&file).expect("a scenario is text");
        let mut scenario = without_sync(&text);
        // What a phase writes does not depend on the engine, and Turso's may not be there.
        scenario["target"] = json!("embedded");
        for (key, value) in [("databases", 1), ("iterations", 1), ("rows", 2)] {
            scenario["scale"][key] = json!(value);
        }
        for list in ["setup", "phases"] {
            let steps = scenario.get_mut(list).and_then(Value::as_array_mut);
            for step in steps.into_iter().flatten() {
                if step.get("rows").is_some() {
                    step["rows"] = json!(2);
                }
            }
        }
        plan_is_run(&scenario, "7");
    }
}

#[test]
fn the_reader_of_plans_reads_them() {
    let values = bound(":a = 1, :b = 'it''s, :c = 2', :c = x'00', :d = NULL");
    let wanted = [(":a", "1"), (":b", "'it''s, :c = 2'"), (":c", "x'00'"), (":d", "NULL")];
    assert_eq!(values, wanted.map(|(name, literal)| (name.to_owned(), literal.to_owned())));
}
