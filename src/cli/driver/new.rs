//! `stress driver new`: writes a driver that works.

use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::problem::Problem;
use crate::cli::terminal::Terminal;
use crate::execute::write_new;

const SKELETON: &str = include_str!("../../../drivers/skeleton.py");

#[derive(Args)]
pub(super) struct Arguments {
    /// The file to write, such as my-driver.py
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let file = arguments.file.display();
    write_new(&arguments.file, SKELETON).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Problem::usage(format!("`{file}` exists already")).help("name another file, or remove this one first")
        }
        io::ErrorKind::NotFound => {
            Problem::could_not_run(format!("failed to write `{file}`: {error}")).help("create its directory first")
        }
        _ => Problem::could_not_run(format!("failed to write `{file}`: {error}")),
    })?;
    terminal.print(&format!(
        "written: {file}\n\n\
         It runs as it is, and syncs through a plain directory. Replace its first half with your engine, then check it:\n\n  \
         stress driver check python3 {file}\n\n\
         In a scenario:\n\n  \
         target:\n    driver:\n      command: [python3, {file}]\n\n\
         `stress help driver` describes the protocol.\n"
    ));
    Ok(Exit::Pass)
}
