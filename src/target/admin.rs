//! The administrator's side of a project: SQL and access tokens over HTTP, by the same calls to the cloud and to the
//! embedded hub. It must not know which of the two answers.

use std::time::Duration;

use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::error::TargetError;
use super::http::{Answer, Http, Patience, Request, odd};
use crate::failure::{RawError, Secret, Secrets};

/// An administrator of one project.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    http: Http,
    api_key: Secret,
}

impl Admin {
    /// For the server at `base` (`https://host`), with the project's api key, the longest time of a request, and what its
    /// messages hide.
    pub(super) fn new(base: impl Into<String>, api_key: Secret, time: Duration, secrets: Secrets) -> Self {
        Self { http: Http::new(base, time, secrets), api_key }
    }

    /// The server's address.
    pub(crate) fn address(&self) -> &str {
        self.http.address()
    }

    /// Runs SQL, or a command of the server, and gives the rows of its last result.
    pub(crate) fn sql(&self, database: Option<&str>, sql: &str) -> Result<Vec<Map<String, Value>>, RawError> {
        self.rows(self.http.time(), database, sql, Patience::Once)
    }

    /// The same for SQL that must be done within a time.
    pub(crate) fn sql_within(
        &self,
        time: Duration,
        database: Option<&str>,
        sql: &str,
    ) -> Result<Vec<Map<String, Value>>, RawError> {
        self.rows(time, database, sql, Patience::Once)
    }

    /// The same for SQL that may be run twice, a few times if it fails.
    pub(super) fn command(&self, database: Option<&str>, sql: &str) -> Result<Vec<Map<String, Value>>, RawError> {
        self.rows(self.http.time(), database, sql, Patience::Again)
    }

    fn rows(
        &self,
        time: Duration,
        database: Option<&str>,
        sql: &str,
        patience: Patience,
    ) -> Result<Vec<Map<String, Value>>, RawError> {
        let mut body = json!({ "sql": sql });
        if let Some(database) = database {
            body["database"] = json!(database);
        }
        let request = self.request(&Method::POST, "/v2/weblite/sql", Some(&body));
        let mut answer = self.http.ask_within(time, request, patience)?;
        let Some(Value::Array(rows)) = answer.get_mut("data").map(Value::take) else { return Ok(Vec::new()) };
        let row = |row| if let Value::Object(columns) = row { Some(columns) } else { None };
        Ok(rows.into_iter().filter_map(row).collect())
    }

    /// Creates an access token for a user, which is refused from `expires` on. A repeated request may leave a second
    /// token behind, which nobody knows and which expires, too.
    pub(super) fn create_token(&self, name: &str, user_id: &str, expires: &str) -> Result<Secret, RawError> {
        let path = "/v2/tokens";
        let body = json!({ "name": name, "userId": user_id, "expiresAt": expires });
        let answer = self.http.ask(self.request(&Method::POST, path, Some(&body)), Patience::Again)?;
        let token = answer.pointer("/data/token").or_else(|| answer.get("token")).and_then(Value::as_str);
        token.map(Secret::from).ok_or_else(|| odd(path, "it has no `data.token`"))
    }

    /// Whether the server knows a token or key.
    pub(super) fn check_token(&self, token: &Secret) -> Result<(), RawError> {
        let request = Request { method: &Method::GET, path: "/v2/tokens/authorized", bearer: token, body: None };
        self.http.ask(request, Patience::Again).map(drop)
    }

    /// Whether the server knows the api key.
    pub(super) fn check_key(&self) -> Result<(), RawError> {
        self.check_token(&self.api_key)
    }

    /// Makes a token worthless. One that is not there is no failure.
    pub(super) fn revoke_token(&self, token: &Secret) -> Result<(), RawError> {
        let body = json!({ "token": token.expose() });
        let request = self.request(&Method::DELETE, "/v2/tokens", Some(&body));
        match self.http.ask(request, Patience::Again) {
            Err(error) if error.http == Some(404) => Ok(()),
            done => done.map(drop),
        }
    }

    /// How the server is.
    pub(super) fn health(&self) -> Result<Answer, RawError> {
        self.http.exchange(self.request(&Method::GET, "/v2/health", None), self.http.time())
    }

    /// The failure of a step, in words for a person.
    pub(super) fn failed(&self, step: &str, error: &RawError) -> TargetError {
        self.http.failed(step, error)
    }

    fn request<'a>(&'a self, method: &'a Method, path: &'a str, body: Option<&'a Value>) -> Request<'a> {
        Request { method, path, bearer: &self.api_key, body }
    }
}
