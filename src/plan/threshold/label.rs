//! The labels of thresholds: what of a metric is meant. It must not know which metric takes which label.

use crate::failure::{Failure, FailureKind, Side};
use crate::plan::CheckKind;

/// What a metric can be narrowed down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// The kind of a failure.
    Kind,
    /// The side of a failure.
    Side,
    /// The phase in which it happened.
    Phase,
    /// The database in which it happened.
    Database,
    /// The check that found it.
    Check,
}

impl Label {
    /// Its name in scenarios.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Side => "side",
            Self::Phase => "phase",
            Self::Database => "database",
            Self::Check => "check",
        }
    }
}

/// What of a metric is meant: all that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// Failures of this kind.
    pub kind: Option<FailureKind>,
    /// Failures on this side.
    pub side: Option<Side>,
    /// Only in this phase.
    pub phase: Option<String>,
    /// Only of this database, counted from 1.
    pub database: Option<u32>,
    /// Findings of this check.
    pub check: Option<CheckKind>,
}

impl Labels {
    /// Whether a failure is meant.
    pub fn fits(&self, failure: &Failure, phase: &str, database: Option<u32>) -> bool {
        self.kind.is_none_or(|kind| kind == failure.kind)
            && self.side.is_none_or(|side| side == failure.side)
            && self.phase.as_ref().is_none_or(|wanted| wanted == phase)
            && self.database.is_none_or(|wanted| database == Some(wanted))
    }
}
