//! One SQLite connection from open to the guaranteed close, and what is called on it: the sync calls. It must not know
//! which phases are run on the connection, or which target it syncs with.

mod connection;
mod credential;
mod error;
mod fence;
mod hex;
mod reader;
mod sync;
mod value;
mod writes;

pub use connection::{Loader, Network, Opening, Session, tune_sqlite};
pub use credential::Credential;
pub use error::raw_error;
pub(crate) use fence::{enter_sandbox, trusted};
pub(crate) use hex::{hex, unhex};
pub(crate) use reader::LITERALS;
pub use reader::{define_auth, open_reader};
pub use sync::{SyncCall, Synced};
pub(crate) use value::{decode, encode, literal};
pub(crate) use writes::{OnWrite, Write};
