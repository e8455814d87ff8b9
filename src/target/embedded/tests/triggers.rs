//! Triggers of the author's: what they write on the server while a push is stored reaches everybody.

use rusqlite::Connection;
use serde_json::json;

use super::{NOTES, Server, client, dump, notes, receive, send};

const LOG: &str = "CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, user_id TEXT, n INTEGER UNIQUE)";
/// Each on another table than its own, in the order in which they would meet a careless hub.
const TRIGGERS: &str = "
    CREATE TRIGGER counted AFTER UPDATE ON notes BEGIN
        INSERT INTO log VALUES ('of-' || NEW.id, NEW.user_id, NULL) ON CONFLICT(id) DO UPDATE SET user_id = NEW.user_id;
        INSERT OR IGNORE INTO log VALUES ('first', NEW.user_id, NULL); END;
    CREATE TRIGGER forgotten AFTER DELETE ON notes BEGIN DELETE FROM log WHERE id = 'of-' || OLD.id; END;
    CREATE TRIGGER bounded BEFORE INSERT ON notes WHEN NEW.value < 0 BEGIN SELECT RAISE(IGNORE); END";

fn with_triggers(suffix: &str) -> Server {
    let server = Server::start(Vec::new());
    let sql = format!("USE DATABASE d; {LOG}{suffix}; CLOUDSYNC ENABLE log; {TRIGGERS}");
    let (status, answer) = server.sql(&sql);
    assert_eq!(status, 200, "{answer}");
    server
}

/// A database with both tables, and with the triggers if it is to have them.
fn device(server: &Server, credential: &str, triggers: &str) -> Connection {
    let connection = client(&format!("{NOTES}; {LOG}; {triggers}"), "notes");
    connection.query_row("SELECT cloudsync_init('log')", [], |_| Ok(())).expect("init");
    server.connect(&connection, credential);
    connection
}

fn log(connection: &Connection) -> Vec<String> {
    dump(connection, "SELECT id, user_id FROM log ORDER BY id")
}

#[test]
fn what_a_trigger_writes_on_the_server_reaches_everybody() {
    for suffix in ["", " WITHOUT ROWID"] {
        for triggers in ["", TRIGGERS] {
            let server = with_triggers(suffix);
            let [one, two] = [(); 2].map(|()| device(&server, "key", triggers));
            let says = format!("{suffix} {triggers}");
            one.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1), ('b', 'ann', 1), ('c', 'ann', 1)")
                .expect("rows");
            send(&one).expect("send");
            one.execute_batch("UPDATE notes SET value = value + 1; DELETE FROM notes WHERE id = 'c'").expect("changes");
            let answer = send(&one).expect("send");
            assert_eq!((&answer["status"], answer.get("lastFailure")), (&json!("synced"), None), "{says}");
            let expected = ["of-a", "of-b", "first"].len();
            for connection in [&one, &two, &device(&server, "key", triggers)] {
                receive(connection).expect("receive");
                assert_eq!(log(connection).len(), expected, "{says}: {:?}", log(connection));
                assert_eq!(notes(connection).len(), 2, "{says}");
            }
            assert_eq!(log(&one), log(&two), "{says}");
            assert_eq!(notes(&one), notes(&two), "{says}");
            // A trigger's deletion arrives too, and a new row under the key afterwards.
            two.execute_batch("DELETE FROM notes WHERE id = 'a'").expect("delete");
            send(&two).expect("send");
            receive(&one).expect("receive");
            assert_eq!((log(&one).len(), notes(&one).len()), (2, 1), "{says}");
            assert_eq!(server.value("SELECT count(*) FROM log"), 2, "{says}");
            one.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 5); UPDATE notes SET value = 6 WHERE id = 'a'")
                .expect("again");
            send(&one).expect("send");
            receive(&two).expect("receive");
            assert_eq!(notes(&two).len(), 2, "{says}");
        }
    }
}

#[test]
fn a_trigger_does_not_take_the_pushers_own_row() {
    let server = with_triggers("");
    let (one, two) = (device(&server, "key", ""), device(&server, "key", ""));
    let rows = "INSERT INTO notes SELECT 'k' || value, 'ann', value FROM generate_series(1, 12)";
    one.execute_batch(rows).expect("rows");
    send(&one).expect("send");
    assert_eq!(receive(&one).expect("receive")["rows"], 0, "what it wrote itself does not come back");
    one.execute_batch("UPDATE notes SET user_id = 'bob' WHERE id IN ('k1', 'k2'); DELETE FROM notes WHERE id = 'k3'")
        .expect("rows");
    send(&one).expect("send");
    assert_eq!(receive(&one).expect("receive")["rows"], 3, "the rows of the log, and none of its own");
    receive(&two).expect("receive");
    assert_eq!(notes(&one), notes(&two));
    one.execute_batch("INSERT INTO notes VALUES ('ignored', 'ann', -1)").expect("a row");
    assert_eq!(send(&one).expect("send")["status"], "synced", "a trigger passes over it");
    assert_eq!(server.value("SELECT count(*) FROM notes_cloudsync"), 11);
    assert_eq!(
        server.value(
            "SELECT count(*) - count(DISTINCT cs_seq) FROM (SELECT cs_seq FROM notes_cloudsync UNION ALL
        SELECT cs_seq FROM log_cloudsync UNION ALL SELECT cs_seq FROM notes_cloudsync_tombstones)"
        ),
        0
    );
}

#[test]
fn what_a_trigger_writes_is_seen_by_whom_the_policy_allows_and_a_changed_schema_is_noticed() {
    let server = with_triggers("");
    server.own_notes_only();
    let (status, answer) = server.sql(
        "USE DATABASE d; ENABLE RLS DATABASE d TABLE log; SET RLS DATABASE d TABLE log SELECT \"auth_userid() = user_id\"",
    );
    assert_eq!(status, 200, "{answer}");
    let [ann, bob] = ["ann", "bob"].map(|user| device(&server, &server.token(user), ""));
    ann.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1)").expect("row");
    send(&ann).expect("send");
    ann.execute_batch("UPDATE notes SET value = 2").expect("row");
    send(&ann).expect("send");
    receive(&ann).expect("receive");
    receive(&bob).expect("receive");
    assert_eq!((log(&ann).len(), log(&bob).len()), (2, 0));
    // Connections of the hub that have noted before go on by the tables of now.
    let (status, answer) = server.sql(
        "USE DATABASE d; CLOUDSYNC DISABLE log; DROP TABLE log; CREATE TABLE log(id TEXT PRIMARY KEY NOT NULL, user_id TEXT, n INTEGER UNIQUE, m);
         CLOUDSYNC ENABLE log; DROP TRIGGER counted;
         CREATE TRIGGER counted AFTER UPDATE ON notes BEGIN INSERT INTO log VALUES ('now', NEW.user_id, 1, 2); END",
    );
    assert_eq!(status, 200, "{answer}");
    ann.execute_batch("UPDATE notes SET value = 3").expect("row");
    assert_eq!(send(&ann).expect("send")["status"], "synced");
    assert_eq!(server.value("SELECT count(*) FROM log_cloudsync"), 1);
    server.sql("USE DATABASE d; DROP TRIGGER counted; DROP TRIGGER forgotten; DROP TRIGGER bounded");
    ann.execute_batch("UPDATE notes SET value = 4").expect("row");
    assert_eq!(send(&ann).expect("send")["status"], "synced");
    assert_eq!(server.value("SELECT value FROM notes"), 4);
}

#[test]
fn a_received_row_fires_the_triggers_of_a_connection_and_what_is_written_afterwards_is_captured() {
    let server = Server::start(Vec::new());
    let [one, two, three] = [(); 3].map(|()| {
        let connection = client(NOTES, "notes");
        server.connect(&connection, "key");
        connection
    });
    let trigger = "CREATE TEMP TABLE heard(id); CREATE TEMP TRIGGER hears AFTER INSERT ON main.notes
                   BEGIN INSERT INTO heard VALUES (NEW.id); END";
    two.execute_batch(trigger).expect("a trigger of the connection's own");
    one.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1)").expect("row");
    send(&one).expect("send");
    for (connection, triggers) in [(&two, 1), (&three, 0)] {
        receive(connection).expect("receive");
        connection.execute_batch("UPDATE notes SET value = value + 1").expect("row");
        assert_eq!(send(connection).expect("send")["chunks"], 1, "{triggers} triggers: the update is captured");
        assert_eq!(receive(connection).expect("receive")["rows"], 0);
    }
    assert_eq!(dump(&two, "SELECT id FROM heard"), [r#"Text("a")"#]);
    receive(&one).expect("receive");
    assert_eq!(server.value("SELECT value FROM notes"), 3);
}
