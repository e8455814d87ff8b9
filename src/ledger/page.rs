//! What is being written at the moment: filled by SQLite's hook, read when the segment ends.

use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::entry::{Entry, State};
use super::form::RowForm;
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
    segment: u32,
    entries: Vec<Entry>,
    /// How many entries there were when the transaction began.
    mark: usize,
    buffer: Vec<u8>,
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
            segment: 0,
            entries: Vec::new(),
            mark: 0,
            buffer: Vec::new(),
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
        (content.on, content.segment, content.mark) = (true, segment, 0);
    }

    /// What was written since [`Self::open`].
    pub(super) fn close(&self) -> Vec<Entry> {
        let mut content = self.content();
        content.on = false;
        std::mem::take(&mut content.entries)
    }

    /// A transaction begins.
    pub(crate) fn begin(&self) {
        let mut content = self.content();
        content.mark = content.entries.len();
    }

    /// What was written since [`Self::begin`] was taken back.
    pub(crate) fn take_back(&self) {
        let mut content = self.content();
        let mark = content.mark;
        content.entries.truncate(mark);
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
        let mut bytes = Vec::new();
        let digest = form.encode(value, &mut bytes);
        self.entries.push(Entry {
            key: form.key(value, &mut self.buffer),
            segment: self.segment,
            found,
            elided: false,
            policy: form.policy(value, &mut self.buffer),
            row: Some(State { digest, bytes }),
        });
    }

    fn delete<'v>(&mut self, form: &RowForm, value: impl Fn(usize) -> ValueRef<'v> + Copy) {
        let key = form.key(value, &mut self.buffer);
        form.encode_key(value, &mut self.deleted);
        self.entries.push(Entry { key, segment: self.segment, found: true, elided: false, policy: 0, row: None });
    }

    fn is_there(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let Some(last) = self.entries.get(self.mark..).and_then(<[Entry]>::last) else { return Ok(true) };
        let table = &self.tables[RowForm::table_of(last.key)];
        let key = match &last.row {
            Some(row) => table.form.key_of(&decode(&row.bytes).unwrap_or_default()),
            None => decode(&self.deleted).unwrap_or_default(),
        };
        let mut statement = connection.prepare(&table.row)?;
        for (place, value) in (1..).zip(key) {
            statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
        }
        let mut rows = statement.raw_query();
        let found = rows.next()?.map(|row| {
            let value = |column: usize| row.get_ref(column).unwrap_or(ValueRef::Null);
            table.form.encode(value, &mut Vec::new())
        });
        Ok(found == last.digest())
    }
}

/// SQL that reads the row under a key.
fn row_sql(table: &TablePlan) -> String {
    let columns: Vec<String> = table.columns.iter().map(|column| quote(column)).collect();
    let key: Vec<String> = table.primary_key.iter().map(|column| format!("{} IS ?", quote(column))).collect();
    format!("SELECT {} FROM main.{} WHERE {}", columns.join(", "), quote(&table.name), key.join(" AND "))
}
