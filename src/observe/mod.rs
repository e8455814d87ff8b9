//! What is held: by every database, by the server, by a new device of each user, and where they differ; and, while the
//! run goes on, what a receive brought and how large a database has become. It only
//! looks, and gives facts for the record. It must not know how the load was made.

mod bootstrap;
mod budget;
mod clues;
mod collect;
mod columns;
mod contents;
mod copied;
mod difference;
mod extension;
mod foreign_keys;
pub(crate) mod growth;
mod isolation;
mod order;
mod pieces;
mod queries;
mod server;
mod subject;
#[cfg(test)]
mod tests;
mod written;

pub(crate) use budget::Budget;
pub(crate) use collect::collect;
pub(crate) use isolation::{Before, Watch};
pub(crate) use queries::first_of;
pub(crate) use subject::{Limits, Subject, database_file};
pub(crate) use written::Behind;
