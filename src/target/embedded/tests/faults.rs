//! Every planted failure can be seen. A check never seen red is no check.

use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Server, always, at, notes, receive, send, text_of};
use crate::scenario::{Fault, FaultKind};

fn put(client: &Connection, rows: &str) {
    client.execute_batch(&format!("INSERT OR REPLACE INTO notes VALUES {rows}")).expect("rows");
}

fn error_of(result: rusqlite::Result<Value>) -> String {
    text_of(result.expect_err("a planted failure"))
}

#[test]
fn drop_row_acknowledges_a_row_and_does_not_store_it() {
    let server = Server::start(vec![at(FaultKind::DropRow, &[2])]);
    let client = server.client();
    put(&client, "('a', 'u', 1), ('b', 'u', 1), ('c', 'u', 1)");
    assert_eq!(send(&client).expect("send")["status"], "synced");
    assert_eq!(server.value("SELECT group_concat(id) FROM notes"), "a,c");
}

/// Two databases, of which one sends three rows, with a failure in the second; then both receive.
fn after_three_rows(fault: FaultKind) -> (Server, [Vec<String>; 2]) {
    let server = Server::start(vec![at(fault, &[2])]);
    let (one, two) = (server.client(), server.client());
    put(&one, "('a', 'u', 1), ('b', 'u', 1), ('c', 'u', 1)");
    assert_eq!(send(&one).expect("send")["status"], "synced");
    let held = [&one, &two].map(|client| {
        receive(client).expect("receive");
        notes(client)
    });
    assert_eq!(server.hub.strikes(), 1);
    (server, held)
}

#[test]
fn lose_everywhere_takes_a_row_from_everybody() {
    let (server, [one, two]) = after_three_rows(FaultKind::LoseEverywhere);
    assert_eq!(server.value("SELECT group_concat(id) FROM notes"), "a,c");
    assert_eq!((one.len(), &one), (2, &two), "the writer loses it, too");
}

#[test]
fn rewrite_changes_a_value_for_everybody() {
    let (server, [one, two]) = after_three_rows(FaultKind::Rewrite);
    assert_eq!(server.value("SELECT group_concat(id || user_id || value) FROM notes"), "au1,bu~1,cu1");
    assert_eq!((one.len(), &one), (3, &two), "the writer gets it, too");
    assert!(one[1].contains("u~"), "{one:?}");
}

#[test]
fn invent_gives_everybody_a_row_that_nobody_wrote() {
    let (server, [one, two]) = after_three_rows(FaultKind::Invent);
    assert_eq!(
        server.value("SELECT group_concat(id || user_id || value) FROM notes ORDER BY id"),
        "au1,bu1,b-invented-1u1,cu1"
    );
    assert_eq!((one.len(), &one), (4, &two), "the writer gets it, too");
    assert_eq!(server.value("SELECT pushed FROM cloudsync_sites"), 3);
}

#[test]
fn rows_done_wrong_to_stay_with_those_whom_the_policy_lets_see_them() {
    for (fault, rows) in [(FaultKind::LoseEverywhere, 1), (FaultKind::Rewrite, 2), (FaultKind::Invent, 3)] {
        // The row that is denied is an occasion, and none that strikes.
        let server = Server::start(vec![at(fault, &[1, 3])]);
        server.own_notes_only();
        let [ann, other, bob] = ["ann", "ann", "bob"].map(|user| server.client_as(&server.token(user)));
        put(&ann, "('evil', 'bob', 1), ('a', 'ann', 1), ('b', 'ann', 1)");
        send(&ann).expect("send");
        assert_eq!(server.hub.strikes(), 1, "{fault:?}");
        for client in [&ann, &other, &bob] {
            receive(client).expect("receive");
        }
        assert_eq!((notes(&other).len(), notes(&bob).len()), (rows, 0), "{fault:?}");
        let own: Vec<String> = notes(&ann).into_iter().filter(|row| !row.contains("evil")).collect();
        assert_eq!(own, notes(&other), "{fault:?}");
        if fault == FaultKind::Rewrite {
            assert_eq!(server.value("SELECT group_concat(id || user_id || value) FROM notes"), "aann1,bann2");
        }
    }
}

#[test]
fn a_row_that_offers_no_way_to_do_wrong_is_left_alone() {
    for (schema, row, kind) in [
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL)", "('a')", FaultKind::Rewrite),
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v CHECK (v IN (5)))", "('a', 5)", FaultKind::Rewrite),
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL, v UNIQUE)", "('a', 5)", FaultKind::Invent),
        ("CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL CHECK (length(id) < 3), v)", "('a', 5)", FaultKind::Invent),
    ] {
        for suffix in ["", " WITHOUT ROWID"] {
            let server = Server::start(vec![always(kind)]);
            assert_eq!(server.sql(&format!("USE DATABASE d; {schema}{suffix}; CLOUDSYNC ENABLE t")).0, 200);
            let client = super::client(&format!("{schema}{suffix}"), "t");
            server.connect(&client, "key");
            client.execute_batch(&format!("INSERT INTO t VALUES {row}")).expect("row");
            assert_eq!(send(&client).expect("send")["status"], "synced", "{schema}");
            assert_eq!(
                (server.hub.strikes(), receive(&client).expect("receive")["rows"].clone()),
                (0, json!(0)),
                "{schema}"
            );
        }
    }
}

#[test]
fn a_made_up_key_keeps_its_type_and_collides_with_no_other() {
    for suffix in ["", " WITHOUT ROWID"] {
        let server = Server::start(vec![always(FaultKind::Invent)]);
        let schema = format!("CREATE TABLE t(owner TEXT, id ANY, v, PRIMARY KEY (owner, id)){suffix}");
        assert_eq!(server.sql(&format!("USE DATABASE d; {schema}; CLOUDSYNC ENABLE t")).0, 200);
        let client = super::client(&schema, "t");
        server.connect(&client, "key");
        client
            .execute_batch("INSERT INTO t VALUES ('u', 'x-invented-1', 0), ('u', 1, 0), ('u', 'x', 0), ('u', 1.5, 0), ('u', x'01', 0)")
            .expect("rows");
        assert_eq!(send(&client).expect("send")["status"], "synced");
        receive(&client).expect("receive");
        let types = super::dump(&client, "SELECT owner, typeof(id), count(*) FROM t GROUP BY 1, 2 ORDER BY 2");
        let of = |kind: &str, count: u8| format!("Text(\"u\")|Text(\"{kind}\")|Integer({count})");
        assert_eq!(types, [of("blob", 2), of("integer", 2), of("real", 2), of("text", 4)], "{suffix}");
        assert_eq!(server.value("SELECT count(*) FROM t"), 10);
    }
}

#[test]
fn forget_push_acknowledges_a_push_and_stores_nothing() {
    let server = Server::start(vec![at(FaultKind::ForgetPush, &[1])]);
    let client = server.client();
    put(&client, "('a', 'u', 1), ('b', 'u', 1)");
    assert_eq!(send(&client).expect("send")["status"], "synced");
    assert_eq!(server.value("SELECT count(*) FROM notes"), 0);
    put(&client, "('c', 'u', 1)");
    send(&client).expect("send");
    assert_eq!(server.value("SELECT group_concat(id) FROM notes"), "c");
}

#[test]
fn apply_twice_brings_an_old_value_back_over_a_newer_one() {
    let server = Server::start(vec![at(FaultKind::ApplyTwice, &[1])]);
    let (one, two) = (server.client(), server.client());
    put(&one, "('a', 'u', 1)");
    send(&one).expect("send");
    receive(&two).expect("receive");
    put(&two, "('a', 'u', 2)");
    send(&two).expect("send");
    assert_eq!(server.value("SELECT value FROM notes"), 1);
}

#[test]
fn repeat_page_delivers_an_old_page_which_changes_nothing_that_is_newer() {
    let server = Server::start(vec![at(FaultKind::RepeatPage, &[1])]);
    let (one, two) = (server.client(), server.client());
    put(&one, "('a', 'u', 1)");
    send(&one).expect("send");
    receive(&two).expect("receive");
    put(&two, "('a', 'u', 2)");
    send(&two).expect("send");
    let again = receive(&two).expect("receive");
    assert_eq!(
        (&again["chunks"], &again["rows"]),
        (&serde_json::json!(1), &serde_json::json!(0)),
        "the page comes again"
    );
    assert_eq!(two.query_row("SELECT value FROM notes", [], |row| row.get::<_, i64>(0)).expect("row"), 2);
    assert_eq!(server.value("SELECT value FROM notes"), 2);
}

#[test]
fn skip_page_loses_the_rows_of_a_page() {
    let server = Server::start(vec![at(FaultKind::SkipPage, &[2])]);
    let (one, two) = (server.client(), server.client());
    one.execute_batch("INSERT INTO notes SELECT value, 'u', value FROM generate_series(1, 20)").expect("rows");
    send(&one).expect("send");
    receive(&two).expect("receive");
    assert_eq!(notes(&two).len(), 15, "pages have five rows in tests");
    assert_eq!(receive(&two).expect("receive")["rows"], 0);
}

#[test]
fn leak_rows_delivers_rows_of_other_users() {
    let server = Server::start(vec![at(FaultKind::LeakRows, &[2])]);
    server.own_notes_only();
    let admin = server.client();
    put(&admin, "('a', 'ann', 1), ('b', 'bob', 1), ('c', 'bob', 1)");
    send(&admin).expect("send");
    let ann = server.client_as(&server.token("ann"));
    receive(&ann).expect("receive");
    assert_eq!(notes(&ann).len(), 2);
}

#[test]
fn ignore_policy_stores_a_row_that_is_forbidden() {
    let server = Server::start(vec![at(FaultKind::IgnorePolicy, &[2])]);
    server.own_notes_only();
    let ann = server.client_as(&server.token("ann"));
    put(&ann, "('a', 'bob', 1), ('b', 'bob', 1)");
    send(&ann).expect("send");
    assert_eq!(server.value("SELECT group_concat(id) FROM notes"), "b");
}

#[test]
fn resurrect_rows_keeps_what_was_deleted() {
    let server = Server::start(vec![always(FaultKind::ResurrectRows)]);
    let (one, two) = (server.client(), server.client());
    put(&one, "('a', 'u', 1)");
    send(&one).expect("send");
    one.execute_batch("DELETE FROM notes").expect("delete");
    assert_eq!(send(&one).expect("send")["status"], "synced");
    receive(&one).expect("receive");
    receive(&two).expect("receive");
    assert_eq!((notes(&one).len(), notes(&two).len()), (0, 1));
}

#[test]
fn the_http_failures_raise_their_body_and_leave_nothing_done() {
    for (kind, status, code) in [
        (FaultKind::Http500, "500", "internal_error"),
        (FaultKind::Http503, "503", "database_paused"),
        (FaultKind::Http429, "429", "rate_limited"),
    ] {
        let server = Server::start(vec![at(kind, &[1])]);
        let client = server.client();
        put(&client, "('a', 'u', 1)");
        let body: Value = serde_json::from_str(&error_of(send(&client))).expect("the body verbatim");
        assert_eq!((&body["errors"][0]["status"], &body["errors"][0]["code"]), (&json!(status), &json!(code)));
        assert_eq!(server.value("SELECT count(*) FROM notes"), 0);
        send(&client).expect("the second time");
        assert_eq!(server.value("SELECT count(*) FROM notes"), 1);
    }
}

#[test]
fn http_empty_raises_the_texts_for_an_error_without_a_body() {
    let server = Server::start(vec![at(FaultKind::HttpEmpty, &[1, 2])]);
    let client = server.client();
    put(&client, "('a', 'u', 1)");
    assert_eq!(error_of(send(&client)), "cloudsync_network_send_changes unable to apply changes to remote host.");
    assert_eq!(error_of(receive(&client)), "Memory error.");
}

#[test]
fn locked_is_a_real_lock_for_longer_than_the_busy_timeout() {
    let server = Server::start(vec![at(FaultKind::Locked, &[1])]);
    let client = server.client();
    put(&client, "('a', 'u', 1)");
    let body: Value = serde_json::from_str(&error_of(send(&client))).expect("JSON");
    let error = &body["errors"][0];
    assert_eq!((&error["code"], &error["detail"]), (&json!("database_error"), &json!("database is locked")));
    assert_eq!(send(&client).expect("send")["status"], "synced");
}

#[test]
fn slow_answers_two_seconds_late() {
    let server = Server::start(vec![at(FaultKind::Slow, &[1])]);
    let client = server.client();
    let started = Instant::now();
    receive(&client).expect("receive");
    assert!(started.elapsed() >= Duration::from_secs(2));
}

#[test]
fn hang_up_and_torn_answer_lose_the_answer_and_not_the_work() {
    for (kind, texts) in [
        (FaultKind::HangUp, ["Recv failure: Connection reset by peer"; 2]),
        (FaultKind::TornAnswer, ["end of response with ", " bytes missing"]),
    ] {
        let server = Server::start(vec![at(kind, &[1])]);
        let client = server.client();
        put(&client, "('a', 'u', 1)");
        let text = error_of(send(&client));
        assert!(texts.iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(server.value("SELECT count(*) FROM notes"), 1);
        assert_eq!(send(&client).expect("send")["status"], "synced");
        assert_eq!(server.value("SELECT pushed FROM cloudsync_sites"), 1, "and nothing is done twice");
    }
}

#[test]
fn stale_read_says_there_is_nothing_new() {
    let server = Server::start(vec![at(FaultKind::StaleRead, &[1])]);
    let (one, two) = (server.client(), server.client());
    put(&one, "('a', 'u', 1)");
    send(&one).expect("send");
    let answer = receive(&two).expect("receive");
    assert_eq!((&answer["rows"], &answer["complete"]), (&json!(0), &json!(true)));
    assert_eq!(receive(&two).expect("receive")["rows"], 1);
}

#[test]
fn swap_tokens_gives_one_user_the_rows_of_another() {
    let server = Server::start(vec![always(FaultKind::SwapTokens)]);
    server.own_notes_only();
    let (ann, _bob) = (server.token("ann"), server.token("bob"));
    server.sql("USE DATABASE d; INSERT INTO notes VALUES ('a', 'ann', 1), ('b', 'bob', 1)");
    let ann = server.client_as(&ann);
    receive(&ann).expect("receive");
    assert_eq!(ann.query_row("SELECT user_id FROM notes", [], |row| row.get::<_, String>(0)).expect("row"), "bob");
}

#[test]
fn clock_back_makes_new_rows_look_old() {
    let server = Server::start(vec![at(FaultKind::ClockBack, &[2])]);
    let (one, two) = (server.client(), server.client());
    put(&one, "('a', 'u', 1)");
    send(&one).expect("send");
    put(&one, "('b', 'u', 1), ('a', 'u', 2)");
    send(&one).expect("send");
    put(&one, "('c', 'u', 1)");
    send(&one).expect("send");
    receive(&two).expect("receive");
    assert_eq!(server.value("SELECT count(*) FROM notes"), 3);
    assert_eq!(notes(&two).len(), 1);
}

#[test]
fn a_fault_for_one_database_leaves_the_others_alone() {
    let server = Server::start(vec![Fault { databases: vec![2], ..always(FaultKind::Http500) }]);
    let clients = [server.client(), server.client()];
    for (client, number) in clients.iter().zip(1..) {
        let site: String = client.query_row("SELECT cloudsync_init('notes')", [], |row| row.get(0)).expect("site");
        server.hub.name_site(&site, number);
    }
    server.hub.name_site("no site at all", 2);
    assert!(receive(&clients[0]).is_ok());
    assert!(receive(&clients[1]).is_err());
}
