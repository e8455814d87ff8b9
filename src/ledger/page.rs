//! What is being written at the moment: filled by SQLite's hook, read when the segment ends.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::form::RowForm;
use super::noted::Noted;
use super::run::{Files, Run};
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

/// A part of what a segment wrote.
pub(super) struct Written {
    pub(super) run: Run,
    /// The places of the tables that were written.
    pub(super) tables: BTreeSet<usize>,
}

/// How much was written up to a point.
#[derive(Default, Clone, Copy)]
struct Mark {
    pieces: usize,
    /// So many writes after the pieces.
    noted: usize,
}

struct Content {
    tables: Arc<Vec<Table>>,
    files: Files,
    /// The most bytes in memory.
    limit: usize,
    /// Whether what is written is taken.
    on: bool,
    /// What is in files already, or why the files cannot be written.
    pieces: io::Result<Vec<Written>>,
    /// What came after them. The last write is always here.
    noted: Noted,
    /// Where the transaction began.
    mark: Mark,
    buffer: Vec<u8>,
    /// The row that was written last, as [`encode`] writes its columns.
    row: Vec<u8>,
    /// The key that was deleted last, as [`encode`] writes its columns.
    deleted: Vec<u8>,
}

impl Page {
    /// `limit` is the most that is kept in memory, in bytes.
    pub(super) fn new(tables: &[TablePlan], files: Files, limit: usize) -> Self {
        let table = |(table, form): (&TablePlan, RowForm)| {
            Some(Table { name: CString::new(table.name.as_str()).ok()?, on: !table.altered, row: row_sql(table), form })
        };
        let tables = tables.iter().zip(RowForm::all(tables)).filter_map(table);
        Self(Arc::new(Mutex::new(Content {
            tables: Arc::new(tables.collect()),
            files,
            limit,
            on: false,
            pieces: Ok(Vec::new()),
            noted: Noted::default(),
            mark: Mark::default(),
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

    /// Takes what is written from now on as part of a segment. `every` says that every state counts, and not only the last
    /// one of a key.
    pub(super) fn open(&self, segment: u32, every: bool) {
        let mut content = self.content();
        (content.on, content.noted, content.mark) = (true, Noted::of(segment, every), Mark::default());
    }

    /// What was written since [`Self::open`], in order. What is not in a file yet stays in memory up to `limit` bytes.
    pub(super) fn close(&self, limit: usize) -> io::Result<Vec<Written>> {
        let mut content = self.content();
        content.on = false;
        content.put_away(limit);
        std::mem::replace(&mut content.pieces, Ok(Vec::new()))
    }

    /// A transaction begins.
    pub(crate) fn begin(&self) {
        let mut content = self.content();
        content.mark = Mark { pieces: content.pieces.as_ref().map_or(0, Vec::len), noted: content.noted.len() };
    }

    /// What was written since [`Self::begin`] was taken back.
    pub(crate) fn take_back(&self) {
        let mut content = self.content();
        let mark = content.mark;
        content.noted.truncate(mark.noted);
        if let Ok(pieces) = &mut content.pieces
            && pieces.len() > mark.pieces
        {
            pieces.drain(mark.pieces..).for_each(|piece| piece.run.discard());
        }
    }

    /// Whether the last write since [`Self::begin`] is there. Also where there was none.
    pub(crate) fn is_there(&self, connection: &Connection) -> bool {
        self.content().is_there(connection).unwrap_or(false)
    }

    /// Somebody saw that a row was inserted or updated.
    pub(super) fn saw_write(&self, key: u128, policy: u64, found: bool, row: &[u8]) {
        let mut content = self.content();
        content.make_room();
        content.noted.write(key, policy, found, row);
    }

    /// Somebody saw that a row was deleted.
    pub(super) fn saw_deletion(&self, key: u128) {
        let mut content = self.content();
        content.make_room();
        content.noted.delete(key);
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
        self.make_room();
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

    fn make_room(&mut self) {
        if self.noted.memory() > self.limit {
            self.spill();
        }
    }

    /// Puts what is noted into files: what was there before the transaction and what belongs to the transaction apart, so
    /// that the latter can be taken back.
    fn spill(&mut self) {
        let transaction = self.noted.split_off(self.mark.noted);
        if self.mark.noted > 0 {
            self.put_away(0);
            self.mark = Mark { pieces: self.mark.pieces + 1, noted: 0 };
        }
        self.noted = transaction;
        self.put_away(0);
    }

    /// Makes a piece of what is noted: in memory up to `limit` bytes, else in a file.
    fn put_away(&mut self, limit: usize) {
        let mut noted = self.noted.split_off(0);
        let (Ok(pieces), 1..) = (&mut self.pieces, noted.len()) else { return };
        noted.sort();
        let entries = noted.entries().map(Ok);
        let run =
            if noted.size() > limit { Run::in_file(0, self.files.next(), entries) } else { Run::in_memory(0, entries) };
        match run {
            Ok(run) => pieces.push(Written { run, tables: noted.tables() }),
            Err(error) => {
                pieces.drain(..).for_each(|piece| piece.run.discard());
                self.pieces = Err(error);
            }
        }
    }

    fn is_there(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let Some((key, last)) = self.noted.last_after(self.mark.noted) else { return Ok(true) };
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
