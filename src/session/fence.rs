//! The sandbox around every connection of this process, once it is entered: SQLite asks here before it prepares a
//! statement. Nothing is asked, and nothing costs anything, as long as it is not entered.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{auto_extension, ffi};

use crate::sandbox::Wish;

static ENTERED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread runs SQL of the program itself, and none of a scenario.
    static TRUSTED: Cell<bool> = const { Cell::new(false) };
}

/// Has every connection that is opened from now on refuse what a sandbox refuses. There is no way back.
pub(crate) fn enter_sandbox() -> rusqlite::Result<()> {
    if ENTERED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    // SAFETY: the handler opens no connection, closes none, and leaves the list of handlers alone.
    unsafe { auto_extension::register_auto_extension(on_open) }
}

/// Does what the program needs and a scenario may not do.
pub(crate) fn trusted<T>(work: impl FnOnce() -> T) -> T {
    /// Ends the trust also after a panic.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            TRUSTED.set(self.0);
        }
    }
    let _before = Before(TRUSTED.replace(true));
    work()
}

unsafe extern "C" fn on_open(
    db: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    _routines: *const ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite gives the connection that it is opening.
    unsafe { ask_here(db) };
    ffi::SQLITE_OK
}

/// # Safety
///
/// `db` must be an open connection that no other thread uses meanwhile.
unsafe fn ask_here(db: *mut ffi::sqlite3) {
    // SAFETY: as the caller promises; the callback needs no data.
    unsafe { ffi::sqlite3_set_authorizer(db, Some(ask), std::ptr::null_mut()) };
}

unsafe extern "C" fn ask(
    _data: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    _database: *const c_char,
    _accessor: *const c_char,
) -> c_int {
    if TRUSTED.get() {
        return ffi::SQLITE_OK;
    }
    // SAFETY: SQLite gives texts that end with NUL, or none, and keeps them until this returns.
    let text = |text: *const c_char| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy());
    let (first, second) = (text(first), text(second));
    let refused = match action {
        ffi::SQLITE_ATTACH => Wish::Attach(first.as_deref()).is_refused(),
        ffi::SQLITE_FUNCTION => Wish::Function(second.as_deref().unwrap_or_default()).is_refused(),
        ffi::SQLITE_PRAGMA => Wish::Pragma(first.as_deref().unwrap_or_default()).is_refused(),
        _ => false,
    };
    if refused { ffi::SQLITE_DENY } else { ffi::SQLITE_OK }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// A connection inside, without the rest of the process being so.
    fn fenced() -> Connection {
        let connection = Connection::open_in_memory().expect("memory");
        // SAFETY: the connection is open, and this thread's own.
        unsafe { ask_here(connection.handle()) };
        connection
    }

    #[test]
    fn sql_that_leaves_is_refused_with_nothing_done() {
        let directory = tempfile::tempdir().expect("a directory");
        let (connection, at) = (fenced(), directory.path().join("x").display().to_string());
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1); VACUUM").expect("its own tables");
        connection.execute_batch("ATTACH ':memory:' AS m; CREATE TABLE m.t (a)").expect("memory");
        for refused in [
            format!("ATTACH '{at}' AS x"),
            format!("ATTACH 'file:{at}?mode=rwc' AS x"),
            format!("ATTACH '{at}' || '' AS x"),
            format!("VACUUM INTO '{at}'"),
            "SELECT load_extension('x')".to_owned(),
            format!("PRAGMA temp_store_directory = '{at}'"),
        ] {
            let error = connection.execute_batch(&refused).expect_err(&refused).to_string();
            assert!(error.contains("not authorized") || error.contains("authorization denied"), "{refused}: {error}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
        let trusted = trusted(|| connection.execute_batch(&format!("ATTACH '{at}' AS x")));
        trusted.expect("the program itself may");
        connection.execute_batch(&format!("ATTACH '{at}' AS y")).expect_err("and nobody after it");
    }
}
