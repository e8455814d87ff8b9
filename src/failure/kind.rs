//! What a failure is called, and on whose side it happened.

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
    pub(super) const fn heals(self) -> bool {
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
