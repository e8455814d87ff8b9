//! `stress schema`: the JSON schema of a scenario, for editors and for reading.

use std::io::{self, Write};

use clap::Args;

use super::Exit;
use crate::scenario::schema::json_schema;

/// Print the JSON schema of scenarios, for editors. `validate` checks scenarios against the same schema.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stress schema > scenario.schema.json")]
pub(crate) struct Arguments {}

/// Writes the schema to `out`.
pub(crate) fn run(_: &Arguments, out: &mut dyn Write) -> io::Result<Exit> {
    writeln!(out, "{:#}", json_schema())?;
    Ok(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_published() {
        let mut out = Vec::new();
        assert_eq!(run(&Arguments {}, &mut out).expect("a Vec takes everything"), Exit::Pass);
        assert_eq!(String::from_utf8_lossy(&out), include_str!("../../schemas/scenario.schema.json"));
    }
}
