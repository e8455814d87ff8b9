//! What the databases sync with.

pub mod embedded;
