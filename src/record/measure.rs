//! What was measured beside the work: leaks after receives, sizes after iterations, and how the machine served the
//! load generator.

use serde::{Deserialize, Serialize};

/// A receive that brought rows which the user's select policy forbids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// The iteration, counted from 1; 0 before the first and after the last.
    pub iteration: u64,
    /// The phase's name.
    pub phase: String,
    /// When it was seen, in microseconds since the run's start.
    pub at: u64,
    /// The table.
    pub table: String,
    /// Forbidden rows before the receive: what the database wrote itself.
    pub before: u64,
    /// Forbidden rows after it.
    pub after: u64,
    /// The primary keys of some of the new ones, as SQL literals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// How large a database was at the end of an iteration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowthSample {
    /// The number of the iteration, from 1.
    pub iteration: u64,
    /// The file's size in bytes.
    pub file: u64,
    /// The size of its write-ahead log in bytes.
    pub wal: u64,
    /// Its tables, in the scenario's order.
    pub tables: Vec<TableSize>,
}

/// How large a table was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSize {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// The rows that sync keeps beside it (`<table>_cloudsync`); absent when there is no such table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<u64>,
}

/// How well the load generator itself was served by its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generator {
    /// How often a thread that wants to run every 10 ms came to run.
    pub ticks: u64,
    /// How late it was, in microseconds: what 99 of 100 times did not exceed.
    pub lag_p99: u64,
    /// How late it was at most, in microseconds.
    pub lag_max: u64,
    /// How long was measured, in microseconds.
    pub wall: u64,
    /// Processor time of the whole process, in microseconds; absent where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
}

/// The beginning and the end of a database's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogExcerpt {
    /// The number of lines in the whole log.
    pub lines: u64,
    /// The first lines.
    pub first: Vec<String>,
    /// The last lines, except those in `first`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<String>,
}

/// A write of a hostile phase that the policies deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// The iteration, counted from 1; 0 before the first and after the last.
    pub iteration: u64,
    /// The phase.
    pub phase: String,
    /// The table.
    pub table: String,
    /// What was attempted.
    pub operation: Operation,
    /// The row's primary key, as SQL literals.
    pub key: String,
    /// The row as it would be, as SQL literals in column order; absent for a deletion.
    pub row: Option<String>,
    /// Whether the server has it at the end; absent when it was not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<bool>,
}

/// What a write does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// The row is new.
    Insert,
    /// The row was there.
    Update,
    /// The row is gone.
    Delete,
}
