//! The embedded target: a hub of our own on loopback and the SQL functions that sync with it.
