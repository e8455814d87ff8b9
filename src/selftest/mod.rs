//! The checker proves itself: short runs with a failure planted in each, what must be seen of it and whom to blame, and
//! clean runs that must stay green. Cases are data, judging them is pure; making the runs is left to the command line.

mod clean;
mod planted;
mod seen;
mod table;

pub use clean::clean;
pub use planted::planted;
pub use seen::Seen;
pub use table::{line, table};

use std::collections::BTreeSet;
use std::fmt;

use crate::analysis::Verdict;
use crate::failure::{FailureKind, Side};
use crate::load::{LoadError, Overrides, load_source};
use crate::plan::threshold::{CheckKind, Metric};
use crate::scenario::{EmbeddedOptions, Fault, FaultKind, Scenario, Target, TargetOptions};
use crate::source::Source;
use crate::verify::RowState;

/// A run of the selftest: what is planted in which scenario, and what must be seen of it.
#[derive(Debug, Clone)]
pub struct Case {
    /// The planted failure's name with what sets this case apart, or the clean scenario's name.
    pub name: &'static str,
    /// What the planted failure does here, or what the clean run could be mistaken for.
    pub story: &'static str,
    /// The scenario, as YAML.
    pub scenario: &'static str,
    /// Its size, where it is not the file's own.
    pub size: Option<Size>,
    /// What is planted; nothing in a clean run.
    pub planted: Option<Planted>,
    /// What must be seen: exactly this.
    pub wanted: Wanted,
}

/// How large a shipped scenario is run.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Databases.
    pub databases: u64,
    /// Iterations of each.
    pub iterations: u64,
    /// Rows per phase.
    pub rows: u64,
}

/// A planted failure. It strikes at fixed occasions and not by chance, so that the seed does not decide what is found.
#[derive(Debug, Clone, Copy)]
pub struct Planted {
    /// What goes wrong.
    pub fault: FaultKind,
    /// At which occasions of each database, counted from 1; always when empty.
    pub at: &'static [u64],
    /// For which databases; all when empty.
    pub databases: &'static [u32],
}

/// What a run must come to. Anything beside it is a wrong alarm.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The verdict.
    pub verdict: Verdict,
    /// The kinds of failures of calls.
    pub kinds: &'static [FailureKind],
    /// The checks with findings.
    pub checks: &'static [CheckKind],
    /// What must have become of the rows that differ; anything when empty.
    pub states: &'static [RowState],
    /// The limits that are broken, those that are always on left out.
    pub limits: &'static [Metric],
    /// The sides to blame.
    pub sides: &'static [Side],
    /// The databases in which calls failed.
    pub databases: &'static [u32],
}

/// A case that was run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// The seed it was run with.
    pub seed: u64,
    /// What was seen, or why it could not be run.
    pub seen: Result<Seen, NotRun>,
}

/// Why a case could not be run, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRun(pub String);

impl Wanted {
    /// All is well, and nothing was seen.
    pub(crate) const GREEN: Self =
        Self { verdict: Verdict::Pass, kinds: &[], checks: &[], states: &[], limits: &[], sides: &[], databases: &[] };
    /// The run fails; by what is to be added.
    pub(crate) const RED: Self = Self { verdict: Verdict::Fail, ..Self::GREEN };
}

impl Case {
    /// The scenario to run, with the seed and the planted failures in it.
    pub fn resolve(&self, seed: u64) -> Result<Scenario, LoadError> {
        let overrides = Overrides {
            seed: Some(seed),
            databases: self.size.map(|size| size.databases),
            iterations: self.size.map(|size| size.iterations),
            rows: self.size.map(|size| size.rows),
            ..Overrides::default()
        };
        let source = Source::parse(format!("selftest/{}", self.name), self.scenario);
        let mut scenario = load_source(source, &overrides, &|_| Vec::new())?.scenario;
        let faults = self.planted.iter().map(Planted::fault).collect();
        let options = EmbeddedOptions { faults, ..EmbeddedOptions::default() };
        scenario.target = Target::Options(TargetOptions::Embedded(options));
        Ok(scenario)
    }

    /// Whether this failure is planted in it.
    pub fn plants(&self, fault: FaultKind) -> bool {
        self.planted.is_some_and(|planted| planted.fault == fault)
    }

    /// Whether a failure is planted that the run must survive.
    pub fn is_tolerated(&self) -> bool {
        self.planted.is_some() && self.wanted.verdict == Verdict::Pass
    }
}

impl Case {
    /// Whether what was planted struck, and was seen as it must be, no less and no more.
    pub fn is_met_by(&self, seen: &Seen) -> bool {
        self.planted.is_some() == (seen.strikes > 0) && self.wanted.is_met_by(seen)
    }
}

impl Planted {
    fn fault(&self) -> Fault {
        Fault { fault: self.fault, rate: None, at: self.at.to_vec(), databases: self.databases.to_vec() }
    }
}

impl Outcome {
    /// Whether what was seen is what had to be seen, no less and no more.
    pub fn is_as_wanted(&self) -> bool {
        self.seen.as_ref().is_ok_and(|seen| self.case.is_met_by(seen))
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

#[cfg(test)]
mod tests;
