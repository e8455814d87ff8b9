//! `stress` load-tests database sync: many local databases write and sync at once, and a verdict says what broke,
//! where, and on whose side. Data walk once through the house, and no room hands anything back to an earlier one:
//!
//! ```text
//! YAML file → Source → Scenario → Plan → Events/Record → Analysis → report
//! ```
//!
//! | room | may import | effects |
//! |---|---|---|
//! | `sql`, `suggest`, `sandbox`, [`figure`], `latency`, [`failure`] | – | none |
//! | `template` | sql | none |
//! | [`source`] | – | reads one file |
//! | [`scenario`] | failure, source, suggest | none |
//! | [`diagnostic`] | source, scenario | none |
//! | `plan` | scenario, template, failure, sql, suggest, sandbox | SQLite in memory (`plan/guard.rs`, `plan/tables.rs`) |
//! | `load` | source, scenario, diagnostic, plan, suggest | none of its own |
//! | [`record`] | scenario, failure | none |
//! | [`session`] | failure, record, sandbox | SQLite, unsafe, the process of a driver |
//! | `ledger` | plan, record, session, failure, sql | SQLite, files of the run |
//! | `target` | plan, scenario, session, template, record, failure, sql, sandbox | HTTP, threads and files of the hub, the process of a server |
//! | `observe` | plan, scenario, session, ledger, target, record, failure, sql | clock, SQLite, threads, files to compare |
//! | `execute` | plan, scenario, session, template, ledger, target, observe, record, latency, failure, sql | clock, threads, files of the run |
//! | `verify` | record, plan, scenario, figure | none |
//! | `analysis` | record, plan, scenario, verify, latency, failure, figure, template | none |
//! | [`report`] | analysis, verify, record, scenario, latency, failure, figure | none: returns text |
//! | [`statistics`] | figure | none |
//! | `repeat` | analysis, statistics, figure | none: returns text |
//! | `compare` | report, analysis, record, plan, failure, statistics, figure | none: returns text |
//! | `selftest` | sql, load, source, scenario, plan, analysis, verify, failure, figure | none: returns text |
//! | `cli` | what it drives | arguments, environment, stdout, stderr, files |
//!
//! What stays whatever else moves (a test reads `src/` and keeps it): no import cycles, neither of rooms nor of files;
//! pure rooms touch no file, environment, clock or SQLite; nothing below `cli` prints.
//!
//! - **One address for every problem: the JSON pointer.** `source` alone turns it into bytes.
//! - **As written, as meant.** `Scenario` holds what was typed; `Plan` holds every decision. `load` alone makes plans, and
//!   `plan/value.rs` alone gives the value of a row: what `stress plan` shows is what the run writes.
//! - **Making load and looking are two things.** `observe` looks at what is held, when and as long as `execute`, which
//!   makes the load, has it look.
//! - **Facts before judgement.** Workers only record; verdicts are computed from a `Record`, also from a saved one.
//! - **Three kinds of error, never mixed.** A problem in the user's file is an `Issue`; a failure of the system under
//!   test is data in the `Record`; being unable to run is the `Err` of the room where it happens.

// The rooms in the order of the walk. Reading:
pub mod source;

mod sql;

mod suggest;

mod sandbox;

mod template;

pub mod scenario;

pub mod diagnostic;

// Deciding:
mod plan;

mod load;

// Facts:
pub mod failure;
pub mod figure;
mod latency;
pub mod record;
pub mod statistics;

// Doing:
pub mod session;

mod ledger;

mod target;

mod observe;

mod execute;

// Judging:
mod verify;

mod analysis;

// Telling:
pub mod report;

mod repeat;

mod compare;

mod selftest;

mod cli;

// What the program, the integration tests and the benchmarks use of the rooms that are not public as a whole.
pub use analysis::{Analysis, analyze};
pub use cli::run;
pub use load::{Loaded, Overrides, load, load_source};
pub use plan::{Grant, Plan};

#[cfg(test)]
mod fixture;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
