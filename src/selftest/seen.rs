//! The part of a judged run's report that the self-test compares.

use std::collections::BTreeSet;

use crate::analysis::{Analysis, LimitState, Verdict};
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::plan::threshold::Metric;
use crate::scenario::Severity;
use crate::verify::{RowState, databases};

/// What a run reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The verdict.
    pub verdict: Verdict,
    /// The kinds of failures of calls, retried ones included.
    pub kinds: BTreeSet<FailureKind>,
    /// The checks with findings.
    pub checks: BTreeSet<CheckKind>,
    /// The states of the rows that differ.
    pub states: BTreeSet<RowState>,
    /// The broken thresholds, except built-in ones.
    pub limits: BTreeSet<Metric>,
    /// The sides that the run blames.
    pub sides: BTreeSet<Side>,
    /// The databases in which calls failed.
    pub databases: BTreeSet<u32>,
    /// The number of times the fault occurred.
    pub strikes: u64,
    /// The reason for the verdict, in words.
    pub rule: String,
}

impl Seen {
    /// What an analysis reports about a fault that occurred `struck` times.
    pub(crate) fn of(analysis: &Analysis, strikes: u64) -> Self {
        let groups = &analysis.errors.groups;
        let found = analysis.checks.iter().filter(|result| !result.findings().is_empty());
        let checks: BTreeSet<CheckKind> = found.map(|result| result.check).collect();
        let rows =
            analysis.checks.iter().flat_map(crate::verify::CheckResult::findings).flat_map(|finding| &finding.rows);
        let states: BTreeSet<RowState> = rows.map(|row| row.state).collect();
        let broken = analysis.thresholds.iter().filter(|result| {
            !result.is_built_in() && result.severity == Severity::Fail && result.state == LimitState::Broken
        });
        let limits: BTreeSet<Metric> = broken.map(|result| result.metric).collect();
        let mut sides: BTreeSet<Side> = groups.iter().map(|group| group.side).collect();
        sides.extend(checks.iter().map(|check| check.side()));
        sides.extend(limits.iter().flat_map(|limit| limit.description().sides));
        Self {
            verdict: analysis.verdict,
            kinds: groups.iter().map(|group| group.kind).collect(),
            checks,
            states,
            limits,
            sides,
            databases: groups.iter().flat_map(|group| group.databases.iter().copied()).collect(),
            strikes,
            rule: analysis.rules.first().map(|rule| rule.message.clone()).unwrap_or_default(),
        }
    }

    /// The names of everything that was reported.
    pub(crate) fn named(&self) -> String {
        let mut named: Vec<String> = self.kinds.iter().map(ToString::to_string).collect();
        named.extend(self.checks.iter().map(ToString::to_string));
        named.extend(self.limits.iter().map(ToString::to_string));
        let states: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
        let states = if states.is_empty() { String::new() } else { format!("; {}", list(&states)) };
        format!("{}{states}", list(&named))
    }

    /// The sides that were blamed.
    pub(crate) fn blamed(&self) -> String {
        let sides: Vec<&str> = self.sides.iter().map(|side| side.as_str()).collect();
        let indexes: Vec<u32> = self.databases.iter().copied().collect();
        let which = if indexes.is_empty() { String::new() } else { format!(" ({})", databases(&indexes)) };
        format!("{}{which}", list(&sides))
    }
}

/// `a, b`, or a dash for an empty list.
pub(super) fn list<T: AsRef<str>>(items: &[T]) -> String {
    if items.is_empty() {
        return "–".to_owned();
    }
    items.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}
