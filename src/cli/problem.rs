//! Why a command does not do what it was asked to: the message, what to do about it, and how the process ends. The
//! errors of the rooms below become problems here; the terminal prints them.

use std::fmt;
use std::io;
use std::path::Path;

use super::exit::Exit;
use crate::diagnostic::{Diagnostic, count};
use crate::execute::ExecuteError;
use crate::target::TargetError;
use crate::target::embedded::HubError;

/// Why a command ends early.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) exit: Exit,
    /// The problem, in words.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<String>,
    /// What is wrong in the text of a scenario, each with its place.
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Problem {
    /// Wrong arguments.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), help: None, diagnostics: Vec::new() }
    }

    /// Something that is needed is not there, or fails.
    pub(super) fn could_not_run(message: impl Into<String>) -> Self {
        Self { exit: Exit::CouldNotRun, ..Self::usage(message) }
    }

    /// A scenario that is not good, by everything that was found in it.
    pub(super) fn scenario(file: &Path, diagnostics: Vec<Diagnostic>) -> Self {
        let message = format!("failed to load `{}`: {}", file.display(), count(&diagnostics));
        Self { diagnostics, ..Self::usage(message) }
    }

    /// The process ends as interrupted where a signal is the cause.
    pub(super) fn interrupted(self, by_signal: bool) -> Self {
        if by_signal { Self { exit: Exit::Interrupted, ..self } } else { self }
    }

    /// Adds what to do about it.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// All of it as plain text, for whatever has no place for the parts.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "{}", diagnostic.line())?;
        }
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {help}"))
    }
}

impl From<TargetError> for Problem {
    fn from(TargetError { message, help }: TargetError) -> Self {
        Self::could_not_run(message).help(help)
    }
}

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        Self { help: error.help().map(str::to_owned), ..Self::could_not_run(error.to_string()) }
    }
}

impl From<HubError> for Problem {
    fn from(error: HubError) -> Self {
        Self { help: error.help().map(str::to_owned), ..Self::could_not_run(format!("failed to {error}")) }
    }
}

impl From<ctrlc::Error> for Problem {
    fn from(error: ctrlc::Error) -> Self {
        Self::could_not_run(format!("failed to listen for Ctrl-C: {error}"))
            .help("the system may not let a thread start: raise the limit of processes with `ulimit -u`")
    }
}

impl From<dialoguer::Error> for Problem {
    fn from(dialoguer::Error::IO(error): dialoguer::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::Interrupted { Exit::Interrupted } else { Exit::CouldNotRun };
        Self { exit, ..Self::usage(format!("failed to ask: {error}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_text_has_every_part() {
        let diagnostic = Diagnostic::free("a.yaml", "file::missing", "does not exist").help(Some("check it".into()));
        let problem = Problem::scenario(Path::new("a.yaml"), vec![diagnostic]).help("see `stress list`");
        assert_eq!(
            problem.to_string(),
            "a.yaml: error[file::missing]: does not exist -> check it\nfailed to load `a.yaml`: 1 error\n  help: see `stress list`"
        );
        assert_eq!(Problem::could_not_run("no disk").to_string(), "no disk");
    }
}
