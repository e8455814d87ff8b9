//! The terminal: where a command prints, and how. Problems are printed here, and nowhere else.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use super::exit::Exit;
use super::github::{self, Github};
use super::hidden;
use super::problem::Problem;
use crate::diagnostic::{self, Diagnostic};

/// When output is coloured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// Where a command prints, and how.
pub(super) struct Terminal {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Whether errors are coloured.
    pub(super) color: bool,
    /// Columns of a line.
    pub(super) width: usize,
    /// Whether somebody watches the errors' stream.
    pub(super) watched: bool,
    /// The job of GitHub Actions that runs us.
    pub(super) github: Option<Github>,
    /// The first failure to print.
    failed: Option<io::Error>,
}

impl Terminal {
    /// That of this process.
    pub(super) fn new(color: Color) -> Self {
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

    /// Prints to stdout, with every secret hidden. What could not be printed is told at the end.
    pub(super) fn print(&mut self, text: &str) {
        let text = hidden::redact(text.to_owned());
        if let Err(error) = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            self.failed.get_or_insert(error);
        }
    }

    /// Prints to stderr, with every secret hidden.
    pub(super) fn tell(&mut self, text: &str) {
        self.tell_openly(&hidden::redact(text.to_owned()));
    }

    /// Has GitHub hide what is secret, where it runs us: also from the output of others.
    pub(super) fn mask(&mut self) {
        if self.github.is_some() {
            self.tell_openly(&github::masks(&hidden::values()));
        }
    }

    fn tell_openly(&mut self, text: &str) {
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }

    /// Shows problems of a scenario on stderr.
    pub(super) fn show(&mut self, diagnostics: &[Diagnostic]) {
        // Before lines are wrapped, within what should be hidden.
        let diagnostics: Vec<Diagnostic> = diagnostics.iter().map(|one| one.mapped(hidden::redact)).collect();
        let diagnostics = diagnostics.as_slice();
        self.tell(&diagnostic::render(diagnostics, self.color, self.width));
        if self.github.is_some() {
            self.tell(&github::annotations(diagnostics));
        }
    }

    /// Prints a problem to stderr, and gives how the process ends by it.
    pub(super) fn fail(&mut self, problem: &Problem) -> Exit {
        let Problem { exit, message, help, diagnostics } = problem;
        self.show(diagnostics);
        let red = anstyle::AnsiColor::Red.on_default().bold();
        self.tell(&format!("{red}error:{red:#} {}\n", message.trim_end()));
        if let Some(help) = help {
            let cyan = anstyle::AnsiColor::Cyan.on_default();
            self.tell(&format!("{cyan}  help:{cyan:#} {help}\n"));
        }
        *exit
    }

    /// How the process ends that would end like this: tells what could not be printed.
    pub(super) fn end(&mut self, exit: Exit) -> Exit {
        let Some(error) = self.failed.take() else { return exit };
        self.fail(&Problem::could_not_run(format!("failed to print: {error}")))
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

/// What a command under test printed.
#[cfg(test)]
#[derive(Clone, Default)]
pub(super) struct Printed(std::rc::Rc<std::cell::RefCell<Vec<u8>>>);

#[cfg(test)]
impl Printed {
    /// It, without colours; it starts anew.
    pub(super) fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.borrow_mut());
        anstream::adapter::strip_str(&String::from_utf8(bytes).expect("commands print UTF-8")).to_string()
    }
}

#[cfg(test)]
impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Terminal {
    /// One for a command under test, with what it prints to stdout and stderr.
    pub(super) fn for_test() -> (Self, Printed, Printed) {
        let (out, err) = (Printed::default(), Printed::default());
        let terminal = Self {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            color: false,
            width: 100,
            watched: false,
            github: None,
            failed: None,
        };
        (terminal, out, err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_printed_with_its_help_on_a_line_of_its_own() {
        let (mut terminal, out, err) = Terminal::for_test();
        let problem = Problem::could_not_run("the disk is full\n").help("make room");
        assert_eq!(terminal.fail(&problem), Exit::CouldNotRun);
        assert_eq!((out.take(), err.take()), (String::new(), "error: the disk is full\n  help: make room\n".into()));
        assert_eq!(terminal.fail(&Problem::usage("no")), Exit::Usage);
        assert_eq!(err.take(), "error: no\n");
    }
}
