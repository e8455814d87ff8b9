//! The classification of errors: the kind of a failure, the side on which it happened, and whether a retry can help.
//! A pure function from SQLite codes, server answers and messages to a [`Failure`]. Nothing here knows who reported the
//! error or what it means for the verdict.

mod answer;
mod code;
mod fingerprint;
mod invariant;
mod secrets;
mod text;

pub use answer::classify_answer;
pub use fingerprint::fingerprint;
pub use invariant::Versions;
pub use secrets::Secrets;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A lock was not available: `database is locked`, `database table is locked`, `SQLITE_BUSY`.
    Locked,
    /// The server answered with an HTTP error status.
    Http,
    /// The server received too many requests (HTTP 429).
    RateLimited,
    /// The server refused the credentials (HTTP 401, 403).
    Auth,
    /// The project or its database is paused, or the server's API cannot reach it (HTTP 503 `database_paused`, …).
    Unavailable,
    /// The managed database does not exist (HTTP 404).
    NotFound,
    /// No complete answer: the connection was refused, reset or cut off, the host was not found, or TLS failed.
    Network,
    /// The call or the statement exceeded its time limit.
    Timeout,
    /// The server's answer could not be parsed.
    BadAnswer,
    /// The server reports that it could not store the sent changes (`send.lastFailure`).
    ServerApply,
    /// The server reports that it could not prepare the changes for a receive (`receive.lastFailure`).
    ServerPrepare,
    /// The local database could not store the received changes (`receive.error`).
    ClientApply,
    /// The status of the send stays `out-of-sync`: changes are missing on the server.
    OutOfSync,
    /// The tables differ between the local database and the server (`schema hash is unknown`).
    SchemaMismatch,
    /// Sync is not enabled for the database or the table.
    NotInitialised,
    /// A payload or a row exceeds the size limit.
    TooLarge,
    /// A constraint failed, or a trigger rejected the statement.
    Constraint,
    /// An address or id is wrong, or the calls are in the wrong order.
    Configuration,
    /// The disk is full, or a file cannot be written.
    Disk,
    /// The database file is damaged.
    Corrupt,
    /// Any other SQL error.
    Sql,
    /// Answers contradict each other: a version decreases, or the status is `synced` while the server lacks changes.
    Invariant,
    /// The phase changed a different number of rows than `expect_rows`.
    RowCount,
    /// A worker thread of `stress` panicked.
    Crash,
}

/// The side on which a failure happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The local database.
    Client,
    /// The connection between the client and the server.
    Network,
    /// The sync server, or the database behind it.
    Server,
    /// The scenario, the credentials or the addresses.
    Configuration,
    /// `stress` itself.
    Harness,
}

/// The call that returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opening a database: loading the extension, setting pragmas, initialising sync.
    Open,
    /// A statement of the scenario.
    Sql,
    /// `cloudsync_network_send_changes`.
    Send,
    /// `cloudsync_network_receive_changes` or `…_check_changes`.
    Receive,
    /// `cloudsync_network_sync`.
    Sync,
    /// Closing a database.
    Close,
    /// SQL on the server, over HTTP.
    Admin,
}

/// An error before its classification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawError {
    /// The call that returned the error.
    pub call: Call,
    /// SQLite's result code and extended result code, if SQLite returned the error.
    pub sqlite: Option<(i32, i32)>,
    /// The HTTP status, if an HTTP call of `stress` itself returned the error.
    pub http: Option<u16>,
    /// The full message.
    pub message: String,
}

/// A classified error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The side on which it happened.
    pub side: Side,
    /// Whether a retry can help.
    pub retryable: bool,
    /// The HTTP status, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<u16>,
    /// The machine-readable code of the server (`internal_error`, …) or the extended SQLite code (`SQLITE_BUSY_SNAPSHOT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The server's job id. The server repeats a failed job in every answer; the id makes it count once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The time of the failure, as the server reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    /// The message with digits and ids replaced by placeholders. Reports group failures by it.
    pub fingerprint: String,
    /// The full message.
    pub message: String,
}

/// Classifies an error: by its codes first, by the server's answer second, by its message last.
pub fn classify(error: &RawError) -> Failure {
    let by_code = error.sqlite.and_then(|(primary, extended)| code::sqlite(error.call, primary, extended));
    let failure = by_code.map_or_else(
        || answer::from_message(error).unwrap_or_else(|| text::classify(error.call, error.http, &error.message)),
        |verdict| verdict.failure(&error.message),
    );
    Failure { http: failure.http.or(error.http), message: error.message.clone(), ..failure }
}

impl Failure {
    /// A failure that `stress` itself detects, such as a wrong number of rows or a panicked worker.
    pub fn new(kind: FailureKind, side: Side, message: impl Into<String>) -> Self {
        Verdict::new(kind, side).failure(&message.into())
    }
}

/// The classification that a rule gives to an error.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    kind: FailureKind,
    side: Side,
    retryable: bool,
    http: Option<u16>,
    code: Option<String>,
}

impl Verdict {
    fn new(kind: FailureKind, side: Side) -> Self {
        Self { kind, side, retryable: kind.heals(), http: None, code: None }
    }

    fn failure(self, message: &str) -> Failure {
        Failure {
            kind: self.kind,
            side: self.side,
            retryable: self.retryable,
            http: self.http,
            code: self.code,
            job: None,
            failed_at: None,
            fingerprint: fingerprint(message),
            message: message.to_owned(),
        }
    }
}

impl FailureKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 24] = [
        Self::Locked,
        Self::Http,
        Self::RateLimited,
        Self::Auth,
        Self::Unavailable,
        Self::NotFound,
        Self::Network,
        Self::Timeout,
        Self::BadAnswer,
        Self::ServerApply,
        Self::ServerPrepare,
        Self::ClientApply,
        Self::OutOfSync,
        Self::SchemaMismatch,
        Self::NotInitialised,
        Self::TooLarge,
        Self::Constraint,
        Self::Configuration,
        Self::Disk,
        Self::Corrupt,
        Self::Sql,
        Self::Invariant,
        Self::RowCount,
        Self::Crash,
    ];

    /// The kind's name in scenarios and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Http => "http",
            Self::RateLimited => "rate_limited",
            Self::Auth => "auth",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::Network => "network",
            Self::Timeout => "timeout",
            Self::BadAnswer => "bad_answer",
            Self::ServerApply => "server_apply",
            Self::ServerPrepare => "server_prepare",
            Self::ClientApply => "client_apply",
            Self::OutOfSync => "out_of_sync",
            Self::SchemaMismatch => "schema_mismatch",
            Self::NotInitialised => "not_initialised",
            Self::TooLarge => "too_large",
            Self::Constraint => "constraint",
            Self::Configuration => "configuration",
            Self::Disk => "disk",
            Self::Corrupt => "corrupt",
            Self::Sql => "sql",
            Self::Invariant => "invariant",
            Self::RowCount => "row_count",
            Self::Crash => "crash",
        }
    }

    /// Whether a retry can help with a failure of this kind, if nothing more is known about it.
    const fn heals(self) -> bool {
        match self {
            Self::Locked
            | Self::Http
            | Self::RateLimited
            | Self::Unavailable
            | Self::NotFound
            | Self::Network
            | Self::Timeout
            | Self::ServerApply
            | Self::ServerPrepare => true,
            Self::Auth
            | Self::BadAnswer
            | Self::ClientApply
            | Self::OutOfSync
            | Self::SchemaMismatch
            | Self::NotInitialised
            | Self::TooLarge
            | Self::Constraint
            | Self::Configuration
            | Self::Disk
            | Self::Corrupt
            | Self::Sql
            | Self::Invariant
            | Self::RowCount
            | Self::Crash => false,
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Side {
    /// All sides, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Client, Self::Network, Self::Server, Self::Configuration, Self::Harness];

    /// The side's name in scenarios and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Network => "network",
            Self::Server => "server",
            Self::Configuration => "configuration",
            Self::Harness => "harness",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Call {
    /// Whether the call talks to a server, so that its message can come from the server.
    const fn is_remote(self) -> bool {
        match self {
            Self::Send | Self::Receive | Self::Sync | Self::Admin => true,
            Self::Open | Self::Sql | Self::Close => false,
        }
    }
}

#[cfg(test)]
mod tests;
