//! `stress list`: the scenarios of a directory, with a line, the profiles and the variables of each.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::overrides;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::load::Overrides;

#[derive(Args)]
#[command(after_help = "Examples:
  stress list
  stress list my/scenarios")]
pub(super) struct Arguments {
    /// The directory with the scenarios
    #[arg(value_name = "DIR", default_value = "scenarios")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let directory = arguments.directory.display();
    let entries = std::fs::read_dir(&arguments.directory)
        .map_err(|error| Problem::usage(format!("failed to read the directory `{directory}`: {error}")))?;
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = files.filter(|path| is_yaml(path)).collect();
    files.sort();
    if files.is_empty() {
        let message = format!("there are no scenarios in `{directory}`");
        return Err(Problem::usage(message).help("write one with `stress new NAME`"));
    }
    let mut exit = Exit::Pass;
    for file in files {
        let path = file.display();
        if let Ok(loaded) = overrides::load(&file, &Overrides::default()) {
            let profiles = loaded.profiles.clone();
            let scenario = loaded.into_first().scenario;
            terminal.print(&format!("{path}\n    {}\n", scenario.description));
            if !profiles.is_empty() {
                terminal.print(&format!("    profiles: {}\n", profiles.join(", ")));
            }
            if !scenario.vars.is_empty() {
                let vars: Vec<String> = scenario.vars.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                terminal.print(&format!("    variables: {}\n", vars.join(", ")));
            }
        } else {
            terminal.print(&format!("{path}\n    invalid: see `stress validate {path}`\n"));
            exit = Exit::Usage;
        }
    }
    Ok(exit)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}
