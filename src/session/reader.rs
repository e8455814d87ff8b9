//! Connections for reading only: no sync functions, the policies' functions of one user, and values as SQL literals.

use std::path::Path;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags};

use super::value::literal;

/// The function that gives its arguments as SQL literals: `'a', 1`. SQLite's own `quote()` cuts a text at its first NUL.
pub(crate) const LITERALS: &str = "stress_literals";

/// Opens a database for reading its content, without any sync functions, as `user_id` sees it.
pub fn open_reader(file: &Path, user_id: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(file, flags)?;
    define_auth(&connection, user_id)?;
    Ok(connection)
}

/// Defines `auth_userid()` and `auth_json()`, so that policies can be evaluated, and `stress_literals()`, so that rows
/// can be told.
pub fn define_auth(connection: &Connection, user_id: &str) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let json = serde_json::json!({ "user_id": user_id }).to_string();
    let id = user_id.to_owned();
    connection.create_scalar_function("auth_userid", 0, flags, move |_| Ok(id.clone()))?;
    connection.create_scalar_function("auth_json", 0, flags, move |_| Ok(json.clone()))?;
    connection.create_scalar_function(LITERALS, -1, flags, |context| {
        let mut literals = String::new();
        for index in 0..context.len() {
            if index > 0 {
                literals.push_str(", ");
            }
            literal(context.get_raw(index), &mut literals);
        }
        Ok(literals)
    })
}
