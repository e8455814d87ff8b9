//! An interrupt of a connection, as what ends its requests.

use std::sync::atomic::{AtomicPtr, Ordering};

use rusqlite::{Connection, ffi};

use crate::target::Halt;

/// Due while a statement of the connection is interrupted. Not to be asked once the connection is closed.
pub(super) fn interrupt(connection: &Connection) -> Halt {
    // SAFETY: the handle is only ever asked whether there is an interrupt, by a function of its own connection.
    let handle = AtomicPtr::new(unsafe { connection.handle() });
    Halt::when(move || {
        // SAFETY: functions go with their connection, so it is open; SQLite lets any thread ask.
        unsafe { ffi::sqlite3_is_interrupted(handle.load(Ordering::Relaxed)) != 0 }
    })
}
