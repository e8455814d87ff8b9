//! What is being written at the moment: filled by SQLite's hook, read when the segment ends.

use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::form::RowForm;
use super::noted::Noted;
use crate::plan::TablePlan;
use crate::record::Operation;
use crate::session::{OnWrite, Write, decode};
use crate::sql::quote;

/// A handle on what is being written. Every clone is the same page.
#[derive(Clone)]
pub(crate) struct Page(Arc<Mutex<Content>>);

/// A table whose writes are taken.
struct Table {
    name: CString,
    /// Whether its writes are taken. Those to a table that is altered would have other columns before.
    on: bool,
    form: RowForm,
    /// Reads the row under a key.
    row: String,
}

struct Content {
    tables: Arc<Vec<Table>>,
    /// Whether what is written is taken.
    on: bool,
    noted: Noted,
    /// How many writes there were when the transaction began.
    mark: usize,
    buffer: Vec<u8>,
    /// The row that was written last, as [`encode`] writes its columns.
    row: Vec<u8>,
    /// The key that was deleted last, as [`encode`] writes its columns.
    deleted: Vec<u8>,
}

impl Page {
    pub(super) fn new(tables: &[TablePlan]) -> Self {
        let table = |(table, form): (&TablePlan, RowForm)| {
            Some(Table { name: CString::new(table.name.as_str()).ok()?, on: !table.altered, row: row_sql(table), form })
        };
        let tables = tables.iter().zip(RowForm::all(tables)).filter_map(table);
        Self(Arc::new(Mutex::new(Content {
            tables: Arc::new(tables.collect()),
            on: false,
            noted: Noted::default(),
            mark: 0,
            buffer: Vec::new(),
            row: Vec::new(),
            deleted: Vec::new(),
        })))
    }

    /// What a session is to tell of its writes.
    pub(super) fn ear(&self) -> OnWrite {
        let page = self.clone();
        Box::new(move |write| page.content().take(write))
    }

    /// Takes what is written from now on as part of a segment.
    pub(super) fn open(&self, segment: u32) {
        let mut content = self.content();
        (content.on, content.noted, content.mark) = (true, Noted::of(segment), 0);
    }

    /// What was written since [`Self::open`].
    pub(super) fn close(&self) -> Noted {
        let mut content = self.content();
        content.on = false;
        std::mem::take(&mut content.noted)
    }

    /// A transaction begins.
    pub(crate) fn begin(&self) {
        let mut content = self.content();
        content.mark = content.noted.len();
    }

    /// What was written since [`Self::begin`] was taken back.
    pub(crate) fn take_back(&self) {
        let mut content = self.content();
        let mark = content.mark;
        content.noted.truncate(mark);
    }

    /// Whether the last write since [`Self::begin`] is there. Also where there was none.
    pub(crate) fn is_there(&self, connection: &Connection) -> bool {
        self.content().is_there(connection).unwrap_or(false)
    }

    /// Does something whose writes are not taken.
    pub(crate) fn unheard<T>(&self, act: impl FnOnce() -> T) -> T {
        let was = std::mem::replace(&mut self.content().on, false);
        let done = act();
        self.content().on = was;
        done
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn take(&mut self, write: &Write<'_>) {
        if !self.on {
            return;
        }
        let tables = Arc::clone(&self.tables);
        let named = |table: &&Table| table.name.as_bytes().eq_ignore_ascii_case(write.table.to_bytes());
        let Some(Table { form, .. }) = tables.iter().find(named).filter(|table| table.on) else { return };
        let old = |column: usize| write.before(form.places[column]).unwrap_or(ValueRef::Null);
        let new = |column: usize| write.after(form.places[column]).unwrap_or(ValueRef::Null);
        match write.operation {
            Operation::Insert => self.add(form, new, false),
            Operation::Delete => self.delete(form, old),
            Operation::Update => {
                let same = form.key(old, &mut self.buffer) == form.key(new, &mut self.buffer);
                if !same {
                    self.delete(form, old);
                }
                self.add(form, new, same);
            }
        }
    }

    fn add<'v>(&mut self, form: &RowForm, value: impl Fn(usize) -> ValueRef<'v> + Copy, found: bool) {
        form.encode_row(value, &mut self.row);
        let key = form.key(value, &mut self.buffer);
        self.noted.write(key, form.policy(value, &mut self.buffer), found, &self.row);
    }

    fn delete<'v>(&mut self, form: &RowForm, value: impl Fn(usize) -> ValueRef<'v> + Copy) {
        self.noted.delete(form.key(value, &mut self.buffer));
        form.encode_key(value, &mut self.deleted);
    }

    fn is_there(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let Some((key, last)) = self.noted.last_after(self.mark) else { return Ok(true) };
        let table = &self.tables[RowForm::table_of(key)];
        let key = match last {
            Some(row) => table.form.key_of(&decode(row).unwrap_or_default()),
            None => decode(&self.deleted).unwrap_or_default(),
        };
        let mut statement = connection.prepare(&table.row)?;
        for (place, value) in (1..).zip(key) {
            statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
        }
        let mut rows = statement.raw_query();
        let Some(row) = rows.next()? else { return Ok(last.is_none()) };
        let mut found = Vec::new();
        table.form.encode_row(|column| row.get_ref(column).unwrap_or(ValueRef::Null), &mut found);
        Ok(last == Some(&found))
    }
}

/// SQL that reads the row under a key.
fn row_sql(table: &TablePlan) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quote(column)).collect();
    let key: Vec<String> = table.primary_key.iter().map(|column| format!("{} IS ?", quote(column))).collect();
    format!("SELECT {} FROM main.{} WHERE {}", columns.join(", "), quote(&table.name), key.join(" AND "))
}
