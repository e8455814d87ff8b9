//! `stress schema`: the JSON schema of a scenario, for editors and for reading.

use clap::Args;

use super::exit::Exit;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::scenario::schema::json_schema;

/// Print the JSON schema of scenarios, for editors. `validate` checks scenarios against the same schema.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stress schema > scenario.schema.json")]
pub(super) struct Arguments {}

/// Prints the schema.
#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub(super) fn run(_: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    terminal.print(&format!("{:#}\n", json_schema()));
    Ok(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_published() {
        let (mut terminal, out, _) = Terminal::for_test();
        assert_eq!(run(&Arguments {}, &mut terminal).expect("nothing is needed"), Exit::Pass);
        assert_eq!(out.take(), include_str!("../../schemas/scenario.schema.json"));
    }
}
