//! What a connection writes, row by row, as SQLite's pre-update hook tells: by statements, by triggers, by REPLACE and by
//! foreign keys, also in tables without rowids. rusqlite has the hook only together with libclang, so the calls of SQLite
//! stand here.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ffi};

use crate::record::Operation;

/// Hears of every row that a connection is about to write.
pub(crate) type OnWrite = Box<dyn FnMut(&Write<'_>) + Send>;

/// A row that is about to be written.
pub(crate) struct Write<'a> {
    db: *mut ffi::sqlite3,
    pub(crate) operation: Operation,
    /// The table, without its schema.
    pub(crate) table: &'a CStr,
    /// The values are there while the hook runs.
    while_it_runs: PhantomData<&'a ()>,
}

impl Write<'_> {
    /// A value of the row as it was; the column counted from 0, generated ones included. None for an insert.
    pub(crate) fn before(&self, column: i32) -> Option<ValueRef<'_>> {
        self.value(column, ffi::sqlite3_preupdate_old)
    }

    /// A value of the row as it will be. None for a deletion.
    pub(crate) fn after(&self, column: i32) -> Option<ValueRef<'_>> {
        self.value(column, ffi::sqlite3_preupdate_new)
    }

    fn value(
        &self,
        column: i32,
        read: unsafe extern "C" fn(*mut ffi::sqlite3, c_int, *mut *mut ffi::sqlite3_value) -> c_int,
    ) -> Option<ValueRef<'_>> {
        let mut value: *mut ffi::sqlite3_value = ptr::null_mut();
        // SAFETY: the hook of this connection is running, and SQLite answers a wrong column or operation with an error.
        // The value lives until the hook returns, and `self` no longer than that.
        unsafe {
            if read(self.db, column, &raw mut value) != ffi::SQLITE_OK || value.is_null() {
                return None;
            }
            Some(match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => {
                    // First the text, then its length: the first call may convert it.
                    let text = ffi::sqlite3_value_text(value);
                    ValueRef::Text(bytes(text, ffi::sqlite3_value_bytes(value)))
                }
                ffi::SQLITE_BLOB => {
                    let blob = ffi::sqlite3_value_blob(value);
                    ValueRef::Blob(bytes(blob.cast(), ffi::sqlite3_value_bytes(value)))
                }
                _ => ValueRef::Null,
            })
        }
    }
}

/// # Safety
///
/// `start` is null, or so many bytes from there stay what they are during `'a`.
unsafe fn bytes<'a>(start: *const u8, length: c_int) -> &'a [u8] {
    match usize::try_from(length) {
        // SAFETY: as the caller promises.
        Ok(length) if length > 0 && !start.is_null() => unsafe { std::slice::from_raw_parts(start, length) },
        _ => &[],
    }
}

/// Sets the hook of a connection. It must be ended before `on_write` is dropped.
pub(super) fn begin(connection: &Connection, on_write: &mut OnWrite) {
    // SAFETY: the handle is open; the hook is taken off before `on_write` goes, as the caller promises.
    unsafe {
        ffi::sqlite3_preupdate_hook(connection.handle(), Some(call), ptr::from_mut(on_write).cast());
    }
}

/// Takes the hook off.
pub(super) fn end(connection: &Connection) {
    // SAFETY: the handle is open.
    unsafe {
        ffi::sqlite3_preupdate_hook(connection.handle(), None, ptr::null_mut());
    }
}

/// Does something of which nobody hears. Where somebody hears, SQLite deletes all rows of a table one by one.
pub(super) fn unheard<T>(connection: &Connection, act: impl FnOnce() -> T) -> T {
    // SAFETY: the handle is open. SQLite gives the pointer that `begin` gave it, which lives as long as the hook.
    let on_write = unsafe { ffi::sqlite3_preupdate_hook(connection.handle(), None, ptr::null_mut()) };
    let done = act();
    if !on_write.is_null() {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_preupdate_hook(connection.handle(), Some(call), on_write) };
    }
    done
}

unsafe extern "C" fn call(
    on_write: *mut c_void,
    db: *mut ffi::sqlite3,
    operation: c_int,
    schema: *const c_char,
    table: *const c_char,
    _old_rowid: ffi::sqlite3_int64,
    _new_rowid: ffi::sqlite3_int64,
) {
    let operation = match operation {
        ffi::SQLITE_INSERT => Operation::Insert,
        ffi::SQLITE_UPDATE => Operation::Update,
        _ => Operation::Delete,
    };
    // SAFETY: SQLite gives two C strings that live as long as this call, and the pointer that `begin` gave it, which
    // nobody else uses meanwhile: SQLite calls on the thread that runs the statement.
    unsafe {
        if CStr::from_ptr(schema) != c"main" {
            return;
        }
        let write = Write { db, operation, table: CStr::from_ptr(table), while_it_runs: PhantomData };
        let on_write = &mut *on_write.cast::<OnWrite>();
        // A panic must not pass through SQLite.
        drop(catch_unwind(AssertUnwindSafe(|| on_write(&write))));
    }
}
