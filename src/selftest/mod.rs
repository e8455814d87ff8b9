//! The self-test: short runs with one injected fault each, what the run must report about it and which side it must blame,
//! and clean runs that must pass. Cases are data and judging them is pure; the command line makes the runs.

mod case;
mod clean;
pub(crate) mod fuzz;
mod planted;
mod seen;
mod table;

pub(crate) use case::{Case, Planted, Size, Wanted};
pub(crate) use clean::clean;
pub(crate) use planted::planted;
pub(crate) use seen::Seen;
pub(crate) use table::{line, table};

/// A case with its result.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The case.
    pub case: Case,
    /// The seed of the run.
    pub seed: u64,
    /// What the run reported, or the reason why it could not start.
    pub seen: Result<Seen, NotRun>,
}

/// Why a case could not be run, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotRun(pub String);

impl Outcome {
    /// Whether the run reported exactly what it must.
    pub(crate) fn is_as_wanted(&self) -> bool {
        self.seen.as_ref().is_ok_and(|seen| self.case.is_met_by(seen))
    }
}

#[cfg(test)]
mod tests;
