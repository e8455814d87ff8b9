//! What a failure is called, and on whose side it happened.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of failure.
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
    /// The project or its database is paused, or the server's API cannot reach it (HTTP 503 `database_paused`, …). Or the
    /// engine's server, which `stress` had started, ended during the run.
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
    /// The query of `receive: {until: {sql, equals}}` did not return its value after the last call: the server
    /// did not deliver the rows, or nobody had sent them.
    NotReceived,
    /// The driver broke the protocol, ended, or did not answer.
    Driver,
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

impl FailureKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 26] = [
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
        Self::NotReceived,
        Self::Driver,
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
            Self::NotReceived => "not_received",
            Self::Driver => "driver",
            Self::Crash => "crash",
        }
    }

    /// Whether a retry can help with a failure of this kind, if nothing more is known about it.
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
            | Self::NotReceived
            | Self::Driver
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
