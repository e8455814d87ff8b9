//! The administrator's side of a target: SQL, access tokens and the management API over HTTP, by the same calls to the
//! cloud and to the embedded hub. It must not know which of the two answers.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::failure::{Call, RawError};

const TIMEOUT: Duration = Duration::from_secs(60);
/// The most an answer may hold: a page of rows is far smaller.
const LARGEST_ANSWER: u64 = 256 * 1024 * 1024;

/// An administrator of one project.
pub struct Admin {
    agent: ureq::Agent,
    base: String,
    api_key: String,
}

impl Admin {
    /// For the server at `base` (`https://host`), with the project's api key.
    pub fn new(base: impl Into<String>, api_key: impl Into<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("stress/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), base: base.into().trim_end_matches('/').to_owned(), api_key: api_key.into() }
    }

    /// The server's address.
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Runs SQL, or a command of the server, and gives the rows of its last result.
    pub fn sql(&self, database: Option<&str>, sql: &str) -> Result<Vec<Map<String, Value>>, RawError> {
        self.sql_within(TIMEOUT, database, sql)
    }

    /// The same for SQL that must be done within a time.
    pub fn sql_within(
        &self,
        time: Duration,
        database: Option<&str>,
        sql: &str,
    ) -> Result<Vec<Map<String, Value>>, RawError> {
        let mut body = json!({ "sql": sql });
        if let Some(database) = database {
            body["database"] = json!(database);
        }
        let answer = self.post_within(time, "/v2/weblite/sql", &self.api_key, &body)?;
        let rows = match answer.get("data") {
            Some(Value::Array(rows)) => rows.iter().filter_map(Value::as_object).cloned().collect(),
            _ => Vec::new(),
        };
        Ok(rows)
    }

    /// Creates an access token for a user.
    pub fn create_token(&self, name: &str, user_id: &str) -> Result<String, RawError> {
        let answer = self.post("/v2/tokens", &self.api_key, &json!({ "name": name, "userId": user_id }))?;
        let token = answer.pointer("/data/token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| odd("/v2/tokens", "no `data.token`"))
    }

    /// Registers a database with the sync service and gives its managed database id.
    pub fn register(&self, management_key: &str, database: &str, connection_string: &str) -> Result<String, RawError> {
        let body = json!({
            "label": database,
            "connectionString": connection_string,
            "provider": "sqlitecloud",
            "flavor": "sqlitecloud",
            "projectId": "stress",
            "databaseName": database,
        });
        let answer = self.post("/v1/databases", management_key, &body)?;
        let id = answer.pointer("/data/managedDatabaseId").and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| odd("/v1/databases", "no `data.managedDatabaseId`"))
    }

    /// Enables sync for tables of a registered database.
    pub fn enable(&self, management_key: &str, managed_database_id: &str, tables: &[&str]) -> Result<(), RawError> {
        let path = format!("/v1/databases/{managed_database_id}/cloudsync/enable");
        self.post(&path, management_key, &json!({ "tables": tables })).map(drop)
    }

    fn post(&self, path: &str, bearer: &str, body: &Value) -> Result<Value, RawError> {
        self.post_within(TIMEOUT, path, bearer, body)
    }

    fn post_within(&self, time: Duration, path: &str, bearer: &str, body: &Value) -> Result<Value, RawError> {
        // A time of none would be no limit at all.
        let time = time.clamp(Duration::from_millis(1), TIMEOUT);
        let failed = |error: &ureq::Error| RawError {
            call: Call::Admin,
            sqlite: None,
            http: None,
            message: network_text(error, time),
        };
        let request =
            self.agent.post(format!("{}{path}", self.base)).header("Authorization", format!("Bearer {bearer}"));
        let request = request.header("Content-Type", "application/json");
        let request = request.config().timeout_global(Some(time)).build();
        let mut response = request.send(body.to_string()).map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string();
        let text = text.map_err(|error| failed(&error))?;
        let answer: Option<Value> = serde_json::from_str(&text).ok();
        let refused =
            answer.as_ref().is_some_and(|answer| answer.get("error").is_some() || answer.get("errors").is_some());
        if !(200..300).contains(&status) || refused {
            let message = if text.is_empty() { format!("HTTP {status} without a body") } else { text };
            return Err(RawError { call: Call::Admin, sqlite: None, http: Some(status), message });
        }
        answer.ok_or_else(|| odd(path, "not JSON"))
    }
}

fn odd(path: &str, what: &str) -> RawError {
    let message = format!("the answer of {path} could not be understood: {what}");
    RawError { call: Call::Admin, sqlite: None, http: None, message }
}

/// The message of a failed exchange, in the words that the sync calls use for the same.
fn network_text(error: &ureq::Error, time: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("Operation timed out after {} milliseconds", time.as_millis()),
        ureq::Error::HostNotFound => "Could not resolve host".to_owned(),
        ureq::Error::ConnectionFailed => "Failed to connect".to_owned(),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "Failed to connect: refused".to_owned()
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
            "Connection reset by peer".to_owned()
        }
        other => other.to_string(),
    }
}
