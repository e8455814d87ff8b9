//! Why a push or pull was not answered.

use super::super::wire::Malformed;

/// Why a push or pull was not answered.
#[derive(Debug)]
pub(super) enum StoreError {
    /// The message is not one of ours.
    Malformed,
    /// SQLite refused.
    Sql(rusqlite::Error),
}

impl From<Malformed> for StoreError {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}
