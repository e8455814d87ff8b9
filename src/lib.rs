//! `stress` load-tests database sync: many local databases write and sync at once, and a verdict says what broke,
//! where, and on whose side. Data walk once through the house:
//!
//! ```text
//! YAML file → Source → Scenario → Plan → Events/Record → Analysis → report
//! ```

pub mod analysis;
pub mod cli;
pub mod compare;
pub mod diagnostic;
pub mod execute;
pub mod failure;
pub mod figure;
pub mod latency;
pub mod load;
pub mod plan;
pub mod record;
pub mod repeat;
pub mod report;
pub mod scenario;
pub mod selftest;
pub mod session;
pub mod source;
pub mod statistics;
mod suggest;
pub mod target;
pub mod template;
pub mod verify;

#[cfg(test)]
mod fixture;
