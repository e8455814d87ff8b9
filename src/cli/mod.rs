//! The command line: arguments and environment in, text and exit codes out. Only this room prints. Every command has
//! the same shape; this file holds which there are.

mod attempt;
mod cleanup;
mod collector;
mod compare;
mod completions;
mod conduct;
mod crash;
mod directory;
mod doctor;
mod exit;
mod extension;
mod github;
mod help;
mod hub;
mod list;
mod man;
mod new;
mod overrides;
mod person;
mod plan;
mod preview;
mod problem;
mod progress;
mod provision;
mod recorded;
mod report;
mod reports;
mod reuse;
mod run;
mod schema;
mod selftest;
mod serve;
mod signals;
mod terminal;
mod validate;

use clap::{Parser, Subcommand};

use crate::session;
use problem::Problem;
use terminal::{Color, Terminal};

pub use exit::Exit;

/// Load-tests database sync: many SQLite databases write and sync at once, and a verdict says what broke, where, and
/// on whose side.
#[derive(Parser)]
#[command(
    name = "stress",
    version,
    after_help = format!("{}\n{}", Exit::table(), help::topics()),
    max_term_width = 110,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Whether to colour the output [default: where it is a terminal and NO_COLOR is not set]
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_default_value = true)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario and judge it
    Run(run::Arguments),
    /// Check scenarios without running them
    Validate(validate::Arguments),
    /// Show what a scenario will do
    Plan(plan::Arguments),
    /// List the scenarios of a directory
    List(list::Arguments),
    /// Write a commented scenario that runs as it is
    New(new::Arguments),
    /// Judge a finished run again
    Report(report::Arguments),
    /// Look whether everything a run needs is there, and say what to do
    Doctor(doctor::Arguments),
    /// Prepare a scenario's database in the cloud: tables, policies, sync
    Provision(provision::Arguments),
    /// Drop what a scenario has in the cloud, and forget its devices
    Cleanup(cleanup::Arguments),
    /// Install the CloudSync extension, or show where it is
    Extension(extension::Arguments),
    /// Say what changed between two runs, or two series of runs
    Compare(compare::Arguments),
    /// Plant every failure there is and see whether the checker finds it
    Selftest(selftest::Arguments),
    /// Start the embedded hub alone, for several processes to share, until Ctrl-C
    Hub(hub::Arguments),
    /// Print the JSON schema of a scenario
    Schema(schema::Arguments),
    /// Print what a shell needs to complete commands and flags
    Completions(completions::Arguments),
    /// Write a manual page of every command
    Man(man::Arguments),
    /// Tell about a command or a topic
    Help(help::Arguments),
}

/// Runs the command that the arguments name.
pub fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too, with exit code 0.
            let _ = error.print();
            return if error.exit_code() == 0 { Exit::Pass } else { Exit::Usage };
        }
    };
    crash::listen();
    session::tune_sqlite();
    let mut terminal = Terminal::new(cli.color);
    let done = cli.command.run(&mut terminal).unwrap_or_else(|problem| terminal.fail(&problem));
    terminal.unprinted().map_or_else(|problem| terminal.fail(&problem), |()| done)
}

impl Command {
    fn run(&self, terminal: &mut Terminal) -> Result<Exit, Problem> {
        match self {
            Self::Run(arguments) => run::run(arguments, terminal),
            Self::Validate(arguments) => validate::run(arguments, terminal),
            Self::Plan(arguments) => plan::run(arguments, terminal),
            Self::List(arguments) => list::run(arguments, terminal),
            Self::New(arguments) => new::run(arguments, terminal),
            Self::Report(arguments) => report::run(arguments, terminal),
            Self::Doctor(arguments) => doctor::run(arguments, terminal),
            Self::Provision(arguments) => provision::run(arguments, terminal),
            Self::Cleanup(arguments) => cleanup::run(arguments, terminal),
            Self::Extension(arguments) => extension::run(arguments, terminal),
            Self::Compare(arguments) => compare::run(arguments, terminal),
            Self::Selftest(arguments) => selftest::run(arguments, terminal),
            Self::Hub(arguments) => hub::run(arguments, terminal),
            Self::Schema(arguments) => schema::run(arguments, terminal),
            Self::Completions(arguments) => completions::run::<Cli>(arguments, terminal),
            Self::Man(arguments) => man::run::<Cli>(arguments, terminal),
            Self::Help(arguments) => help::run::<Cli>(arguments, terminal),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        Cli::command().debug_assert();
    }

    /// The words of a line as a shell takes them: what is in quotes is one.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split(['\'', '"']).enumerate();
        let words = parts.flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        words.collect()
    }

    /// The lines of a command's examples.
    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, examples)) = help.split_once("Examples:\n") else { return Vec::new() };
        examples.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn every_command_has_examples_and_each_is_understood() {
        let mut command = Cli::command();
        command.build();
        for command in command.get_subcommands() {
            let examples = examples(command);
            assert!(!examples.is_empty(), "{}", command.get_name());
            for example in examples.iter().filter(|example| example.starts_with("stress ")) {
                // What follows is for the shell.
                let typed = example.split(['>', '#']).next().unwrap_or_default();
                let typed = typed.split("  ").next().unwrap_or_default();
                let parsed = Cli::try_parse_from(words(typed));
                assert!(
                    parsed.is_ok(),
                    "{example}: {}",
                    parsed.err().map(|error| error.to_string()).unwrap_or_default()
                );
            }
        }
    }
}
