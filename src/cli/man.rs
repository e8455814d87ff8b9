//! `stress man DIR`: a manual page of every command.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::execute::write_whole;

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
    std::fs::create_dir_all(directory).map_err(|error| {
        Problem::could_not_run(format!("failed to write the pages to `{shown}`: {error}"))
            .help("name a writable directory")
    })?;
    let mut command = Program::command().disable_help_subcommand(true);
    command.build();
    write(&command, directory)?;
    terminal.tell(&format!("stress: the pages are in {shown}\n"));
    Ok(Exit::Pass)
}

/// Writes the page of a command and those of its own commands.
fn write(command: &Command, directory: &Path) -> Result<(), Problem> {
    for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        write(one, directory)?;
    }
    let (page, mut text) = (Man::new(command.clone()), Vec::new());
    page.render(&mut text).expect("memory takes what is written");
    Ok(write_whole(&directory.join(page.get_filename()), &String::from_utf8_lossy(&text))?)
}
