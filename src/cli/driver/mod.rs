//! `stress driver`: a driver of one's own is written and checked. The subcommands have files of their own.

mod check;
mod conformance;
mod new;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;

#[derive(Args)]
#[command(after_help = "`stress help driver` describes the protocol.

Examples:
  stress driver new my-driver.py
  stress driver check python3 my-driver.py
  stress driver check --setting url=http://127.0.0.1:8080 --timeout 30s ./my-driver")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write a driver in Python that works, to start from
    New(new::Arguments),
    /// Check that a driver follows the protocol
    Check(check::Arguments),
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    match &arguments.command {
        Action::New(arguments) => new::run(arguments, terminal),
        Action::Check(arguments) => check::run(arguments, terminal),
    }
}
