//! What an error was found to be.

use serde::{Deserialize, Serialize};

use super::fingerprint::fingerprint;
use super::kind::{FailureKind, Side};

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

impl Failure {
    /// A failure of our own making, such as a wrong number of rows or a worker that panicked.
    pub fn new(kind: FailureKind, side: Side, message: impl Into<String>) -> Self {
        Verdict::new(kind, side).failure(&message.into())
    }
}

/// What a rule of the table says about an error.
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
