//! An answer before it is HTTP: status, body, and how planted failures want it delivered.

use std::time::Duration;

use serde_json::{Value, json};

use super::error::StoreError;

/// What is said to a bearer that is nobody.
const UNKNOWN: &str = "the api key or access token is missing, unknown, revoked or expired";
/// Code of a refused credential.
pub(super) const AUTH: i32 = 10004;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) delay: Duration,
    pub(super) delivery: Delivery,
}

/// How much of an answer arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// Half of it, under the length of the whole.
    Torn,
    /// The connection ends instead.
    None,
}

impl Reply {
    fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, body, delay: Duration::ZERO, delivery: Delivery::Whole }
    }

    /// A message of the sync protocol.
    pub(super) fn bytes(body: Vec<u8>) -> Self {
        Self::new(200, "application/octet-stream", body)
    }

    /// JSON.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string().into_bytes())
    }

    /// A status alone.
    pub(super) fn empty(status: u16) -> Self {
        Self::new(status, "text/plain", Vec::new())
    }

    /// An error as sync and management answer it.
    pub(super) fn errors(status: u16, code: &str, detail: &str) -> Self {
        let error =
            json!({ "status": status.to_string(), "code": code, "title": title(status, code), "detail": detail });
        Self::json(status, &json!({ "errors": [error] }))
    }

    /// An error as the SQL gateway answers it. `code` is SQLite's, or one from 10000 up.
    pub(super) fn error(status: u16, code: i32, detail: &str) -> Self {
        let error = json!({
            "status": status.to_string(), "title": title(status, ""), "detail": detail,
            "errorCode": code, "offsetCode": -1, "externalErrorCode": 0,
        });
        Self::json(status, &json!({ "error": error }))
    }

    /// That the hub is there.
    pub(super) fn health() -> Self {
        Self::json(200, &json!({ "data": { "status": "ok", "version": env!("CARGO_PKG_VERSION") } }))
    }

    /// To a bearer that is nobody, from sync.
    pub(super) fn unknown() -> Self {
        Self::errors(401, "unauthorized", UNKNOWN)
    }

    /// The same from the SQL gateway and the tokens.
    pub(super) fn unknown_to_gateway() -> Self {
        Self::error(401, AUTH, UNKNOWN)
    }

    /// A failed push or pull.
    pub(super) fn store_error(error: &StoreError) -> Self {
        match error {
            StoreError::Malformed => Self::errors(400, "bad_request", "malformed message"),
            StoreError::Sql(error) => Self::errors(500, "database_error", &text(error)),
        }
    }
}

/// SQLite's own text, which is what the classifier knows.
pub(super) fn text(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(code, None) if code.code == rusqlite::ErrorCode::DatabaseBusy => {
            "database is locked".to_owned()
        }
        other => other.to_string(),
    }
}

fn title(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (_, "database_paused") => "Database paused",
        (400, _) => "Bad Request",
        (401, _) => "Unauthorized",
        (403, _) => "Forbidden",
        (404, _) => "Not Found",
        (405, _) => "Method Not Allowed",
        (408, _) => "Request Timeout",
        (409, _) => "Conflict",
        (422, _) => "Unprocessable Content",
        (413, _) => "Payload Too Large",
        (429, _) => "Too Many Requests",
        (503, _) => "Service Unavailable",
        (400..=499, _) => "Error",
        _ => "Internal Server Error",
    }
}
