//! An open database from open to the guaranteed close, and what is done with it: statements, sync calls. This room alone
//! knows whether that is a connection of SQLite in this process or a database of a driver. It must not know which phases
//! are run, or which target a connection syncs with.

mod connection;
mod credential;
pub(crate) mod driver;
mod either;
mod error;
mod fence;
mod hex;
mod reader;
mod statement;
mod sync;
mod value;
mod writes;

pub use connection::{Loader, Network, Opening, tune_sqlite};
pub use credential::Credential;
pub use either::Session;
pub(crate) use either::{Interrupt, Rows};
pub use error::raw_error;
pub(crate) use fence::{enter_sandbox, trusted};
pub(crate) use hex::{hex, unhex};
pub(crate) use reader::LITERALS;
pub use reader::{define_auth, open_reader};
pub(crate) use statement::Statement;
pub use sync::{SyncCall, Synced};
pub(crate) use value::{decode, encode, literal};
pub(crate) use writes::{OnWrite, Write};
