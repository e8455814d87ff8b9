//! What is told of a row that differs between holders: its state, and the last hop where it was seen. How both are found
//! is the business of `trace`.

use schemars::JsonSchema;

use crate::record::RowDifference;

/// The state of a row that differs between holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum RowState {
    /// The row was sent, but a database or the server does not hold it.
    Missing,
    /// The row was deleted, but exists again.
    Resurrected,
    /// No database wrote the row.
    Phantom,
    /// A database or the server still holds an earlier version of the row.
    Stale,
    /// A database or the server holds values that no database wrote.
    Altered,
    /// A database holds the row although its user must not see it.
    Leaked,
    /// No database wrote the row, and its values are those of another row.
    Duplicated,
    /// The row may still be in transit: its send failed or was not made, or the receiving database was not quiet yet.
    Indeterminate,
}

impl RowState {
    /// All states, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::Resurrected,
        Self::Phantom,
        Self::Stale,
        Self::Altered,
        Self::Leaked,
        Self::Duplicated,
        Self::Indeterminate,
    ];

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Resurrected => "resurrected",
            Self::Phantom => "phantom",
            Self::Stale => "stale",
            Self::Altered => "altered",
            Self::Leaked => "leaked",
            Self::Duplicated => "duplicated",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// The last place where a row was seen on its way from its writer to the other databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// In the database that wrote it.
    Written,
    /// In a later send of its writer, which the server acknowledged.
    Acknowledged,
    /// On the server.
    Server,
    /// In some of the databases.
    Received {
        /// The number of databases that hold the row correctly.
        by: u32,
        /// The number of databases that should hold it.
        of: u32,
    },
}

impl Hop {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Acknowledged => "acknowledged",
            Self::Server => "server",
            Self::Received { .. } => "received",
        }
    }
}

/// A row that differs between holders, and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedRow {
    /// The row, with its contents in each holder.
    pub row: RowDifference,
    /// What became of it.
    pub state: RowState,
    /// The last place where the row was seen correctly.
    pub hop: Hop,
    /// The row's writer, if its key names it: `of database 3, iteration 12`; otherwise empty.
    pub of: String,
    /// What happened to the row, in words.
    pub words: String,
}
