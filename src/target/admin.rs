//! The administrator's side of a project: SQL and access tokens over HTTP, by the same calls to the cloud and to the
//! embedded hub. It must not know which of the two answers.

use std::time::Duration;

use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::error::TargetError;
use super::halt::Halt;
use super::http::{Answer, Http, Patience, Request};
use crate::failure::{RawError, Secret, Secrets};

/// Where SQL is run.
const SQL: &str = "/v2/weblite/sql";

/// The rows of a result, each by the names of its columns.
pub(crate) type Rows = Vec<Map<String, Value>>;

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

    /// The same whose waits end with this.
    pub(super) fn until(&self, halt: &Halt) -> Self {
        Self { http: self.http.until(halt), api_key: self.api_key.clone() }
    }

    /// The server's address.
    pub(crate) fn address(&self) -> &str {
        self.http.address()
    }

    /// Asks a query for its rows. An answer without rows, which may be none, is an error: it says nothing about them.
    pub(crate) fn sql(&self, database: Option<&str>, sql: &str) -> Result<Rows, RawError> {
        self.rows(self.data(self.http.time(), database, sql, Patience::Once)?)
    }

    /// The same for a query that must be done within a time.
    pub(crate) fn rows_within(&self, time: Duration, database: Option<&str>, sql: &str) -> Result<Rows, RawError> {
        self.rows(self.data(time, database, sql, Patience::Once)?)
    }

    /// The same for a question that may be asked twice, a few times if it fails.
    pub(super) fn list(&self, database: Option<&str>, sql: &str) -> Result<Rows, RawError> {
        self.rows(self.data(self.http.time(), database, sql, Patience::Again)?)
    }

    /// Runs SQL that may have rows or none, such as an INSERT, within a time.
    pub(crate) fn sql_within(&self, time: Duration, database: Option<&str>, sql: &str) -> Result<Rows, RawError> {
        self.done(self.data(time, database, sql, Patience::Once)?)
    }

    /// Runs a command that may be run twice, a few times if it fails.
    pub(super) fn command(&self, database: Option<&str>, sql: &str) -> Result<(), RawError> {
        self.data(self.http.time(), database, sql, Patience::Again).map(drop)
    }

    /// What the answer has under `data`, if it has that.
    fn data(
        &self,
        time: Duration,
        database: Option<&str>,
        sql: &str,
        patience: Patience,
    ) -> Result<Option<Value>, RawError> {
        let mut body = json!({ "sql": sql });
        if let Some(database) = database {
            body["database"] = json!(database);
        }
        let request = self.request(&Method::POST, SQL, Some(&body));
        let mut answer = self.http.ask_within(time, request, patience)?;
        Ok(answer.get_mut("data").map(Value::take))
    }

    /// Creates an access token for a user, which is refused from `expires` on. A repeated request may leave a second
    /// token behind, which nobody knows and which expires, too.
    pub(super) fn create_token(&self, name: &str, user_id: &str, expires: &str) -> Result<Secret, RawError> {
        let path = "/v2/tokens";
        let body = json!({ "name": name, "userId": user_id, "expiresAt": expires });
        let answer = self.http.ask(self.request(&Method::POST, path, Some(&body)), Patience::Again)?;
        let token = answer.pointer("/data/token").or_else(|| answer.get("token")).and_then(Value::as_str);
        let token = token.map(Secret::from).ok_or_else(|| self.http.odd(path, "it has no `data.token`"))?;
        if token.is_too_short() {
            return Err(self.http.odd(path, "its token is too short to be kept secret"));
        }
        self.http.learn(&token);
        Ok(token)
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

    /// The rows that an answer must have.
    fn rows(&self, data: Option<Value>) -> Result<Rows, RawError> {
        let row = |row: Value| match row {
            Value::Object(columns) => Ok(columns),
            other => Err(self.http.odd(SQL, &format!("a row is not an object: {other}"))),
        };
        match data {
            Some(Value::Array(rows)) => rows.into_iter().map(row).collect(),
            Some(other) => Err(self.http.odd(SQL, &format!("its `data` has no rows: {other}"))),
            None => Err(self.http.odd(SQL, "the answer has no `data`")),
        }
    }

    /// The rows of an answer that may have none: a statement without a result is answered with a text, or with null.
    fn done(&self, data: Option<Value>) -> Result<Rows, RawError> {
        match data {
            Some(Value::String(_) | Value::Null) => Ok(Vec::new()),
            data => self.rows(data),
        }
    }

    fn request<'a>(&'a self, method: &'a Method, path: &'a str, body: Option<&'a Value>) -> Request<'a> {
        Request { method, path, bearer: &self.api_key, body }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// An administrator whose server answers every request with this body.
    fn answered(body: &'static str) -> Admin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                // The requests here are small enough to come in one piece.
                let _ = stream.read(&mut [0; 4096]).expect("a request");
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
                write!(stream, "{head} {}\r\n\r\n{body}", body.len()).expect("it is listened to");
            }
        });
        Admin::new(base, "key".into(), Duration::from_secs(10), Secrets::default())
    }

    #[test]
    fn an_answer_without_rows_is_no_answer_without_any() {
        for (body, told) in [
            ("{}", "the answer has no `data`"),
            ("", "the answer has no `data`"),
            (r#"{"data": "OK"}"#, r#"its `data` has no rows: "OK""#),
            (r#"{"data": null}"#, "its `data` has no rows: null"),
            (r#"{"data": [1]}"#, "a row is not an object: 1"),
        ] {
            let error = answered(body).sql(None, "SELECT 1").expect_err(body);
            assert!(error.message.ends_with(told), "{body}: {}", error.message);
        }
        assert!(answered(r#"{"data": []}"#).sql(None, "SELECT 1").expect("no rows").is_empty());
    }

    #[test]
    fn what_has_no_rows_need_not_answer_any() {
        let within = Duration::from_secs(10);
        let ok = answered(r#"{"data": "OK"}"#);
        assert!(ok.sql_within(within, None, "DELETE FROM t").expect("it is done").is_empty());
        ok.command(None, "USE DATABASE d").expect("it is done");
        let error = answered("{}").sql_within(within, None, "SELECT 1").expect_err("nothing was said");
        assert!(error.message.ends_with("the answer has no `data`"), "{}", error.message);
    }
}
