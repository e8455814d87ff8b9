//! `stress new`: a commented scenario that runs as it is.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Terminal};

const TEMPLATE: &str = include_str!("new.yaml");
const PLACEHOLDER: &str = "__NAME__";

#[derive(Args)]
pub(super) struct Arguments {
    /// The scenario's name: letters, digits, - and _
    name: String,
    /// Where to write it [default: scenarios/<NAME>.yaml]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let name = &arguments.name;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(fits) || name.len() > 80 {
        terminal.error(&format!(
            "`{name}` is not a name for a scenario\n  help: use letters, digits, `-` and `_`, a letter or digit first"
        ));
        return Exit::Usage;
    }
    let file = arguments.file.clone().unwrap_or_else(|| Path::new("scenarios").join(format!("{name}.yaml")));
    match write_new(&file, &TEMPLATE.replace(PLACEHOLDER, name)) {
        Ok(()) => {
            let path = file.display();
            terminal.print(&format!("wrote {path}\n\n  stress plan {path}\n  stress run {path}\n"));
            Exit::Pass
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            terminal.error(&format!(
                "`{}` exists already\n  help: choose another name, or another place with `--file`",
                file.display()
            ));
            Exit::Usage
        }
        Err(error) => {
            terminal.error(&format!("failed to write `{}`: {error}", file.display()));
            Exit::CouldNotRun
        }
    }
}

fn write_new(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| match error.kind() {
            // A file stands where the directory would be: it is not the scenario that exists.
            std::io::ErrorKind::AlreadyExists => std::io::ErrorKind::NotADirectory.into(),
            _ => error,
        })?;
    }
    std::fs::OpenOptions::new().write(true).create_new(true).open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_scenario_has_no_problems() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("mine.yaml");
        write_new(&file, &TEMPLATE.replace(PLACEHOLDER, "mine")).expect("written");
        let loaded = crate::load::load(&file, &crate::load::Overrides::default(), &super::super::overrides::check);
        let loaded =
            loaded.unwrap_or_else(|error| panic!("{}", crate::diagnostic::render(&error.diagnostics(), false, 100)));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}
