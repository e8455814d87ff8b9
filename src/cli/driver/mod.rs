//! `stress driver`: programs that drive a sync engine for the targets `driver` and `turso` are installed, written and
//! checked. The subcommands have files of their own.

mod check;
mod conformance;
mod install;
mod new;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use install::Shipped;

#[derive(Args)]
#[command(after_help = "`stress help driver` describes the protocol.

Examples:
  stress driver install turso
  stress driver new my-driver.py
  stress driver check python3 my-driver.py
  stress driver check --setting url=http://127.0.0.1:8080 --timeout 30s ./my-driver")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Install the client and the server of an engine whose driver ships with stress
    Install {
        /// The engine
        #[arg(value_enum, value_name = "ENGINE")]
        engine: Shipped,
    },
    /// Write a driver in Python that works, to start from
    New(new::Arguments),
    /// Check that a driver follows the protocol
    Check(check::Arguments),
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    match &arguments.command {
        Action::Install { engine } => install::run(*engine, terminal).map(|()| Exit::Pass),
        Action::New(arguments) => new::run(arguments, terminal),
        Action::Check(arguments) => check::run(arguments, terminal),
    }
}
