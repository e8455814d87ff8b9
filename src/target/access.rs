//! The cloud target's options with their secrets filled in: who may be asked what, where, and what must never be seen.

use std::time::Duration;

use super::admin::Admin;
use super::connection::ConnectionString;
use super::error::TargetError;
use super::halt::Halt;
use super::http::TIMEOUT;
use super::management::Management;
use super::proxy;
use crate::failure::{Secret, Secrets};
use crate::plan::{ALLOWED_DATABASES, covers};
use crate::scenario::{CloudsyncOptions, HumanDuration};
use crate::template::{Scope, Text};

/// The extension's own address, used by `cloudsync_network_init`.
pub(super) const DEFAULT_ADDRESS: &str = "https://cloudsync.sqlite.ai";
/// The database when neither the scenario nor the connection string names one.
const DEFAULT_DATABASE: &str = "test_stress_sync";

/// What the options come to.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) connection: Option<ConnectionString>,
    pub(super) database: String,
    pub(super) api_key: Option<Secret>,
    pub(super) tokens: Vec<Secret>,
    pub(super) admin: Option<Admin>,
    pub(super) management: Option<Management>,
    /// The managed database id as the scenario gives it.
    pub(super) given_id: Option<String>,
    pub(super) address: Option<String>,
    pub(super) extension: Option<String>,
    /// All that is secret of it.
    pub(super) secrets: Secrets,
    allowed: Vec<String>,
}

impl Access {
    pub(super) fn new(options: &CloudsyncOptions, scope: &Scope) -> Result<Self, TargetError> {
        let text = |key: &str, source: &Option<String>| render(key, source.as_deref(), scope);
        let secret = |key: &str, source: &Option<String>| Ok(text(key, source)?.map(Secret::from));
        let connection_string = secret("connection_string", &options.connection_string)?;
        let connection = connection_string.as_ref().map(|text| ConnectionString::parse(text.expose())).transpose()?;
        let own_key = connection.as_ref().map(|parsed| parsed.api_key.clone());
        let api_key = secret("apikey", &options.apikey)?.or_else(|| own_key.clone());
        let management_key = secret("management_key", &options.management_key)?;
        let tokens = options.tokens.iter().map(|token| secret("tokens", &Some(token.clone())));
        let tokens: Vec<Secret> = tokens.collect::<Result<Vec<_>, TargetError>>()?.into_iter().flatten().collect();
        let values = [&connection_string, &api_key, &management_key, &own_key].into_iter().flatten();
        let proxies = proxy::secrets();
        let secrets = Secrets::new(values.chain(&tokens).chain(&proxies));
        let time = options.admin_timeout.map_or(TIMEOUT, HumanDuration::get).max(Duration::from_millis(1));
        let address = text("address", &options.address)?;
        let admin_address = text("admin_address", &options.admin_address)?;
        let admin = connection.as_ref().map(|parsed| {
            let base = admin_address.unwrap_or_else(|| format!("https://{}", parsed.host));
            Admin::new(base, parsed.api_key.clone(), time, secrets.clone())
        });
        let base = text("management_address", &options.management_address)?.or_else(|| address.clone());
        let base = base.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let database = text("database", &options.database)?;
        let in_string = || connection.as_ref().and_then(|parsed| parsed.database.clone());
        Ok(Self {
            database: database.or_else(in_string).unwrap_or_else(|| DEFAULT_DATABASE.to_owned()),
            api_key,
            tokens,
            admin,
            management: management_key.map(|key| Management::new(&base, key, time, secrets.clone())),
            secrets,
            given_id: text("managed_database_id", &options.managed_database_id)?,
            address,
            extension: text("extension", &options.extension)?,
            allowed: options.allow_databases.clone().unwrap_or_else(|| vec![ALLOWED_DATABASES.to_owned()]),
            connection,
        })
    }

    /// The same whose waits end with this.
    pub(super) fn until(self, halt: &Halt) -> Self {
        let admin = self.admin.map(|admin| admin.until(halt));
        Self { admin, management: self.management.map(|management| management.until(halt)), ..self }
    }

    /// The same where the managed database id need not be known yet: a variable that is not set leaves it out.
    pub(super) fn without_id(options: &CloudsyncOptions, scope: &Scope) -> Result<Self, TargetError> {
        let mut options = options.clone();
        let known = |source: &String| render("", Some(source), scope).is_ok();
        options.managed_database_id = options.managed_database_id.filter(known);
        Self::new(&options, scope)
    }

    /// The same without what cannot be rendered or understood, which is told.
    pub(super) fn lenient(options: &CloudsyncOptions, scope: &Scope) -> (Self, Vec<TargetError>) {
        let mut options = options.clone();
        let mut problems = Vec::new();
        let keys = [
            ("extension", &mut options.extension),
            ("address", &mut options.address),
            ("connection_string", &mut options.connection_string),
            ("admin_address", &mut options.admin_address),
            ("management_address", &mut options.management_address),
            ("database", &mut options.database),
            ("managed_database_id", &mut options.managed_database_id),
            ("management_key", &mut options.management_key),
            ("apikey", &mut options.apikey),
        ];
        for (key, source) in keys {
            let value = render(key, source.as_deref(), scope).and_then(|value| match (key, value) {
                ("connection_string", Some(text)) => ConnectionString::parse(&text).map(drop),
                _ => Ok(()),
            });
            if let Err(problem) = value {
                problems.push(problem);
                *source = None;
            }
        }
        let unknown = options.tokens.iter().find_map(|token| render("tokens", Some(token), scope).err());
        if let Some(problem) = unknown {
            problems.push(problem);
            options.tokens.clear();
        }
        let access = Self::new(&options, scope).expect("what cannot be rendered or understood was left out");
        (access, problems)
    }

    /// Refuses, before anything is sent, to touch a database that `allow_databases` does not cover.
    pub(super) fn must_be_allowed(&self) -> Result<(), TargetError> {
        let database = &self.database;
        if self.allowed.iter().any(|pattern| covers(pattern, database)) {
            return Ok(());
        }
        let patterns = self.allowed.join("`, `");
        Err(TargetError::new(
            format!("the database `{database}` may not be changed: `allow_databases` covers `{patterns}` only"),
            "name another database, or add a pattern that matches this one; note that its tables would be dropped",
        ))
    }

    /// The managed database id: as given, else as the management API knows it.
    pub(super) fn managed_database_id(&self) -> Result<Option<String>, TargetError> {
        if self.given_id.is_some() {
            return Ok(self.given_id.clone());
        }
        let Some((management, connection)) = self.management.as_ref().zip(self.connection.as_ref()) else {
            return Ok(None);
        };
        let found = management.find(connection.project(), &self.database);
        found.map_err(|error| management.failed(&format!("find the managed database of `{}`", self.database), &error))
    }
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
