//! How a message reaches the hub, cut so that tests can lose, repeat and delay it.

use std::time::Duration;

use super::error::{failure, interrupted};
use crate::failure::Secret;

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Push,
    Pull,
}

/// Where it goes, and how long it may take.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: String,
    pub(crate) id: String,
    pub(crate) credential: Option<Secret>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
}

/// Carries one message and its answer.
pub(crate) trait Transport: Send {
    /// The body of a successful answer.
    fn call(&mut self, endpoint: &Endpoint, verb: Verb, body: &[u8]) -> Result<Vec<u8>, Refusal>;

    /// Gives up open connections.
    fn close(&mut self) {}
}

/// Why there is no successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No answer, or a broken one.
    Network(String),
    /// The statement was interrupted before the answer came.
    Interrupted,
    /// An error status, with this body.
    Status(String),
}

impl Refusal {
    /// The SQL error: the text of the network problem, the body, or what stands for an empty body.
    pub(super) fn into_error(self, empty: &str) -> rusqlite::Error {
        match self {
            Self::Network(text) => failure(text),
            Self::Interrupted => interrupted(),
            Self::Status(body) if body.is_empty() => failure(empty),
            Self::Status(body) => failure(body),
        }
    }
}
