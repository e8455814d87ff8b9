//! The real target: the CloudSync extension, loaded from where it lies, against an address and a managed database that
//! exist already.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::admin::Admin;
use super::{Connected, TargetError};
use crate::plan::Plan;
use crate::record::TargetFacts;
use crate::scenario::CloudsyncOptions;
use crate::session::{Credential, Loader, Network, Opening, Session};
use crate::template::{Scope, Text};

/// Where the extension is looked for when the scenario does not say.
pub(crate) const EXTENSION_VARIABLE: &str = "STRESS_CLOUDSYNC_EXTENSION";
const USUAL_PLACE: &str = "dist/cloudsync";
/// The extension's own address, used by `cloudsync_network_init`.
const DEFAULT_ADDRESS: &str = "https://cloudsync.sqlite.ai";
const DEFAULT_DATABASE: &str = "test_stress_sync";

pub(super) fn connect(plan: &Plan, options: &CloudsyncOptions, scope: &Scope) -> Result<Connected, TargetError> {
    let text = |key: &str, source: &Option<String>| render(key, source.as_deref(), scope);
    let extension = find_extension(text("extension", &options.extension)?)?;
    let loader = Loader::Extension(extension.clone());
    let version = probe(&loader, &extension)?;
    let address = text("address", &options.address)?;
    let managed_database_id = text("managed_database_id", &options.managed_database_id)?.unwrap_or_default();
    let connection_string = text("connection_string", &options.connection_string)?;
    let connection = connection_string.as_deref().map(parse_connection_string).transpose()?;
    let api_key = text("apikey", &options.apikey)?.or_else(|| connection.as_ref().map(|parsed| parsed.api_key.clone()));
    let credentials = if plan.rls {
        let tokens = options.tokens.iter().map(|token| render("tokens", Some(token), scope));
        let tokens = tokens.collect::<Result<Vec<Option<String>>, TargetError>>()?;
        tokens.into_iter().flatten().map(Credential::Token).collect()
    } else {
        let api_key = api_key.ok_or_else(|| TargetError::new("there is no api key", "set `apikey` in the target"))?;
        vec![Credential::ApiKey(api_key); plan.users.len()]
    };
    let database = text("database", &options.database)?;
    let admin = connection.map(|parsed| {
        let database = database.or(parsed.database).unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        (Admin::new(format!("https://{}", parsed.host), parsed.api_key), database)
    });
    let settings = options.settings.iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (key.clone(), value)
    });
    Ok(Connected {
        facts: TargetFacts {
            kind: "cloudsync".to_owned(),
            version,
            address: address.clone().unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()),
            extension: Some(extension.display().to_string()),
        },
        loader,
        network: Network { address, managed_database_id },
        credentials,
        settings: settings.collect(),
        admin,
        hub: None,
    })
}

fn render(key: &str, source: Option<&str>, scope: &Scope) -> Result<Option<String>, TargetError> {
    let Some(source) = source else { return Ok(None) };
    let text = Text::compile(source).and_then(|text| text.render(scope));
    let value = text.map_err(|problem| {
        let message = format!("`{key}` of the target cannot be rendered: {}", problem.message);
        TargetError::new(message, "set the environment variable that it names")
    })?;
    if value.is_empty() {
        return Err(TargetError::new(
            format!("`{key}` of the target is empty"),
            "set the environment variable that it names",
        ));
    }
    Ok(Some(value))
}

fn find_extension(named: Option<String>) -> Result<PathBuf, TargetError> {
    let named = named.or_else(|| std::env::var(EXTENSION_VARIABLE).ok().filter(|path| !path.is_empty()));
    let wanted = named.clone().unwrap_or_else(|| USUAL_PLACE.to_owned());
    let suffix = std::env::consts::DLL_SUFFIX;
    let candidates = [PathBuf::from(&wanted), PathBuf::from(format!("{wanted}{suffix}"))];
    let found = candidates.iter().find(|path| path.is_file());
    let found = found.ok_or_else(|| {
        let message = match named {
            Some(path) => format!("there is no extension at `{path}` (nor `{path}{suffix}`)"),
            None => format!("the CloudSync extension was not found (looked for `{USUAL_PLACE}{suffix}`)"),
        };
        TargetError::new(message, format!("name it with `extension:` in the target or in {EXTENSION_VARIABLE}"))
    })?;
    // SQLite hands the path to the system's loader, which searches its own places for a bare name.
    std::path::absolute(found).map_err(|error| {
        TargetError::new(format!("`{}` has no absolute path: {error}", found.display()), "give the whole path")
    })
}

/// Loads the extension once, to say early and clearly when it cannot be, or is too old.
fn probe(loader: &Loader, path: &Path) -> Result<String, TargetError> {
    let opening = Opening { file: Path::new(":memory:"), loader, pragmas: &[], settings: &[], network: None };
    let broken = |message: &str| {
        let message = format!("the extension `{}` cannot be used: {message}", path.display());
        TargetError::new(message, "install the package of this platform, version 1.1.4 or later")
    };
    let session = Session::open(&opening).map_err(|error| broken(&error.message))?;
    let call = |sql: &str| session.call(crate::failure::Call::Open, sql, &[]).map_err(|error| broken(&error.message));
    let version = call("SELECT cloudsync_version()")?.unwrap_or_default();
    let receives = "SELECT count(*) FROM pragma_function_list WHERE name = 'cloudsync_network_receive_changes'";
    if call(receives)?.as_deref() == Some("0") {
        return Err(broken(&format!("version {version} has no cloudsync_network_receive_changes()")));
    }
    session.close().map_err(|error| broken(&error.message))?;
    Ok(version)
}

#[derive(Debug, PartialEq, Eq)]
struct ConnectionString {
    host: String,
    database: Option<String>,
    api_key: String,
}

/// `sqlitecloud://host[:port][/database]?apikey=…`. The message never repeats the text, which holds a secret.
fn parse_connection_string(text: &str) -> Result<ConnectionString, TargetError> {
    let wrong = |what: &str| {
        let help = "it has the form `sqlitecloud://host:8860/database?apikey=…`";
        TargetError::new(format!("the connection string {what}"), help)
    };
    let rest = text.strip_prefix("sqlitecloud://").ok_or_else(|| wrong("does not start with `sqlitecloud://`"))?;
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = location.split_once('/').unwrap_or((location, ""));
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    let api_key =
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| key.eq_ignore_ascii_case("apikey"));
    let api_key = api_key.map(|(_, value)| percent_decode(value)).filter(|key| !key.is_empty());
    Ok(ConnectionString {
        host: host.to_owned(),
        database: Some(percent_decode(database)).filter(|name| !name.is_empty()),
        api_key: api_key.ok_or_else(|| wrong("has no `apikey`"))?,
    })
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let parsed = parse_connection_string("sqlitecloud://h.sqlite.cloud:8860/my%20db?timeout=3&apikey=k%2Fy")
            .expect("parses");
        assert_eq!(parsed.host, "h.sqlite.cloud");
        assert_eq!(parsed.database.as_deref(), Some("my db"));
        assert_eq!(parsed.api_key, "k/y");
        assert_eq!(parse_connection_string("sqlitecloud://h?apikey=k").expect("parses").database, None);
    }

    #[test]
    fn a_wrong_connection_string_is_named_and_never_repeated() {
        for text in ["http://h?apikey=hush", "sqlitecloud://?apikey=hush", "sqlitecloud://h/hush"] {
            let error = parse_connection_string(text).expect_err(text);
            assert!(!error.to_string().contains("hush"), "{error}");
            assert!(error.to_string().contains("apikey=…"), "{error}");
        }
    }
}
