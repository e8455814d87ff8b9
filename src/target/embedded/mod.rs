//! The embedded target: a hub of our own on loopback and the SQL functions that sync with it. It needs nothing
//! installed and no account, and has no part of CloudSync in it: neither the extension nor its protocol.
//!
//! The last writer wins, column by column (`merge`), and block by block in texts that say so (`blocks`). `client` ships the present state of dirty rows and merges what it
//! receives, `hub` merges what is pushed, numbers every row that changed and answers with "rows after your cursor that you
//! may see", `wire` is what they say to each other, `shape` is a table as both see it, `history` what shape it
//! had before it was altered, `tracking` counts versions in
//! triggers, `fault` decides when a planted failure strikes.

mod block_column;
mod blocks;
pub(super) mod checksum;
pub(super) mod client;
mod error;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod history;
mod hub;
mod merge;
mod options;
mod shape;
#[cfg(test)]
mod tests;
mod tie;
mod tracking;
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
