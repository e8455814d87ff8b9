//! The embedded target: a hub of our own on loopback and the SQL functions that sync with it. It needs nothing
//! installed and no account, and has no part of CloudSync in it: neither the extension nor its protocol.
//!
//! Server-ordered last writer wins. `client` ships the present state of dirty rows and applies what it receives, `hub`
//! numbers every accepted row and answers with "rows after your cursor that you may see", `wire` is what they say to each
//! other, `shape` is a table as both see it, `fault` decides when a planted failure strikes.

pub(super) mod checksum;
pub(super) mod client;
mod error;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod hub;
mod options;
mod shape;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use error::HubError;
pub(crate) use hub::{Hub, kept};
pub(crate) use options::HubOptions;

/// Adds the `cloudsync_*` SQL functions of the embedded target to a connection. Call it once, right after opening.
///
/// A connection without them cannot write to synced tables: `no such function: cloudsync_is_applying`.
pub(crate) fn register(connection: &rusqlite::Connection) -> rusqlite::Result<()> {
    client::register(connection, wire::MAX_ROWS)
}
