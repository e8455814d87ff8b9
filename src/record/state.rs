//! What was held at the end: databases, server, new devices, and where they differ.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// What was held at the end. The rows of a user's database are those that the user's select policy allows (all rows
/// without row-level security); the others are counted as forbidden.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalState {
    /// One per database that could be read, in index order.
    pub databases: Vec<DatabaseState>,
    /// The server, as its administrator sees it; absent when it was not asked or could not be read.
    pub server: Option<ServerState>,
    /// One per user, when `bootstrap` is checked: a new database that synced from nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bootstrap: Vec<BootstrapState>,
    /// Rows that are not the same everywhere, per user and table; empty when all digests agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Rows held against the select policy, some of each table, those that came from elsewhere first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<ForbiddenRow>,
    /// The answers of `query` checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queries: Vec<QueryAnswer>,
}

/// One local database at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseState {
    /// The number of the database, from 1.
    pub database: u32,
    /// The number of its user, from 1.
    pub user: u32,
    /// What `PRAGMA integrity_check` answered; `ok` when all is well, absent when nothing is to be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
    /// Whether it still had changes to send (absent: it could not be asked).
    pub unsent: Option<bool>,
    /// The file's size in bytes, its write-ahead log included.
    pub bytes: u64,
    /// Its tables, in the scenario's order.
    pub tables: Vec<TableState>,
}

/// A table's content in a nutshell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableState {
    /// The table.
    pub table: String,
    /// Rows the user may see.
    pub rows: u64,
    /// The sum of the digests of those rows, whatever their order, as 32 hex digits.
    pub digest: String,
    /// Rows held that the user's select policy forbids.
    #[serde(default, skip_serializing_if = "super::usual::is_zero")]
    pub forbidden: u64,
    /// How many of those came from elsewhere; absent when there are none, or when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<u64>,
}

/// The server at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerState {
    /// All rows of each table, whoever may see them, in the scenario's order.
    pub tables: Vec<TableState>,
    /// What each user may see of them; without row-level security one entry, for user 1.
    pub users: Vec<UserState>,
    /// The deletions that it remembers, of the tables for which it could say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tombstones: Vec<Tombstones>,
}

/// The deletions that a server remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstones {
    /// The table.
    pub table: String,
    /// How many rows it remembers as deleted.
    pub rows: u64,
}

/// What a user may see of the server's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserState {
    /// The user, counted from 1.
    pub user: u32,
    /// The tables, in the scenario's order.
    pub tables: Vec<TableState>,
}

/// A new database that synced from nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapState {
    /// The user, counted from 1.
    pub user: u32,
    /// The site id it registered with the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_id: Option<String>,
    /// Its tables; empty when it failed.
    pub tables: Vec<TableState>,
    /// The reasons why it could not sync; empty if it could.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// Rows of a table that are not the same for all who should hold them. Without row-level security all databases form
/// one group, under user 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The user whose databases differ, counted from 1.
    pub user: u32,
    /// The table.
    pub table: String,
    /// How many rows differ.
    pub total: u64,
    /// Some of these rows.
    pub rows: Vec<RowDifference>,
}

/// A row that is not the same everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowDifference {
    /// The primary key, as SQL literals.
    pub key: String,
    /// What each holder has, in a fixed order: databases by index, server, bootstrap.
    pub holders: Vec<Holding>,
    /// Whether the server remembers that it was deleted; absent: it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<bool>,
    /// What the extension knows about its cells, in the databases; empty on the embedded target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<CellClock>,
}

/// A row in one holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// Who.
    pub holder: Holder,
    /// The row as SQL literals in column order; absent when the holder does not have it.
    pub row: Option<String>,
    /// Whether a change of the row still waits to be sent here; absent: it could not be told for one row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsent: Option<bool>,
}

/// The clock of a cell, as `cloudsync_changes` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellClock {
    /// The number of the database, from 1.
    pub database: u32,
    /// The column; the extension's own name for the row as a whole.
    pub column: String,
    /// The number of changes of the cell.
    pub col_version: i64,
    /// The database version of its last change.
    pub db_version: i64,
    /// The site that made it, as hex digits.
    pub site_id: String,
    /// The causal length: odd while the row exists.
    pub cl: i64,
    /// The position of the change within that version.
    pub seq: i64,
}

impl CellClock {
    /// Whether it is a clock of a row that was deleted.
    pub(crate) const fn is_of_a_dead_row(&self) -> bool {
        self.cl % 2 == 0
    }
}

/// Who can hold a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// A local database.
    Database(u32),
    /// The server.
    Server,
    /// The database that synced from nothing.
    Bootstrap,
}

/// A row that a database holds although its user's select policy forbids it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForbiddenRow {
    /// The database that holds it.
    pub database: u32,
    /// The table.
    pub table: String,
    /// The primary key, as SQL literals.
    pub key: String,
    /// The row as SQL literals in column order.
    pub row: String,
    /// Whether the row is elsewhere too (on the server, or in another user's database), so that it can only have
    /// come from there. If not, it was written here and rejected by the server.
    pub leaked: bool,
}

/// What a `query` check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryAnswer {
    /// Which of the scenario's checks, counted from 0.
    pub check: usize,
    /// Where it was asked.
    pub holder: Holder,
    /// The value of the first row; null also when there was no row.
    pub value: serde_json::Value,
    /// The number of rows; absent when it could not be asked, and in records from before it was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Why it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}
