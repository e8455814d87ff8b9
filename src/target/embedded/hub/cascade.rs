//! What triggers of the author's write on the server while a push is stored: it is noted like the server's own writes, by
//! temporary triggers on the connection of the push. Only where the schema has such triggers. It must not know policies.

use rusqlite::{CachedStatement, Connection};

use super::super::shape::{companion, join};
use super::super::wire::Cell;
use super::note::{self, PUSHED};
use super::policy::bind;
use super::tracked::{self, Tracked};
use crate::sql::quote;

/// Makes the connection note what triggers write, by the present schema; without triggers it notes nothing any more.
/// The caller has a transaction.
pub(super) fn install(connection: &Connection, has_triggers: bool) -> rusqlite::Result<()> {
    let mut known =
        connection.prepare("SELECT type, name FROM temp.sqlite_schema WHERE type IN ('table', 'trigger')")?;
    let known = known.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known: Vec<(String, String)> = known.collect::<rusqlite::Result<_>>()?;
    // Triggers first: a table takes along those that stand on it.
    for (kind, name) in known.iter().filter(|(kind, _)| kind == "trigger").chain(&known) {
        connection.execute_batch(&format!("DROP {kind} IF EXISTS temp.{}", quote(name)))?;
    }
    if has_triggers {
        for name in tracked::names(connection)? {
            if let Some(tracked) = Tracked::read(connection, &name)? {
                connection.execute_batch(&note::cascade_triggers(&tracked))?;
            }
        }
    }
    Ok(())
}

/// The statements around each write of a push.
pub(super) struct Cascade<'a> {
    clear: CachedStatement<'a>,
    mark: CachedStatement<'a>,
    start: CachedStatement<'a>,
    read: CachedStatement<'a>,
}

impl<'a> Cascade<'a> {
    pub(super) fn open(connection: &'a Connection, tracked: &Tracked) -> rusqlite::Result<Self> {
        let pushed = companion(&tracked.shape.name, PUSHED);
        let keys = join(&tracked.shape.keys, ", ", |i, _| format!("?{}", i + 1));
        Ok(Self {
            clear: connection.prepare_cached(&format!("DELETE FROM temp.{pushed}"))?,
            mark: connection.prepare_cached(&format!("INSERT INTO temp.{pushed} VALUES ({keys})"))?,
            start: connection.prepare_cached("UPDATE cloudsync_state SET seq = ?1")?,
            read: connection.prepare_cached("SELECT seq FROM cloudsync_state")?,
        })
    }

    /// Says which row is pushed now. Every other one that changes is a trigger's.
    pub(super) fn push(&mut self, key: &[Cell<'_>]) -> rusqlite::Result<()> {
        self.clear.execute([])?;
        bind(&mut self.mark, 1, key)?;
        self.mark.raw_execute().map(drop)
    }

    /// Before a write: triggers number what they write from `seq` on.
    pub(super) fn start(&mut self, seq: i64) -> rusqlite::Result<()> {
        self.start.execute([seq]).map(drop)
    }

    /// After a write: the last number given.
    pub(super) fn end(&mut self) -> rusqlite::Result<i64> {
        self.read.query_row([], |row| row.get(0))
    }
}
