//! The SQL functions by which triggers keep the versions of the rows they note, on the client and on the hub.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;

use super::merge::Versions;
use super::shape::MASK;
use super::wire::{Cell, Malformed};

/// Adds the functions to a connection. Most take the versions of a row and give what they become; `cloudsync_reborn` takes
/// the life of a dead row, or NULL for one that never was, `cloudsync_uncaptured` the number of columns, and
/// `cloudsync_bits` any value: it gives something for a real. Those about blocks take the versions, the column and its
/// delimiter, or NULL for the one that is known, and the value, or the old one and the new one.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("cloudsync_inserted", 2, flags, |context| {
        let mut versions = versions(context)?;
        versions.insert(width(context)?);
        Ok(versions.write())
    })?;
    connection.create_scalar_function("cloudsync_updated", -1, flags, |context| {
        let (mut versions, width) = (versions(context)?, width(context)?);
        let masks: Vec<i64> = (2..context.len()).map(|i| context.get(i)).collect::<rusqlite::Result<_>>()?;
        versions.update(width, |column| masks.get(column / MASK).is_some_and(|mask| mask >> (column % MASK) & 1 == 1));
        Ok(versions.write())
    })?;
    connection.create_scalar_function("cloudsync_deleted", 1, flags, |context| {
        let mut versions = versions(context)?;
        versions.delete();
        Ok(versions.write())
    })?;
    connection.create_scalar_function("cloudsync_life", 1, flags, |context| {
        Ok(i64::try_from(versions(context)?.life()).unwrap_or(i64::MAX))
    })?;
    connection.create_scalar_function("cloudsync_reborn", 2, flags, |context| {
        let Some(life) = context.get::<Option<i64>>(0)? else { return Ok(None) };
        let mut versions = Versions::dead(u64::try_from(life).unwrap_or(0));
        versions.insert(width(context)?);
        Ok(versions.write())
    })?;
    connection.create_scalar_function("cloudsync_blocks_written", 4, flags, |context| {
        let (mut versions, column, delimiter) = (versions(context)?, width(context)?, delimiter(context)?);
        versions.write_blocks(column, delimiter, Cell::from(context.get_raw(3)));
        Ok(versions.write())
    })?;
    connection.create_scalar_function("cloudsync_blocks_edited", 5, flags, |context| {
        let (mut versions, column, delimiter) = (versions(context)?, width(context)?, delimiter(context)?);
        versions.edit_blocks(column, delimiter, Cell::from(context.get_raw(3)), Cell::from(context.get_raw(4)));
        Ok(versions.write())
    })?;
    connection.create_scalar_function("cloudsync_blocks_noted", 4, flags, |context| {
        let (mut versions, column, delimiter) = (versions(context)?, width(context)?, delimiter(context)?);
        versions.note_blocks(column, delimiter.unwrap_or_default(), Cell::from(context.get_raw(3)));
        Ok(versions.write())
    })?;
    // SQLite's own functions give 0.0 and -0.0 the same text.
    connection.create_scalar_function("cloudsync_bits", 1, flags, |context| {
        Ok(match context.get_raw(0) {
            ValueRef::Real(number) => Some(number.to_bits().cast_signed()),
            _ => None,
        })
    })?;
    connection.create_scalar_function("cloudsync_uncaptured", 1, flags, |context| {
        let width: i64 = context.get(0)?;
        Ok(Versions::uncaptured(usize::try_from(width).unwrap_or(0)).write())
    })?;
    connection.create_scalar_function("cloudsync_is_captured", 2, flags, |context| {
        Ok(versions(context)?.has(width(context)?))
    })?;
    connection.create_scalar_function("cloudsync_rearranged", 2, flags, |context| {
        let places = serde_json::from_str::<Vec<Option<usize>>>(context.get_raw(1).as_str()?);
        let places = places.map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        Ok(versions(context)?.rearranged(&places, 1).write())
    })?;
    connection.create_scalar_function("cloudsync_is_dead", 1, flags, |context| Ok(!versions(context)?.is_live()))
}

fn versions(context: &Context<'_>) -> rusqlite::Result<Versions> {
    let bytes = match context.get_raw(0) {
        ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    };
    Versions::read(bytes).map_err(|Malformed| rusqlite::Error::UserFunctionError("versions that cannot be read".into()))
}

/// What stands between two blocks.
fn delimiter<'c>(context: &'c Context<'_>) -> rusqlite::Result<Option<&'c [u8]>> {
    Ok(context.get_raw(2).as_bytes_or_null()?)
}

/// The number of columns, or the number of one.
fn width(context: &Context<'_>) -> rusqlite::Result<usize> {
    let width: i64 = context.get(1)?;
    Ok(usize::try_from(width).unwrap_or(0))
}
