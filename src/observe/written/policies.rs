//! What the policies say about a write, asked of SQLite here and not of the server under test: given what the server had
//! under the key, what was written, and by whom.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ToSql, params_from_iter};

use super::super::columns::insert_into;
use super::mixture::{Mixture, Row, mixtures};
use crate::ledger::RowForm;
use crate::plan::{Plan, TablePlan};
use crate::session::{decode, define_auth, open_reader, trusted};
use crate::sql::quote;

/// Answers about writes. The server's rows as they were in the end are there for policies that read other rows.
pub(super) struct Policies<'a> {
    plan: &'a Plan,
    /// Whether rows are merged by column.
    columns: bool,
    connection: Connection,
    /// The user of whom the answers are, from 1; 0 before the first question.
    user: u32,
    known: HashMap<Question, bool>,
    forms: Vec<RowForm>,
}

/// The columns that policies read decide, so that they stand for the rows.
#[derive(PartialEq, Eq, Hash)]
struct Question {
    table: usize,
    user: u32,
    before: Option<u64>,
    after: Option<u64>,
}

impl<'a> Policies<'a> {
    /// `columns` says whether rows are merged by column, `copies` is a directory for two small files.
    pub(super) fn open(plan: &'a Plan, columns: bool, copies: &Path, server: Option<&Path>) -> rusqlite::Result<Self> {
        let files = ["policies-before.db", "policies-after.db"].map(|name| copies.join(name));
        for file in &files {
            let made = Connection::open(file)?;
            made.execute_batch("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA foreign_keys = off")?;
            plan.tables.iter().try_for_each(|table| made.execute_batch(&table.in_the_end()))?;
        }
        let connection = match server {
            Some(server) => open_reader(server, "")?,
            None => open_reader(Path::new(":memory:"), "")?,
        };
        trusted(|| {
            connection.execute("ATTACH ?1 AS \"stress before\"", [files[0].to_string_lossy()])?;
            connection.execute("ATTACH ?1 AS \"stress after\"", [files[1].to_string_lossy()])
        })?;
        connection.execute_batch("PRAGMA synchronous = off; PRAGMA foreign_keys = off")?;
        connection.set_prepared_statement_cache_capacity(8 * plan.tables.len() + 8);
        Ok(Self { plan, columns, connection, user: 0, known: HashMap::new(), forms: RowForm::all(&plan.tables) })
    }

    /// Whether the policies allow a write: from the row that the server had, if it had one, to the row written; no row
    /// for a deletion.
    pub(super) fn allow(
        &mut self,
        table: usize,
        user: u32,
        before: Option<Row<'_>>,
        after: Option<Row<'_>>,
    ) -> rusqlite::Result<bool> {
        let digest = |row: Option<Row<'_>>| row.map(|row| row.policy);
        let question = Question { table, user, before: digest(before), after: digest(after) };
        if let Some(known) = self.known.get(&question) {
            return Ok(*known);
        }
        let plan = self.plan;
        let policies = plan.tables[table].policies.clone().unwrap_or_default();
        let answer = match (before, after) {
            // There is nothing to delete, and nothing happens.
            (None, None) => true,
            (None, Some(_)) => self.ask(table, user, policies.insert, "\"stress after\".{} AS NEW", before, after)?,
            (Some(_), Some(_)) => {
                let rows = "\"stress before\".{} AS OLD, \"stress after\".{} AS NEW";
                self.ask(table, user, policies.update, rows, before, after)?
            }
            (Some(_), None) => self.ask(table, user, policies.delete, "\"stress before\".{} AS OLD", before, after)?,
        };
        self.known.insert(question, answer);
        Ok(answer)
    }

    /// Whether rows are merged by column.
    pub(super) fn merges_columns(&self) -> bool {
        self.columns
    }

    /// What may come of some rows: each of them, and where columns are merged, their mixtures. None when they are too many.
    pub(super) fn mixtures(&self, table: usize, rows: &[Row<'_>]) -> Option<Vec<Mixture>> {
        // One row alone is mixed with nothing.
        if self.merges_columns() && rows.len() > 1 {
            mixtures(rows, &self.forms[table], &self.plan.tables[table].blocks)
        } else {
            Some(rows.iter().copied().map(Mixture::of).collect())
        }
    }

    /// Whether a user may see a row.
    pub(super) fn shows(&mut self, table: usize, user: u32, row: &[u8]) -> rusqlite::Result<bool> {
        let select = self.plan.tables[table].policies.clone().unwrap_or_default().select;
        self.ask(table, user, select, "\"stress after\".{}", None, Some(Row { policy: 0, bytes: row }))
    }

    fn ask(
        &mut self,
        table: usize,
        user: u32,
        policy: Option<String>,
        rows: &str,
        before: Option<Row<'_>>,
        after: Option<Row<'_>>,
    ) -> rusqlite::Result<bool> {
        let Some(policy) = policy else { return Ok(false) };
        if self.user != user {
            define_auth(&self.connection, &self.plan.users[user as usize - 1].id)?;
            self.user = user;
        }
        let plan = &self.plan.tables[table];
        for (schema, row) in [("stress before", before), ("stress after", after)] {
            put(&self.connection, schema, plan, row)?;
        }
        let sql = format!("SELECT coalesce(({policy}), 0) FROM {}", rows.replace("{}", &quote(&plan.name)));
        self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))
    }
}

/// Makes a row the only one of its table.
pub(super) fn put(
    connection: &Connection,
    schema: &str,
    table: &TablePlan,
    row: Option<Row<'_>>,
) -> rusqlite::Result<()> {
    let name = format!("{}.{}", quote(schema), quote(&table.name));
    connection.prepare_cached(&format!("DELETE FROM {name}"))?.execute([])?;
    let Some(values) = row.and_then(|row| decode(row.bytes)) else { return Ok(()) };
    let sql = insert_into(&name, &table.columns);
    let values = values.into_iter().map(|value| Bound(ToSqlOutput::Borrowed(value)));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values)).map(drop)
}

struct Bound<'v>(ToSqlOutput<'v>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.clone())
    }
}
