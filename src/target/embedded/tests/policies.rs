//! Policies over HTTP: what denied rows do, who learns of what, and what a token reads.

use serde_json::json;

use super::{Server, notes, receive, request, send};

#[test]
fn a_denied_row_stays_local_is_counted_and_stops_nothing() {
    let server = Server::start(Vec::new());
    server.own_notes_only();
    let ann = server.client_as(&server.token("ann"));
    ann.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1), ('evil', 'bob', 1), ('b', 'ann', 1)").expect("rows");
    let answer = send(&ann).expect("send");
    assert_eq!((&answer["status"], answer.get("lastFailure")), (&json!("synced"), None), "{answer}");
    assert_eq!(server.value("SELECT group_concat(id, ',') FROM notes ORDER BY id"), "a,b");
    assert_eq!(server.value("SELECT denied FROM cloudsync_sites"), 1);
    assert_eq!(notes(&ann).len(), 3);
    let bob = server.client_as(&server.token("bob"));
    assert_eq!(receive(&bob).expect("receive")["rows"], 0);
    // Known to nobody but ann: an update and a deletion by another user change nothing.
    bob.execute_batch("INSERT INTO notes VALUES ('a', 'bob', 2)").expect("row");
    send(&bob).expect("send");
    bob.execute_batch("DELETE FROM notes").expect("delete");
    send(&bob).expect("send");
    assert_eq!(server.value("SELECT value FROM notes WHERE id = 'a'"), 1);
}

#[test]
fn a_token_without_row_level_security_sees_nothing_and_writes_nothing() {
    let server = Server::start(Vec::new());
    let admin = server.client();
    admin.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1)").expect("row");
    send(&admin).expect("send");
    let ann = server.client_as(&server.token("ann"));
    ann.execute_batch("INSERT INTO notes VALUES ('b', 'ann', 1)").expect("row");
    assert_eq!(send(&ann).expect("send")["status"], "synced");
    assert_eq!(receive(&ann).expect("receive")["rows"], 0);
    assert_eq!(server.value("SELECT count(*) FROM notes"), 1);
}

#[test]
fn a_row_given_to_another_user_leaves_its_old_owner_also_through_a_third_hand() {
    let server = Server::start(Vec::new());
    server.own_notes_only();
    let tokens = ["ann", "bob", "cid"].map(|user| server.token(user));
    let clients = tokens.each_ref().map(|token| server.client_as(token));
    clients[0].execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1)").expect("row");
    send(&clients[0]).expect("send");
    for owner in ["bob", "cid"] {
        assert_eq!(server.sql(&format!("USE DATABASE d; UPDATE notes SET user_id = '{owner}'")).0, 200);
    }
    let counts = clients.each_ref().map(|client| {
        receive(client).expect("receive");
        notes(client).len()
    });
    assert_eq!(counts, [0, 0, 1], "ann never heard of bob, and still drops the row");
}

#[test]
fn a_token_reads_what_its_select_policy_allows_and_no_trick_reads_more() {
    let server = Server::start(Vec::new());
    server.own_notes_only();
    server.sql("USE DATABASE d; INSERT INTO notes VALUES ('a', 'ann', 1), ('b', 'bob', 2); CREATE TABLE secrets(x); INSERT INTO secrets VALUES (1)");
    let token = server.token("ann");
    let ask = |sql: &str| server.call("POST", "/v2/weblite/sql", &token, &json!({ "sql": sql, "database": "d" }));
    let (status, answer) = ask("SELECT id FROM notes");
    assert_eq!((status, &answer["data"]), (200, &json!([{ "id": "a" }])));
    assert_eq!(ask("SELECT auth_userid() AS me").1["data"], json!([{ "me": "ann" }]));
    assert_eq!(ask("SELECT * FROM secrets").1["data"], json!([]), "no policy, no rows");
    for trick in [
        "SELECT * FROM main.notes",
        "WITH notes AS (SELECT * FROM main.notes) SELECT * FROM notes",
        "SELECT * FROM (SELECT * FROM main.notes) AS notes",
        "SELECT * FROM notes_cloudsync",
        "SELECT * FROM main.cloudsync_sites",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM sqlite_temp_schema",
        "INSERT INTO notes VALUES ('c', 'ann', 1)",
        "DELETE FROM main.notes",
        "DROP VIEW temp.notes",
        "CREATE TEMP TABLE x(a)",
        "PRAGMA query_only = 0",
        "ATTACH ':memory:' AS x",
        "CREATE DATABASE mine",
        "SET RLS DATABASE d TABLE notes SELECT \"true\"",
    ] {
        let (status, answer) = ask(trick);
        let leaked = answer["data"].to_string().contains("bob") || answer["data"] == json!("OK");
        assert!(status >= 400 || answer["data"] == json!([]) && !leaked, "{trick}: {status} {answer}");
    }
}

#[test]
fn an_expression_that_is_none_is_refused_at_once() {
    let server = Server::start(Vec::new());
    for policy in ["SELECT \"nobody = 1\"", "INSERT \"NEW.nobody = 1\"", "UPDATE \"(\"", "DELETE \"OLD.id = \""] {
        let (status, answer) = server.sql(&format!("SET RLS DATABASE d TABLE notes {policy}"));
        assert!(status == 400 && answer["error"]["detail"].is_string(), "{policy}: {status} {answer}");
    }
}

#[test]
fn tokens_are_made_checked_listed_and_revoked() {
    let server = Server::start(Vec::new());
    let authorized = |token: &str| request(&format!("{}/v2/tokens/authorized", server.hub.url()), "GET", token, b"").0;
    let token = server.token("ann");
    assert_eq!(authorized(&token), 204);
    assert_eq!(authorized("wrong"), 401);
    let (_, mine) = server.call("GET", "/v2/tokens/details", &token, &json!(null));
    assert_eq!(mine["data"]["userId"], "ann");
    let (_, all) = server.call("GET", "/v2/tokens/users/ann", "key", &json!(null));
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
    let expired = json!({ "name": "x", "userId": "ann", "expiresAt": "2020-01-01 00:00:00" });
    let (_, expired) = server.call("POST", "/v2/tokens", "key", &expired);
    assert_eq!(authorized(expired["data"]["token"].as_str().expect("token")), 401);
    assert_eq!(server.call("POST", "/v2/tokens", &token, &json!({ "name": "x", "userId": "root" })).0, 403);
    assert_eq!(server.call("DELETE", "/v2/tokens", "key", &json!({ "token": token })).0, 200);
    assert_eq!(authorized(&token), 401);
}

#[test]
fn a_pull_seeks_to_a_users_own_rows_where_the_policy_lets_it() {
    let server = Server::start(Vec::new());
    server.own_notes_only();
    let index = "SELECT group_concat(substr(sql, instr(sql, '(')), ' ') FROM sqlite_schema WHERE name LIKE '%_new'";
    let own = "(\"cs_old_user_id\", cs_seq, cs_site)";
    assert_eq!(server.value(index), format!("{own} {own}"));
    assert_eq!(server.sql("SET RLS DATABASE d TABLE notes SELECT \"user_id <> auth_userid()\"").0, 200);
    assert_eq!(server.value(index), "(cs_seq, cs_site)", "no single place has what is neither ann's nor bob's");
}

#[test]
fn policies_given_after_rows_know_the_rows() {
    let server = Server::start(Vec::new());
    let admin = server.client();
    admin.execute_batch("INSERT INTO notes VALUES ('a', 'ann', 1), ('b', 'bob', 1)").expect("rows");
    send(&admin).expect("send");
    server.own_notes_only();
    let ann = server.client_as(&server.token("ann"));
    assert_eq!(receive(&ann).expect("receive")["rows"], 1);
    ann.execute_batch("DELETE FROM notes").expect("delete");
    assert_eq!(send(&ann).expect("send")["status"], "synced");
    assert_eq!(server.value("SELECT group_concat(id) FROM notes"), "b");
}

#[test]
fn a_policy_compares_as_the_column_is_declared() {
    let server = Server::start(Vec::new());
    let table = "USE DATABASE d; CREATE TABLE tags(id TEXT PRIMARY KEY, owner TEXT COLLATE NOCASE, level TEXT);
        CLOUDSYNC ENABLE tags; ENABLE RLS DATABASE d TABLE tags;
        SET RLS DATABASE d TABLE tags SELECT \"owner = auth_userid() AND level = 5\"";
    assert_eq!(server.sql(table).0, 200);
    assert_eq!(
        server
            .sql("USE DATABASE d; INSERT INTO tags VALUES ('a', 'ANN', '5'), ('b', 'ann', '50'), ('c', 'bob', '5')")
            .0,
        200
    );
    let client = super::client("CREATE TABLE tags(id TEXT PRIMARY KEY, owner TEXT COLLATE NOCASE, level TEXT)", "tags");
    server.connect(&client, &server.token("ann"));
    assert_eq!(receive(&client).expect("receive")["rows"], 1);
    assert_eq!(server.sql("USE DATABASE d; DELETE FROM tags").0, 200);
    assert_eq!(receive(&client).expect("receive")["rows"], 1, "the deletion of what was seen, and no other");
}

#[test]
fn vacuuming_the_server_loses_no_row() {
    let server = Server::start(Vec::new());
    let [one, two] = [server.client(), server.client()];
    one.execute_batch(
        "INSERT INTO notes VALUES ('a', 'x', 1), ('b', 'x', 1), ('c', 'x', 1); DELETE FROM notes WHERE id = 'a'",
    )
    .expect("rows");
    send(&one).expect("send");
    one.execute_batch("DELETE FROM notes WHERE id = 'b'").expect("delete");
    send(&one).expect("send");
    assert_eq!(server.sql("USE DATABASE d; VACUUM").0, 200);
    receive(&two).expect("receive");
    two.execute_batch("UPDATE notes SET value = 7").expect("update");
    send(&two).expect("send");
    receive(&one).expect("receive");
    assert_eq!(notes(&one), notes(&two));
    assert_eq!(server.value("SELECT group_concat(id || value) FROM notes"), "c7");
}

#[test]
fn what_the_administrator_writes_to_a_table_without_rowids_arrives_and_leaves() {
    let server = Server::start(Vec::new());
    let schema = "CREATE TABLE tags(a TEXT, b TEXT, value INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID";
    assert_eq!(server.sql(&format!("USE DATABASE d; {schema}; CLOUDSYNC ENABLE tags")).0, 200);
    let client = super::client(schema, "tags");
    server.connect(&client, "key");
    let steps = [
        ("INSERT INTO tags VALUES ('x', '1', 1), ('y', '1', 1)", ["x11", "y11"].as_slice()),
        ("UPDATE tags SET value = 2 WHERE a = 'x'", &["x12", "y11"]),
        ("UPDATE tags SET b = '0' WHERE a = 'y'", &["x12", "y01"]),
        ("INSERT OR REPLACE INTO tags VALUES ('x', '1', 3)", &["x13", "y01"]),
        ("DELETE FROM tags WHERE a = 'x'", &["y01"]),
    ];
    for (sql, rows) in steps {
        assert_eq!(server.sql(&format!("USE DATABASE d; {sql}")).0, 200, "{sql}");
        receive(&client).expect("receive");
        let held = super::dump(&client, "SELECT a || b || value FROM tags ORDER BY 1");
        assert_eq!(held.len(), rows.len(), "{sql}: {held:?}");
        assert!(held.iter().zip(rows).all(|(held, row)| held.contains(row)), "{sql}: {held:?}");
    }
    assert_eq!(server.value("SELECT count(*) FROM tags_cloudsync"), 1);
}
