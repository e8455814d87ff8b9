//! The real extension, with nobody to talk to: everything local is done, every sync call is told as a failure of the
//! network, and the key is seen nowhere. Nothing leaves this machine.

use crate::harness::{Place, Report, files, json, skip};

const SECRET: &str = "s3cr3t/key+with=signs&more";

const TARGET: &str = "
target:
  cloudsync:
    address: http://127.0.0.1:9
    managed_database_id: db_test
    apikey: \"{{ env.TEST_KEY }}\"
settle: { rounds: 1, wait: 1ms }
verify: [converged]
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO notes (id, user_id, body, size) VALUES (:id, :user_id, 'text', :row)
    sync: [send, receive]
  - name: update
    kind: update
    sql: UPDATE notes SET size = size + 1
    sync: [send, check]
";

/// The same target, for phases of one's own.
fn nobody() -> &'static str {
    &TARGET[..TARGET.find("phases").expect("the phases stand last")]
}

/// The extension's path, or a word about why there is none.
pub(crate) fn extension(test: &str) -> Option<String> {
    let path = std::env::var("STRESS_CLOUDSYNC_EXTENSION").ok().filter(|path| !path.is_empty());
    if path.is_none() {
        skip(test, "STRESS_CLOUDSYNC_EXTENSION is not set");
    }
    path
}

#[test]
fn with_a_closed_port_all_local_work_is_done_and_every_sync_call_fails_on_the_network() {
    let Some(path) = extension("with_a_closed_port_all_local_work_is_done_and_every_sync_call_fails_on_the_network")
    else {
        return;
    };
    let place = Place::of(TARGET);
    let run = place.stress(&["run", "scenario.yaml", "--json"]);
    let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(1);
    let report = Report::parse(&done.out);
    assert_eq!(report.errors(), [("network", "network")]);
    // 2 databases, 2 iterations, 4 calls, and the round after them.
    let calls: u64 = ["sends", "receives", "checks"].iter().map(|name| report.number(&format!("/totals/{name}"))).sum();
    assert_eq!(calls, 16);
    assert!(report.number("/errors/total") >= calls, "{}", report.0["errors"]);
    let directory = place.run_dir("test");
    for database in 1..=2 {
        let file = directory.join(format!("databases/db{database}.db"));
        let connection = rusqlite::Connection::open(&file).expect("a database");
        let held: (i64, i64) = connection
            .query_row("SELECT count(*), sum(size) FROM notes", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("the rows are there");
        connection.close().expect("it is closed");
        // 20 rows of 1 to 20 twice; the first are updated twice, the others once.
        assert_eq!(held, (40, 2 * 210 + 2 * 20 + 20));
        assert!(!directory.join(format!("databases/db{database}.db-wal")).exists(), "the session was closed");
    }
}

#[test]
fn the_small_scenario_does_all_its_local_work_with_nobody_to_talk_to() {
    let Some(path) = extension("the_small_scenario_does_all_its_local_work_with_nobody_to_talk_to") else { return };
    let small = include_str!("../../scenarios/small.yaml");
    let target = &TARGET[..TARGET.find("settle").expect("the target stands first")];
    let small = small.replace("verify: [written, converged, server, bootstrap]", "verify: [converged]");
    let place = Place::new();
    place.write("small.yaml", &format!("{small}{target}settle: {{ rounds: 1, wait: 1ms }}\n"));
    let run = place.stress(&["run", "small.yaml", "--json"]);
    let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(1);
    let report = Report::parse(&done.out);
    assert_eq!(report.errors(), [("network", "network")]);
    let total = |name: &str| report.number(&format!("/totals/{name}"));
    // Each deletes, inserts and updates 1,000 rows of its own, five times; there is nothing to delete the first time.
    assert_eq!((total("deleted"), total("inserted"), total("updated")), (8_000, 10_000, 10_000));
    assert_eq!((total("sends"), total("checks")), (30, 30));
}

#[test]
fn sixteen_and_a_hundred_databases_at_once_do_all_their_work_and_fail_on_the_network_alone() {
    let Some(path) = extension("sixteen_and_a_hundred_databases_at_once_do_all_their_work") else { return };
    for databases in [16, 100] {
        let place = Place::of(TARGET);
        let count = databases.to_string();
        let run = place.stress(&["run", "scenario.yaml", "--json", "--databases", &count, "--iterations", "1"]);
        let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(1);
        let report = Report::parse(&done.out);
        assert_eq!(report.errors(), [("network", "network")], "{databases}");
        assert_eq!(report.number("/totals/inserted"), databases * 20, "{}", report.0["totals"]);
        assert_eq!(report.number("/totals/updated"), databases * 20, "{}", report.0["totals"]);
        let left = files(&place.run_dir("test").join("databases"));
        let open = left.iter().filter(|file| file.to_string_lossy().ends_with("-wal")).count();
        assert_eq!((left.len() as u64, open), (databases, 0), "every session was closed");
    }
}

#[test]
fn a_run_that_never_syncs_has_its_rows_tracked_by_the_extension() {
    let Some(path) = extension("a_run_that_never_syncs_has_its_rows_tracked_by_the_extension") else { return };
    let target = TARGET.replace("sync: [send, receive]", "sync: []").replace("sync: [send, check]", "sync: []");
    let query = "verify: [{ query: { on: databases, sql: SELECT sum(size) FROM notes, equals: 480 } }]";
    // A connection that lives to the end has nobody to ask either.
    let place = Place::of(&format!("{}session: {{ open: per-run }}\n", target.replace("verify: [converged]", query)));
    let run = place.stress(&["run", "scenario.yaml", "--json", "--keep"]);
    let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(0);
    let report = Report::parse(&done.out);
    assert_eq!((report.verdict(), report.number("/errors/total")), ("pass", 0), "{done}");
    assert_eq!(
        report.rule(),
        ("held", "2 databases, 2 iterations, 200 rows changed; the scenario makes no sync calls; all checks passed")
    );
    let file = place.run_dir("test").join("databases/db1.db");
    let connection = rusqlite::Connection::open(&file).expect("a database");
    // SAFETY: the extension is the one the tests were given, and nothing else uses this connection.
    let guard = unsafe { rusqlite::LoadExtensionGuard::new(&connection) }.expect("loading can be allowed");
    // SAFETY: as above.
    unsafe { connection.load_extension(&path, None::<&str>) }.expect("it loads");
    drop(guard);
    let tracked: i64 = connection
        .query_row("SELECT count(*) FROM cloudsync_changes", [], |row| row.get(0))
        .expect("the extension tells");
    connection.query_row("SELECT cloudsync_terminate()", [], |_| Ok(())).expect("it ends");
    connection.close().expect("it is closed");
    // 40 rows with three columns beside the key.
    assert_eq!(tracked, 120);
}

#[test]
fn a_column_of_blocks_is_one_for_the_extension() {
    let Some(path) = extension("a_column_of_blocks_is_one_for_the_extension") else { return };
    let place = Place::of(&format!(
        "{}schema:
  tables:
    - name: docs
      sql: CREATE TABLE docs (id TEXT PRIMARY KEY, body TEXT, more TEXT)
      columns: {{ body: block, more: {{ block: {{ delimiter: \"||\" }} }} }}
phases:
  - {{ name: insert, kind: insert, rows: 1, sql: \"INSERT INTO docs VALUES (:id, :body, 'x||y||z')\", bind: {{ body: \"a\\nb\" }} }}
  - {{ name: edit, kind: update, sql: \"UPDATE docs SET body = body || char(10) || 'c'\" }}
",
        nobody().replace("verify: [converged]", "verify: []")
    ));
    let run = place.stress(&["run", "scenario.yaml", "--iterations", "1", "--keep"]);
    run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(0);
    let file = place.run_dir("test").join("databases/db1.db");
    let connection = rusqlite::Connection::open(&file).expect("a database");
    let blocks =
        "SELECT group_concat(block, ' ') FROM (SELECT replace(col_name, char(31), '.') || '=' || col_value AS block
        FROM docs_cloudsync_blocks ORDER BY col_name)";
    let blocks: String = connection.query_row(blocks, [], |row| row.get(0)).expect("blocks");
    assert_eq!(blocks, "body.a0=a body.a1=b body.a2=c more.a0=x more.a1=y more.a2=z");
}

#[test]
fn the_key_is_in_no_file_and_no_output() {
    let Some(path) = extension("the_key_is_in_no_file_and_no_output") else { return };
    let place = Place::of(TARGET);
    let environment =
        |arguments: &[&str]| place.stress(arguments).env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET);
    let mut told = String::new();
    for (arguments, code) in [
        (&["validate", "scenario.yaml"][..], 0),
        (&["plan", "scenario.yaml", "--explain"], 0),
        (&["run", "scenario.yaml"], 1),
        (&["report", "runs/test/latest", "--format", "json"], 1),
    ] {
        let done = environment(arguments).done().exits(code);
        told.push_str(&done.out);
        told.push_str(&done.err);
    }
    let secrets = [
        SECRET.to_owned(),
        percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC).to_string(),
        base64(SECRET.as_bytes()),
    ];
    let held = |text: &[u8], secret: &str| text.windows(secret.len()).any(|window| window == secret.as_bytes());
    for secret in &secrets {
        assert!(!told.contains(secret.as_str()), "{secret} in {told}");
    }
    let all = files(&place.run_dir("test"));
    assert!(all.len() > 5, "{all:?}");
    for file in all {
        let bytes = std::fs::read(&file).expect("a file");
        for secret in &secrets {
            assert!(!held(&bytes, secret), "{secret} in {}", file.display());
        }
    }
}

#[test]
fn the_key_of_a_connection_string_is_in_no_file_and_no_output_either() {
    let Some(path) = extension("the_key_of_a_connection_string_is_in_no_file_and_no_output_either") else { return };
    // The server of the string is this machine, where nobody listens on its port.
    let target = TARGET.replace("apikey: \"{{ env.TEST_KEY }}\"", "connection_string: \"{{ env.TEST_KEY }}\"");
    let place = Place::of(&target.replace("verify: [converged]", "verify: [converged, server]"));
    let encoded = percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC).to_string();
    let string = format!("sqlitecloud://127.0.0.1:8860/test?apikey={encoded}");
    let run = place.stress(&["run", "scenario.yaml"]);
    let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", &string).done().exits(1);
    let mut told = format!("{}{}", done.out, done.err).into_bytes();
    for file in files(&place.run_dir("test")) {
        told.extend(std::fs::read(file).expect("a file"));
    }
    for secret in [SECRET, &encoded, &base64(SECRET.as_bytes())] {
        assert!(!told.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}: {done}");
    }
}

/// Base64 without its padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |index: usize| bytes.get(index / 8).map_or(0, |byte| usize::from(byte >> (7 - index % 8) & 1));
    let sextets = (bytes.len() * 8).div_ceil(6);
    (0..sextets)
        .map(|at| char::from(ALPHABET[(0..6).fold(0, |value, offset| value << 1 | bit(at * 6 + offset))]))
        .collect()
}

#[test]
fn a_device_that_dies_keeps_what_it_committed_and_what_it_still_has_to_send() {
    let Some(path) = extension("a_device_that_dies_keeps_what_it_committed_and_what_it_still_has_to_send") else {
        return;
    };
    for (at, rows) in [("in_transaction", 9), ("after_statements", 21), ("after_send", 21)] {
        let place = Place::of(&format!(
            "{}phases:
  - name: insert
    kind: insert
    rows: 21
    sql: INSERT INTO notes (id, body) VALUES (:id, 'text')
    transaction: {{ batch: 9 }}
    crash: {{ at: {at} }}
    sync: [send, receive]
",
            nobody()
        ));
        let run = place.stress(&["run", "scenario.yaml", "--json"]);
        let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(1);
        assert_eq!(Report::parse(&done.out).errors(), [("network", "network")], "{at}");
        let directory = place.run_dir("test");
        let record = json(&directory.join("record.json"));
        for database in 1..=2 {
            let file = directory.join(format!("databases/db{database}.db"));
            let connection = rusqlite::Connection::open(&file).expect("a database");
            let held: (i64, i64, i64, String) = connection
                .query_row(
                    "SELECT (SELECT count(*) FROM notes), (SELECT count(DISTINCT pk) FROM notes_cloudsync), \
                     (SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'), \
                     (SELECT lower(hex(site_id)) FROM cloudsync_site_id)",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
                )
                .expect("it reads");
            let site = record["workers"][database - 1]["site_id"].as_str().expect("a site id");
            // Two iterations; every row is still to be sent.
            assert_eq!(held, (2 * rows, 2 * rows, 1, site.to_owned()), "{at}");
            connection.close().expect("it is closed");
        }
    }
}

#[test]
fn a_logout_and_a_reset_do_their_local_work_and_the_next_call_is_logged_in() {
    let Some(path) = extension("a_logout_and_a_reset_do_their_local_work_and_the_next_call_is_logged_in") else {
        return;
    };
    let place = Place::of(&format!(
        "{}phases:
  - {{ name: insert, kind: insert, rows: 3, sql: INSERT INTO notes (id) VALUES (:id), sync: [reset_sync_version, logout, receive] }}
  - {{ name: empty, kind: query, sql: SELECT 1 FROM notes, expect_rows: 0 }}
  - {{ name: after, kind: insert, rows: 2, sql: INSERT INTO notes (id) VALUES ('after' || :id), sync: [send] }}
",
        nobody()
    ));
    let run = place.stress(&["run", "scenario.yaml", "--json"]);
    let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(1);
    // Not `Unable to retrieve CloudSync network context.`, and no row is left before the second insert.
    assert_eq!(Report::parse(&done.out).errors(), [("network", "network")]);
    let directory = place.run_dir("test");
    let record = json(&directory.join("record.json"));
    for worker in record["workers"].as_array().expect("workers") {
        let file = directory.join(format!("databases/db{}.db", worker["database"]));
        let connection = rusqlite::Connection::open(&file).expect("a database");
        let site: String = connection
            .query_row("SELECT lower(hex(site_id)) FROM cloudsync_site_id", [], |row| row.get(0))
            .expect("a site");
        assert_eq!(worker["site_id"].as_str(), Some(site.as_str()));
        assert_eq!(worker["former_site_ids"].as_array().map(Vec::len), Some(2));
        let rows: i64 = connection.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).expect("it counts");
        assert_eq!(rows, 2);
    }
}

#[test]
fn an_altered_table_is_tracked_in_its_new_columns_and_every_row_is_sent_in_them() {
    let Some(path) = extension("an_altered_table_is_tracked_in_its_new_columns_and_every_row_is_sent_in_them") else {
        return;
    };
    let place = Place::of(&format!(
        "{}scale: {{ databases: 1, iterations: 1 }}
phases:
  - {{ name: insert, kind: insert, rows: 2, sql: \"INSERT INTO notes (id, body) VALUES (:id, 'text')\" }}
  - alter:
      - ALTER TABLE notes ADD COLUMN tag TEXT DEFAULT 'none'
      - ALTER TABLE notes DROP COLUMN user_id
      - ALTER TABLE notes RENAME COLUMN size TO length
  - {{ name: update, kind: update, sql: \"UPDATE notes SET tag = 'tag' WHERE id LIKE '%_1'\", sync: [send] }}
",
        nobody()
    ));
    let run = place.stress(&["run", "scenario.yaml", "--json"]);
    let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done().exits(1);
    assert_eq!(Report::parse(&done.out).errors(), [("network", "network")], "{done}");
    let file = place.run_dir("test").join("databases/db1.db");
    let connection = rusqlite::Connection::open(&file).expect("a database");
    let all = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).expect("it prepares");
        let rows = statement.query_map([], |row| row.get(0)).and_then(Iterator::collect);
        rows.expect("rows")
    };
    // What the extension's own table says of each row: the columns in their versions.
    let versions = "SELECT group_concat(col_name || ' ' || col_version, ', ') FROM \
                    (SELECT * FROM notes_cloudsync ORDER BY pk, col_name) GROUP BY pk ORDER BY pk";
    assert_eq!(all(versions), ["body 1, length 1, tag 2", "body 1, length 1, tag 1"]);
    // The schema at first, and after each change.
    assert_eq!(all("SELECT hash || '' FROM cloudsync_schema_versions").len(), 4);
    let unsent = connection.query_row("SELECT value FROM cloudsync_settings WHERE key = 'send_dbversion'", [], |row| {
        row.get::<_, String>(0)
    });
    assert!(unsent.is_err() || unsent.is_ok_and(|version| version == "0"), "nothing was sent");
}

#[test]
fn both_targets_say_the_same_of_a_change_that_cannot_be() {
    let Some(path) = extension("both_targets_say_the_same_of_a_change_that_cannot_be") else { return };
    let alter = "phases:
  - { name: drop, kind: query, sql: SELECT cloudsync_cleanup('notes') }
  - { name: go, alter: ALTER TABLE notes ADD COLUMN tag TEXT, sync: [] }
verify: []
";
    let said = |text: &str| {
        let place = Place::of(text);
        let run = place.stress(&["run", "scenario.yaml", "--json", "--databases", "1", "--iterations", "1"]);
        let done = run.env("STRESS_CLOUDSYNC_EXTENSION", &path).env("TEST_KEY", SECRET).done();
        let report = Report::parse(&done.out);
        let errors = report.0["errors"]["groups"].as_array().cloned().unwrap_or_default();
        let texts: Vec<String> =
            errors.iter().map(|one| one["message"].as_str().unwrap_or_default().to_owned()).collect();
        (texts, done.out)
    };
    let cloudsync = format!("{}{alter}", nobody().replace("verify: [converged]\n", ""));
    for text in [cloudsync.as_str(), alter] {
        let (texts, out) = said(text);
        let wanted = "cloudsync_begin_alter('notes'): Unable to find table notes";
        assert!(texts.iter().any(|text| text == wanted) || out.contains(wanted), "{texts:?} {out}");
    }
}
