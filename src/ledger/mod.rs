//! What every database wrote itself. SQLite's pre-update hook tells of each row while a phase's SQL runs, whoever writes
//! the row: a statement, a trigger, REPLACE, a foreign key. What a receive writes is not taken. The engine under test
//! notices nothing of it.
//!
//! A phase's writes are a *segment*: of each key the state in which the phase left it. Segments are kept in the order of
//! their keys, small ones in memory and large ones in files beside the databases, and merged as they pile up, so that
//! neither memory nor descriptors grow with the run. What a phase writes goes to files in pieces.
//!
//! A driver's databases have no such hook: there the rows before a phase are held against those after it. In files, a state that a later, acknowledged one of the same
//! database has replaced is left out.
//!
//! It must not know what the server holds, or what follows from what was written.

mod entry;
mod form;
mod keeper;
mod look;
mod noted;
mod page;
mod reading;
mod run;
mod segment;

pub(crate) use entry::{Entry, State};
pub(crate) use form::RowForm;
pub(crate) use keeper::{Keeper, Kept};
pub(crate) use page::Page;
pub(crate) use reading::Reading;
pub(crate) use segment::Segment;
