//! `cloudsync_set_column`: options of a column, of which one means something: `algo` = `block` has its texts merged block
//! by block, and `delimiter` says what stands between two blocks. It must not know how a text is merged.

use rusqlite::Connection;

use super::super::block_column::BlockColumn;
use super::super::shape::Shape;
use super::error::failure;
use super::{capture, local};

/// `cloudsync_set_column(table, column, key, value)`. As with the public function, only the option `algo` asks whether
/// there is such a table and column.
pub(super) fn set(connection: &Connection, [table, column, key, value]: [Option<&str>; 4]) -> rusqlite::Result<()> {
    let tables = local::tables(connection)?;
    let known = tables.iter().find(|name| table.is_some_and(|table| table.eq_ignore_ascii_case(name)));
    let shape = known.map(|name| Shape::read(connection, name)).transpose()?.flatten();
    if key == Some(local::ALGORITHM) && value == Some(local::BLOCK) {
        let error = |why: String| Err(failure(format!("cloudsync_setup_block_column: {why}")));
        let (Some(shape), Some(table)) = (&shape, table) else { return error("table not found".to_owned()) };
        let name = column.unwrap_or("(null)");
        if BlockColumn::of(shape, name, b"").is_none() {
            return error(format!("column '{name}' not found in table '{table}'"));
        }
    }
    let (Some(table), Some(column), Some(key)) = (known, column, key) else { return Ok(()) };
    local::in_savepoint(connection, || {
        local::set_column_option(connection, (table, column), key, value)?;
        let Some(shape) = &shape else { return Ok(()) };
        capture::renew_triggers(connection, shape)?;
        capture::note_blocks(connection, shape)
    })
}
