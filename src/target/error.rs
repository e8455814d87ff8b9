//! Why a target is not ready, or could not be left as wanted.

use std::fmt;

/// Why a target is not ready.
#[derive(Debug)]
pub(crate) struct TargetError {
    /// What could not be done.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TargetError {}

impl TargetError {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}
