//! The management API of the sync service: which databases it serves, which of their tables, and which devices it has
//! seen. Answers are read as documented, and leniently where nothing is documented.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use ureq::http::Method;

use super::connection::ConnectionString;
use super::error::TargetError;
use super::halt::Halt;
use super::http::{Http, Patience, Request};
use crate::failure::{RawError, Secret, Secrets};

/// Devices of one page, and the most pages: a listing that never ends is none.
const PAGE: usize = 500;
const PAGES: usize = 200;

/// An administrator of a workspace.
#[derive(Debug, Clone)]
pub(super) struct Management {
    http: Http,
    key: Secret,
}

/// What a database is registered with.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) project: String,
    pub(super) database: String,
    pub(super) connection_string: Secret,
}

impl Registration {
    pub(super) fn new(connection: &ConnectionString, database: &str) -> Self {
        Self {
            project: connection.project().to_owned(),
            database: database.to_owned(),
            connection_string: connection.for_registration(),
        }
    }
}

impl Management {
    pub(super) fn new(base: &str, key: Secret, time: Duration, secrets: Secrets) -> Self {
        Self { http: Http::new(base, time, secrets), key }
    }

    /// The same whose waits end with this.
    pub(super) fn until(&self, halt: &Halt) -> Self {
        Self { http: self.http.until(halt), key: self.key.clone() }
    }

    pub(super) fn address(&self) -> &str {
        self.http.address()
    }

    /// The longest that a step may take.
    pub(super) fn time(&self) -> Duration {
        self.http.time()
    }

    /// The failure of a step, in words for a person.
    pub(super) fn failed(&self, step: &str, error: &RawError) -> TargetError {
        self.http.failed(step, error)
    }

    /// The workspace's organisation: the least that a good key may ask.
    pub(super) fn organisation(&self) -> Result<String, RawError> {
        let answer = self.get("/v1/orgs")?;
        let data = data(&answer);
        let first = data.as_array().and_then(|list| list.first()).unwrap_or(data);
        let name = ["name", "slug", "organizationId"].iter().find_map(|key| first.get(key)?.as_str());
        Ok(name.unwrap_or("an organisation without a name").to_owned())
    }

    /// The managed database id of a database that is registered already.
    pub(super) fn find(&self, project: &str, database: &str) -> Result<Option<String>, RawError> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let path = format!("/v1/databases?projectId={}&database={}", encoded(project), encoded(database));
        let answer = self.get(&path)?;
        let is_it = |entry: &&Value| {
            let says = |key: &str, wanted: &str| entry.get(key).and_then(Value::as_str).map(|text| text == wanted);
            // The filter may be ignored by a server of another version.
            says("databaseName", database) == Some(true) && says("projectId", project) != Some(false)
        };
        let found = data(&answer).as_array().and_then(|list| list.iter().find(is_it));
        Ok(found.and_then(managed_id))
    }

    /// Registers a database, and gives its managed database id. Not repeated here: whether a lost answer was a
    /// registration is known by [`Self::find`] alone.
    pub(super) fn register(&self, registration: &Registration) -> Result<String, RawError> {
        let body = json!({
            "label": registration.database,
            "connectionString": registration.connection_string.expose(),
            "provider": "sqlitecloud",
            "flavor": "sqlitecloud",
            "projectId": registration.project,
            "databaseName": registration.database,
        });
        let path = "/v1/databases";
        let answer = self.http.ask(self.request(&Method::POST, path, Some(&body)), Patience::Once)?;
        managed_id(data(&answer)).ok_or_else(|| self.http.odd(path, "it has no `data.managedDatabaseId`"))
    }

    /// Takes a database out of the service. One that is not there is no failure.
    pub(super) fn unregister(&self, id: &str) -> Result<(), RawError> {
        self.delete(&format!("/v1/databases/{id}"))
    }

    /// Switches sync on or off for tables.
    pub(super) fn switch(&self, id: &str, tables: &[String], enable: bool) -> Result<(), RawError> {
        let verb = if enable { "enable" } else { "disable" };
        let path = format!("/v1/databases/{id}/cloudsync/{verb}");
        let body = json!({ "tables": tables });
        self.http.ask(self.request(&Method::POST, &path, Some(&body)), Patience::Again).map(drop)
    }

    /// Which of these tables are not enabled yet.
    pub(super) fn missing(&self, id: &str, tables: &[String]) -> Result<Vec<String>, RawError> {
        let answer = self.get(&format!("/v1/databases/{id}/cloudsync/tables"))?;
        let listed = data(&answer).as_array().cloned().unwrap_or_default();
        let enabled = |table: &String| {
            listed.iter().any(|entry| {
                let name = entry.get("name").and_then(Value::as_str).or_else(|| entry.as_str());
                name.is_some_and(|name| name.eq_ignore_ascii_case(table))
                    && entry.get("enabled").and_then(Value::as_bool).unwrap_or(true)
            })
        };
        Ok(tables.iter().filter(|table| !enabled(table)).cloned().collect())
    }

    /// What keeps the service from reaching the database, with whether it may pass; nothing when it reaches it.
    pub(super) fn unreachable(&self, id: &str) -> Result<Option<(String, bool)>, RawError> {
        let answer = self.get(&format!("/v1/databases/{id}/connection"))?;
        let data = data(&answer);
        if data.get("ok").and_then(Value::as_bool) != Some(false) {
            return Ok(None);
        }
        let text = |key: &str| data.pointer(&format!("/failure/{key}")).and_then(Value::as_str);
        let message = text("message").or_else(|| text("code")).unwrap_or("the service does not say why");
        // The service may name the connection string with which it tried.
        let message = self.http.hide(message.to_owned());
        let may_pass = data.pointer("/failure/retryable").and_then(Value::as_bool).unwrap_or(true);
        Ok(Some((message, may_pass)))
    }

    /// The site ids of all registered devices, as the service writes them.
    pub(super) fn devices(&self, id: &str) -> Result<Vec<String>, RawError> {
        let mut sites: Vec<String> = Vec::new();
        for page in 1..=PAGES {
            let answer = self.get(&format!("/v1/databases/{id}/devices?page={page}&page_size={PAGE}"))?;
            let data = data(&answer);
            let entries = data.as_array().or_else(|| data.get("devices")?.as_array()).cloned().unwrap_or_default();
            let site = |entry: &Value| {
                let keys = ["siteId", "site_id", "id"];
                keys.iter().find_map(|key| entry.get(key)?.as_str()).or_else(|| entry.as_str()).map(str::to_owned)
            };
            let new: Vec<String> = entries.iter().filter_map(site).filter(|site| !sites.contains(site)).collect();
            // A server without pages gives the same list for ever.
            let last = new.is_empty() || entries.len() < PAGE;
            sites.extend(new);
            if last {
                break;
            }
        }
        Ok(sites)
    }

    /// Forgets a device. One that is not there is no failure.
    pub(super) fn forget_device(&self, id: &str, site: &str) -> Result<(), RawError> {
        self.delete(&format!("/v1/databases/{id}/devices/{site}"))
    }

    fn get(&self, path: &str) -> Result<Value, RawError> {
        self.http.ask(self.request(&Method::GET, path, None), Patience::Again)
    }

    fn delete(&self, path: &str) -> Result<(), RawError> {
        match self.http.ask(self.request(&Method::DELETE, path, None), Patience::Again) {
            Err(error) if error.http == Some(404) => Ok(()),
            done => done.map(drop),
        }
    }

    fn request<'a>(&'a self, method: &'a Method, path: &'a str, body: Option<&'a Value>) -> Request<'a> {
        Request { method, path, bearer: &self.key, body }
    }
}

/// What an answer is about, wrapped in `data` or bare.
fn data(answer: &Value) -> &Value {
    answer.get("data").unwrap_or(answer)
}

fn managed_id(entry: &Value) -> Option<String> {
    let id = entry.get("managedDatabaseId").or_else(|| entry.get("id")).and_then(Value::as_str)?;
    // It becomes a part of addresses and of SQL.
    let fits = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    fits.then(|| id.to_owned())
}
