//! Databases whose engine is driven by a program of the user's, over the driver protocol.

mod message;
mod plain;
mod process;
mod remote;
mod value;

pub(crate) use message::{Ability, Promise, json_schema};
pub(crate) use plain::Plain;
pub(crate) use process::{Process, Start};
pub(crate) use remote::{Batch, Driver, Interruption, Remote};
