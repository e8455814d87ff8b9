//! The command line: arguments and environment in, text and exit codes out. Only this room prints.

mod cleanup;
mod compare;
mod conduct;
mod crash;
mod directory;
mod doctor;
mod extension;
mod hub;
mod list;
mod new;
mod overrides;
mod person;
mod plan;
mod preview;
mod progress;
mod provision;
mod report;
mod reuse;
mod run;
mod schema;
mod selftest;
mod signals;
mod validate;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::analysis::Verdict;

use crate::session;

/// What every `--help` ends with.
const EXIT_CODES: &str = "\
Exit codes:
  0    PASS, or the command did what it was asked to
  1    FAIL
  2    wrong usage, or an invalid scenario
  3    could not run: no extension, no server, no disk
  4    UNKNOWN: not enough was done to say
  130  interrupted";

/// Load-tests database sync: many SQLite databases write and sync at once, and a verdict says what broke, where, and
/// on whose side.
#[derive(Parser)]
#[command(name = "stress", version, after_help = EXIT_CODES, max_term_width = 110)]
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
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The verdict is PASS, or the command did what it was asked to.
    Pass,
    /// The verdict is UNKNOWN.
    Unknown,
    /// The verdict is FAIL.
    Fail,
    /// Wrong arguments, or an invalid scenario.
    Usage,
    /// The run could not be made: no extension, no server, no disk.
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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Usage => 2,
            Exit::CouldNotRun => 3,
            Exit::Unknown => 4,
            Exit::Interrupted => 130,
        })
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
        Command::Validate(arguments) => validate::run(&arguments, &mut terminal.out, &mut terminal.err, terminal.color),
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
    use clap::CommandFactory;

    #[test]
    fn the_arguments_of_all_commands_fit_together() {
        super::Cli::command().debug_assert();
    }
}
