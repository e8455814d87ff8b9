//! Options of tables: filters and grow-only sets. Every script runs on the embedded client, and on the real extension where
//! `STRESS_CLOUDSYNC_EXTENSION` names it: both must capture and say the same.

use std::path::{Path, PathBuf};

use super::super::register;
use crate::failure::Call;
use crate::session::{Loader, Opening, Session};

/// What a script left: the answer or error of each statement, and which rows wait to be sent, alive or dead.
type Left = (Vec<String>, Vec<String>);

fn run(loader: &Loader, waiting: &str, script: &[&str]) -> Left {
    let file = Path::new(":memory:");
    let session =
        Session::open(&Opening { file, loader, pragmas: &[], settings: &[], network: None }).expect("it opens");
    let run = |sql: &&str| {
        if sql.starts_with("SELECT") {
            session.call(Call::Sql, sql, &[]).map(Option::unwrap_or_default)
        } else {
            session.run(Call::Sql, sql).map(|()| String::new())
        }
    };
    let said: Vec<String> = script.iter().map(|sql| run(sql).unwrap_or_else(|error| error.message)).collect();
    let rows = format!("SELECT coalesce(group_concat(row, ' '), '') FROM ({waiting})");
    let rows = session.call(Call::Sql, &rows, &[]).expect("what waits").unwrap_or_default();
    session.close().expect("it closes");
    (said, rows.split_whitespace().map(str::to_owned).collect())
}

/// What a script says and leaves on both.
fn both(test: &str, script: &[&str]) -> Left {
    let embedded = "SELECT cs_pk1 || CASE WHEN EXISTS (SELECT 1 FROM t WHERE id = cs_pk1) THEN '' ELSE '+' END AS row
        FROM t_cloudsync WHERE cs_pk1 IS NOT NULL ORDER BY cs_pk1";
    let real = "SELECT cloudsync_pk_decode(pk, 1) || CASE max(cl % 2) WHEN 1 THEN '' ELSE '+' END AS row
        FROM cloudsync_changes WHERE tbl = 't' GROUP BY pk ORDER BY 1";
    both_of(test, script, embedded, real)
}

/// The same with a query for each that gives what waits.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn both_of(test: &str, script: &[&str], embedded: &str, real: &str) -> Left {
    let left = run(&Loader::Functions(register), embedded, script);
    match std::env::var("STRESS_CLOUDSYNC_EXTENSION").ok().filter(|path| !path.is_empty()) {
        Some(path) => {
            assert_eq!(
                run(&Loader::Extension(PathBuf::from(path)), real, script),
                left,
                "CloudSync, embedded: {script:?}"
            );
        }
        None => eprintln!("skipped beside CloudSync: {test}: STRESS_CLOUDSYNC_EXTENSION is not set"),
    }
    left
}

const TABLE: &str = "CREATE TABLE t (id TEXT PRIMARY KEY, kind TEXT, n INTEGER)";
const INIT: &str = "SELECT length(cloudsync_init('t'))";
const FILTER: &str = "SELECT cloudsync_set_filter('t', 'kind = ''shared''')";

/// The rows that wait after these statements, on a table with a filter.
fn waiting(statements: &[&str]) -> Vec<String> {
    let script: Vec<&str> = [TABLE, INIT, FILTER].iter().chain(statements).copied().collect();
    let (said, rows) = both("filters", &script);
    assert!(said[3..].iter().all(String::is_empty), "{said:?}");
    rows
}

#[test]
fn only_rows_that_match_their_filter_are_captured() {
    let insert = "INSERT INTO t VALUES ('in', 'shared', 1), ('out', 'own', 1), ('null', NULL, 1)";
    assert_eq!(waiting(&[insert]), ["in"]);
    assert_eq!(waiting(&[insert, "UPDATE t SET n = n + 1"]), ["in"]);
    // A row that leaves waits as before, and is sent as it is then. One that enters is captured.
    assert_eq!(waiting(&[insert, "UPDATE t SET kind = 'own' WHERE id = 'in'"]), ["in"]);
    assert_eq!(waiting(&[insert, "UPDATE t SET kind = 'shared' WHERE id = 'out'"]), ["in", "out"]);
    // A deletion counts by the row before it.
    assert_eq!(waiting(&[insert, "DELETE FROM t"]), ["in+"]);
    let leave = "UPDATE t SET kind = 'own' WHERE id = 'out'";
    assert_eq!(waiting(&[insert, leave, "DELETE FROM t WHERE id = 'out'"]), ["in"]);
    // By REPLACE, and with another key.
    assert_eq!(waiting(&["INSERT INTO t VALUES ('a', 'own', 1)", "REPLACE INTO t VALUES ('a', 'shared', 2)"]), ["a"]);
    assert_eq!(waiting(&["INSERT INTO t VALUES ('a', 'own', 1)", "REPLACE INTO t VALUES ('a', 'own', 2)"]), [""; 0]);
    assert_eq!(waiting(&[insert, "UPDATE t SET id = 'new' WHERE id = 'in'"]), ["in+", "new"]);
    // As often as it is switched on: the filter stays.
    assert_eq!(waiting(&["SELECT NULL FROM (SELECT cloudsync_init('t') AS a) WHERE a IS NULL OR 1", insert]), ["in"]);
}

#[test]
fn of_a_row_that_enters_its_filter_only_what_is_written_is_captured() {
    let columns = |statements: &[&str]| {
        let embedded =
            "SELECT k.column1 AS row FROM t_cloudsync AS d LEFT JOIN t_cloudsync_versions AS v USING (cs_pk1),
            (VALUES ('kind', 0), ('n', 1)) AS k WHERE d.cs_pk1 = 'a' AND cloudsync_is_captured(v.cs_versions, k.column2)
            ORDER BY 1";
        let real = "SELECT col_name AS row FROM cloudsync_changes
            WHERE cloudsync_pk_decode(pk, 1) = 'a' AND col_name IN ('kind', 'n') ORDER BY 1";
        let script: Vec<&str> = [TABLE, INIT, FILTER].iter().chain(statements).copied().collect();
        both_of("entering", &script, embedded, real).1
    };
    let (out, enter) = ("INSERT INTO t VALUES ('a', 'own', 1)", "UPDATE t SET kind = 'shared'");
    assert_eq!(columns(&[out]), [""; 0]);
    assert_eq!(columns(&[out, enter]), ["kind"]);
    assert_eq!(columns(&[out, enter, "UPDATE t SET n = 2"]), ["kind", "n"]);
    assert_eq!(columns(&[out, "UPDATE t SET n = 2", enter]), ["kind"]);
    assert_eq!(columns(&[out, "REPLACE INTO t VALUES ('a', 'shared', 2)"]), ["kind", "n"]);
    assert_eq!(columns(&["INSERT INTO t VALUES ('b', 'own', 1)", "UPDATE t SET id = 'a'", enter]), ["kind"]);
    let leave = "UPDATE t SET kind = 'own'";
    assert_eq!(columns(&["INSERT INTO t VALUES ('a', 'shared', 1)", leave, enter]), ["kind", "n"]);
    // What is there when the filter is set, and a row that went.
    let script = ["SELECT cloudsync_clear_filter('t')", out, FILTER, enter];
    assert_eq!(columns(&script), ["kind"]);
    assert_eq!(columns(&[out, "DELETE FROM t", "INSERT INTO t VALUES ('a', 'shared', 1)"]), ["kind", "n"]);
}

#[test]
fn setting_a_filter_starts_anew_with_the_rows_that_match() {
    let insert = "INSERT INTO t VALUES ('in', 'shared', 1), ('out', 'own', 1), ('gone', 'shared', 1)";
    let delete = "DELETE FROM t WHERE id = 'gone'";
    assert_eq!(both("set", &[TABLE, INIT, insert, delete]).1, ["gone+", "in", "out"]);
    assert_eq!(both("set", &[TABLE, INIT, insert, delete, FILTER]).1, ["in"]);
    let clear = "SELECT cloudsync_clear_filter('t')";
    let (said, rows) =
        both("clear", &[TABLE, INIT, FILTER, insert, delete, clear, "INSERT INTO t VALUES ('x', 'own', 1)"]);
    assert_eq!((said[5].as_str(), rows), ("1", ["in", "out", "x"].map(str::to_owned).to_vec()));
}

#[test]
fn what_is_wrong_with_a_filter_is_said_in_the_public_texts() {
    for (call, text) in [
        ("set_filter('t', 'nope = 1')", "cloudsync_set_filter: error resetting metatable"),
        ("set_filter('t', 'NEW.kind = 1')", "cloudsync_set_filter: error resetting metatable"),
        ("set_filter('t', 'kind = (')", "cloudsync_set_filter: error recreating triggers"),
        ("set_filter('t', '')", "cloudsync_set_filter: error recreating triggers"),
        ("set_filter('t', NULL)", "cloudsync_set_filter: table and filter expression required"),
        (
            "set_filter('u', 'n = 1')",
            "cloudsync_set_filter: table 'u' is not configured for sync. Call SELECT cloudsync_init('u') first.",
        ),
        ("clear_filter(NULL)", "cloudsync_clear_filter: table name required"),
        (
            "clear_filter('u')",
            "cloudsync_clear_filter: table 'u' is not configured for sync. Call SELECT cloudsync_init('u') first.",
        ),
    ] {
        let (said, _) = both("filters", &[TABLE, INIT, &format!("SELECT cloudsync_{call}")]);
        assert_eq!(said[2], text, "{call}");
    }
}

#[test]
fn a_table_that_only_grows_refuses_updates_and_deletions() {
    let init = "SELECT length(cloudsync_init('t', 'gos'))";
    let insert = "INSERT INTO t VALUES ('a', 'x', 1)";
    let no = |operation: &str| format!("Error: {operation} operation is not allowed on table t.");
    for (statement, text) in [
        ("UPDATE t SET n = 2", no("UPDATE")),
        ("UPDATE OR IGNORE t SET n = 2", no("UPDATE")),
        ("DELETE FROM t", no("DELETE")),
        ("INSERT INTO t VALUES ('a', 'y', 2) ON CONFLICT (id) DO UPDATE SET n = 2", no("UPDATE")),
        ("INSERT INTO t VALUES ('a', 'y', 2) ON CONFLICT (id) DO NOTHING", String::new()),
        ("INSERT OR REPLACE INTO t VALUES ('a', 'y', 2)", String::new()),
        ("UPDATE t SET n = 2 WHERE id = 'nobody'", String::new()),
        ("SELECT length(cloudsync_init('t', 'gos'))", "32".to_owned()),
        (
            "SELECT cloudsync_init('t')",
            "The function cloudsync_cleanup(table) must be called before changing a table algorithm".to_owned(),
        ),
    ] {
        let (said, rows) = both("grow-only", &[TABLE, init, insert, statement]);
        assert_eq!((said[3].as_str(), rows.as_slice()), (text.as_str(), ["a".to_owned()].as_slice()), "{statement}");
    }
    let keys = [
        "CREATE TABLE t (id TEXT PRIMARY KEY)",
        init,
        "INSERT INTO t VALUES ('a')",
        "UPDATE t SET id = 'b'",
        "DELETE FROM t",
    ];
    let (said, rows) = both("grow-only", &keys);
    assert_eq!((&said[3], &said[4], rows), (&no("UPDATE"), &no("DELETE"), vec!["a".to_owned()]));
    // What was written before it only grew, and another way of merging.
    let change = [TABLE, INIT, insert, "SELECT cloudsync_init('t', 'gos')", "DELETE FROM t"];
    let (said, rows) = both("grow-only", &change);
    assert!(said[3].contains("must be called before changing") && rows == ["a+"], "{said:?}");
}

/// A column of blocks: what the statements say, and the blocks that wait, as `key position block`.
fn blocks(statements: &[&str]) -> Left {
    let script: Vec<&str> = ["CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT, n INTEGER)", INIT, BLOCK]
        .iter()
        .chain(statements)
        .copied()
        .collect();
    let embedded = "SELECT cs_pk1 AS row FROM t_cloudsync WHERE cs_pk1 IS NOT NULL ORDER BY 1";
    let real = "SELECT DISTINCT cloudsync_pk_decode(pk, 1) AS row FROM cloudsync_changes WHERE tbl = 't' ORDER BY 1";
    both_of("blocks", &script, embedded, real)
}

const BLOCK: &str = "SELECT cloudsync_set_column('t', 'body', 'algo', 'block')";

#[test]
fn an_option_of_a_column_is_kept_and_refused_as_cloudsync_does() {
    let settings =
        "SELECT coalesce(group_concat(row, ' '), '') FROM (SELECT col_name || '.' || key || '=' || value AS row
        FROM cloudsync_table_settings ORDER BY col_name, key)";
    let (said, _) = blocks(&[settings]);
    assert_eq!(said[3..], ["*.algo=cls body.algo=block"]);
    let (said, _) = blocks(&["SELECT cloudsync_set_column('T', 'BODY', 'delimiter', '||')", settings]);
    assert_eq!(said[3..], ["", "*.algo=cls body.algo=block BODY.delimiter=||"]);
    for (call, wanted) in [
        ("'u', 'body', 'algo', 'block'", "cloudsync_setup_block_column: table not found"),
        ("NULL, 'body', 'algo', 'block'", "cloudsync_setup_block_column: table not found"),
        ("'t', 'nope', 'algo', 'block'", "cloudsync_setup_block_column: column 'nope' not found in table 't'"),
        ("'t', NULL, 'algo', 'block'", "cloudsync_setup_block_column: column '(null)' not found in table 't'"),
        ("'t', 'id', 'algo', 'block'", "cloudsync_setup_block_column: column 'id' not found in table 't'"),
        ("'t', 'nope', 'delimiter', 'x'", ""),
        ("'t', 'body', 'nope', 'x'", ""),
        ("'u', 'body', 'delimiter', NULL", ""),
    ] {
        let (said, _) = blocks(&[&format!("SELECT cloudsync_set_column({call})")]);
        assert_eq!(said[3..], [wanted], "{call}");
    }
    let early = ["CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)", BLOCK, INIT];
    let (said, _) = both("blocks before init", &early);
    assert_eq!(said[1], "cloudsync_setup_block_column: table not found");
}

#[test]
fn rows_with_blocks_are_captured_as_others_are() {
    let insert = "INSERT INTO t VALUES ('a', 'x' || char(10) || 'y', 1), ('b', NULL, 1), ('c', '', 1)";
    let (said, rows) = blocks(&[insert, "UPDATE t SET body = 'x'", "DELETE FROM t WHERE id = 'b'"]);
    assert!(said[3..].iter().all(String::is_empty), "{said:?}");
    assert_eq!(rows, ["a", "b", "c"]);
    let (said, rows) = blocks(&[insert, "SELECT cloudsync_cleanup('t')", INIT, "UPDATE t SET body = 'z'"]);
    assert_eq!((said[5].as_str(), said[6].as_str()), ("32", ""));
    assert_eq!(rows, ["a", "b", "c"]);
}
