//! The program as its users meet it: real processes, in directories of their own, with nothing in their environment.

mod agreement;
mod bad_input;
mod cloud_data;
mod cloud_run;
mod cloudsync;
mod compare;
mod disk;
mod doctor;
mod exact;
#[cfg(unix)]
mod extension;
mod harness;
mod help;
#[cfg(unix)]
mod hostile;
mod hub;
mod local;
mod policies;
mod problems;
mod provision;
mod rate;
mod readme;
mod red;
mod reports;
mod reuse;
mod rules;
mod run_directory;
mod secrets;
mod selftest;
mod shipped;
mod signals;
mod standin;
mod streams;
mod values;
#[cfg(unix)]
mod wizard;
