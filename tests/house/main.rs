//! The house as `src/lib.rs` tells it: which room knows which, what the pure rooms must not do, and that nothing below
//! `cli` prints. Reads the sources; tests and fixtures in them are free.

mod circles;
mod imports;
mod processes;
mod recipes;
mod source;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use imports::Names;
use source::{File, files, source};

/// The rooms with all that they know. A room knows only rooms above it: there is no way around in a circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("sql", &[]),
    ("suggest", &[]),
    ("sandbox", &[]),
    ("template", &["sql"]),
    ("latency", &[]),
    ("failure", &[]),
    ("figure", &[]),
    ("scenario", &["failure", "source", "suggest"]),
    ("diagnostic", &["source", "scenario"]),
    ("plan", &["sql", "suggest", "sandbox", "template", "failure", "scenario"]),
    ("load", &["source", "suggest", "scenario", "diagnostic", "plan"]),
    ("record", &["failure", "scenario"]),
    ("session", &["sandbox", "failure", "record"]),
    ("ledger", &["sql", "failure", "plan", "record", "session"]),
    ("target", &["sql", "sandbox", "template", "failure", "scenario", "plan", "record", "session"]),
    ("observe", &["sql", "failure", "scenario", "plan", "record", "session", "ledger", "target"]),
    (
        "execute",
        &[
            "sql", "template", "latency", "failure", "scenario", "plan", "record", "session", "ledger", "target",
            "observe",
        ],
    ),
    ("verify", &["figure", "plan", "record", "scenario"]),
    ("analysis", &["template", "latency", "failure", "figure", "scenario", "plan", "record", "verify"]),
    ("report", &["latency", "failure", "figure", "scenario", "record", "verify", "analysis"]),
    ("statistics", &["figure"]),
    ("repeat", &["figure", "statistics", "analysis"]),
    ("compare", &["figure", "statistics", "failure", "plan", "record", "analysis", "report"]),
    ("selftest", &["sql", "figure", "failure", "source", "scenario", "load", "plan", "verify", "analysis"]),
    (
        "cli",
        &[
            "source",
            "sql",
            "template",
            "failure",
            "figure",
            "scenario",
            "diagnostic",
            "load",
            "plan",
            "record",
            "session",
            "target",
            "execute",
            "verify",
            "analysis",
            "report",
            "repeat",
            "compare",
            "selftest",
            "suggest",
        ],
    ),
];

/// Rooms that only compute.
const PURE: &[&str] = &[
    "sql",
    "suggest",
    "sandbox",
    "template",
    "latency",
    "failure",
    "figure",
    "scenario",
    "plan",
    "record",
    "verify",
    "analysis",
    "report",
    "statistics",
    "repeat",
    "compare",
    "selftest",
];

/// Signs of an effect.
const EFFECTS: &[&str] = &[
    "std::fs",
    "fs::",
    "File::",
    "std::env",
    "env::",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "Timestamp::now",
    "Uuid::new_v4",
    "Uuid::now_v7",
    "rusqlite",
];

/// Where a pure room has an effect all the same, and why that is none.
const EXCEPT: &[(&str, &str)] = &[
    // Statements are prepared against the schema, in memory.
    ("plan/guard.rs", "rusqlite"),
    ("plan/tables.rs", "rusqlite"),
];

/// Signs of printing.
const PRINTS: &[&str] =
    &["print!(", "println!(", "eprint!(", "eprintln!(", "dbg!(", "io::stdout", "io::stderr", "stdout()", "stderr()"];

#[test]
fn every_room_is_in_the_table_and_knows_only_rooms_above_it() {
    let map = std::fs::read_to_string(source().join("lib.rs")).expect("the map");
    let named: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")))
        .map(|line| line.trim_end_matches(';'))
        .filter(|room| !["fixture", "fuzzing"].contains(room))
        .collect();
    let listed: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    assert_eq!(listed, named);
    for (at, (room, known)) in ROOMS.iter().enumerate() {
        for other in *known {
            assert!(ROOMS[..at].iter().any(|(above, _)| above == other), "{room} knows {other}, which is not above it");
        }
    }
}

#[test]
fn the_map_tells_the_same_table() {
    let map = std::fs::read_to_string(source().join("lib.rs")).expect("the map");
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | ")).filter(|row| row.contains('`'));
    for row in rows {
        let mut columns = row.split(" | ");
        let (rooms, known) = (columns.next().unwrap_or_default(), columns.next().unwrap_or_default());
        let list = |text: &str| -> BTreeSet<String> {
            let names = text.split(',').map(|name| name.trim_matches([' ', '[', ']', '`', '–']).to_owned());
            names.filter(|name| !name.is_empty()).collect()
        };
        for room in list(rooms) {
            told.insert(room, list(known));
        }
    }
    for (room, known) in ROOMS {
        // The command line drives whatever there is.
        if *room != "cli" {
            let known: BTreeSet<String> = known.iter().map(|known| (*known).to_owned()).collect();
            assert_eq!(told.get(*room), Some(&known), "what `{room}` knows (left: in lib.rs, right: in the table)");
        }
    }
    assert_eq!(told.len(), ROOMS.len());
}

/// The rooms that a file names.
fn rooms(file: &File) -> Vec<String> {
    Names::read(file).rooms(&file.module()).into_iter().collect()
}

#[test]
fn the_table_is_what_the_sources_say() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files() {
        let Some(room) = file.room() else { continue };
        let known = rooms(&file).into_iter().filter(|name| name != room);
        // Macros and items of the crate itself are no rooms.
        let known = known.filter(|name| ROOMS.iter().any(|(room, _)| room == name));
        found.entry(room.to_owned()).or_default().extend(known);
    }
    let table: BTreeMap<String, BTreeSet<String>> = ROOMS
        .iter()
        .map(|(room, known)| ((*room).to_owned(), known.iter().map(|known| (*known).to_owned()).collect()))
        .collect();
    for (room, known) in &table {
        assert_eq!(found.get(room), Some(known), "what `{room}` knows (left: in the sources, right: in the table)");
    }
    assert_eq!(found.len(), table.len());
}

/// The effects of a file, as far as they can be seen.
fn effects(file: &File) -> Vec<&'static str> {
    let has = |effect: &&&str| file.lines.iter().any(|line| line.contains(**effect));
    let effects = EFFECTS.iter().filter(has).copied();
    effects.filter(|effect| !EXCEPT.contains(&(&file.path, effect))).collect()
}

fn prints(line: &str) -> bool {
    PRINTS.iter().any(|print| line.contains(print))
}

#[test]
fn pure_rooms_only_compute() {
    let mut found = Vec::new();
    for file in files() {
        if !file.room().is_some_and(|room| PURE.contains(&room)) {
            continue;
        }
        found.extend(effects(&file).into_iter().map(|effect| format!("{}: {effect}", file.path)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    // SQL of a scenario meets no connection but the guarded one.
    let opens = |path: &str| {
        let file = files().into_iter().find(|file| file.path == path).expect("it is there");
        let lines = file.lines.into_iter().map(|line| line.trim().to_owned());
        lines.filter(|line| line.contains("Connection::open")).collect::<Vec<String>>()
    };
    assert_eq!(opens("plan/guard.rs"), ["let mut connection = Connection::open_in_memory()?;"]);
    assert_eq!(opens("plan/tables.rs"), [""; 0]);
}

#[test]
fn nothing_below_the_command_line_prints() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| file.room() != Some("cli")) {
        for line in &file.lines {
            if prints(line) {
                found.push(format!("{}: {}", file.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether a line decides by several steps, which a new step would silently be missing from.
fn lists_steps(line: &str) -> bool {
    line.contains("StepKind::") && (line.contains(" | ") || line.contains("matches!("))
}

#[test]
fn what_a_step_counts_as_is_decided_in_one_file() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| file.path != "record/step.rs") {
        let lines = file.lines.iter().filter(|line| lists_steps(line));
        found.extend(lines.map(|line| format!("{}: {}", file.path, line.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(
        lists_steps("matches!(event.step, StepKind::Send)") && lists_steps("StepKind::Send | StepKind::Sync => 1,")
    );
}

/// Names of fields that hold secrets, but for those of templates, which `scenario` has.
const SECRETS: &[&str] = &[
    "token",
    "tokens",
    "key",
    "api_key",
    "apikey",
    "management_key",
    "secret",
    "secrets",
    "password",
    "bearer",
    "credential",
    "credentials",
    "connection_string",
];

/// Fields of such a name that hold none: the files, with what it is there.
const NO_SECRETS: &[(&str, &str)] = &[
    ("source/node.rs", "a mapping's key"),
    ("record/measure.rs", "a row's key"),
    ("record/state.rs", "a row's key"),
    ("report/json/checks.rs", "a row's key"),
];

/// The name of a field which holds a text that anybody could print, where it is that of a secret.
fn bare_secret(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let visible = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")).map(|(_, rest)| rest);
    let field = visible.or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    let (name, kind) = field.split_once(": ")?;
    let bare = ["String,", "Option<String>,", "Vec<String>,", "Option<Vec<String>>,"].contains(&kind);
    SECRETS.iter().find(|secret| **secret == name).copied().filter(|_| bare)
}

#[test]
fn a_secret_is_held_as_one() {
    let (mut found, mut excepted) = (Vec::new(), BTreeSet::new());
    for file in files().iter().filter(|file| file.room() != Some("scenario")) {
        for name in file.lines.iter().filter_map(|line| bare_secret(line)) {
            match NO_SECRETS.iter().find(|(path, _)| *path == file.path) {
                Some((path, _)) => drop(excepted.insert(*path)),
                None => found.push(format!("{}: {name}", file.path)),
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(excepted, NO_SECRETS.iter().map(|(path, _)| *path).collect(), "no exception is out of date");
    assert_eq!(bare_secret("    pub(super) api_key: Option<String>,"), Some("api_key"));
    assert_eq!(bare_secret("    token: String,"), Some("token"));
    assert_eq!(bare_secret("    pub token: Secret,"), None);
}

/// Where errors are made without their constructors, which hide secrets, and why.
const BUILT: &[(&str, &str)] = &[("failure/raw.rs", "the constructors")];

/// Whether a line makes an error field by field.
fn builds_error(line: &str) -> bool {
    let made = line.match_indices("RawError {").any(|(at, _)| !line[..at].ends_with("-> "));
    made && !line.contains("struct RawError") && !line.contains("impl RawError")
}

#[test]
fn an_error_is_made_where_its_secrets_are_hidden() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| !BUILT.iter().any(|(path, _)| *path == file.path)) {
        found.extend(file.lines.iter().filter(|line| builds_error(line)).map(|line| format!("{}: {line}", file.path)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(builds_error("Err(RawError { message, ..error })") && !builds_error("fn odd() -> RawError {"));
}

#[test]
fn every_file_opens_with_what_it_holds_and_ends_with_its_tests() {
    for file in files() {
        let text = std::fs::read_to_string(source().join(&file.path)).expect("a file of the sources");
        assert!(text.starts_with("//! "), "{}", file.path);
        let Some((_, tests)) = text.split_once("\nmod tests {\n") else { continue };
        assert_eq!(
            tests.find("\n}\n"),
            Some(tests.len() - 3),
            "{}: what follows its tests is read by nobody",
            file.path
        );
    }
}

#[test]
fn each_law_is_seen_broken() {
    let file = File::new;
    assert_eq!(rooms(&file("figure.rs", "use crate::record::Record;")), ["record"]);
    assert_eq!(effects(&file("plan/mod.rs", "let now = std::time::Instant::now();")), ["Instant::now"]);
    assert_eq!(effects(&file("plan/tables.rs", "use rusqlite::Connection;")), [""; 0]);
    assert_eq!(effects(&file("plan/build.rs", "use rusqlite::Connection;")), ["rusqlite"]);
    assert_eq!(effects(&file("plan/build.rs", "// rusqlite\n#[cfg(test)]\nmod tests {\nuse std::fs;\n}\n")), [""; 0]);
    assert!(prints("    eprintln!(\"no\");"));
}

#[test]
fn the_reader_of_imports_reads_them() {
    let names = |path, line| rooms(&File::new(path, line));
    assert_eq!(names("plan/mod.rs", "use super::record::Record;"), ["record"]);
    assert_eq!(names("plan/rule.rs", "use super::record::Record; use crate::failure;"), ["failure"]);
    assert_eq!(
        names("plan/rule.rs", "use crate::{a::{b, x}, c, d::e as f}; pub use crate::g::h;"),
        ["a", "c", "d", "g"]
    );
    assert_eq!(
        names("plan/rule.rs", "fn f<'a>(x: &'a crate::a::B) -> c::crate_::D { super::super::e::f(\"crate::g\") }"),
        ["a", "e", "g"]
    );
    assert_eq!(names("target/embedded/hub/sql.rs", "use super::super::super::super::cli::Exit;"), ["cli"]);
}

#[test]
fn plans_are_made_in_one_place() {
    let makers: Vec<String> = files()
        .into_iter()
        .filter(|file| file.lines.iter().any(|line| line.replace("ThresholdPlan::new(", "").contains("Plan::new(")))
        .map(|file| file.path)
        .collect();
    assert_eq!(makers, ["load/variation.rs"]);
}
