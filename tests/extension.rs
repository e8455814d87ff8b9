//! The real CloudSync extension in this process: its rules for tables with their texts, what it tracks, and that a
//! thousand sessions leave nothing open. Its calls reach a closed port at most. Without the extension
//! (`STRESS_CLOUDSYNC_EXTENSION`) every test says by name that it was skipped.

use std::path::{Path, PathBuf};

use stress::failure::{Call, FailureKind, RawError, Secrets, classify};
use stress::session::{Credential, Loader, Network, Opening, Session};

/// The extension; none, and said so, where there is none.
#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn loader(test: &str) -> Option<Loader> {
    let path = std::env::var("STRESS_CLOUDSYNC_EXTENSION").ok().filter(|path| !path.is_empty());
    if path.is_none() {
        eprintln!("skipped: {test}: STRESS_CLOUDSYNC_EXTENSION is not set");
    }
    path.map(|path| Loader::Extension(PathBuf::from(path)))
}

fn open(loader: &Loader, file: &Path) -> Session {
    let opening = Opening { file, loader, pragmas: &[], settings: &[], network: None };
    Session::open(&opening).expect("it opens")
}

/// Creates a table and switches sync on for it.
fn init(session: &Session, sql: &str, call: &str) -> Result<Option<String>, RawError> {
    session.run(Call::Sql, sql).expect("SQLite takes it");
    session.call(Call::Open, call, &[])
}

#[test]
fn the_rules_for_tables_are_those_of_the_fact_sheet() {
    let Some(loader) = loader("the_rules_for_tables_are_those_of_the_fact_sheet") else { return };
    let accepted = [
        ("t", "id TEXT PRIMARY KEY, a TEXT"),
        ("t", "id TEXT NOT NULL PRIMARY KEY, a TEXT NOT NULL DEFAULT ''"),
        ("t", "id BLOB PRIMARY KEY"),
        ("t", "a TEXT, b INTEGER, c TEXT UNIQUE CHECK (c <> 'x'), PRIMARY KEY (a, b)"),
        ("it''s \"odd\"; %s é", "id TEXT PRIMARY KEY, \"select\" TEXT"),
    ];
    for (name, columns) in accepted {
        let session = open(&loader, Path::new(":memory:"));
        let quoted = format!("\"{}\"", name.replace("''", "'").replace('"', "\"\""));
        let site =
            init(&session, &format!("CREATE TABLE {quoted} ({columns})"), &format!("SELECT cloudsync_init('{name}')"));
        let site = site.unwrap_or_else(|error| panic!("{columns}: {}", error.message)).unwrap_or_default();
        assert!(site.len() == 32 && site.chars().all(|c| c.is_ascii_hexdigit()), "{site}");
        session.close().expect("it closes");
    }
    let refused = [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)", "t", "Table t uses a single-column INTEGER primary key."),
        (
            "CREATE TABLE t (a TEXT)",
            "t",
            "Rowid only tables are not supported, all primary keys must be explicitly set and declared as NOT NULL (table t)",
        ),
        (
            "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT NOT NULL)",
            "t",
            "All non-primary key columns declared as NOT NULL must have a DEFAULT value. (table t)",
        ),
        ("CREATE TABLE t (id TEXT PRIMARY KEY)", "nope", "Table nope does not exist"),
        ("CREATE TABLE t (id TEXT PRIMARY KEY)", "*", "Table * does not exist"),
        ("CREATE TABLE t (id TEXT PRIMARY KEY)", "t', 'xxx", "Unknown CRDT algorithm name xxx"),
        (
            "CREATE TABLE t_cloudsync (id TEXT PRIMARY KEY)",
            "t_cloudsync",
            "An error occurred while trying to compile prepared SQL statements",
        ),
    ];
    for (sql, name, text) in refused {
        let session = open(&loader, Path::new(":memory:"));
        let error = init(&session, sql, &format!("SELECT cloudsync_init('{name}')")).expect_err(sql);
        assert!(error.message.contains(text), "{sql}: {}", error.message);
        session.close().expect("it closes after an error, too");
    }
}

#[test]
fn what_is_written_is_tracked_and_a_missing_key_is_refused_at_the_write() {
    let Some(loader) = loader("what_is_written_is_tracked") else { return };
    let session = open(&loader, Path::new(":memory:"));
    init(&session, "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT, b TEXT)", "SELECT cloudsync_init('t')")
        .expect("it is on");
    session.run(Call::Sql, "INSERT INTO t VALUES ('1', 'x', 'y'), ('2', 'x', 'y')").expect("it writes");
    let changes = session.call(Call::Sql, "SELECT count(*) FROM cloudsync_changes", &[]).expect("it counts");
    assert_eq!(changes.as_deref(), Some("4"));
    let error = session.run(Call::Sql, "INSERT INTO t VALUES (NULL, 'x', 'y')").expect_err("no key");
    assert_eq!(error.message, "Insert aborted because primary key in table t contains NULL values.");
    session.close().expect("it closes");
}

#[test]
fn what_a_closed_port_and_a_wrong_name_say_is_classified() {
    let Some(loader) = loader("what_a_closed_port_and_a_wrong_name_say_is_classified") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a.db");
    let session = open(&loader, &file);
    init(&session, "CREATE TABLE t (id TEXT PRIMARY KEY)", "SELECT cloudsync_init('t')").expect("it is on");
    session.run(Call::Sql, "INSERT INTO t VALUES ('1')").expect("it writes");
    session.close().expect("it closes");
    for (address, kind) in [
        ("http://127.0.0.1:9", FailureKind::Network),
        ("http://nowhere.invalid", FailureKind::Network),
        ("ftp://127.0.0.1", FailureKind::Configuration),
    ] {
        let network = Network {
            address: Some(address.to_owned()),
            managed_database_id: "db_x".to_owned(),
            secrets: Secrets::default(),
        };
        let credential = Credential::ApiKey("no-key".into());
        let network = Some((&network, &credential));
        let opening = Opening { file: &file, loader: &loader, pragmas: &[], settings: &[], network };
        let session = Session::open(&opening).expect("it opens without a server");
        for (call, sql) in [
            (Call::Send, "SELECT cloudsync_network_send_changes()"),
            (Call::Receive, "SELECT cloudsync_network_receive_changes()"),
        ] {
            let error = session.call(call, sql, &[]).expect_err(address);
            assert_eq!(classify(&error).kind, kind, "{address}: {}", error.message);
        }
        session.close().expect("it closes");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_sessions_leave_no_descriptor_behind() {
    let Some(loader) = loader("a_thousand_sessions_leave_no_descriptor_behind") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let network = Network {
        address: Some("http://127.0.0.1:9".to_owned()),
        managed_database_id: "db_x".to_owned(),
        secrets: Secrets::default(),
    };
    let credential = Credential::Token("no-token".into());
    let held = |file: &Path| {
        let held = std::fs::read_dir("/proc/self/fd").expect("Linux tells").flatten();
        let ours = held.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        // The other tests of this process have their own files; sockets belong to these sessions or to theirs.
        let is_ours = |path: &PathBuf| path.starts_with(file.parent().expect("a directory"));
        let all: Vec<PathBuf> = ours.collect();
        let sockets = all.iter().filter(|path| path.to_string_lossy().starts_with("socket:")).count();
        (all.iter().filter(|path| is_ours(path)).count(), sockets)
    };
    let file = directory.path().join("a.db");
    let session = open(&loader, &file);
    init(&session, "CREATE TABLE t (id TEXT PRIMARY KEY)", "SELECT cloudsync_init('t')").expect("it is on");
    session.close().expect("it closes");
    let before = held(&file);
    for round in 0..1000 {
        let opening = Opening {
            file: &file,
            loader: &loader,
            pragmas: &[],
            settings: &[],
            network: Some((&network, &credential)),
        };
        let session = Session::open(&opening).expect("it opens");
        let _ = session.call(Call::Receive, "SELECT cloudsync_network_receive_changes()", &[]);
        // Every other one is dropped as after an error or a panic.
        if round % 2 == 0 {
            session.close().expect("it closes");
        }
    }
    let after = held(&file);
    assert_eq!(after.0, 0, "files are open");
    assert!(after.1 <= before.1 + 8, "{} sockets before, {} after", before.1, after.1);
}
