//! Why a target is not ready, or could not be left as wanted.

use std::fmt;

use crate::failure::Secret;

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

    /// Of a secret, named here, that no message could hide.
    pub(super) fn too_short(named: &str) -> Self {
        let message = format!(
            "{named} is too short for a secret: texts of less than {} characters cannot be hidden",
            Secret::SHORTEST
        );
        Self::new(message, "use a longer one")
    }
}
