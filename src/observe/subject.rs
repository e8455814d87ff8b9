//! What is looked at, and by what means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;

use super::written::Behind;
use crate::ledger::{Kept, RowForm};
use crate::plan::{Plan, TablePlan};
use crate::session::Interrupt;
use crate::target::Connected;

/// All who hold rows at the end of a run, and how they are asked.
pub(crate) struct Subject<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) target: &'a Connected,
    /// The directory of the run's databases.
    pub(crate) databases: &'a Path,
    /// The directory for what is only made to be looked at: the copy of the server, new devices.
    pub(crate) copies: PathBuf,
    /// What every database wrote, in the plan's order; nothing where that was not kept.
    pub(crate) ledgers: &'a [Kept],
    /// What denied writes left behind, once that is known.
    pub(crate) behind: Behind,
    /// As many threads as processors.
    pub(crate) pool: &'a rayon::ThreadPool,
    pub(crate) limits: &'a dyn Limits,
}

/// How looking is ended with the run.
pub(crate) trait Limits: Sync {
    /// Sleeps, unless the run ends. Gives false when it did.
    fn sleep(&self, time: Duration) -> bool;

    /// The time left until the run's limit.
    fn left(&self) -> Duration;

    /// Names the statement to interrupt when the run is cut, for a database's place counted from 0; none afterwards.
    fn interrupt(&self, place: usize, handle: Option<Interrupt>);
}

impl Subject<'_> {
    /// The file of a database, counted from 1, in which its rows are looked at: its own, or a copy of what a driver says.
    pub(super) fn database_file(&self, index: u32) -> PathBuf {
        match self.target.driver() {
            None => self.own_file(index),
            Some(_) => self.copies.join(format!("db{index}.held.db")),
        }
    }

    /// The file of a database's engine, counted from 1.
    pub(super) fn own_file(&self, index: u32) -> PathBuf {
        database_file(self.databases, index)
    }

    /// The key of a row in the ledger, given the values of its primary key.
    pub(super) fn key_of(&self, table: &TablePlan, key: &[ValueRef<'_>]) -> u128 {
        let place = self.plan.tables.iter().position(|own| own.name == table.name).unwrap_or_default();
        RowForm::of_key(&self.plan.tables, place, key)
    }

    /// The id of a user, counted from 1.
    pub(super) fn user_id(&self, user: u32) -> &str {
        &self.plan.users[user as usize - 1].id
    }
}

/// The file of a database, counted from 1, in the directory of the databases.
pub(crate) fn database_file(databases: &Path, index: u32) -> PathBuf {
    databases.join(format!("db{index}.db"))
}
