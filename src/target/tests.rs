//! What holds a secret does not print it, and a database that is there is not made anew.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, json};

use super::access::Access;
use super::cleanup::{Closing, Dropping};
use super::connected::Connected;
use super::embedded::{HubOptions, client::transport::Endpoint};
use super::engine::{Device, Engine, Functions};
use super::http::Request;
use super::management::Registration;
use crate::failure::{Call, Secret, Secrets};
use crate::plan::Plan;
use crate::record::TargetFacts;
use crate::scenario::{CloudsyncOptions, TargetKind};
use crate::session::{Credential, Loader, Network, Opening};
use crate::template::{Scope, Variables};

const KEY: &str = "k3y/of+the=project";
const MANAGEMENT: &str = "k3y/of+the=workspace";
const TOKEN: &str = "17|sqa_t0ken+of/user";

/// Fails where a value prints a secret, in any of its forms.
fn prints_none(value: &impl Debug) {
    let secrets = Secrets::new(&[KEY, MANAGEMENT, TOKEN].map(Secret::from));
    for printed in [format!("{value:?}"), format!("{value:#?}")] {
        assert!(printed.contains("[hidden]"), "it holds one: {printed}");
        assert_eq!(secrets.redact(printed.clone()), printed);
    }
}

fn scope() -> Scope {
    let scope = Scope::new(Variables { vars: Map::new(), scale: Map::new(), seed: 1 });
    scope.environment([("KEY".to_owned(), KEY.to_owned())])
}

fn access() -> (Access, Secrets) {
    let options: CloudsyncOptions = serde_json::from_value(json!({
        "connection_string": "sqlitecloud://host:8860/database?apikey={{ env.KEY }}",
        "apikey": "{{ env.KEY }}",
        "management_key": MANAGEMENT,
        "tokens": [TOKEN],
    }))
    .expect("options");
    let secrets = Secrets::default();
    (Access::new(&options, &scope(), &secrets).expect("they can be rendered"), secrets)
}

#[test]
fn a_secret_is_shown_by_nothing_but_its_own_method() {
    let secret = Secret::from(KEY);
    assert_eq!(
        (format!("{secret}"), format!("{secret:?}"), secret.expose()),
        ("[hidden]".into(), "[hidden]".into(), KEY)
    );
    prints_none(&Secrets::new([&secret]));
    prints_none(&scope());
}

#[test]
fn what_the_cloud_target_is_reached_with_prints_no_secret() {
    let (access, secrets) = access();
    assert_eq!(secrets.redact(format!("{KEY}, {MANAGEMENT}, {TOKEN}")), "[hidden], [hidden], [hidden]");
    prints_none(&access);
    prints_none(access.connection.as_ref().expect("it has one"));
    prints_none(access.admin.as_ref().expect("it has one"));
    prints_none(access.management.as_ref().expect("it has one"));
    prints_none(&Registration::new(access.connection.as_ref().expect("it has one"), "database"));
    let (bearer, method) = (Secret::from(TOKEN), ureq::http::Method::GET);
    prints_none(&Request { method: &method, path: "/", bearer: &bearer, body: None });
}

#[test]
fn what_a_run_authenticates_with_prints_no_secret() {
    let (access, secrets) = access();
    let admin = access.admin.clone().expect("it has one");
    let dropping = Dropping {
        database: "database".to_owned(),
        tables: Vec::new(),
        management: access.management.clone(),
        managed_database_id: None,
        own: false,
    };
    prints_none(&dropping);
    let closing = Closing { admin: admin.clone(), tokens: vec![TOKEN.into()], drop: Some(dropping) };
    prints_none(&closing);
    let network = Network { address: None, managed_database_id: "db_x".to_owned(), secrets: Secrets::default() };
    let loader = Loader::Extension(PathBuf::new());
    for credential in [Credential::Token(TOKEN.into()), Credential::ApiKey(KEY.into())] {
        prints_none(&credential);
        let network = Some((&network, &credential));
        prints_none(&Opening { file: Path::new("db1.db"), loader: &loader, pragmas: &[], settings: &[], network });
    }
    let facts = TargetFacts {
        kind: TargetKind::Cloudsync,
        version: "1".to_owned(),
        address: "https://host".to_owned(),
        extension: None,
    };
    prints_none(&Connected {
        facts,
        engine: Engine::Functions(Functions { loader, network, settings: Vec::new() }),
        credentials: vec![Credential::Token(TOKEN.into())],
        wrong_credentials: BTreeMap::from([(1, Credential::ApiKey(KEY.into()))]),
        secrets,
        admin: Some((admin, "database".to_owned())),
        closing: Some(closing),
        hub: None,
        server: None,
    });
}

#[test]
fn what_the_embedded_target_works_with_prints_no_secret() {
    let mut options = HubOptions::new("hub");
    (options.api_key, options.management_key) = (KEY.into(), MANAGEMENT.into());
    prints_none(&options);
    prints_none(&Endpoint {
        address: "http://127.0.0.1:1".to_owned(),
        id: "db_x".to_owned(),
        credential: Some(TOKEN.into()),
        connect_timeout: Duration::ZERO,
        request_timeout: Duration::ZERO,
    });
}

#[test]
fn a_file_that_is_there_keeps_what_was_captured() {
    let scenario = json!({
        "version": 1, "name": "filter", "phases": [{ "sync": ["send"] }],
        "schema": { "tables": [
            { "name": "t", "sql": "CREATE TABLE t (id TEXT PRIMARY KEY, n)", "filter": "n > 0" },
            { "name": "g", "sql": "CREATE TABLE g (id TEXT PRIMARY KEY, n)", "algo": "gos" },
        ] },
    });
    let scenario = serde_json::from_value(scenario).expect("a scenario");
    let (plan, _) = Plan::new(&scenario, &crate::plan::Grant::default()).expect("a plan");
    let mut loaders = vec![Loader::Functions(super::embedded::register)];
    match std::env::var("STRESS_CLOUDSYNC_EXTENSION").ok().filter(|path| !path.is_empty()) {
        Some(path) => loaders.push(Loader::Extension(PathBuf::from(path))),
        None => skipped("a_file_that_is_there_keeps_what_was_captured"),
    }
    for loader in loaders {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("db1.db");
        let target = local(loader);
        let device = Device { number: 1, user: "", file: &file };
        let call = |sql: &[&str]| {
            let functions = target.functions().expect("SQLite");
            let session = functions.open(&plan, &file, None).expect("it opens");
            let answers: Vec<Option<String>> = sql
                .iter()
                .map(|sql| session.call(Call::Sql, sql, &[]).unwrap_or_else(|error| Some(error.message)))
                .collect();
            session.close().expect("it closes");
            answers
        };
        let site = target.create_database(&plan, device, false).expect("it is made");
        let version = "SELECT cloudsync_db_version()";
        let write = [
            "INSERT INTO t VALUES ('in', 1), ('out', 0) RETURNING NULL",
            "UPDATE t SET n = n + 2 WHERE id = 'in' RETURNING NULL",
        ];
        let written =
            call(&[&write[..], &["DELETE FROM t WHERE id = 'in' RETURNING NULL", version]].concat()).pop().flatten();
        assert_eq!(target.create_database(&plan, device, false).expect("it is there"), site);
        assert_eq!(call(&[version])[0], written, "setting the filter again would start anew");
        let trigger = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%n%> 0%'";
        assert_ne!(call(&[trigger])[0].as_deref(), Some("0"), "and it is there still");
        let refused =
            call(&["INSERT INTO g VALUES ('a', 1) RETURNING NULL", "DELETE FROM g RETURNING NULL"]).pop().flatten();
        assert_eq!(refused.as_deref(), Some("Error: DELETE operation is not allowed on table g."));
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped must be seen to be")]
fn skipped(test: &str) {
    eprintln!("skipped beside CloudSync: {test}: STRESS_CLOUDSYNC_EXTENSION is not set");
}

/// A target of which only the files are there.
fn local(loader: Loader) -> Connected {
    Connected {
        facts: TargetFacts {
            kind: TargetKind::Cloudsync,
            version: "1".to_owned(),
            address: "https://host".to_owned(),
            extension: None,
        },
        engine: Engine::Functions(Functions {
            loader,
            network: Network { address: None, managed_database_id: "db_x".to_owned(), secrets: Secrets::default() },
            settings: Vec::new(),
        }),
        credentials: Vec::new(),
        wrong_credentials: BTreeMap::new(),
        secrets: Secrets::default(),
        admin: None,
        closing: None,
        hub: None,
        server: None,
    }
}
