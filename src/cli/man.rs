//! `stress man DIR`: a manual page of every command.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::generate_to;

use super::{Exit, Terminal};

#[derive(Args)]
#[command(after_help = "Examples:
  stress man ~/.local/share/man/man1
  man stress-run")]
pub(super) struct Arguments {
    /// The directory for the pages
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pages.
pub(super) fn run(arguments: &Arguments, command: Command, terminal: &mut Terminal) -> Exit {
    let directory: &Path = &arguments.directory;
    let written = std::fs::create_dir_all(directory).and_then(|()| generate_to(command, directory));
    match written {
        Ok(()) => {
            terminal.tell(&format!("stress: the pages are in {}\n", directory.display()));
            Exit::Pass
        }
        Err(error) => {
            terminal.error(&format!("failed to write the pages to `{}`: {error}", directory.display()));
            Exit::CouldNotRun
        }
    }
}
