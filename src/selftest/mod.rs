//! The checker proves itself: short runs with a failure planted in each, what must be seen of it and whom to blame, and
//! clean runs that must stay green. Cases are data, judging them is pure; making the runs is left to the command line.

mod case;
mod clean;
mod planted;
mod seen;
mod table;

pub use case::{Case, Planted, Size, Wanted};
pub use clean::clean;
pub use planted::planted;
pub use seen::Seen;
pub use table::{line, table};

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

impl Outcome {
    /// Whether what was seen is what had to be seen, no less and no more.
    pub fn is_as_wanted(&self) -> bool {
        self.seen.as_ref().is_ok_and(|seen| self.case.is_met_by(seen))
    }
}

#[cfg(test)]
mod tests;
