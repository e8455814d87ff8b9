//! What a denied write left behind: a row that a database changed against the policies stays changed there, and so
//! differs from the server by right. That row, and only there, counts as what the server holds instead.

use std::collections::HashMap;

/// What denied writes left behind, by database and key.
#[derive(Debug, Default)]
pub(crate) struct Behind(HashMap<u32, HashMap<u128, Left>>);

/// The state in which a denied write left a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    /// As a row with this digest.
    Row(u128),
    /// Deleted.
    Gone,
    /// Nobody knows: any state is passed over.
    Any,
}

/// What a denied write left behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// The state in which the row was left.
    pub(crate) state: State,
    /// The digest of the row that the server has instead, and shows to the database's user.
    pub(crate) instead: Option<u128>,
}

impl Left {
    /// Whether a row, given its digest, or no row is what was left.
    pub(crate) fn is(self, row: Option<u128>) -> bool {
        match self.state {
            State::Row(digest) => row == Some(digest),
            State::Gone => row.is_none(),
            State::Any => true,
        }
    }
}

impl Behind {
    pub(super) fn add(&mut self, database: u32, key: u128, left: Left) {
        self.0.entry(database).or_default().insert(key, left);
    }

    /// Whether nothing was left anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was left in a database, by key; none when nothing was.
    pub(crate) fn of(&self, database: u32) -> Option<&HashMap<u128, Left>> {
        self.0.get(&database)
    }
}
