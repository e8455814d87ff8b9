//! The command line: arguments and environment in, text and exit codes out. Only this room prints.

mod cleanup;
mod collector;
mod compare;
mod completions;
mod conduct;
mod crash;
mod directory;
mod doctor;
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
mod progress;
mod provision;
mod report;
mod reports;
mod reuse;
mod run;
mod schema;
mod selftest;
mod serve;
mod signals;
mod validate;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

use crate::analysis::Verdict;
use crate::diagnostic::{self, Diagnostic};
use crate::session;
use github::Github;

/// Load-tests database sync: many SQLite databases write and sync at the same time. The verdict says what broke, where,
/// and on which side.
#[derive(Parser)]
#[command(
    name = "stress",
    version,
    after_help = format!("{}\n{}", exit_codes(), help::topics()),
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
    /// Install the CloudSync extension, or print its path
    Extension(extension::Arguments),
    /// Compare runs, or series of runs, and report regressions
    Compare(compare::Arguments),
    /// Inject every fault of the embedded target and test that runs report it
    Selftest(selftest::Arguments),
    /// Run the embedded hub on its own, for several processes to share
    Hub(hub::Arguments),
    /// Print the JSON schema of a scenario
    Schema(schema::Arguments),
    /// Print the completion script for a shell
    Completions(completions::Arguments),
    /// Write manual pages for all commands
    Man(man::Arguments),
    /// Print help for a command or a topic
    Help(help::Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// The exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The verdict is PASS, or the command succeeded.
    Pass,
    /// The verdict is UNKNOWN.
    Unknown,
    /// The verdict is FAIL.
    Fail,
    /// Wrong arguments, or an invalid scenario.
    Usage,
    /// The run could not start: no extension, no server, no disk space.
    CouldNotRun,
    /// Stopped by a signal.
    Interrupted,
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl Exit {
    /// All exit codes, in ascending order.
    const ALL: [Self; 6] = [Self::Pass, Self::Fail, Self::Usage, Self::CouldNotRun, Self::Unknown, Self::Interrupted];

    const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::CouldNotRun => 3,
            Self::Unknown => 4,
            Self::Interrupted => 130,
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => {
                "PASS: every check and every threshold passed, and rows were synced if the scenario syncs; or the command succeeded"
            }
            Self::Fail => "FAIL: a check or a threshold failed; the last line names it. For `compare`: a regression",
            Self::Usage => "wrong arguments, or an invalid scenario",
            Self::CouldNotRun => {
                "the run could not start: no extension, no server, no disk space; or a report could not be written"
            }
            Self::Unknown => "UNKNOWN: nothing was synced, a phase never ran, or the time limit cut the run short",
            Self::Interrupted => {
                "interrupted; the first Ctrl-C finishes the running steps and reports, the second stops at once"
            }
        }
    }
}

/// The exit codes, for the end of `stress --help`.
fn exit_codes() -> String {
    let lines = Exit::ALL.map(|exit| {
        let meaning = exit.meaning().split([';', '.']).next().unwrap_or_default();
        format!("  {:<4} {meaning}\n", exit.code())
    });
    format!("Exit codes:\n{}", lines.concat())
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A stream whose reader may go away: it has seen what it wanted, and the command goes on to its exit code.
struct Patient<W>(W);

impl<W> Patient<W> {
    fn forgiven<T>(result: io::Result<T>, otherwise: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(otherwise),
            result => result,
        }
    }
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::forgiven(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::forgiven(self.0.flush(), ())
    }
}

/// Where a command prints, and how.
struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Whether errors are coloured.
    color: bool,
    /// Columns of a line.
    width: usize,
    /// Whether somebody watches the errors' stream.
    watched: bool,
    /// The job of GitHub Actions that runs us.
    github: Option<Github>,
    /// The first failure to print.
    failed: Option<io::Error>,
}

impl Terminal {
    fn new(color: Color) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        };
        let err = anstream::AutoStream::new(io::stderr(), choice);
        let color = err.current_choice() != anstream::ColorChoice::Never;
        let (_, columns) = console::Term::stdout().size_checked().unwrap_or((0, 100));
        Self {
            out: Box::new(Patient(anstream::AutoStream::new(io::stdout(), choice))),
            err: Box::new(err),
            color,
            width: usize::from(columns).clamp(60, 160),
            watched: io::stderr().is_terminal(),
            github: Github::from_environment(),
            failed: None,
        }
    }

    /// Prints to stdout. What could not be printed is told at the end.
    fn print(&mut self, text: &str) {
        if let Err(error) = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            self.failed.get_or_insert(error);
        }
    }

    /// Prints to stderr.
    fn tell(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }

    /// Shows problems of a scenario on stderr.
    fn show(&mut self, diagnostics: &[Diagnostic]) {
        self.tell(&diagnostic::render(diagnostics, self.color, self.width));
        if self.github.is_some() {
            self.tell(&github::annotations(diagnostics));
        }
    }

    /// Prints an error to stderr.
    fn error(&mut self, text: &str) {
        let style = anstyle::AnsiColor::Red.on_default().bold();
        self.tell(&format!("{style}error:{style:#} {}\n", text.trim_end()));
    }
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
    let terminal = &mut terminal;
    let done = match cli.command {
        Command::Run(arguments) => Ok(run::run(&arguments, terminal)),
        Command::Validate(arguments) => {
            let on_github = terminal.github.is_some();
            validate::run(&arguments, &mut terminal.out, &mut terminal.err, terminal.color, on_github)
        }
        Command::Plan(arguments) => Ok(plan::run(&arguments, terminal)),
        Command::List(arguments) => Ok(list::run(&arguments, terminal)),
        Command::New(arguments) => Ok(new::run(&arguments, terminal)),
        Command::Report(arguments) => Ok(report::run(
            &arguments,
            report::planned,
            &mut terminal.out,
            &mut terminal.err,
            // The stream itself takes colours away where they are not wanted.
            true,
            terminal.width,
        )),
        Command::Doctor(arguments) => Ok(doctor::run(&arguments, terminal)),
        Command::Provision(arguments) => Ok(provision::run(&arguments, terminal)),
        Command::Cleanup(arguments) => Ok(cleanup::run(&arguments, terminal)),
        Command::Extension(arguments) => Ok(extension::run(&arguments, terminal)),
        Command::Compare(arguments) => Ok(compare::run(&arguments, terminal)),
        Command::Selftest(arguments) => Ok(selftest::run(&arguments, terminal)),
        Command::Hub(arguments) => Ok(hub::run(arguments, &mut terminal.out, &mut terminal.err)),
        Command::Schema(arguments) => schema::run(&arguments, &mut terminal.out),
        Command::Completions(arguments) => Ok(completions::run(&arguments, Cli::command(), terminal)),
        Command::Man(arguments) => Ok(man::run(&arguments, Cli::command(), terminal)),
        Command::Help(arguments) => Ok(help::run(&arguments, &mut Cli::command(), terminal)),
    };
    let done = match terminal.failed.take() {
        Some(error) => done.and(Err(error)),
        None => done,
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            terminal.error(&format!("failed to print: {error}"));
            Exit::CouldNotRun
        }
    }
}

#[cfg(test)]
mod tests {
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
