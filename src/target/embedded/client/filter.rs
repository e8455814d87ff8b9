//! A table's filter: which of its rows take part. As with CloudSync, an insertion or an update is captured when the row
//! matches after it, a deletion when the row matched before it. So a row that leaves the filter stays elsewhere as it was.
//! One thing differs: a row that waits to be sent, leaves the filter and is deleted is sent as a deletion, and by CloudSync
//! not at all. It must not know how a row is captured.

use rusqlite::Connection;

use super::super::shape::Shape;
use super::error::failure;
use super::{capture, local};

/// `cloudsync_set_filter(table, expression)`. What was captured so far is forgotten, and every row that matches now counts
/// as new: the public function does so, too, which is why it is called once and not in every session.
pub(super) fn set(connection: &Connection, table: Option<&str>, expression: Option<&str>) -> rusqlite::Result<()> {
    let (Some(table), Some(expression)) = (table, expression) else {
        return Err(failure("cloudsync_set_filter: table and filter expression required"));
    };
    replace(connection, "cloudsync_set_filter", table, Some(expression))
}

/// `cloudsync_clear_filter(table)`: every row takes part again.
pub(super) fn clear(connection: &Connection, table: Option<&str>) -> rusqlite::Result<()> {
    let table = table.ok_or_else(|| failure("cloudsync_clear_filter: table name required"))?;
    replace(connection, "cloudsync_clear_filter", table, None)
}

fn replace(connection: &Connection, function: &str, table: &str, filter: Option<&str>) -> rusqlite::Result<()> {
    let shape = Shape::read(connection, table)?;
    let takes_part = local::tables(connection)?.iter().any(|name| name.eq_ignore_ascii_case(table));
    let Some(shape) = shape.filter(|_| takes_part) else {
        return Err(failure(format!(
            "{function}: table '{table}' is not configured for sync. Call SELECT cloudsync_init('{table}') first."
        )));
    };
    local::in_savepoint(connection, || {
        local::set_option(connection, table, local::FILTER, filter)?;
        capture::renew_triggers(connection, &shape)
            .map_err(|_| failure(format!("{function}: error recreating triggers")))?;
        capture::start_anew(connection, &shape).map_err(|_| failure(format!("{function}: error resetting metatable")))
    })
}
