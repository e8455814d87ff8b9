//! What a run prints and leaves behind.

use serde_json::Value;

use crate::harness::{Place, Report, files, json};

const GENERATED: &str = "
scale: { databases: 1, iterations: 2, rows: 50 }
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, :body, :size)
    bind: { id: \"{{ uuid() }}\", body: \"{{ text(20) }} {{ name() }} {{ pick(['a', 'b']) }}\", size: \"{{ int(1, 1000000) }}\" }
    sync: [send, receive]
";

/// What the databases of the newest run held.
fn digests(place: &Place) -> Value {
    json(&place.run_dir("test").join("record.json"))["state"]["databases"][0]["tables"].clone()
}

#[test]
fn the_last_line_is_the_verdict_and_the_first_names_seed_and_directory() {
    let place = Place::of("");
    let done = place.stress(&["run", "scenario.yaml"]).done().exits(0).says(&["test with seed 7", "in runs/test/"]);
    assert!(done.last_line().starts_with("PASS: 2 databases, 2 iterations, "), "{done}");
    assert!(!done.out.contains('\u{1b}') && !done.err.contains('\u{1b}'), "no colours in a pipe: {done}");
    let coloured = place.stress(&["run", "scenario.yaml", "--color", "always"]).done().exits(0);
    assert!(coloured.out.contains('\u{1b}'), "{coloured}");
}

#[test]
fn quiet_is_one_line_and_json_is_one_document() {
    let place = Place::of("");
    let quiet = place.stress(&["run", "scenario.yaml", "--quiet"]).done().exits(0);
    assert!(quiet.out.lines().count() == 1 && quiet.out.starts_with("PASS: ") && quiet.err.is_empty(), "{quiet}");
    let json = place.stress(&["run", "scenario.yaml", "--json"]).done().exits(0);
    assert_eq!(Report::parse(&json.out).verdict(), "pass");
    place.stress(&["run", "scenario.yaml", "--json", "--quiet"]).done().exits(2).says(&["cannot be used with"]);
}

#[test]
fn the_same_seed_gives_the_same_data_and_another_seed_other_data() {
    let place = Place::of(GENERATED);
    let held = |seed: &str| {
        place.stress(&["run", "scenario.yaml", "--quiet", "--seed", seed]).done().exits(0);
        digests(&place)
    };
    let first = held("41");
    assert_eq!(first[0]["rows"], 100);
    assert_eq!(held("41"), first);
    assert_ne!(held("42"), first);
}

#[test]
fn a_run_leaves_its_reports_its_logs_and_its_scenario() {
    let place = Place::of(GENERATED);
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    let directory = place.run_dir("test");
    let names: Vec<String> = files(&directory)
        .iter()
        .map(|file| file.strip_prefix(&directory).expect("it lies there").display().to_string())
        .collect();
    assert_eq!(names, ["logs/db1.log", "record.json", "report.html", "report.json", "report.md", "scenario.yaml"]);
    let page = std::fs::read_to_string(directory.join("report.html")).expect("a page");
    let again = place.stress(&["report", "runs/test/latest", "--format", "html"]).done().exits(0);
    assert_eq!(page, again.out, "it is made anew from the record");
    let log = std::fs::read_to_string(directory.join("logs/db1.log")).expect("a log");
    for line in ["[DB1][iter 1] inserted, count=50 (", "[DB1][iter 1] send: {\"send\":{", "[DB1][iter 2] receive: {"] {
        assert!(log.lines().any(|one| one.starts_with(line)), "{line}\n{log}");
    }
    assert_eq!(json(&directory.join("record.json"))["ended"]["reason"], "done");
}

#[test]
fn the_scenario_left_behind_is_good_and_runs_to_the_same_data() {
    let place = Place::of(GENERATED);
    place.stress(&["run", "scenario.yaml", "--rows", "30", "--seed", "5"]).done().exits(0);
    let (first, directory) = (digests(&place), place.run_dir("test"));
    let resolved = directory.join("scenario.yaml").display().to_string();
    let valid = place.stress(&["validate", &resolved]).done().exits(0);
    assert!(valid.err.is_empty(), "{valid}");
    place.stress(&["run", &resolved]).done().exits(0);
    assert_ne!(place.run_dir("test"), directory, "`latest` leads to the newest run");
    assert_eq!(digests(&place), first);
}

#[test]
fn a_saved_run_is_told_byte_for_byte_as_the_run_told_it() {
    for (code, part) in [(0, ""), (1, "target: { embedded: { faults: [{ fault: drop_row, at: [3] }] } }\n")] {
        let place = Place::of(part);
        let run = place.stress(&["run", "scenario.yaml"]).done().exits(code);
        let report =
            |format: &str| place.stress(&["report", "runs/test/latest", "--format", format]).done().exits(code);
        assert_eq!(report("terminal").out, run.out);
        let directory = place.run_dir("test");
        let read = |name: &str| std::fs::read_to_string(directory.join(name)).expect("a report");
        assert_eq!(report("json").out, format!("{}\n", read("report.json").trim_end()));
        assert_eq!(report("markdown").out, read("report.md"));
        let run = place.stress(&["run", "scenario.yaml", "--json"]).done().exits(code);
        assert_eq!(report("json").out, run.out);
    }
}

#[test]
fn databases_are_removed_after_a_pass_and_kept_when_asked_for_or_needed() {
    let databases = |place: &Place| {
        let directory = place.run_dir("test");
        let names: Vec<String> = files(&directory)
            .iter()
            .filter(|file| file.extension().is_some_and(|extension| extension == "db"))
            .map(|file| file.file_name().expect("a name").to_string_lossy().into_owned())
            .collect();
        names
    };
    let place = Place::of("");
    place.stress(&["run", "scenario.yaml"]).done().exits(0);
    assert!(databases(&place).is_empty(), "{:?}", databases(&place));
    place.stress(&["run", "scenario.yaml", "--keep"]).done().exits(0);
    for name in ["db1.db", "db2.db", "server.db"] {
        assert!(databases(&place).iter().any(|one| one == name), "{:?}", databases(&place));
    }
    let red = Place::of("target: { embedded: { faults: [{ fault: drop_row, at: [3] }] } }\n");
    red.stress(&["run", "scenario.yaml"]).done().exits(1);
    let kept = red.run_dir("test").join("databases/db1.db");
    let connection = rusqlite::Connection::open(kept).expect("a database");
    let rows = connection.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).expect("a count");
    assert!(rows >= 40, "{rows}");
}

#[test]
fn flags_environment_and_variables_reach_the_run() {
    let place = Place::of(
        "vars: { word: from-file }\nphases:\n  - name: insert\n    kind: insert\n    sql: INSERT INTO notes (id, body) VALUES (:id, '{{ word }}')\n    sync: [send, receive]\n",
    );
    let word = || {
        let directory = place.run_dir("test");
        let connection = rusqlite::Connection::open(directory.join("databases/db1.db")).expect("a database");
        connection.query_row("SELECT body FROM notes", [], |row| row.get::<_, String>(0)).expect("a row")
    };
    let run = |more: &[&str], environment: Option<&str>| {
        let mut invocation = place.stress(&[&["run", "scenario.yaml", "--keep", "-q"], more].concat());
        if let Some(value) = environment {
            invocation = invocation.env("STRESS_VAR_WORD", value);
        }
        invocation.done().exits(0);
        word()
    };
    assert_eq!(run(&[], None), "from-file");
    assert_eq!(run(&[], Some("from-environment")), "from-environment");
    assert_eq!(run(&["--var", "word=from-flag"], Some("from-environment")), "from-flag");
}
