//! Odd outputs, names, paths and environments: a run passes, or says what it does not take.

use crate::harness::{Done, Report};
use crate::scene::Scene;
use crate::tally::{Case, campaign};

const SCALE: &str = "scale: { databases: 2, iterations: 1, rows: 6, time_limit: 30s }\nsession: {}\n";
/// A table whose name and column are put in.
const TABLE: &str = "
schema:
  tables:
    - name: NAME
      sql: TABLE
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT
    sync: [send, receive]
";
const NAMES: [&str; 12] = [
    "two words",
    "a'b\"c",
    "two\nlines",
    "🦀",
    "-dash",
    "--help",
    "select",
    "100%",
    "a;b",
    "../up",
    "tab\there",
    "Ünï.cödé",
];

fn count<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).expect("few")
}

/// A scenario is taken and passes, or is refused with the place.
fn passes_or_is_refused(case: &mut Case<'_>, done: &Done) {
    case.ended(done);
    match done.code {
        Some(0) => {}
        Some(2) => assert!(done.out.is_empty() && done.err.contains("scenario.yaml"), "{done}"),
        _ => panic!("{done}"),
    }
}

/// The report of the newest run says that it passed.
fn passed(scene: &Scene, under: &str) {
    let report = std::fs::read_dir(scene.place.path(under)).expect("a directory").map(|entry| entry.expect("an entry"));
    let mut reports = report.map(|entry| entry.path().join("test/latest/report.json")).filter(|file| file.exists());
    let report = std::fs::read_to_string(reports.next().expect("there was a run")).expect("it is text");
    assert_eq!(Report::parse(&report).verdict(), "pass");
}

#[test]
fn odd_outputs_change_no_verdict() {
    const LINES: [(&str, &str); 8] = [
        ("stress run scenario.yaml >/dev/full; echo $? >code", "3"),
        ("stress run scenario.yaml >&-; echo $? >code", "0"),
        ("stress run scenario.yaml 2>&-; echo $? >code", "0"),
        ("stress run scenario.yaml >&- 2>&- <&-; echo $? >code", "0"),
        ("{ stress run scenario.yaml; echo $? >code; } | head -c 1 >/dev/null", "0"),
        ("{ stress run scenario.yaml --json; echo $? >code; } | head -c 3000 >/dev/null", "0"),
        ("{ stress run scenario.yaml 2>&1; echo $? >code; } | true", "0"),
        ("stress run scenario.yaml 2>/dev/full; echo $? >code", "0"),
    ];
    campaign("odd outputs", count(&LINES), |case| {
        let scene = Scene::new(false, false, SCALE);
        let (line, code) = case.turn(&LINES);
        scene.place.shell(line).done();
        assert_eq!(std::fs::read_to_string(scene.place.path("code")).expect("it was written").trim(), code, "{line}");
        passed(&scene, "");
    });
}

#[test]
fn odd_names_of_scenarios_are_taken_or_refused() {
    campaign("odd names of scenarios", count(&NAMES), |case| {
        let name = serde_json::Value::from(case.turn(&NAMES));
        let scene = Scene::new(false, false, &format!("{SCALE}name: {name}\n"));
        let done = scene.run(1, &[]).done();
        passes_or_is_refused(case, &done);
        let all =
            std::fs::read_dir(scene.place.path("")).expect("a directory").map(|entry| entry.expect("one").file_name());
        let odd: Vec<_> = all.filter(|file| file != "runs" && file != "scenario.yaml").collect();
        assert!(odd.is_empty(), "it wrote elsewhere: {odd:?}");
    });
}

#[test]
fn odd_names_of_tables_and_columns_are_taken_or_refused() {
    campaign("odd names of tables and columns", count(&NAMES) * 2, |case| {
        let name = case.turn(&NAMES);
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let (table, column) = if case.number < count(&NAMES) { (name, "\"body\"") } else { ("notes", quoted.as_str()) };
        let in_sql = format!("\"{}\"", table.replace('"', "\"\""));
        let create = format!("CREATE TABLE {in_sql} (id TEXT PRIMARY KEY, {column} TEXT)");
        let insert = format!("INSERT INTO {in_sql} (id, {column}) VALUES (:id, 'text')");
        let json = |text: &str| serde_json::Value::from(text).to_string();
        let body =
            TABLE.replace("NAME", &json(table)).replace("TABLE", &json(&create)).replace("INSERT", &json(&insert));
        let done = Scene::new(false, false, &format!("{SCALE}{body}")).run(1, &[]).done();
        passes_or_is_refused(case, &done);
    });
}

#[test]
fn odd_paths_are_taken_or_refused() {
    const LINES: [&str; 9] = [
        "stress run scenario.yaml --out \"$(printf 'a\\377b')\"",
        "stress run scenario.yaml --out \"$(printf 'two\\nlines')\"",
        "stress run scenario.yaml --out './-dash'",
        "stress run scenario.yaml --out \"$(printf '%0250d' 0)/$(printf '%0250d' 0)\"",
        "stress run scenario.yaml --out \"$(printf 'd/%.0s' $(seq 1 700))\"",
        "stress run scenario.yaml --out \"$(printf '%0300d' 0)\"",
        "ln -s loop loop && stress run scenario.yaml --out loop",
        "mkdir real && ln -s real link && stress run scenario.yaml --out link",
        "cp scenario.yaml \"$(printf 'a\\377b.yaml')\" && stress run \"$(printf 'a\\377b.yaml')\" --out runs",
    ];
    campaign("odd paths", count(&LINES), |case| {
        let scene = Scene::new(false, false, SCALE);
        let line = case.turn(&LINES);
        let done = scene.place.shell(line).done();
        case.ended(&done);
        match done.code {
            Some(0) => passed(&scene, ""),
            Some(2 | 3) => assert!(done.out.is_empty() && done.err.contains("help:"), "{line}: {done}"),
            _ => panic!("{line}: {done}"),
        }
    });
}

#[test]
fn odd_environments_change_nothing() {
    const LINES: [&str; 12] = [
        "HTTP_PROXY=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9",
        "HTTPS_PROXY=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9",
        "ALL_PROXY=socks5://127.0.0.1:9 all_proxy=socks5://127.0.0.1:9",
        "ALL_PROXY=no-address",
        "HOME= TERM= LANG= LC_ALL= TZ=",
        "HOME=/nowhere TERM=none LANG=xx_YY.no LC_ALL=C",
        "TZ=Nowhere/Bad",
        "TZ=:/etc/passwd",
        "COLUMNS=0 LINES=-1",
        "COLUMNS=1",
        "TMPDIR=/nowhere",
        "RUST_BACKTRACE=full RUST_LOG=trace",
    ];
    campaign("odd environments", count(&LINES) + 2, |case| {
        let scene = Scene::new(false, false, SCALE);
        let line = match case.number.checked_sub(count(&LINES)) {
            None => case.turn(&LINES).to_owned(),
            // A variable can be 128 KiB: a million bytes are several.
            Some(0) => {
                let all: Vec<String> = (0..9).map(|number| format!("BIG{number}=$(printf '%0120000d' 0)")).collect();
                all.join(" ")
            }
            Some(_) => "unset HOME TERM LANG TZ;".to_owned(),
        };
        let done = scene.place.shell(&format!("{line} stress run scenario.yaml")).done();
        case.ended(&done);
        assert_eq!(done.code, Some(0), "{}: {done}", line.chars().take(80).collect::<String>());
        passed(&scene, "");
    });
}
