//! Errors of SQLite, as they came.

use crate::failure::{Call, RawError};

/// An error of SQLite, with its codes, on a connection that has no credential.
pub fn raw_error(call: Call, error: &rusqlite::Error) -> RawError {
    let reported = match error {
        rusqlite::Error::SqlInputError { error, .. } => Some(error),
        other => other.sqlite_error(),
    };
    let codes = reported.map(|error| (error.extended_code & 0xff, error.extended_code));
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    RawError::said(call, message).with_codes(codes)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn an_error_keeps_its_codes_and_its_message() {
        let connection = Connection::open_in_memory().expect("memory");
        let error = connection.execute_batch("SELECT missing").expect_err("no such column");
        let raw = raw_error(Call::Sql, &error);
        assert_eq!(raw.sqlite, Some((1, 1)));
        assert_eq!(raw.message, "no such column: missing");
    }
}
