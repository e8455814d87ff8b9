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
    /// What of all that was written is there; absent when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<WrittenState>,
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
    /// What `PRAGMA foreign_key_check` answered; absent when foreign keys are off, or when nothing is to be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_keys: Option<ForeignKeys>,
    /// Whether it still had changes to send (absent: it could not be asked).
    pub unsent: Option<bool>,
    /// The file's size in bytes, its write-ahead log included.
    pub bytes: u64,
    /// Its tables, in the scenario's order.
    pub tables: Vec<TableState>,
}

/// Rows of a database whose foreign keys refer to rows that are not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKeys {
    /// How many references lead nowhere.
    pub total: u64,
    /// Some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<Orphan>,
    /// Why SQLite could not check them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A row whose foreign key refers to a row that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orphan {
    /// Its table.
    pub table: String,
    /// Its rowid; absent in a table without rowids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rowid: Option<i64>,
    /// Its primary key, as SQL literals; absent when it could not be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The table that lacks the row.
    pub parent: String,
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
    /// Its columns, if they are not those of the first database in the end. The digest is that of their names then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Rows held that the user's select policy forbids.
    #[serde(default, skip_serializing_if = "super::usual::is_zero")]
    pub forbidden: u64,
    /// How many of those came from elsewhere; absent when there are none, or when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaked: Option<u64>,
    /// How many of the others came from elsewhere, too, and may have been allowed then: the policy depends on rows that
    /// changed.
    #[serde(default, skip_serializing_if = "super::usual::is_zero")]
    pub lapsed: u64,
    /// Rows held that count neither for `rows` nor for `digest`: nobody knows whether the policies allowed their last
    /// write, because the server's rows could not be read.
    #[serde(default, skip_serializing_if = "super::usual::is_zero")]
    pub left_out: u64,
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
    /// What `PRAGMA integrity_check` says of the server's database; absent where it cannot be asked cheaply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
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
    /// The last write of each database that wrote under the key; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Vec<LastWrite>>,
}

/// What is there, held against what the databases wrote. With an administrator: what the server holds; without: what a
/// database of each user holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenState {
    /// Keys that were written or are held.
    pub keys: u64,
    /// Why nothing could be judged; absent when it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// Keys that could not be judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Unjudged>,
    /// Rows that no last write explains, by table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Unexplained>,
}

/// Keys of a table that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unjudged {
    /// The table.
    pub table: String,
    /// Why.
    pub why: WhyUnjudged,
    /// How many.
    pub keys: u64,
}

/// Why a key could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyUnjudged {
    /// The databases are those of an earlier run, which may have written the row.
    EarlierRun,
    /// A step ran SQL on the server, which may have written the row.
    Admin,
    /// The schema's own SQL writes the row, in every database and on the server.
    Schema,
    /// A trigger writes the table, on the server too.
    Trigger,
    /// A policy that depends on other rows may have denied a write.
    Policy,
    /// A policy may have denied a write, and the states before were not kept.
    NotKept,
    /// The row was written on both sides of the table's filter.
    Filter,
    /// The table was altered.
    Altered,
}

/// Rows of a table that no last write explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unexplained {
    /// The table.
    pub table: String,
    /// How many.
    pub total: u64,
    /// Some of them.
    pub rows: Vec<UnexplainedRow>,
}

/// A row that no last write explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnexplainedRow {
    /// The primary key, as SQL literals.
    pub key: String,
    /// Who holds the row, or should.
    pub holder: Holder,
    /// The row as it is there, as SQL literals in column order; absent when it is not there.
    pub row: Option<String>,
    /// Whether a database wrote this row earlier.
    pub earlier: bool,
    /// The last write of each database that wrote under the key.
    pub writes: Vec<LastWrite>,
}

/// The last write of a database under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastWrite {
    /// The database that wrote.
    pub database: u32,
    /// The iteration, counted from 1; 0 before the first and after the last.
    pub iteration: u64,
    /// The phase's name.
    pub phase: String,
    /// The row as it was written, as SQL literals in column order; absent when it was deleted.
    pub row: Option<String>,
    /// Whether a send after the write succeeded.
    pub acknowledged: bool,
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
