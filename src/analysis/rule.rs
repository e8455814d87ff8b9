//! The rules that a verdict follows from: what each is called, and where in the scenario it points.

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What speaks for the verdict.
    pub kind: RuleKind,
    /// What happened, in words.
    pub message: String,
    /// Where the threshold, check or phase that it is about stands in the scenario; none when it is about none.
    pub pointer: Option<String>,
}

/// What can speak for a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// Everything was done and holds.
    Held,
    /// The scenario says how the run must end.
    Expected,
    /// A worker panicked.
    Crash,
    /// A rule of `errors:` says that this failure fails the run.
    ErrorRule,
    /// A check does not hold.
    Check,
    /// A threshold is broken.
    Threshold,
    /// The run has no end.
    Killed,
    /// The time limit cut the work.
    TimeLimit,
    /// The run was interrupted or stopped.
    Interrupted,
    /// Nothing was done.
    NothingRan,
    /// No sync call succeeded.
    NothingSynced,
    /// The load generator hardly got to run.
    Starved,
    /// A phase was never done.
    PhaseSkipped,
    /// A check that was asked for could not be done.
    NotChecked,
    /// A threshold could not be measured.
    NotMeasured,
}

impl RuleKind {
    /// Its name in `report.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Expected => "expected",
            Self::Crash => "crash",
            Self::ErrorRule => "error_rule",
            Self::Check => "check",
            Self::Threshold => "threshold",
            Self::Killed => "killed",
            Self::TimeLimit => "time_limit",
            Self::Interrupted => "interrupted",
            Self::NothingRan => "nothing_ran",
            Self::NothingSynced => "nothing_synced",
            Self::Starved => "starved",
            Self::PhaseSkipped => "phase_skipped",
            Self::NotChecked => "not_checked",
            Self::NotMeasured => "not_measured",
        }
    }
}

/// A rule about the run as a whole.
pub(super) fn rule(kind: RuleKind, message: impl Into<String>) -> Rule {
    Rule { kind, message: message.into(), pointer: None }
}

impl Rule {
    /// The same, about what stands there.
    pub(super) fn at(self, pointer: Option<&str>) -> Self {
        Self { pointer: pointer.map(str::to_owned), ..self }
    }
}
