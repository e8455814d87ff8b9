//! `stress schema`: the JSON schemas of a scenario and of the driver protocol, for editors and for reading.

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::{scenario, session};

/// Print a JSON schema. `validate` checks scenarios against the schema of scenarios.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stress schema > scenario.schema.json
  stress schema driver > driver.schema.json")]
pub(super) struct Arguments {
    /// Whose schema
    #[arg(value_enum, value_name = "OF", default_value = "scenario")]
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
    /// Scenarios
    Scenario,
    /// The messages of the driver protocol
    Driver,
}

/// Prints the schema.
#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let schema = match arguments.of {
        Of::Scenario => scenario::schema::json_schema(),
        Of::Driver => session::driver::json_schema(),
    };
    terminal.print(&format!("{schema:#}\n"));
    Ok(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_published() {
        let published = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
        for (of, file) in [(Of::Scenario, "scenario.schema.json"), (Of::Driver, "driver.schema.json")] {
            let (mut terminal, out, _) = Terminal::for_test();
            assert_eq!(run(&Arguments { of }, &mut terminal).expect("nothing is needed"), Exit::Pass);
            let (path, printed) = (std::path::Path::new(published).join(file), out.take());
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &printed).expect("the schema can be written");
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == printed, "run the tests with UPDATE_SCHEMAS=1 and commit {}", path.display());
        }
    }
}
