//! What an error was found to be.

use serde::{Deserialize, Serialize};

use super::fingerprint::fingerprint;
use super::kind::{FailureKind, Side};

/// A classified error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The side on which the failures happened.
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

impl Failure {
    /// A failure that `stress` itself detects, such as a wrong number of rows or a panicked worker.
    pub fn new(kind: FailureKind, side: Side, message: impl Into<String>) -> Self {
        Verdict::new(kind, side).failure(&message.into())
    }
}

/// The classification that a rule gives to an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: FailureKind,
    pub(super) side: Side,
    pub(super) retryable: bool,
    pub(super) http: Option<u16>,
    pub(super) code: Option<String>,
}

impl Verdict {
    pub(super) fn new(kind: FailureKind, side: Side) -> Self {
        Self { kind, side, retryable: kind.heals(), http: None, code: None }
    }

    pub(super) fn failure(self, message: &str) -> Failure {
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
