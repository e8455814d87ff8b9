//! The readers of requests to the hub's SQL gateway, as functions from bytes: see `crate::fuzzing`.

use super::command;
use super::sql::Query;

/// The text of a request: each of its statements is one, and perhaps a command.
pub(crate) fn statements(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut commands = 0;
    for statement in command::split(text) {
        assert_eq!(command::split(statement), [statement]);
        commands += usize::from(matches!(command::parse(statement), Ok(Some(_))));
    }
    commands > 0
}

/// A request: the body of a POST, or the query of a URL.
pub(crate) fn query(bytes: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(bytes) {
        Query::from_query(text);
    }
    Query::from_json(bytes).is_ok()
}
