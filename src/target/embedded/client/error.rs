//! Errors as the functions give them to SQLite.

use rusqlite::{Connection, ErrorCode};

/// An SQL error with this text, code 1.
pub(super) fn failure(message: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR), Some(message.into()))
}

/// SQLite gives an error with a text of its own the code 1. Where the code says more than the text, it goes alone.
pub(super) fn keep_code(error: rusqlite::Error) -> rusqlite::Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            error.sqlite_error().copied().map_or(error, |code| rusqlite::Error::SqliteFailure(code, None))
        }
        _ => error,
    }
}

/// Undoes what the statement did; SQLite then prepares it under the present settings of the connection, and runs it again.
pub(super) fn prepare_again() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_SCHEMA), None)
}

/// The error of a statement that was interrupted.
pub(super) fn check_interrupt(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_interrupted() { Err(interrupted()) } else { Ok(()) }
}

/// What SQLite says of an interrupt.
pub(super) fn interrupted() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT), None)
}
