//! Scenarios from strangers: whatever SQL stands in a file, `validate` and `plan` touch no other file, and end soon, in
//! little memory. Both run on pull requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use wait4::Wait4;

use super::harness::Place;

/// The most time of a processor that a file may take, and the most memory.
const SLOWEST: Duration = Duration::from_secs(2);
const LARGEST: u64 = 200 * 1024 * 1024;

/// Statements that reach files, never end, or take all memory. `{victim}` is a database that is there, `{new}` a path
/// that is not.
const STATEMENTS: &[&str] = &[
    "ATTACH 'file:{victim}?mode=rw' AS v",
    "ATTACH '{victim}' AS v; DROP TABLE v.users",
    "ATTACH '{new}' AS n; CREATE TABLE n.x (y)",
    "ATTACH 'file:{victim}?mode=ro' AS v; CREATE TABLE copy AS SELECT * FROM v.users",
    "VACUUM INTO '{new}'",
    "VACUUM INTO 'file:{new}?mode=rwc'",
    "VACUUM main INTO '{new}'",
    "EXPLAIN ATTACH '{new}' AS n",
    "DETACH main",
    "SELECT load_extension('{victim}')",
    "SELECT writefile('{new}', 'x')",
    "PRAGMA temp_store_directory = '{dir}'",
    "PRAGMA data_store_directory = '{dir}'",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA soft_heap_limit = 1",
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'x'",
    "PRAGMA lock_proxy_file = '{new}'",
    "PRAGMA journal_mode = wal",
    "PRAGMA mmap_size = 99999999999",
    "PRAGMA cache_size = -99999999",
    "PRAGMA max_page_count = 4294967294",
    "CREATE TABLE big AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT randomblob(900000) UNION SELECT randomblob(900000) FROM c) SELECT count(*) FROM c",
    "CREATE TABLE big AS SELECT randomblob(999999999) AS x",
    "CREATE TABLE big AS SELECT zeroblob(999999999) AS x FROM generate_series(1, 99)",
    "CREATE TABLE big AS SELECT hex(randomblob(400000000)) AS x",
    "CREATE TABLE big AS SELECT printf('%.*c', 999999999, 'x') AS x",
    "CREATE TABLE big AS SELECT replace(printf('%.*c', 9999999, 'x'), 'x', 'xxxxxxxxx') AS x",
    "CREATE TABLE big AS SELECT group_concat(value) AS x FROM generate_series(1, 999999999)",
    "CREATE TABLE big AS SELECT json_group_array(value) AS x FROM generate_series(1, 999999999)",
    "CREATE TABLE big AS SELECT value FROM generate_series(1, 999999999) ORDER BY random()",
    "CREATE TABLE big AS SELECT DISTINCT randomblob(1000) AS x FROM generate_series(1, 999999999)",
    "CREATE TABLE big AS SELECT instr(zeroblob(90000000), zeroblob(45000000) || x'01') AS x",
    "CREATE TABLE big AS SELECT max(a.value * b.value) AS x FROM generate_series(1, 99999) a, generate_series(1, 99999) b",
    "INSERT INTO notes (id, body) SELECT value, randomblob(100000) FROM generate_series(1, 999999999)",
    "INSERT INTO notes (id, body) VALUES ('a', randomblob(999999999))",
    "UPDATE notes SET body = zeroblob(999999999)",
    "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
    "CREATE INDEX i ON notes (length(zeroblob(999999999)))",
    "CREATE TRIGGER endless AFTER INSERT ON notes BEGIN INSERT INTO notes (id) VALUES (NEW.id || 'x'); END",
    "CREATE VIRTUAL TABLE f USING fts5 (body, content='sqlite_schema')",
    "CREATE VIRTUAL TABLE f USING fts5 (body); INSERT INTO f (f, rank) VALUES ('pgsz', 1)",
    "CREATE VIRTUAL TABLE f USING fts3 (body, tokenize=x'00')",
    "SELECT fts3_tokenizer('simple', x'4141414141414141')",
    "CREATE VIRTUAL TABLE r USING rtree (a, b, c); WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) INSERT INTO r SELECT x, x, x FROM c",
    "CREATE VIRTUAL TABLE d USING dbstat",
    "CREATE VIRTUAL TABLE z USING csv (filename='{victim}')",
    "CREATE VIRTUAL TABLE z USING zipfile ('{victim}')",
    "BEGIN; SAVEPOINT a; RELEASE a; ROLLBACK",
    "REINDEX; ANALYZE; VACUUM",
    "DROP TABLE notes",
    "ALTER TABLE notes RENAME TO others",
];

/// So many statements.
fn each(count: usize, statement: impl Fn(usize) -> String) -> String {
    (0..count).map(statement).collect::<Vec<_>>().join("; ")
}

/// Statements that are made: too deep, too many, too wide.
fn made() -> Vec<String> {
    let views = |width: usize, depth: usize, first: &str| {
        let mut sql = format!("CREATE VIEW v0 AS {first}");
        for view in 1..=depth {
            let sources: Vec<String> = (0..width).map(|side| format!("v{} AS s{side}", view - 1)).collect();
            let _ = write!(sql, "; CREATE VIEW v{view} AS SELECT s0.x FROM {}", sources.join(", "));
        }
        format!("{sql}; CREATE TABLE copy AS SELECT * FROM v{depth}")
    };
    let unions = |depth: usize| {
        let mut sql = "CREATE VIEW v0 AS SELECT 1 AS x".to_owned();
        for view in 1..=depth {
            let before = view - 1;
            let _ = write!(sql, "; CREATE VIEW v{view} AS SELECT x FROM v{before} UNION ALL SELECT x FROM v{before}");
        }
        format!("{sql}; SELECT * FROM v{depth}")
    };
    let chain = |count: usize| {
        let table = |at: usize| {
            format!("CREATE TABLE c{at} (id TEXT PRIMARY KEY REFERENCES c{} (id) ON DELETE CASCADE)", at + 1)
        };
        let tables: Vec<String> = (0..count).map(table).collect();
        format!("{}; DELETE FROM c{}", tables.join("; "), count - 1)
    };
    let triggers = |count: usize| {
        let trigger = |at: usize| {
            format!(
                "CREATE TABLE c{at} (id TEXT PRIMARY KEY); CREATE TRIGGER g{at} AFTER INSERT ON c{at} BEGIN INSERT INTO c{} \
                 VALUES (1); END",
                at + 1
            )
        };
        let all: Vec<String> = (0..count).map(trigger).collect();
        format!("{}; INSERT INTO c0 VALUES (1)", all.join("; "))
    };
    vec![
        views(2, 30, "SELECT 1 AS x"),
        views(60, 3, "SELECT 1 AS x"),
        views(1, 5_000, "SELECT 1 AS x"),
        unions(30),
        unions(9),
        chain(3_000),
        triggers(3_000),
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}1", "NOT ".repeat(100_000)),
        format!("SELECT -{}1", "- ".repeat(100_000)),
        format!("SELECT 1{}", " + 1".repeat(200_000)),
        format!("SELECT {}1{}", "abs(".repeat(50_000), ")".repeat(50_000)),
        format!("SELECT {}1{}", "(SELECT ".repeat(50_000), ")".repeat(50_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(50_000)),
        format!("SELECT CASE {} END", "WHEN 1 THEN 2 ".repeat(100_000)),
        format!("SELECT {}", vec!["1"; 100_000].join(", ")),
        format!("SELECT 1 FROM {}", vec!["notes"; 5_000].join(", ")),
        format!("SELECT 1 FROM notes WHERE {}", vec!["id = 1"; 50_000].join(" OR ")),
        format!(
            "SELECT 1 FROM {}",
            (0..60).map(|at| format!("notes AS n{at}")).collect::<Vec<_>>().join(" NATURAL JOIN ")
        ),
        format!("CREATE TABLE wide ({})", (0..60_000).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ")),
        format!("CREATE TABLE wide (id TEXT PRIMARY KEY, x CHECK ({}1))", "NOT ".repeat(60_000)),
        each(20_000, |at| format!("CREATE TABLE t{at} (id TEXT PRIMARY KEY)")),
        each(2_000, |at| format!("CREATE TABLE t{at} (id TEXT PRIMARY KEY); ALTER TABLE t{at} RENAME TO u{at}")),
        format!("SELECT '{}'", "é".repeat(1_000_000)),
        format!("SELECT \"{}\"", "x".repeat(1_000_000)),
        format!("/*{}*/ SELECT 1", "x".repeat(1_000_000)),
    ]
}

/// The places of a scenario that carry SQL or an expression, each with a file that has the text there.
fn files(sql: &str) -> Vec<(&'static str, String)> {
    let quoted = serde_json::Value::from(sql).to_string();
    let table = "CREATE TABLE notes (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', body TEXT)";
    let in_table = serde_json::Value::from(format!("{table}; {sql}")).to_string();
    let file = |sql: &str, also: &str, rest: &str, phase: &str| {
        format!(
            "version: 1\nname: hostile\nschema:\n  tables:\n    - name: notes\n      sql: {sql}\n{also}{rest}phases:\n  - \
             sync: [send]\n{phase}"
        )
    };
    let phase = format!("  - {{ name: p, kind: insert, sql: {quoted} }}\n");
    let policy = serde_json::Value::from(format!("({sql})")).to_string();
    vec![
        ("also", file(table, &format!("      also: [{quoted}]\n"), "", "")),
        ("table", file(&in_table, "", "", "")),
        ("phase", file(table, "", "", &phase)),
        ("policy", file(table, "", &format!("rls: {{ policies: {{ notes: {{ select: {policy} }} }} }}\n"), "")),
        ("check", file(table, "", &format!("verify: [{{ query: {{ sql: {quoted}, equals: 1 }} }}]\n"), "")),
        (
            "admin",
            file(table, "", "target: { cloudsync: { connection_string: x } }\n", &format!("  - admin: {quoted}\n")),
        ),
        ("when", file(table, "", "", &format!("  - {{ wait: 1s, when: {quoted} }}\n"))),
    ]
}

/// All files of a directory with what is in them.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("the directory");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        (path.display().to_string(), std::fs::read(&path).unwrap_or_default())
    };
    entries.map(read).collect()
}

/// What the program took for a file, and what it said.
struct Taken {
    time: Duration,
    memory: u64,
    code: Option<i32>,
    signal: Option<i32>,
    said: String,
}

fn taken(command: &str, directory: &Path, file: &Path, log: &Path) -> Taken {
    let output = File::create(log).expect("a log");
    let mut child = Command::new("timeout")
        .args(["-s", "KILL", "20", env!("CARGO_BIN_EXE_stress"), command])
        .arg(file)
        .current_dir(directory)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::from(output.try_clone().expect("a handle")))
        .stderr(Stdio::from(output))
        .spawn()
        .expect("the program starts");
    let done = child.wait4().expect("the program ends");
    Taken {
        time: done.rusage.utime + done.rusage.stime,
        memory: done.rusage.maxrss,
        code: done.status.code(),
        signal: done.status.signal(),
        said: String::from_utf8_lossy(&std::fs::read(log).expect("the log")).into_owned(),
    }
}

#[test]
fn no_sql_of_a_scenario_reaches_a_file_or_takes_long_or_much_before_the_run() {
    let place = Place::new();
    let (inside, outside) = (place.path("inside"), place.path("outside"));
    std::fs::create_dir_all(&inside).expect("a directory");
    std::fs::create_dir_all(&outside).expect("a directory");
    let victim = inside.join("app.db");
    let database = rusqlite::Connection::open(&victim).expect("a database");
    database.execute_batch("CREATE TABLE users (name); INSERT INTO users VALUES ('ada')").expect("a table");
    drop(database);
    let fill = |sql: &str| {
        sql.replace("{victim}", &victim.display().to_string())
            .replace("{new}", &inside.join("new.db").display().to_string())
            .replace("{dir}", &inside.display().to_string())
    };
    let statements: Vec<String> = STATEMENTS.iter().map(|sql| fill(sql)).chain(made()).collect();
    let files: Vec<(usize, &str, String)> = statements
        .iter()
        .enumerate()
        .flat_map(|(index, sql)| files(sql).into_iter().map(move |(place, file)| (index, place, file)))
        .collect();
    assert!(files.len() >= 200, "{}", files.len());
    let before = contents(&inside);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    let work = |worker: usize| {
        loop {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some((index, place, text)) = files.get(at) else { break };
            let scenario = outside.join(format!("{worker}.yaml"));
            std::fs::write(&scenario, text).expect("a file");
            let command = if at.is_multiple_of(4) { "plan" } else { "validate" };
            let taken = taken(command, &inside, &scenario, &outside.join(format!("{worker}.log")));
            let tell = |what: String| {
                let sql: String = statements[*index].chars().take(100).collect();
                wrong.lock().expect("no panic").push(format!("{command} {place} `{sql}`: {what}"));
            };
            if !matches!(taken.code, Some(0 | 2)) {
                tell(format!("ended with {:?}, signal {:?}: {:.300}", taken.code, taken.signal, taken.said));
            }
            if taken.time > SLOWEST || taken.memory > LARGEST {
                tell(format!("took {:?} and {} MB", taken.time, taken.memory >> 20));
            }
            if taken.said.len() > 200_000 {
                tell(format!("said {} bytes", taken.said.len()));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(1));
        work(0);
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), files.len(), wrong.join("\n"));
    assert!(contents(&inside) == before, "files changed: {:?}", contents(&inside).keys());
}
