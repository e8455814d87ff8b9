//! Change capture and the local functions.

use rusqlite::Connection;

use super::super::client::register;
use super::{FEW, client, dump, text_of};

fn bare() -> Connection {
    let connection = Connection::open_in_memory().expect("memory");
    register(&connection, FEW).expect("functions");
    connection
}

fn init(connection: &Connection, call: &str) -> Result<String, String> {
    connection.query_row(&format!("SELECT cloudsync_init({call})"), [], |row| row.get(0)).map_err(text_of)
}

fn dirty(connection: &Connection) -> Vec<String> {
    dump(connection, "SELECT cs_pk1 FROM t_cloudsync WHERE cs_pk1 IS NOT NULL ORDER BY version")
}

#[test]
fn tables_that_cannot_be_synced_are_refused_in_the_public_texts() {
    let connection = bare();
    let schema = "CREATE TABLE i(id INTEGER PRIMARY KEY, a); CREATE TABLE k(a); CREATE TABLE n(id TEXT PRIMARY KEY, a NOT NULL);
        CREATE TABLE x_cloudsync(id TEXT PRIMARY KEY); CREATE VIEW v AS SELECT 1; CREATE TABLE d(id TEXT PRIMARY KEY, a NOT NULL DEFAULT 1);";
    connection.execute_batch(schema).expect("schema");
    let message = |call: &str| init(&connection, call).expect_err(call);
    assert!(message("'i'").starts_with("Table i uses a single-column INTEGER primary key. For CRDT replication"));
    assert!(message("'k'").ends_with("must be explicitly set and declared as NOT NULL (table k)"));
    assert_eq!(message("'n'"), "All non-primary key columns declared as NOT NULL must have a DEFAULT value. (table n)");
    assert_eq!(message("'v'"), "Table v does not exist");
    assert_eq!(message("'*'"), "Table * does not exist");
    assert_eq!(message("NULL"), "cloudsync_init requires a non-null table parameter");
    assert_eq!(message("'d', 'xxx'"), "Unknown CRDT algorithm name xxx");
    assert_eq!(message(&format!("'{}'", "t".repeat(513))), "Table name cannot be longer than 512 characters");
    assert!(message("'x_cloudsync'").contains("no such column: db_version"));
    init(&connection, "'i', 'cls', 1").expect("the check is skipped");
    init(&connection, "'n', 'cls', 2").expect("the check is skipped");
    let site = init(&connection, "'d'").expect("a default");
    assert!(site.len() == 32 && site.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()), "{site}");
    assert_eq!(init(&connection, "'d'"), Ok(site), "init is idempotent");
}

#[test]
fn every_change_moves_its_key_to_a_new_version_whatever_the_conflict_clause() {
    let connection = client("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a)", "t");
    connection.execute_batch("INSERT INTO t VALUES ('a', 1), ('b', 1), ('c', 1)").expect("insert");
    for statement in [
        "UPDATE OR IGNORE t SET a = 2 WHERE id = 'a'",
        "INSERT OR REPLACE INTO t VALUES ('a', 3)",
        "INSERT INTO t VALUES ('a', 4) ON CONFLICT(id) DO UPDATE SET a = 4",
        "UPDATE OR FAIL t SET a = 2 WHERE id = 'a'",
        "INSERT OR ABORT INTO t SELECT 'a', 1 WHERE false; UPDATE OR ROLLBACK t SET a = 9 WHERE id = 'a'",
    ] {
        connection.execute_batch("UPDATE t SET a = 0 WHERE id = 'b'").expect("update");
        connection.execute_batch(statement).expect(statement);
        assert_eq!(dirty(&connection).last().map(String::as_str), Some("Text(\"a\")"), "{statement}");
    }
    connection.execute_batch("UPDATE t SET id = 'z' WHERE id = 'c'; DELETE FROM t WHERE id = 'b'").expect("rename");
    let mut keys = dirty(&connection);
    keys.sort_unstable();
    assert_eq!(keys, ["Text(\"a\")", "Text(\"b\")", "Text(\"c\")", "Text(\"z\")"], "a new key marks both");
}

#[test]
fn an_update_counts_the_columns_that_get_another_value_in_kind_or_in_bytes() {
    let connection = client("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a, b)", "t");
    connection.execute_batch("INSERT INTO t VALUES ('k', NULL, 1)").expect("insert");
    let versions = || -> Option<Vec<u8>> {
        let sql = "SELECT max(cs_versions) FROM t_cloudsync_versions";
        connection.query_row(sql, [], |row| row.get(0)).expect("versions")
    };
    let mut count = 1;
    for value in ["1", "1.0", "0.0", "-0.0", "0.0", "'a'", "'A'", "x'41'", "''", "NULL"] {
        for again in [false, true] {
            connection.execute(&format!("UPDATE t SET a = {value}, b = b"), []).expect("update");
            count += u8::from(!again);
            assert_eq!(versions(), Some(vec![1, count, 1]), "{value}, again: {again}");
        }
    }
}

#[test]
fn rows_that_replace_removes_for_another_unique_column_are_captured() {
    let connection = client("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a UNIQUE)", "t");
    connection
        .execute_batch("INSERT INTO t VALUES ('a', 1); INSERT INTO t VALUES ('c', 2); DELETE FROM t_cloudsync")
        .expect("rows");
    connection.execute_batch("INSERT OR REPLACE INTO t VALUES ('b', 1)").expect("replace");
    let mut keys = dirty(&connection);
    keys.sort_unstable();
    assert_eq!(keys, ["Text(\"a\")", "Text(\"b\")"]);
}

#[test]
fn every_connection_captures_the_rows_that_replace_removes() {
    let directory = tempfile::TempDir::new().expect("directory");
    let path = directory.path().join("a.db");
    let open = || {
        let connection = Connection::open(&path).expect("file");
        register(&connection, FEW).expect("functions");
        connection
    };
    let first = open();
    let schema =
        "CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, a UNIQUE); CREATE TABLE u(id TEXT PRIMARY KEY NOT NULL, a);
        CREATE TABLE log(id);";
    first.execute_batch(schema).expect("schema");
    let before = open();
    let mut prepared = before.prepare("INSERT OR REPLACE INTO t VALUES (?1, ?2)").expect("prepared before init");
    init(&first, "'t'").expect("init");
    init(&first, "'u'").expect("init");
    let networked = open();
    networked.query_row("SELECT cloudsync_network_init_custom('x', 'y')", [], |_| Ok(())).expect("network");
    let later = open();
    let clean = "DELETE FROM t; INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3); DELETE FROM t_cloudsync";
    let mut replace = |connection: &Connection, sql: &str| {
        first.execute_batch(clean).expect("rows");
        if sql.is_empty() {
            assert_eq!(prepared.execute(("z", 1)), Ok(1));
        } else {
            connection.execute_batch(sql).expect(sql);
        }
        let mut keys = dirty(&first);
        keys.sort_unstable();
        (keys.concat(), dump(&first, "SELECT id, a FROM t ORDER BY id").len())
    };
    let text = |keys: &[&str]| keys.iter().map(|key| format!("Text(\"{key}\")")).collect::<Vec<_>>().concat();
    assert_eq!(replace(&before, ""), (text(&["a", "z"]), 3), "a statement that was prepared before init");
    for connection in [&before, &networked, &later] {
        let recursive = |connection: &Connection| {
            connection.query_row("PRAGMA recursive_triggers", [], |row| row.get::<_, bool>(0)).expect("pragma")
        };
        connection.execute_batch("INSERT OR REPLACE INTO u VALUES ('a', 1)").expect("another table");
        let several = "BEGIN; INSERT INTO log VALUES (1);
            INSERT OR REPLACE INTO t VALUES ('x', 1), ('y', 2), ('w', 9); UPDATE OR REPLACE t SET a = 3 WHERE id = 'w'; COMMIT";
        assert_eq!(replace(connection, several), (text(&["a", "b", "c", "w", "x", "y"]), 3));
        assert!(recursive(connection));
    }
    assert_eq!(dump(&first, "SELECT id FROM log").len(), 3, "what came before in the transaction is kept");
    let untouched = open();
    untouched.execute_batch("INSERT OR REPLACE INTO u VALUES ('a', 1)").expect("a table that needs nothing");
    let recursive: bool = untouched.query_row("PRAGMA recursive_triggers", [], |row| row.get(0)).expect("pragma");
    assert!(!recursive, "no setting for a table without UNIQUE");
}

#[test]
fn a_null_key_is_refused_when_it_is_written() {
    let connection = client("CREATE TABLE t(id TEXT PRIMARY KEY, a)", "t");
    let error = connection.execute("INSERT INTO t VALUES (NULL, 1)", []).map_err(text_of);
    assert_eq!(error, Err("Insert aborted because primary key in table t contains NULL values.".to_owned()));
}

#[test]
fn rows_that_were_there_before_init_are_sent_and_rows_written_while_disabled_are_not() {
    let connection = bare();
    connection.execute_batch("CREATE TABLE t(id TEXT PRIMARY KEY, a); INSERT INTO t VALUES ('a', 1)").expect("schema");
    init(&connection, "'t'").expect("init");
    assert_eq!(dirty(&connection), ["Text(\"a\")"]);
    let enabled = |connection: &Connection| -> i64 {
        connection.query_row("SELECT cloudsync_is_enabled('t')", [], |row| row.get(0)).expect("flag")
    };
    assert_eq!(enabled(&connection), 1);
    connection.query_row("SELECT cloudsync_disable('t')", [], |_| Ok(())).expect("disable");
    connection.execute_batch("INSERT INTO t VALUES ('b', 1)").expect("insert");
    assert_eq!(enabled(&connection), 0);
    connection.query_row("SELECT cloudsync_enable('t')", [], |_| Ok(())).expect("enable");
    connection.execute_batch("INSERT INTO t VALUES ('c', 1)").expect("insert");
    assert_eq!(dirty(&connection), ["Text(\"a\")", "Text(\"c\")"]);
}

#[test]
fn a_connection_without_the_functions_cannot_write_and_a_terminated_one_neither() {
    let directory = tempfile::TempDir::new().expect("directory");
    let path = directory.path().join("a.db");
    let connection = Connection::open(&path).expect("file");
    register(&connection, FEW).expect("functions");
    connection.execute_batch("CREATE TABLE t(id TEXT PRIMARY KEY, a)").expect("schema");
    init(&connection, "'t'").expect("init");
    let other = Connection::open(&path).expect("file");
    let error = other.execute("INSERT INTO t VALUES ('a', 1)", []).expect_err("no functions");
    assert!(error.to_string().contains("no such function: cloudsync_is_applying"), "{error}");
    connection.query_row("SELECT cloudsync_terminate()", [], |_| Ok(())).expect("terminate");
    assert!(connection.execute("INSERT INTO t VALUES ('a', 1)", []).is_err());
    init(&connection, "'t'").expect("init revives");
    connection.execute("INSERT INTO t VALUES ('a', 1)", []).expect("write");
    connection.close().expect("nothing is left open");
}

#[test]
fn cleanup_of_the_last_table_removes_every_trace_and_versions_go_on_otherwise() {
    let connection = bare();
    connection
        .execute_batch("CREATE TABLE t(id TEXT PRIMARY KEY, a); CREATE TABLE u(id TEXT PRIMARY KEY, a)")
        .expect("schema");
    init(&connection, "'t'").expect("init");
    init(&connection, "'u'").expect("init");
    connection.execute_batch("INSERT INTO t VALUES ('a', 1), ('b', 1); DELETE FROM t").expect("rows");
    let version = |connection: &Connection| -> i64 {
        connection.query_row("SELECT cloudsync_db_version()", [], |row| row.get(0)).expect("version")
    };
    let before = version(&connection);
    connection.query_row("SELECT cloudsync_cleanup('t')", [], |_| Ok(())).expect("cleanup");
    init(&connection, "'t'").expect("init again");
    assert!(version(&connection) >= before, "the hub would ignore versions it has seen");
    for table in ["t", "u"] {
        connection.query_row("SELECT cloudsync_cleanup(?1)", [table], |_| Ok(())).expect("cleanup");
    }
    let left = dump(&connection, "SELECT name FROM sqlite_schema WHERE name LIKE '%cloudsync%'");
    assert_eq!(left, Vec::<String>::new());
    let siteid: Vec<u8> = connection.query_row("SELECT cloudsync_siteid()", [], |row| row.get(0)).expect("blob");
    assert_eq!(siteid, [0; 16]);
}

#[test]
fn calls_in_the_wrong_order_say_what_to_do_and_never_panic() {
    let connection = client("CREATE TABLE t(id TEXT PRIMARY KEY, a)", "t");
    let message = |sql: &str| connection.query_row(sql, [], |_| Ok(())).map_err(text_of).expect_err(sql);
    assert_eq!(message("SELECT cloudsync_network_send_changes()"), "Unable to retrieve CloudSync network context.");
    assert_eq!(message("SELECT cloudsync_network_receive_changes(3)"), "Unable to retrieve CloudSync network context.");
    assert!(message("SELECT cloudsync_network_set_token(NULL)").contains("NULL"));
    assert!(message("SELECT cloudsync_network_set_apikey(NULL)").contains("NULL"));
    assert!(message("SELECT cloudsync_network_init('db_x')").contains("cloudsync_network_init_custom"));
    assert_eq!(message("SELECT cloudsync_network_init_custom('', 'x')"), "address cannot be empty");
    assert_eq!(message("SELECT cloudsync_network_init_custom('x', '')"), "managedDatabaseId cannot be empty");
    assert!(message("SELECT cloudsync_network_sync(1)").contains("wrong number of arguments"));
    let fresh = bare();
    let error = fresh.query_row("SELECT cloudsync_db_version()", [], |_| Ok(())).map_err(text_of).expect_err("no init");
    assert!(error.starts_with("cloudsync is not initialized"), "{error}");
}
