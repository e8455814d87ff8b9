//! The error taxonomy: what a failure is called, on whose side it happened, and whether trying again is worth it.
//! A pure table from SQLite codes, answers and texts to a [`Failure`]. It must not know who reported the error or what
//! it means for the verdict.

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

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// `database is locked`, `database table is locked`, `SQLITE_BUSY`.
    Locked,
    /// The server answered with an HTTP error status.
    Http,
    /// The server asked to slow down (HTTP 429).
    RateLimited,
    /// The server refused the credential (HTTP 401, 403).
    Auth,
    /// The server's project or database is paused or not reachable from its own API (HTTP 503 `database_paused`, …).
    Unavailable,
    /// The managed database does not exist (HTTP 404).
    NotFound,
    /// No answer: refused, not resolved, reset, TLS, cut off.
    Network,
    /// The call or statement took longer than it was allowed to.
    Timeout,
    /// The answer could not be understood.
    BadAnswer,
    /// The server reports that it could not store what was sent (`send.lastFailure`).
    ServerApply,
    /// The server reports that it could not prepare what is to be received (`receive.lastFailure`).
    ServerPrepare,
    /// What was received could not be stored here (`receive.error`).
    ClientApply,
    /// The send's status stays `out-of-sync`: the server misses changes.
    OutOfSync,
    /// The tables of the two sides are not the same (`schema hash is unknown`).
    SchemaMismatch,
    /// Sync is not enabled for the database or table.
    NotInitialised,
    /// A payload or row is larger than allowed.
    TooLarge,
    /// A constraint, or a trigger's own refusal.
    Constraint,
    /// Wrong address, id or call order.
    Configuration,
    /// The disk is full or a file cannot be written.
    Disk,
    /// The database file is damaged.
    Corrupt,
    /// Any other SQL error.
    Sql,
    /// Answers contradict each other: a version goes back, or `synced` while the server is behind.
    Invariant,
    /// The phase did not change as many rows as `expect_rows` says.
    RowCount,
    /// A worker panicked.
    Crash,
}

/// On whose side a failure happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The local database file.
    Client,
    /// Between client and server.
    Network,
    /// The sync server or the database behind it.
    Server,
    /// The scenario, credentials or addresses.
    Configuration,
    /// This tool.
    Harness,
}

/// The call during which an error came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opening, loading, pragmas, initialising.
    Open,
    /// A statement of the scenario.
    Sql,
    /// `cloudsync_network_send_changes`.
    Send,
    /// `cloudsync_network_receive_changes` or `…_check_changes`.
    Receive,
    /// `cloudsync_network_sync`.
    Sync,
    /// Cleaning up, terminating, closing.
    Close,
    /// SQL on the server through its HTTP endpoint.
    Admin,
}

/// An error as it came, before it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawError {
    /// The call it came from.
    pub call: Call,
    /// SQLite's result code and extended result code, when SQLite reported it.
    pub sqlite: Option<(i32, i32)>,
    /// The HTTP status, when our own HTTP call reported it.
    pub http: Option<u16>,
    /// The message in full.
    pub message: String,
}

/// A failure, understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What failed.
    pub kind: FailureKind,
    /// On whose side.
    pub side: Side,
    /// Whether trying again is worth it.
    pub retryable: bool,
    /// The HTTP status, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<u16>,
    /// The machine-readable code of the server (`internal_error`, …) or the extended SQLite code (`SQLITE_BUSY_SNAPSHOT`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The server's job id, by which a sticky failure is counted once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When it failed, as the server tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<String>,
    /// The message with digits and ids folded, by which failures are grouped.
    pub fingerprint: String,
    /// The message in full.
    pub message: String,
}

/// What an error is: codes first, the answer of the server second, texts last.
pub fn classify(error: &RawError) -> Failure {
    let by_code = error.sqlite.and_then(|(primary, extended)| code::sqlite(error.call, primary, extended));
    let failure = by_code.map_or_else(
        || answer::from_message(error).unwrap_or_else(|| text::classify(error.call, error.http, &error.message)),
        |verdict| verdict.failure(&error.message),
    );
    Failure { http: failure.http.or(error.http), message: error.message.clone(), ..failure }
}

impl Failure {
    /// A failure of our own making, such as a wrong number of rows or a worker that panicked.
    pub fn new(kind: FailureKind, side: Side, message: impl Into<String>) -> Self {
        Verdict::new(kind, side).failure(&message.into())
    }
}

/// What a rule of the table says about an error.
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

    /// Its name in scenarios and reports.
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

    /// Whether a failure of this kind can pass by itself, when nothing more is known about it.
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

    /// Its name in scenarios and reports.
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
    /// Whether the call talks to a server, so that what it says can be the server's words.
    const fn is_remote(self) -> bool {
        match self {
            Self::Send | Self::Receive | Self::Sync | Self::Admin => true,
            Self::Open | Self::Sql | Self::Close => false,
        }
    }
}

#[cfg(test)]
mod tests;
