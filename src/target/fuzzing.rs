//! The readers of this room, as functions from bytes: see `crate::fuzzing`.

#[cfg(test)]
pub(crate) use super::embedded::fuzzing::messages;
pub(crate) use super::embedded::fuzzing::{page, pull, push, query, statements};

use super::connection::ConnectionString;

/// A connection string of a project.
pub(crate) fn connection(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(read) = ConnectionString::parse(text) else { return false };
    let again = ConnectionString::parse(read.for_registration().expose());
    assert_eq!(again.ok(), Some(ConnectionString { database: None, ..read }));
    true
}
