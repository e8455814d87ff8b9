//! What a phase wrote, where nobody hears of it: the rows before it held against the rows after it. Of a row that a phase
//! wrote as it was, nothing is seen.

use std::collections::HashMap;

use rusqlite::types::ValueRef;

use super::form::RowForm;
use super::page::Page;
use crate::failure::RawError;
use crate::plan::TablePlan;
use crate::session::Session;
use crate::sql::quote;

/// The rows of a table, as they are asked for.
pub(super) struct Source {
    sql: String,
    form: RowForm,
}

impl Source {
    /// Of each table, in the plan's order.
    pub(super) fn all(tables: &[TablePlan]) -> Vec<Self> {
        let source = |(table, form): (&TablePlan, RowForm)| {
            let columns: Vec<String> = table.columns.iter().map(|column| quote(column)).collect();
            Self { sql: format!("SELECT {} FROM {}", columns.join(", "), quote(&table.name)), form }
        };
        tables.iter().zip(RowForm::all(tables)).map(source).collect()
    }
}

/// The rows of a database at a moment: the digest of each, by its key.
#[derive(Default)]
pub(super) struct Look(HashMap<u128, u128>);

impl Look {
    /// Looks at a database.
    pub(super) fn at(session: &Session, sources: &[Source]) -> Result<Self, RawError> {
        Self::default().again(session, sources, |_| {})
    }

    /// Looks again, and notes what is different.
    pub(super) fn compare(self, session: &Session, sources: &[Source], page: &Page) -> Result<Self, RawError> {
        self.again(session, sources, |change| match change {
            Change::Wrote { key, policy, found, row } => page.saw_write(key, policy, found, row),
            Change::Deleted { key } => page.saw_deletion(key),
        })
    }

    fn again(
        mut self,
        session: &Session,
        sources: &[Source],
        mut note: impl FnMut(Change<'_>),
    ) -> Result<Self, RawError> {
        let (mut now, mut buffer) = (HashMap::with_capacity(self.0.len()), Vec::new());
        for Source { sql, form } in sources {
            for row in session.query(sql)? {
                let value = |column: usize| row.get(column).map_or(ValueRef::Null, ValueRef::from);
                let (key, digest) = (form.key(value, &mut buffer), form.encode(value, &mut buffer));
                let before = self.0.remove(&key);
                now.insert(key, digest);
                if before != Some(digest) {
                    let policy = form.policy(value, &mut Vec::new());
                    note(Change::Wrote { key, policy, found: before.is_some(), row: &buffer });
                }
            }
        }
        let mut gone: Vec<u128> = self.0.into_keys().collect();
        gone.sort_unstable();
        for key in gone {
            note(Change::Deleted { key });
        }
        Ok(Self(now))
    }
}

/// What is different.
enum Change<'r> {
    Wrote { key: u128, policy: u64, found: bool, row: &'r [u8] },
    Deleted { key: u128 },
}
