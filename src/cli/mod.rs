//! The command line: arguments and environment in, text and exit codes out. Only this room prints. Every command has
//! the same shape; this file holds which there are.

mod attempt;
mod clean;
mod cleanup;
mod collector;
mod compare;
mod completions;
mod conduct;
mod crash;
mod directory;
mod doctor;
mod driver;
mod exit;
mod extension;
mod fuzz;
mod github;
mod help;
mod hidden;
mod hub;
mod limits;
mod list;
mod man;
mod new;
mod old_runs;
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
mod trial;
mod validate;

use clap::{Parser, Subcommand};

use crate::session;
use problem::Problem;
use terminal::{Color, Terminal};

pub(crate) use exit::Exit;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use recorded::recorded;

/// Load-tests database sync: many SQLite databases write and sync at the same time. The verdict says what broke, where,
/// and on which side.
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
    /// When to colour the output [default: on a terminal, unless NO_COLOR is set]
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_default_value = true)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scenario and judge it
    Run(run::Arguments),
    /// Check scenarios without running them
    Validate(validate::Arguments),
    /// Show what a scenario will do, without running it
    Plan(plan::Arguments),
    /// List the scenarios in a directory
    List(list::Arguments),
    /// Create a commented scenario that is ready to run
    New(new::Arguments),
    /// Report a recorded run again, in any format
    Report(report::Arguments),
    /// Check that everything a run needs is in place
    Doctor(doctor::Arguments),
    /// Prepare a scenario's database on the server: tables, policies, sync
    Provision(provision::Arguments),
    /// Remove a scenario's tables and devices from the server
    Cleanup(cleanup::Arguments),
    /// Remove the directories of old runs
    Clean(clean::Arguments),
    /// Install the CloudSync extension, or print its path
    Extension(extension::Arguments),
    /// Install, write or check drivers of other sync engines
    Driver(driver::Arguments),
    /// Compare runs, or series of runs, and report regressions
    Compare(compare::Arguments),
    /// Inject every fault of the embedded target and test that runs report it
    Selftest(selftest::Arguments),
    /// Run the embedded hub on its own, for several processes to share
    Hub(hub::Arguments),
    /// Print the JSON schema of a scenario, or of the driver protocol
    Schema(schema::Arguments),
    /// Print the completion script for a shell
    Completions(completions::Arguments),
    /// Write manual pages for all commands
    Man(man::Arguments),
    /// Print help for a command or a topic
    Help(help::Arguments),
}

/// Runs the command that the arguments name.
pub fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too, with exit code 0.
            let mut terminal = Terminal::new(Color::Auto);
            let text = error.render().ansi().to_string();
            if error.exit_code() == 0 {
                terminal.print(&text);
                return terminal.end(Exit::Pass);
            }
            terminal.tell(&text);
            return Exit::Usage;
        }
    };
    crash::listen();
    signals::outlive_large_files();
    session::tune_sqlite();
    let mut terminal = Terminal::new(cli.color);
    let done = cli.command.run(&mut terminal).unwrap_or_else(|problem| terminal.fail(&problem));
    terminal.end(done)
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
            Self::Clean(arguments) => clean::run(arguments, terminal),
            Self::Extension(arguments) => extension::run(arguments, terminal),
            Self::Driver(arguments) => driver::run(arguments, terminal),
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
