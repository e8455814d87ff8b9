//! What a denied write left behind: a row that a database changed against the policies stays changed there, and so
//! differs from the server by right. That row, and only there, counts as what the server holds instead. Where nobody could
//! read the server's rows, such a key is compared nowhere.

use std::collections::HashMap;

use super::mixture::is_mixture;
use crate::plan::BlockPlan;
use crate::record::Holder;

/// What denied writes left behind, by key.
#[derive(Debug, Default)]
pub(crate) struct Behind(HashMap<Whose, HashMap<u128, Left>>);

/// Where something was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    /// In one database.
    Database(u32),
    /// In any database of this user, also in a new one, because nobody knows what the server has.
    User(u32),
}

/// The state in which a denied write left a row.
#[derive(Debug)]
pub(crate) enum State {
    /// As the row that was written. Where columns are merged, some may be those of the row that the server has, and blocks of
    /// these texts, too.
    Row { own: Vec<u8>, of_server: Option<(Vec<u8>, Vec<BlockPlan>)> },
    /// Deleted.
    Gone,
    /// Nobody knows: any state is passed over.
    Any,
}

/// What a denied write left behind.
#[derive(Debug)]
pub(crate) struct Left {
    /// The state in which the row was left.
    pub(crate) state: State,
    /// The digest of the row that the server has instead, and shows to the database's user.
    pub(crate) instead: Option<u128>,
}

impl Left {
    /// Whether a row, as [`crate::session::encode`] writes its columns, or no row is what was left.
    pub(crate) fn is(&self, row: Option<&[u8]>) -> bool {
        match &self.state {
            State::Row { own, of_server } => row.is_some_and(|row| {
                let merged = |(of_server, blocks): &(Vec<u8>, Vec<BlockPlan>)| {
                    is_mixture(row, [own, of_server].into_iter().map(Vec::as_slice), blocks, true)
                };
                row == own || of_server.as_ref().is_some_and(merged)
            }),
            State::Gone => row.is_none(),
            State::Any => true,
        }
    }

    /// Whether nobody knows what should be there.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self.state, State::Any)
    }
}

impl Behind {
    pub(super) fn add(&mut self, whose: Whose, key: u128, left: Left) {
        self.0.entry(whose).or_default().insert(key, left);
    }

    /// Whether nothing was left anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was left where a user's rows are held, by key; none when nothing was.
    pub(crate) fn of(&self, user: u32, holder: Holder) -> Option<&HashMap<u128, Left>> {
        let of_user = || self.0.get(&Whose::User(user));
        match holder {
            Holder::Database(database) => self.0.get(&Whose::Database(database)).or_else(of_user),
            Holder::Bootstrap => of_user(),
            Holder::Server => None,
        }
    }
}
