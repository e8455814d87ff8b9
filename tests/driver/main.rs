//! The `driver` target with a driver that works and one that lies: what is right passes, and every lie is found and named.
//! All of it needs `python3`, and says so where there is none.

#![cfg(unix)]

mod check;
mod clean;
#[path = "../cli/harness.rs"]
#[expect(dead_code, reason = "these tests need a part of it")]
mod harness;
mod interrupted;
mod lies;
mod new;
mod python;
mod scene;
