//! The program as its users meet it: real processes, in directories of their own, with nothing in their environment.

mod agreement;
mod alter;
mod bad_input;
mod besieged;
mod clean;
mod cloud_data;
mod cloud_run;
mod cloudsync;
mod compare;
mod disk;
mod doctor;
mod environment;
mod exact;
#[cfg(unix)]
mod extension;
mod files;
mod harness;
mod help;
#[cfg(unix)]
mod hostile;
mod hub;
mod limits;
mod local;
mod planted_secrets;
mod policies;
mod problems;
mod provision;
mod rate;
mod readme;
mod red;
#[path = "../harness/relay.rs"]
mod relay;
mod relayed;
mod reports;
mod reuse;
mod rules;
mod run_directory;
mod sandbox;
mod secrets;
mod selftest;
mod shipped;
mod signals;
#[path = "../harness/small_disk.rs"]
mod small_disk;
mod standin;
mod streams;
mod sync_calls;
#[cfg(unix)]
mod tables;
mod terminal;
mod turso;
mod values;
#[cfg(unix)]
mod wizard;
