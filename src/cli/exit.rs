//! The exit codes: how a process ends, and what each code tells its caller.

use std::process::ExitCode;

use crate::analysis::Verdict;

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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Exit {
    /// All exit codes, in ascending order.
    pub(super) const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Usage, Self::CouldNotRun, Self::Unknown, Self::Interrupted];

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::CouldNotRun => 3,
            Self::Unknown => 4,
            Self::Interrupted => 130,
        }
    }

    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Pass => {
                "PASS: every check and every threshold passed, and rows were synced if the scenario syncs; or the command succeeded"
            }
            Self::Fail => "FAIL: a check or a threshold failed; the last line names it. For `compare`: a regression",
            Self::Usage => "wrong arguments, or an invalid scenario",
            Self::CouldNotRun => {
                "the run could not start: no extension, no server, no disk space; or a report could not be written"
            }
            Self::Unknown => {
                "UNKNOWN: nothing was written or synced, a phase never ran, the time limit cut the run short, or the record contradicts itself"
            }
            Self::Interrupted => {
                "interrupted; the first Ctrl-C finishes the running steps and reports, the second stops at once and reports, the third kills the run"
            }
        }
    }

    /// The table of all codes, for the end of `stress --help`.
    pub(super) fn table() -> String {
        let lines = Self::ALL.map(|exit| {
            let meaning = exit.meaning().split([';', '.']).next().unwrap_or_default();
            format!("  {:<4} {meaning}\n", exit.code())
        });
        format!("Exit codes:\n{}", lines.concat())
    }
}
