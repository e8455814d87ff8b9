//! The embedded client beside the real extension, in what shows without a server: the same statements on both, and what
//! is there afterwards. Without the extension (`STRESS_CLOUDSYNC_EXTENSION`) a test says by name that it was skipped.

use std::path::Path;

use super::super::client;
use crate::failure::Call;
use crate::session::{Loader, Opening, Session};

/// What one side answers: a text, nothing, or the message of an error.
type Answer = Result<Option<String>, String>;

/// The answers of both sides to the same statements.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn both(test: &str, statements: &[&str]) -> Option<[Vec<Answer>; 2]> {
    let path = std::env::var_os("STRESS_CLOUDSYNC_EXTENSION").filter(|path| !path.is_empty());
    let Some(path) = path else {
        eprintln!("skipped: {test}: STRESS_CLOUDSYNC_EXTENSION is not set");
        return None;
    };
    let embedded = Loader::Functions(|connection| client::register(connection, 5));
    Some([Loader::Extension(path.into()), embedded].map(|loader| answers(&loader, statements)))
}

fn answers(loader: &Loader, statements: &[&str]) -> Vec<Answer> {
    let opening = Opening { file: Path::new(":memory:"), loader, pragmas: &[], settings: &[], network: None };
    let session = Session::open(&opening).expect("it opens");
    let ask = |sql: &&str| {
        // What gives no row is run.
        let answer = match sql.get(..6) {
            Some("SELECT") => session.call(Call::Sql, sql, &[]),
            _ => session.run(Call::Sql, sql).map(|()| None),
        };
        answer.map_err(|error| error.message)
    };
    let answers = statements.iter().map(ask).collect();
    session.close().expect("it closes");
    answers
}

#[test]
fn a_logout_empties_the_tables_takes_a_new_site_id_and_forgets_settings_and_server() {
    let statements = [
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, v)",
        "CREATE TABLE other (id TEXT)",
        "SELECT length(cloudsync_init('t'))",
        "SELECT cloudsync_set('network_request_timeout', '7')",
        "CREATE TABLE seen AS SELECT cloudsync_siteid() AS site",
        "INSERT INTO t VALUES ('a', 1), ('b', 2)",
        "INSERT INTO other VALUES ('kept')",
        "SELECT cloudsync_network_init_custom('http://127.0.0.1:9', 'db_x')",
        "SELECT cloudsync_network_set_token('abc')",
        "SELECT cloudsync_network_logout()",
        "SELECT count(*) FROM t",
        "SELECT count(*) FROM other",
        "SELECT cloudsync_siteid() = site FROM seen",
        "SELECT length(cloudsync_siteid())",
        "SELECT cloudsync_is_enabled('t')",
        "SELECT count(*) FROM cloudsync_settings WHERE key = 'network_request_timeout'",
        "SELECT cloudsync_network_send_changes()",
        "INSERT INTO t VALUES ('c', 3)",
        "SELECT count(*) > 0 FROM t_cloudsync",
        "SELECT group_concat(id) FROM t",
    ];
    let Some([real, embedded]) = both("a_logout_empties_the_tables", &statements) else { return };
    for (statement, (real, embedded)) in statements.iter().zip(real.iter().zip(&embedded)) {
        assert_eq!(real, embedded, "{statement}");
    }
    let unreachable = || Err("Unable to retrieve CloudSync network context.".to_owned());
    let text = |text: &str| Ok(Some(text.to_owned()));
    assert_eq!(
        real[9..17],
        [text("0"), text("0"), text("1"), text("0"), text("16"), text("1"), text("0"), unreachable()]
    );
}

#[test]
fn a_reset_is_answered_with_nothing_and_changes_no_row() {
    let statements = [
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, v)",
        "SELECT length(cloudsync_init('t'))",
        "INSERT INTO t VALUES ('a', 1)",
        "CREATE TABLE seen AS SELECT cloudsync_siteid() AS site",
        "SELECT cloudsync_network_reset_sync_version()",
        "SELECT cloudsync_siteid() = site FROM seen",
        "SELECT group_concat(id) FROM t",
    ];
    let Some([real, embedded]) = both("a_reset_is_answered_with_nothing", &statements) else { return };
    assert_eq!(real, embedded);
    assert_eq!((&real[4], &real[5]), (&Ok(None), &Ok(Some("1".to_owned()))));
}

#[test]
fn a_hole_in_the_versions_begins_with_the_next_change() {
    let statements = [
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, v); CREATE TABLE u (id TEXT PRIMARY KEY NOT NULL, v)",
        "SELECT length(cloudsync_init('t'))",
        "SELECT length(cloudsync_init('u'))",
        "INSERT INTO t VALUES ('a', 1)",
        "SELECT cloudsync_db_version_next()",
        "SELECT cloudsync_db_version_next(40)",
        "SELECT cloudsync_db_version()",
        "BEGIN",
        "SELECT cloudsync_db_version_next(50)",
        "INSERT INTO u VALUES ('b', 2)",
        "COMMIT",
        "SELECT cloudsync_db_version()",
        "SELECT cloudsync_db_version_next()",
        "SELECT cloudsync_db_version_next(3)",
        "SELECT cloudsync_db_version_next(NULL)",
        "SELECT cloudsync_db_version_next('x')",
        "INSERT INTO t VALUES ('c', 3)",
        "SELECT cloudsync_db_version() > 50",
    ];
    let Some([real, embedded]) = both("a_hole_in_the_versions", &statements) else { return };
    for (statement, (real, embedded)) in statements.iter().zip(real.iter().zip(&embedded)) {
        assert_eq!(real, embedded, "{statement}");
    }
    let numbers = [4, 5, 6, 8, 11, 12, 13, 17].map(|place: usize| real[place].clone().expect("a number"));
    assert_eq!(numbers, ["2", "40", "1", "50", "50", "51", "51", "1"].map(|number| Some(number.to_owned())));
}
