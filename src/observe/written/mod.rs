//! An oracle: what is there, held against what the databases wrote.
//!
//! **Definition.** A key is of a table; keys that SQLite takes for equal are one. For each key and database *d*, let
//! *w1 … wn* be the states in which the phases of *d* left the key (a row, or a deletion), in the order of *d*. A write is
//!
//! - *void* when the policies deny it whatever the server had under the key,
//! - *certain* when the policies allow it whatever the server had, and a send succeeded after it and before the next one
//!   of *d*, which would have gone in its place,
//! - *doubtful* otherwise.
//!
//! The *candidates* of *d* are found from *wn* backwards: void writes are passed over, all others are candidates, and the
//! first certain one is the last candidate. If there is none, *d* also offers what was there before the run: nothing.
//! What is there must be a candidate of some database; *nothing* is one if a candidate is a deletion, or if every database
//! offers it. Where the target merges columns, each column's value must be that of a candidate.
//!
//! **Why this raises no false alarm.** The server stores pushes one after the other. A push of *d* holds of each key the
//! state of its last write: a row that waits to be sent is not overwritten by a receive. Of all writes that had an effect
//! under the key, let *w* of *d* be the last. Then what is there is *w*. No later write of *d* had an effect, so none of
//! them is certain, and the walk from *wn* comes to *w*; *w* is not void, so it is a candidate. If no write had an effect,
//! no write is certain, and every database offers what was there before. Where columns are merged, the same holds for
//! each column: after the write that won it, *d* holds its value until another wins.
//!
//! A logout makes *d* a new device: it deletes the rows of *d*, and what was not acknowledged by then is not sent any more,
//! so no later send makes it certain. The new device knows no versions of the former, whose writes may stay stronger than
//! its own: so the writes of each device of *d* are walked as those of a database of their own.
//!
//! **What it cannot see.** Under a key that several databases wrote, it needs no order of time, and so takes the last
//! write of each for right. What was there before the run, what an administrator's SQL wrote and what triggers of the
//! server wrote is not known: rows that only those explain are counted as not judged.

mod ask;
mod behind;
mod examiner;
mod filters;
mod found;
mod held;
mod judge;
mod keys;
mod mixture;
mod policies;
mod rights;
mod rows;
mod walk;

pub(crate) use behind::{Behind, Left};
pub(crate) use found::{Attempts, Examined};
pub(super) use keys::last_writes;
pub(super) use walk::examine;

#[cfg(test)]
mod tests;
