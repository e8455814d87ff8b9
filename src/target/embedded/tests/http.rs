//! The hub over real HTTP: sync, administration, restarts, and requests that are none.

use std::io::{Read, Write};
use std::net::TcpStream;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::{Hub, HubError};
use super::{LIMIT, Server, ask, client, notes, options, receive, request, send, text_of};
use crate::scenario::JournalMode;

#[test]
fn twenty_thousand_rows_arrive_in_pages_and_a_capped_receive_says_there_is_more() {
    let server = Server::start(Vec::new());
    let (one, two) = (server.client(), server.client());
    one.execute_batch("INSERT INTO notes SELECT 'n' || value, 'u', value FROM generate_series(1, 20000)")
        .expect("rows");
    let sent = send(&one).expect("send");
    assert_eq!((&sent["status"], &sent["chunks"]), (&json!("synced"), &json!(4000)), "{sent}");
    assert_eq!(sent["localVersion"], sent["serverVersion"]);
    let capped = ask(&two, "SELECT cloudsync_network_receive_changes(2)").expect("receive")["receive"].clone();
    assert_eq!((&capped["rows"], &capped["chunks"], &capped["complete"]), (&json!(10), &json!(2), &json!(false)));
    let rest = receive(&two).expect("receive");
    assert_eq!((&rest["rows"], &rest["tables"], &rest["complete"]), (&json!(19_990), &json!(["notes"]), &json!(true)));
    assert_eq!(notes(&one), notes(&two));
    assert_eq!(send(&two).expect("send")["chunks"], 0, "what was received is not sent back");
    assert_eq!(receive(&two).expect("receive")["rows"], 0);
}

#[test]
fn what_the_administrator_writes_reaches_the_databases() {
    let server = Server::start(Vec::new());
    let client = server.client();
    client.execute_batch("INSERT INTO notes VALUES ('a', 'u', 1), ('b', 'u', 2), ('c', 'u', 3)").expect("rows");
    send(&client).expect("send");
    let (status, answer) = server.sql(
        "USE DATABASE d; INSERT INTO notes VALUES ('d', 'u', 4); UPDATE notes SET value = 9 WHERE id = 'a'; INSERT OR REPLACE INTO notes VALUES ('b', 'u', 8);
         DELETE FROM notes WHERE id = 'c'; UPDATE notes SET id = 'e' WHERE id = 'd'",
    );
    assert_eq!(status, 200, "{answer}");
    receive(&client).expect("receive");
    let expected = ["a|9", "b|8", "e|4"].map(|row| row.replace('|', "\")|Text(\"u\")|Integer("));
    assert_eq!(notes(&client), expected.map(|row| format!("Text(\"{row})")));
}

#[test]
fn status_and_unsent_changes_are_asked_of_the_hub() {
    let server = Server::start(Vec::new());
    let client = server.client();
    let unsent = || client.query_row("SELECT cloudsync_network_has_unsent_changes()", [], |row| row.get::<_, i64>(0));
    assert_eq!(unsent().expect("flag"), 0);
    client.execute_batch("INSERT INTO notes VALUES ('a', 'u', 1)").expect("row");
    assert_eq!(unsent().expect("flag"), 1);
    let both = ask(&client, "SELECT cloudsync_network_sync(100, 3)").expect("sync");
    assert!(both["send"]["status"] == "synced" && both["receive"]["complete"] == true, "{both}");
    assert_eq!(unsent().expect("flag"), 0);
    assert_eq!(ask(&client, "SELECT cloudsync_network_status()").expect("status")["lastConfirmedVersion"], 1);
    client.query_row("SELECT cloudsync_network_reset_sync_version()", [], |_| Ok(())).expect("reset");
    assert_eq!(send(&client).expect("send")["chunks"], 1, "everything goes out again");
    client.query_row("SELECT cloudsync_network_logout()", [], |_| Ok(())).expect("logout");
    assert_eq!(notes(&client), Vec::<String>::new());
    assert_eq!(server.value("SELECT count(*) FROM notes"), 1, "the server keeps its rows");
}

#[test]
fn rows_that_break_a_constraint_of_the_server_are_skipped_and_reported() {
    let server = Server::start(Vec::new());
    server.sql("USE DATABASE d; CREATE UNIQUE INDEX one_value ON notes(value)");
    let client = server.client();
    client.execute_batch("INSERT INTO notes VALUES ('a', 'u', 1), ('b', 'u', 1), ('c', 'u', 2)").expect("rows");
    let answer = send(&client).expect("send");
    let failure = &answer["lastFailure"];
    assert_eq!((&failure["code"], &failure["stage"]), (&json!("database_error"), &json!("apply_payload")), "{answer}");
    assert_eq!(failure["message"], "UNIQUE constraint failed: notes.value");
    assert_eq!(server.value("SELECT group_concat(id) FROM notes"), "a,c");
    assert_eq!(server.value("SELECT failed FROM cloudsync_sites"), 1);
}

#[test]
fn a_received_row_that_breaks_a_local_constraint_is_reported_and_comes_again() {
    let server = Server::start(Vec::new());
    let (one, two) = (server.client(), server.client());
    two.execute_batch(
        "CREATE TRIGGER no BEFORE INSERT ON notes WHEN NEW.value = 3 BEGIN SELECT RAISE(ABORT, 'not three'); END",
    )
    .expect("trigger");
    one.execute_batch("INSERT INTO notes VALUES ('a', 'u', 3)").expect("row");
    send(&one).expect("send");
    for _ in 0..2 {
        let answer = receive(&two).expect("receive");
        assert_eq!((&answer["error"], &answer["complete"]), (&json!("not three"), &json!(false)), "{answer}");
    }
    two.execute_batch("DROP TRIGGER no").expect("trigger");
    assert_eq!(receive(&two).expect("receive")["rows"], 1);
}

#[test]
fn values_that_swap_a_unique_column_arrive_whatever_the_page() {
    let server = Server::start(Vec::new());
    let schema = "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, user_id TEXT, value INTEGER UNIQUE)";
    let two = client(schema, "notes");
    let network = "SELECT cloudsync_network_init_custom(?1, ?2), cloudsync_network_set_apikey('key')";
    two.query_row(network, [server.hub.url(), &server.id], |_| Ok(())).expect("network");
    let one = server.client();
    one.execute_batch("INSERT INTO notes SELECT 'n' || value, 'u', value FROM generate_series(1, 12)").expect("rows");
    send(&one).expect("send");
    receive(&two).expect("receive");
    // One by one, so that the hub numbers them in this order: for a while two rows want the same value.
    one.execute_batch("UPDATE notes SET value = -value; UPDATE notes SET value = 13 + value").expect("reverse");
    send(&one).expect("send");
    let answer = receive(&two).expect("receive");
    assert_eq!(answer.get("error"), None, "{answer}");
    assert_eq!(notes(&one), notes(&two));
}

#[test]
fn a_different_schema_is_refused_on_both_sides_and_loses_nothing() {
    let server = Server::start(Vec::new());
    let other = client("CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, other REAL)", "notes");
    let network = "SELECT cloudsync_network_init_custom(?1, ?2), cloudsync_network_set_apikey('key')";
    other.query_row(network, [server.hub.url(), &server.id], |_| Ok(())).expect("network");
    other.execute_batch("INSERT INTO notes VALUES ('a', 1)").expect("row");
    let sent = send(&other).expect("send");
    assert_eq!(sent["status"], "out-of-sync");
    let message = sent["lastFailure"]["message"].as_str().expect("message");
    assert!(message.contains("schema hash is unknown"), "{message}");
    let one = server.client();
    one.execute_batch("INSERT INTO notes VALUES ('b', 'u', 1)").expect("row");
    send(&one).expect("send");
    let received = receive(&other).expect("receive");
    assert!(received["error"].as_str().is_some_and(|text| text.starts_with("Cannot apply the received payload")));
}

#[test]
fn sending_inside_an_open_transaction_is_refused_before_anything_is_lost() {
    let server = Server::start(Vec::new());
    let client = server.client();
    client.execute_batch("BEGIN; INSERT INTO notes VALUES ('a', 'u', 1)").expect("begin");
    assert!(text_of(send(&client).expect_err("open transaction")).contains("open transaction"));
    client.execute_batch("COMMIT").expect("commit");
    assert_eq!(send(&client).expect("send")["chunks"], 1);
}

#[test]
fn a_hub_started_again_on_the_same_data_goes_on() {
    let server = Server::start(Vec::new());
    server.own_notes_only();
    let token = server.token("ann");
    let client = server.client_as(&token);
    client.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1)").expect("row");
    send(&client).expect("send");
    let Server { hub, id, data } = server;
    hub.stop();
    let server = Server { hub: Hub::start(options(data.path())).expect("again"), id, data };
    let network = "SELECT cloudsync_network_init_custom(?1, ?2)";
    client.query_row(network, [server.hub.url(), &server.id], |_| Ok(())).expect("network");
    client.execute_batch("INSERT INTO notes VALUES ('b', 'ann', 1), ('c', 'bob', 1)").expect("rows");
    assert_eq!(send(&client).expect("send")["status"], "synced");
    let newcomer = server.client_as(&token);
    assert_eq!(receive(&newcomer).expect("receive")["rows"], 2, "policies and tokens are kept too");
}

#[test]
fn a_port_in_use_and_a_directory_that_is_none_are_named() {
    let server = Server::start(Vec::new());
    let directory = tempfile::TempDir::new().expect("directory");
    let mut taken = options(directory.path());
    taken.address = server.hub.url().trim_start_matches("http://").parse().expect("address");
    let error = Hub::start(taken.clone()).expect_err("in use");
    assert!(matches!(error, HubError::AddressInUse { .. }));
    assert!(error.to_string().contains(&taken.address.to_string()), "{error}");
    let file = directory.path().join("file");
    std::fs::write(&file, "x").expect("file");
    let error = Hub::start(options(&file)).expect_err("no directory");
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    std::fs::write(directory.path().join("hub.db"), "not a database, but long enough to look at").expect("file");
    let error = Hub::start(options(directory.path())).expect_err("damaged");
    assert!(matches!(error, HubError::Database { .. }), "{error}");
}

#[test]
fn a_wrong_bearer_is_refused_everywhere() {
    let server = Server::start(Vec::new());
    assert_eq!(server.call("GET", "/v1/orgs", "key", &json!(null)).0, 401);
    assert_eq!(server.call("POST", "/v2/weblite/sql", "manage", &json!({ "sql": "SELECT 1" })).0, 401);
    let client = server.client_as("nobody");
    let body: Value = serde_json::from_str(&text_of(send(&client).expect_err("refused"))).expect("the body verbatim");
    assert_eq!(body["errors"][0]["status"], "401");
}

#[test]
fn an_unknown_managed_database_is_a_404_and_a_closed_port_says_so_like_curl() {
    let server = Server::start(Vec::new());
    let client = server.client();
    let init = |address: &str| {
        client.query_row("SELECT cloudsync_network_init_custom(?1, 'db_x')", [address], |_| Ok(())).expect("init");
        text_of(send(&client).expect_err(address))
    };
    assert!(init(server.hub.url()).contains("managed database not found"));
    let refused = init("http://127.0.0.1:9");
    assert!(
        refused.starts_with("Failed to connect to 127.0.0.1 port 9 after ") && refused.ends_with(" ms: Error"),
        "{refused}"
    );
    assert_eq!(init("http://nobody.invalid:80"), "Could not resolve host: nobody.invalid");
}

#[test]
fn a_silent_server_times_out_after_the_set_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("socket");
    let address = listener.local_addr().expect("address").to_string();
    let client = client(super::NOTES, "notes");
    client.query_row("SELECT cloudsync_network_init_custom(?1, 'x')", [&address], |_| Ok(())).expect("network");
    client.query_row("SELECT cloudsync_set('network_request_timeout', '0.3')", [], |_| Ok(())).expect("set");
    let text = text_of(receive(&client).expect_err("silence"));
    assert!(text.starts_with("Operation timed out after ") && text.ends_with("with 0 bytes received"), "{text}");
}

#[test]
fn an_answer_that_came_twice_is_not_taken_for_the_next_one() {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("socket");
    let address = listener.local_addr().expect("address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            loop {
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = told.trim().parse().expect("a number");
                    }
                    line.clear();
                }
                if reader.read_exact(&mut vec![0; length]).is_err() {
                    break;
                }
                // Whatever is asked: the answer to the first request, over and over.
                let head = "HTTP/1.1 200 OK\r\nstress-request: 1\r\nstress-checksum: 2d06800538d394c2\r\nContent-Length: 0\r\n\r\n";
                if reader.get_mut().write_all(head.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    let client = client(super::NOTES, "notes");
    client.query_row("SELECT cloudsync_network_init_custom(?1, 'x')", [&address], |_| Ok(())).expect("network");
    let first = text_of(receive(&client).expect_err("it is empty"));
    assert!(!first.contains("Recv failure"), "{first}");
    for _ in 0..2 {
        let later = text_of(receive(&client).expect_err("it is the answer to the first"));
        assert_eq!(later, "Recv failure: the answer belongs to an earlier request");
    }
}

#[test]
fn the_documented_commands_do_what_they_say() {
    let server = Server::start(Vec::new());
    assert_eq!(server.sql("CREATE DATABASE d").0, 409);
    assert_eq!(server.sql("CREATE DATABASE ../x").0, 400);
    assert_eq!(server.sql("REMOVE DATABASE nope").0, 404);
    assert_eq!(server.sql("DROP DATABASE nope IF EXISTS").1["data"], "OK");
    assert_eq!(server.sql("CREATE DATABASE e; LIST DATABASES").1["data"], json!([{ "name": "d" }, { "name": "e" }]));
    assert_eq!(server.sql("REMOVE DATABASE e; LIST DATABASES").1["data"], json!([{ "name": "d" }]));
    let tables = server.sql("USE DATABASE d; LIST TABLES").1["data"].to_string();
    assert!(tables.contains("\"notes\"") && tables.contains("\"notes_cloudsync\""), "{tables}");
    assert_eq!(server.sql("SELECT 1").1["error"]["status"], "400", "no database");
    assert_eq!(server.sql("USE DATABASE d; SELECT nope").1["error"]["detail"], "no such column: nope");
    let bound =
        json!({ "sql": "SELECT ?1 AS a, ?2 AS b, x'0aff' AS c, 1.5 AS d", "database": "d", "bind": ["x", null] });
    let (_, answer) = server.call("POST", "/v2/weblite/sql", "key", &bound);
    assert_eq!(answer["data"], json!([{ "a": "x", "b": null, "c": "0aff", "d": 1.5 }]));
    assert_eq!(answer["metadata"]["numberOfRows"], 1);
    let (_, answer) = server.call(
        "GET",
        "/v2/weblite/sql?database=d&sql=SELECT%201%20AS+x",
        "sqlitecloud://h:8860?apikey=key",
        &json!(null),
    );
    assert_eq!(answer["data"], json!([{ "x": 1 }]));
    // As the upstream preparation does it.
    let again = format!(
        "USE DATABASE d; CLOUDSYNC DISABLE notes; DROP TABLE IF EXISTS notes; {}; CLOUDSYNC ENABLE notes",
        super::NOTES
    );
    assert_eq!(server.sql(&again).1["data"], "OK");
    assert_eq!(server.sql("USE DATABASE d; CLOUDSYNC ENABLE nope").0, 400);
}

#[test]
fn the_management_api_registers_lists_and_forgets() {
    let server = Server::start(Vec::new());
    let get = |path: &str| server.call("GET", path, "manage", &json!(null)).1["data"].clone();
    assert_eq!(get("/v1/orgs")["status"], "active");
    assert_eq!(get("/v1/databases?projectId=x&database=d")[0]["managedDatabaseId"], server.id);
    assert_eq!(get("/v1/databases?database=e"), json!([]));
    let base = format!("/v1/databases/{}", server.id);
    assert_eq!(get(&format!("{base}/connection"))["ok"], true);
    assert_eq!(get(&format!("{base}/cloudsync/tables")), json!([{ "name": "notes", "enabled": true }]));
    let client = server.client();
    client.execute_batch("INSERT INTO notes VALUES ('a', 'u', 1)").expect("row");
    send(&client).expect("send");
    let site = get(&format!("{base}/devices"))[0]["siteId"].as_str().expect("site").to_owned();
    assert_eq!(server.call("DELETE", &format!("{base}/devices/{site}"), "manage", &json!(null)).0, 200);
    assert_eq!(get(&format!("{base}/devices")), json!([]));
    let disable = json!({ "tables": ["notes"] });
    assert_eq!(server.call("POST", &format!("{base}/cloudsync/disable"), "manage", &disable).0, 200);
    assert_eq!(get(&format!("{base}/cloudsync/tables"))[0]["enabled"], false);
    client.execute_batch("INSERT INTO notes VALUES ('b', 'u', 1)").expect("row");
    let answer = send(&client).expect("send");
    assert_eq!(answer["lastFailure"]["code"], "database_cloudsync_not_ready", "{answer}");
}

#[test]
fn requests_that_are_none_are_answered_or_dropped_and_the_hub_lives() {
    let server = Server::start(Vec::new());
    let address = server.hub.url().trim_start_matches("http://").to_owned();
    for garbage in [
        &b"\0\x01\x02\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"POST /v2/weblite/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key\r\nContent-Length: 99\r\n\r\n{",
    ] {
        let mut stream = TcpStream::connect(&address).expect("connect");
        stream.write_all(garbage).expect("write");
        stream.shutdown(std::net::Shutdown::Write).expect("shutdown");
        let mut answer = String::new();
        stream.set_read_timeout(Some(LIMIT)).expect("timeout");
        stream.read_to_string(&mut answer).expect("it answers or hangs up");
        assert_eq!(answer.lines().next().unwrap_or_default(), "HTTP/1.1 400 Bad Request", "{garbage:?}");
    }
    let url = |path: &str| format!("{}{path}", server.hub.url());
    let push = url(&format!("/stress/v1/{}/push", server.id));
    for body in [&b""[..], b"\0", b"\x01", b"\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"{}"] {
        assert_eq!(request(&push, "POST", "key", body).0, 400);
    }
    for (path, body) in [("/v2/weblite/sql", "{"), ("/v2/weblite/sql", "{\"sql\": 3}"), ("/v2/tokens", "[]")] {
        assert_eq!(request(&url(path), "POST", "key", body.as_bytes()).0, 400, "{path}");
    }
    assert_eq!(request(&url("/nowhere"), "GET", "key", b"").0, 404);
    assert_eq!(request(&url("/v2/health"), "GET", "", b"").0, 200);
}

#[test]
fn an_interrupted_receive_stops_between_pages_with_what_it_has() {
    let server = Server::start_with(|options| options.latency = std::time::Duration::from_millis(20));
    let (one, two) = (server.client(), server.client());
    server.sql("USE DATABASE d; INSERT INTO notes SELECT 'n' || value, 'u', value FROM generate_series(1, 500)");
    drop(one);
    let handle = two.get_interrupt_handle();
    let waker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        handle.interrupt();
    });
    let error = receive(&two).expect_err("interrupted");
    waker.join().expect("thread");
    assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::OperationInterrupted), "{error}");
    let got = notes(&two).len();
    assert!((1..500).contains(&got), "{got}");
    receive(&two).expect("the rest");
    assert_eq!(notes(&two).len(), 500);
}

#[test]
fn databases_that_sync_all_at_once_meet_no_lock_and_agree_in_every_journal_mode() {
    for journal_mode in [JournalMode::Wal, JournalMode::Delete, JournalMode::Memory] {
        let server = Server::start_with(|options| options.journal_mode = journal_mode);
        let databases: Vec<_> = (0..6).map(|_| server.client()).collect();
        let databases: Vec<_> = std::thread::scope(|scope| {
            let work = |(number, database): (usize, Connection)| {
                for iteration in 0..6 {
                    let sql = format!(
                        "INSERT INTO notes SELECT '{number}_{iteration}_' || value, 'u', 0 FROM generate_series(1, 12);
                         UPDATE notes SET value = value + 1; DELETE FROM notes WHERE id LIKE '%_3'"
                    );
                    database.execute_batch(&sql).expect("phase");
                    assert_eq!(send(&database).expect("send")["status"], "synced");
                    assert_eq!(receive(&database).expect("receive").get("error"), None);
                }
                database
            };
            let threads: Vec<_> = databases.into_iter().enumerate().map(|one| scope.spawn(move || work(one))).collect();
            threads.into_iter().map(|thread| thread.join().expect("thread")).collect()
        });
        for database in &databases {
            receive(database).expect("receive");
            assert_eq!(notes(database), notes(&databases[0]), "{journal_mode:?}");
        }
        assert_eq!(server.value("SELECT count(*) FROM notes"), notes(&databases[0]).len());
    }
}
