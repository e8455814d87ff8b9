//! A column whose texts are merged block by block, as both sides' triggers speak of it. It must not know how a text is
//! merged: that is `blocks`.

use super::shape::Shape;
use crate::sql::quote;

/// A column of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockColumn {
    /// Its place among the columns that have versions.
    pub(crate) place: usize,
    pub(crate) name: String,
    /// What stands between two blocks.
    pub(crate) delimiter: Vec<u8>,
}

impl BlockColumn {
    /// The column of this name, unless it has no version of its own.
    pub(crate) fn of(shape: &Shape, name: &str, delimiter: &[u8]) -> Option<Self> {
        let is_named = |&column: &usize| shape.columns[column].name.eq_ignore_ascii_case(name);
        let (place, column) = shape.changed().enumerate().find(|(_, column)| is_named(column))?;
        let name = shape.columns[column].name.clone();
        (!shape.keys.contains(&column)).then(|| Self { place, name, delimiter: delimiter.to_owned() })
    }

    /// What all functions about blocks start with: versions, column and delimiter. That one as bytes, for a text of SQL ends
    /// at its first zero.
    fn arguments(&self, versions: &str) -> String {
        let digits = crate::session::hex(&self.delimiter);
        format!("{versions}, {}, x'{digits}'", self.place)
    }

    /// The versions of a row that was just inserted as `row`, of which `versions` are all the rest.
    fn written(&self, versions: &str, row: &str) -> String {
        format!("cloudsync_blocks_written({}, {row}.{})", self.arguments(versions), quote(&self.name))
    }

    /// The versions of a row that is updated.
    fn edited(&self, versions: &str) -> String {
        let name = quote(&self.name);
        format!("cloudsync_blocks_edited({}, OLD.{name}, NEW.{name})", self.arguments(versions))
    }

    /// The versions of a row that was there before its column was one of blocks.
    pub(crate) fn noted(&self, versions: &str, row: &str) -> String {
        format!("cloudsync_blocks_noted({}, {row}.{})", self.arguments(versions), quote(&self.name))
    }
}

/// The versions of a row that was just inserted, with the blocks of all columns.
pub(crate) fn written(columns: &[BlockColumn], versions: &str, row: &str) -> String {
    columns.iter().fold(versions.to_owned(), |versions, column| column.written(&versions, row))
}

/// The versions of a row that is updated, with the blocks of all columns.
pub(crate) fn edited(columns: &[BlockColumn], versions: &str) -> String {
    columns.iter().fold(versions.to_owned(), |versions, column| column.edited(&versions))
}
