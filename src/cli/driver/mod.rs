//! `stress driver`: programs that drive a sync engine for the targets `driver` and `turso`.

mod install;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use install::Shipped;

#[derive(Args)]
#[command(after_help = "Examples:
  stress driver install turso")]
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
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    match &arguments.command {
        Action::Install { engine } => install::run(*engine, terminal)?,
    }
    Ok(Exit::Pass)
}
