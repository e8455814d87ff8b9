//! Random scenarios that are right, so that every clean run of them must pass, and every fault planted in them must be
//! found. Drawing, judging and shrinking are pure; the command line makes the runs.

mod dice;
mod draw;
mod judge;
mod made;
mod plant;
mod render;
mod shape;
mod smaller;
mod sql;

pub(crate) use judge::{Fuzzed, summary, told};
pub(crate) use made::Made;
pub(crate) use smaller::shrink;

#[cfg(test)]
mod tests;
