//! Single cases of texts that are merged block by block, where more than the merge decides: policies, filters, columns that
//! cannot be NULL, rows that were there before, and devices that start anew.

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::client::register_with;
use super::world::{Direct, World};
use super::{FEW, ask};

const SCHEMA: &str =
    "CREATE TABLE notes(id TEXT PRIMARY KEY NOT NULL, owner TEXT, body TEXT NOT NULL DEFAULT '', more TEXT);";
const BLOCK: &str = "SELECT cloudsync_set_column('notes', 'body', 'algo', 'block');
    SELECT cloudsync_set_column('notes', 'more', 'algo', 'block');
    SELECT cloudsync_set_column('notes', 'more', 'delimiter', '||');";

/// A new database of a user, or of the administrator.
fn open(world: &Arc<World>, credential: &str) -> Connection {
    let connection = Connection::open_in_memory().expect("memory");
    register_with(&connection, FEW, Box::new(Direct(Arc::clone(world)))).expect("functions");
    connection.execute_batch(SCHEMA).expect("schema");
    run(&connection, "SELECT cloudsync_init('notes')");
    start(&connection, world, credential);
    run(&connection, BLOCK);
    connection
}

fn start(connection: &Connection, world: &Arc<World>, credential: &str) {
    let start = "SELECT cloudsync_network_init_custom('local', ?1), cloudsync_network_set_apikey(?2)";
    connection.query_row(start, [&world.id, credential], |_| Ok(())).expect("start");
}

fn run(connection: &Connection, sql: &str) {
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn sync(connections: &[&Connection]) {
    for connection in connections.iter().chain(connections) {
        let answer = ask(connection, "SELECT cloudsync_network_sync()").expect("sync");
        assert_eq!(answer["receive"].get("error"), None, "{answer}");
    }
}

/// A column of the only row, with its lines in one.
fn text(connection: &Connection, column: &str) -> Option<String> {
    connection
        .query_row(&format!("SELECT replace({column}, char(10), '/') FROM notes"), [], |row| row.get(0))
        .expect("one row")
}

#[test]
fn two_columns_of_one_row_have_blocks_of_their_own() {
    let directory = TempDir::new().expect("directory");
    let world = World::open(&directory, FEW, SCHEMA, &["notes"]);
    let [one, two] = [open(&world, "key"), open(&world, "key")];
    run(&one, "INSERT INTO notes VALUES ('k', 'o', 'a' || char(13, 10) || 'b' || char(10), 'x||y||z')");
    sync(&[&one, &two]);
    run(&one, "UPDATE notes SET body = replace(body, 'a', 'A'), more = 'X||y||z', owner = 'one'");
    run(&two, "UPDATE notes SET body = body || 'c', more = 'x||y'");
    sync(&[&one, &two]);
    for connection in [&one, &two, &open(&world, "key")] {
        sync(&[connection]);
        assert_eq!(text(connection, "body").as_deref(), Some("A\r/b/c"));
        assert_eq!(text(connection, "more || owner").as_deref(), Some("X||yone"));
    }
}

#[test]
fn where_no_block_is_left_a_text_is_null_or_empty_and_goes_on() {
    let directory = TempDir::new().expect("directory");
    let world = World::open(&directory, FEW, SCHEMA, &["notes"]);
    let [one, two] = [open(&world, "key"), open(&world, "key")];
    run(&one, "INSERT INTO notes VALUES ('k', 'o', 'a' || char(10) || 'b', 'x||y')");
    sync(&[&one, &two]);
    run(&one, "UPDATE notes SET body = 'a', more = 'x'");
    run(&two, "UPDATE notes SET body = 'b', more = 'y'");
    sync(&[&one, &two]);
    for connection in [&one, &two] {
        assert_eq!((text(connection, "body").as_deref(), text(connection, "more")), (Some(""), None));
    }
    run(&one, "UPDATE notes SET body = 'new', more = 'new'");
    sync(&[&one, &two]);
    assert_eq!(text(&two, "body || more").as_deref(), Some("newnew"));
}

#[test]
fn a_denied_edit_stays_where_it_was_made_and_later_edits_of_others_come_into_it() {
    let directory = TempDir::new().expect("directory");
    let world = World::open(&directory, FEW, SCHEMA, &["notes"]);
    let policies = "ENABLE RLS DATABASE d TABLE notes; SET RLS DATABASE d TABLE notes SELECT \"1\";
        SET RLS DATABASE d TABLE notes INSERT \"NEW.owner = auth_userid()\";
        SET RLS DATABASE d TABLE notes UPDATE \"NEW.owner = auth_userid()\";
        SET RLS DATABASE d TABLE notes DELETE \"OLD.owner = auth_userid()\"";
    assert_eq!(world.hub.sql("key", "d", policies)["data"], "OK");
    let [ann, bob] = ["ann", "bob"].map(|user| world.hub.token(user).expect("token"));
    let [one, two] = [open(&world, ann.expose()), open(&world, bob.expose())];
    run(&one, "INSERT INTO notes VALUES ('k', 'ann', 'a' || char(10) || 'b', NULL)");
    sync(&[&one, &two]);
    run(&two, "UPDATE notes SET body = 'a' || char(10) || 'denied'");
    sync(&[&one, &two]);
    assert_eq!((text(&one, "body").as_deref(), text(&two, "body").as_deref()), (Some("a/b"), Some("a/denied")));
    run(&one, "UPDATE notes SET body = 'A' || char(10) || 'b'");
    sync(&[&one, &two]);
    assert_eq!((text(&one, "body").as_deref(), text(&two, "body").as_deref()), (Some("A/b"), Some("A/denied")));
}

#[test]
fn rows_that_were_there_or_were_outside_a_filter_have_blocks_once_they_take_part() {
    let directory = TempDir::new().expect("directory");
    let world = World::open(&directory, FEW, SCHEMA, &["notes"]);
    let one = Connection::open_in_memory().expect("memory");
    register_with(&one, FEW, Box::new(Direct(Arc::clone(&world)))).expect("functions");
    run(&one, SCHEMA);
    run(&one, "INSERT INTO notes VALUES ('k', 'own', 'a' || char(10) || 'b', NULL)");
    run(&one, "SELECT cloudsync_init('notes'), cloudsync_set_filter('notes', 'owner = ''all''')");
    run(&one, BLOCK);
    start(&one, &world, "key");
    let two = open(&world, "key");
    sync(&[&one, &two]);
    run(&one, "UPDATE notes SET owner = 'all', body = body || char(10) || 'c'");
    sync(&[&one, &two]);
    run(&one, "UPDATE notes SET body = 'A' || substr(body, 2)");
    run(&two, "UPDATE notes SET body = body || char(10) || 'd'");
    sync(&[&one, &two]);
    for connection in [&one, &two] {
        assert_eq!(text(connection, "body").as_deref(), Some("A/b/c/d"));
    }
}

#[test]
fn a_device_that_starts_anew_receives_texts_with_their_blocks() {
    let directory = TempDir::new().expect("directory");
    let world = World::open(&directory, FEW, SCHEMA, &["notes"]);
    let [one, two] = [open(&world, "key"), open(&world, "key")];
    run(&one, "INSERT INTO notes VALUES ('k', 'o', 'a' || char(10) || 'b', NULL)");
    run(&one, "UPDATE notes SET body = 'a' || char(10) || 'x' || char(10) || 'b'");
    sync(&[&one, &two]);
    for anew in ["SELECT cloudsync_network_logout()", "SELECT cloudsync_network_reset_sync_version()"] {
        run(&two, anew);
        start(&two, &world, "key");
        sync(&[&two]);
        run(&one, "UPDATE notes SET body = replace(body, 'x', 'xx')");
        run(&two, "UPDATE notes SET body = replace(body, 'b', 'bb')");
        sync(&[&one, &two]);
        assert_eq!(text(&one, "body"), text(&two, "body"), "{anew}");
    }
    assert_eq!(text(&two, "body").as_deref(), Some("a/xxxx/bbbb"));
}
