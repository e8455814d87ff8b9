//! `stress list`: the scenarios of a directory, with a line, the profiles and the variables of each.

use std::path::{Path, PathBuf};

use clap::Args;

use super::overrides::check;
use super::{Exit, Terminal};
use crate::load::{self, Overrides};

#[derive(Args)]
#[command(after_help = "Examples:
  stress list
  stress list my/scenarios")]
pub(super) struct Arguments {
    /// The directory with the scenarios
    #[arg(value_name = "DIR", default_value = "scenarios")]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(&arguments.directory) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_yaml(path)).collect(),
        Err(error) => {
            terminal.error(&format!("failed to read the directory `{}`: {error}", arguments.directory.display()));
            return Exit::Usage;
        }
    };
    files.sort();
    if files.is_empty() {
        terminal.error(&format!(
            "there are no scenarios in `{}`\n  help: write one with `stress new NAME`",
            arguments.directory.display()
        ));
        return Exit::Usage;
    }
    let mut exit = Exit::Pass;
    for file in files {
        let path = file.display();
        if let Ok(loaded) = load::load(&file, &Overrides::default(), &check) {
            let scenario = &loaded.scenario;
            terminal.print(&format!("{path}\n    {}\n", scenario.description));
            if !loaded.profiles.is_empty() {
                terminal.print(&format!("    profiles: {}\n", loaded.profiles.join(", ")));
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
    exit
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}
