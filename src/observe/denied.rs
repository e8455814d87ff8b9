//! Rows that a hostile phase wrote against the policies: readers leave them out where only allowed rows are meant.

use std::collections::HashSet;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use super::columns::literals_of;
use crate::plan::{Plan, TablePlan};
use crate::record::WorkerRecord;
use crate::session::open_reader;

/// The function by which readers leave rows of denied attempts out.
const LEFT_OUT: &str = "stress_left_out";

/// Rows of denied attempts: they stay where they were written, and so differ from the server by right.
pub(crate) struct Denied(Arc<HashSet<(String, String)>>);

impl Denied {
    /// Those of the workers.
    pub(crate) fn of<W: Deref<Target = WorkerRecord>>(workers: impl Iterator<Item = W>) -> Self {
        let mut keys = HashSet::new();
        for worker in workers {
            keys.extend(worker.attempts.iter().map(|attempt| (attempt.table.clone(), attempt.key.clone())));
        }
        Self(Arc::new(keys))
    }

    /// Opens a database for reading, without the rows of denied attempts where only allowed rows are meant.
    pub(super) fn open_reader(&self, file: &Path, user_id: &str) -> rusqlite::Result<Connection> {
        let reader = open_reader(file, user_id)?;
        let denied = Arc::clone(&self.0);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        reader.create_scalar_function(LEFT_OUT, 2, flags, move |context| {
            Ok(denied.contains(&(context.get(0)?, context.get(1)?)))
        })?;
        Ok(reader)
    }
}

/// The condition that leaves the rows of denied attempts out; none in a run without hostile phases.
pub(super) fn condition(plan: &Plan, table: &TablePlan) -> String {
    if !plan.is_hostile() {
        return String::new();
    }
    let name = table.name.replace('\'', "''");
    format!(" AND NOT {LEFT_OUT}('{name}', {})", literals_of(&table.primary_key))
}
