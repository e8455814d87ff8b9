//! A case of the selftest, and whether what was seen of it is what had to be seen.

use std::collections::BTreeSet;
use std::fmt;

use super::seen::{self, Seen};
use crate::analysis::Verdict;
use crate::failure::{FailureKind, Side};
use crate::load::{LoadError, Overrides, Variation, load_source};
use crate::plan::threshold::Metric;
use crate::plan::{CheckKind, Grant};
use crate::scenario::{EmbeddedOptions, Fault, FaultKind, Scenario, Target, TargetOptions};
use crate::source::Source;
use crate::verify::RowState;

/// A case of the self-test: a scenario, the injected fault, and what the run must report.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The name of the fault, with a suffix that distinguishes the case; or the name of the clean scenario.
    pub name: &'static str,
    /// The effect of the fault in this case, or the reason why the clean run looks suspicious.
    pub story: &'static str,
    /// The scenario, as YAML.
    pub scenario: &'static str,
    /// The size of the run; `None` for the size in the scenario.
    pub size: Option<Size>,
    /// The injected fault; `None` in a clean run.
    pub planted: Option<Planted>,
    /// What the run must report: exactly this.
    pub wanted: Wanted,
}

/// The size at which a shipped scenario runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// The number of databases.
    pub databases: u64,
    /// The number of iterations of each database.
    pub iterations: u64,
    /// The number of rows per phase.
    pub rows: u64,
}

/// An injected fault. It occurs on fixed occasions rather than by chance, so that the result does not depend on the seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planted {
    /// The kind of fault, such as `drop_row`.
    pub fault: FaultKind,
    /// The occasions of each database, counted from 1; every occasion if empty.
    pub at: &'static [u64],
    /// The databases; all if empty.
    pub databases: &'static [u32],
}

/// What a run must report. Anything else is a false alarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The verdict.
    pub verdict: Verdict,
    /// The kinds of failures of calls.
    pub kinds: &'static [FailureKind],
    /// The checks with findings.
    pub checks: &'static [CheckKind],
    /// The states of the rows that differ; any state if empty.
    pub states: &'static [RowState],
    /// The broken thresholds, except built-in ones.
    pub limits: &'static [Metric],
    /// The sides that the run blames.
    pub sides: &'static [Side],
    /// The databases in which calls failed.
    pub databases: &'static [u32],
}

impl Wanted {
    /// A run that passes and reports nothing.
    pub(crate) const GREEN: Self =
        Self { verdict: Verdict::Pass, kinds: &[], checks: &[], states: &[], limits: &[], sides: &[], databases: &[] };
    /// A run that fails; the caller adds the reasons.
    pub(crate) const RED: Self = Self { verdict: Verdict::Fail, ..Self::GREEN };
}

impl Case {
    /// What to run: the scenario with the seed and the planted failures in it.
    pub(crate) fn resolve(&self, seed: u64) -> Result<Variation, LoadError> {
        let overrides = Overrides {
            seed: Some(seed),
            databases: self.size.map(|size| size.databases),
            iterations: self.size.map(|size| size.iterations),
            rows: self.size.map(|size| size.rows),
            ..Overrides::default()
        };
        let path = self.path();
        let loaded = load_source(Source::parse(&path, self.scenario), &overrides)?;
        let faults = self.planted.iter().map(Planted::fault).collect();
        let options = EmbeddedOptions { faults, ..EmbeddedOptions::default() };
        let target = Target::Options(TargetOptions::Embedded(options));
        Variation::of(Scenario { target, ..loaded.into_first().scenario }, &path, &Grant::default())
    }

    /// The name under which the scenario is recorded.
    pub(crate) fn path(&self) -> String {
        format!("selftest/{}", self.name)
    }

    /// Whether the case injects this kind of fault.
    pub(crate) fn plants(&self, fault: FaultKind) -> bool {
        self.planted.is_some_and(|planted| planted.fault == fault)
    }

    /// Whether the case injects a fault that sync must tolerate.
    pub(crate) fn is_tolerated(&self) -> bool {
        self.planted.is_some() && self.wanted.verdict == Verdict::Pass
    }

    /// Whether the fault occurred and the run reported exactly what it must.
    pub(crate) fn is_met_by(&self, seen: &Seen) -> bool {
        self.planted.is_some() == (seen.strikes > 0) && self.wanted.is_met_by(seen)
    }
}

impl Planted {
    fn fault(&self) -> Fault {
        Fault { fault: self.fault, rate: None, at: self.at.to_vec(), databases: self.databases.to_vec() }
    }
}

impl Wanted {
    fn is_met_by(&self, seen: &Seen) -> bool {
        seen.verdict == self.verdict
            && same(&seen.kinds, self.kinds)
            && same(&seen.checks, self.checks)
            && (self.states.is_empty() || same(&seen.states, self.states))
            && same(&seen.limits, self.limits)
            && same(&seen.sides, self.sides)
            && same(&seen.databases, self.databases)
    }
}

fn same<T: Ord>(seen: &BTreeSet<T>, wanted: &[T]) -> bool {
    seen.len() == wanted.len() && wanted.iter().all(|one| seen.contains(one))
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        let mut named = set(&self.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        named.extend(self.checks.iter().map(|check| check.as_str().to_owned()));
        named.extend(self.limits.iter().map(|limit| limit.as_str().to_owned()));
        named.extend(self.states.iter().map(|state| state.as_str().to_owned()));
        let sides = self.sides.iter().map(|side| side.as_str()).collect::<Vec<_>>();
        write!(f, "{}: {} on {}", self.verdict, seen::list(&named), seen::list(&sides))?;
        if !self.databases.is_empty() {
            write!(f, ", {}", crate::verify::databases(self.databases))?;
        }
        Ok(())
    }
}
