//! The cloud target's options with their secrets filled in: who may be asked what, where, and what must never be seen.

use std::time::Duration;

use super::admin::Admin;
use super::connection::ConnectionString;
use super::error::TargetError;
use super::halt::Halt;
use super::http::TIMEOUT;
use super::management::Management;
use crate::failure::{Secret, Secrets};
use crate::plan::{ALLOWED_DATABASES, Grant, covers, in_address, is_secret};
use crate::sandbox;
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
    allowed: Vec<String>,
}

impl Access {
    /// What is secret of it is added to `secrets`.
    pub(super) fn new(options: &CloudsyncOptions, scope: &Scope, secrets: &Secrets) -> Result<Self, TargetError> {
        let text = |key: &str, source: &Option<String>| value(key, source.as_deref(), scope, secrets);
        let secret = |key: &str, source: &Option<String>| Ok(text(key, source)?.map(Secret::from));
        let connection_string = text("connection_string", &options.connection_string)?;
        let connection = connection_string.as_deref().map(ConnectionString::parse).transpose()?;
        let api_key = secret("apikey", &options.apikey)?.or_else(|| connection.as_ref().map(|own| own.api_key.clone()));
        let management_key = secret("management_key", &options.management_key)?;
        let tokens = options.tokens.iter().map(|token| secret("tokens", &Some(token.clone())));
        let tokens: Vec<Secret> = tokens.collect::<Result<Vec<_>, TargetError>>()?.into_iter().flatten().collect();
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
    pub(super) fn without_id(
        options: &CloudsyncOptions,
        scope: &Scope,
        secrets: &Secrets,
    ) -> Result<Self, TargetError> {
        let mut options = options.clone();
        let known = |source: &String| render("", source, scope).is_ok();
        options.managed_database_id = options.managed_database_id.filter(known);
        Self::new(&options, scope, secrets)
    }

    /// The same without what cannot be rendered or understood, which is told.
    pub(super) fn lenient(options: &CloudsyncOptions, scope: &Scope, secrets: &Secrets) -> (Self, Vec<TargetError>) {
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
            if let Err(problem) = value(key, source.as_deref(), scope, secrets) {
                problems.push(problem);
                *source = None;
            }
        }
        // Every token is learned, also behind one that cannot be used.
        let tokens = options.tokens.iter().filter_map(|token| value("tokens", Some(token), scope, secrets).err());
        let unusable: Vec<TargetError> = tokens.collect();
        if !unusable.is_empty() {
            options.tokens.clear();
            problems.extend(unusable.into_iter().next());
        }
        let access = Self::new(&options, scope, secrets).expect("what cannot be rendered or understood was left out");
        (access, problems)
    }

    /// Refuses, before anything is sent, to talk to another machine from a sandbox.
    pub(super) fn must_suit(&self, grant: &Grant) -> Result<(), TargetError> {
        if !grant.is_sandbox() {
            return Ok(());
        }
        let address = self.address.as_deref().unwrap_or(DEFAULT_ADDRESS);
        let asked =
            [Some(address), self.admin.as_ref().map(Admin::address), self.management.as_ref().map(Management::address)];
        match asked.into_iter().flatten().find(|address| !sandbox::is_local(address)) {
            None => Ok(()),
            Some(address) => {
                let message = format!("the sandbox does not let the target talk to another machine: `{address}`");
                Err(TargetError::new(message, sandbox::HELP))
            }
        }
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

/// The value of a key, if it has one. What is secret in it is added to `secrets`, also when the value cannot be used.
fn value(key: &str, source: Option<&str>, scope: &Scope, secrets: &Secrets) -> Result<Option<String>, TargetError> {
    let Some(source) = source else { return Ok(None) };
    let text = render(key, source, scope)?;
    secrets.extend(in_address(&text));
    if is_secret(key) {
        secrets.add(&Secret::from(text.as_str()));
        secrets.extend(parts(source, scope, |_| true));
        let own_key = (key == "connection_string").then(|| ConnectionString::parse(&text)).transpose()?;
        let whole = own_key.map_or_else(|| Secret::from(text.as_str()), |parsed| parsed.api_key);
        secrets.add(&whole);
        if whole.is_too_short() {
            return Err(TargetError::too_short(&format!("`{key}` of the target")));
        }
    }
    Ok(Some(text))
}

/// What the variables of a text stand for, as far as they are meant.
pub(super) fn parts(source: &str, scope: &Scope, meant: fn(&str) -> bool) -> Vec<Secret> {
    let names = Text::compile(source).map(|text| text.variables()).unwrap_or_default();
    let value = |name: &String| Text::compile(&format!("{{{{ {name} }}}}")).and_then(|text| text.render(scope)).ok();
    names.keys().filter(|name| meant(name)).filter_map(value).map(Secret::from).collect()
}

fn render(key: &str, source: &str, scope: &Scope) -> Result<String, TargetError> {
    let text = Text::compile(source).and_then(|text| text.render(scope));
    let value = text.map_err(|problem| unrendered(key, &problem.message))?;
    if value.is_empty() {
        return Err(TargetError::new(
            format!("`{key}` of the target is empty"),
            "set the environment variable that it names",
        ));
    }
    Ok(value)
}

/// That a text of the target cannot be rendered.
pub(super) fn unrendered(key: &str, why: &str) -> TargetError {
    let message = format!("`{key}` of the target cannot be rendered: {why}");
    TargetError::new(message, "set the environment variable that it names")
}
