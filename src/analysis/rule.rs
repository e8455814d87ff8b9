//! The rules that a verdict follows from: what each is called, and where in the scenario it points.

/// A reason for the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The kind of reason.
    pub kind: RuleKind,
    /// The reason in words.
    pub message: String,
    /// Where the threshold, check or phase that it is about stands in the scenario; none when it is about none.
    pub pointer: Option<String>,
}

/// The kinds of reasons for a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    /// Everything ran and passed.
    Held,
    /// The scenario's `expect` decides.
    Expected,
    /// A worker thread of `stress` panicked.
    Crash,
    /// A rule under `errors:` fails the run because of a failure.
    ErrorRule,
    /// A check failed.
    Check,
    /// A threshold is not met.
    Threshold,
    /// The record contradicts itself, or its scenario.
    Disagrees,
    /// The record has no end.
    Killed,
    /// The time limit ended the run early.
    TimeLimit,
    /// The run was interrupted or stopped.
    Interrupted,
    /// Neither SQL nor a sync call ran.
    NothingRan,
    /// No sync call succeeded.
    NothingSynced,
    /// No writing phase changed a row.
    NothingChanged,
    /// The machine was too slow for the load generator.
    Starved,
    /// A phase never ran.
    PhaseSkipped,
    /// A check of the scenario could not be made.
    NotChecked,
    /// A threshold could not be measured.
    NotMeasured,
}

impl RuleKind {
    /// The kind's name in `report.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Expected => "expected",
            Self::Crash => "crash",
            Self::ErrorRule => "error_rule",
            Self::Check => "check",
            Self::Threshold => "threshold",
            Self::Disagrees => "disagrees",
            Self::Killed => "killed",
            Self::TimeLimit => "time_limit",
            Self::Interrupted => "interrupted",
            Self::NothingRan => "nothing_ran",
            Self::NothingSynced => "nothing_synced",
            Self::NothingChanged => "nothing_changed",
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
