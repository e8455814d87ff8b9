//! The command line: arguments and environment in, text and exit codes out. Only this room prints.

pub mod hub;

use std::process::ExitCode;

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The verdict is PASS, or the command did what it was asked to.
    Pass,
    /// The verdict is FAIL.
    Fail,
    /// Wrong arguments, or an invalid scenario.
    Usage,
    /// The run could not be made: no extension, no server, no disk.
    CouldNotRun,
    /// The verdict is UNKNOWN.
    Unknown,
    /// Stopped by a signal.
    Interrupted,
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
