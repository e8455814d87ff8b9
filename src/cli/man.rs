//! `stress man DIR`: a manual page of every command.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::generate_to;

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;

#[derive(Args)]
#[command(after_help = "Examples:
  stress man ~/.local/share/man/man1
  man stress-run")]
pub(super) struct Arguments {
    /// The directory for the pages
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pages of `Program`.
pub(super) fn run<Program: CommandFactory>(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let (directory, shown) = (&arguments.directory, arguments.directory.display());
    let written = std::fs::create_dir_all(directory).and_then(|()| generate_to(Program::command(), directory));
    written.map_err(|error| {
        Problem::could_not_run(format!("failed to write the pages to `{shown}`: {error}"))
            .help("name a writable directory")
    })?;
    terminal.tell(&format!("stress: the pages are in {shown}\n"));
    Ok(Exit::Pass)
}
