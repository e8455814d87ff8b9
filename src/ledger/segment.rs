//! What is known of a phase whose writes a ledger holds.

use std::collections::BTreeSet;

use crate::plan::{Plan, SqlPlan, StepPlan};

/// A phase's writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The iteration; 0 before the first and after the last.
    pub(crate) iteration: u64,
    /// The phase.
    pub(crate) phase: String,
    /// When its SQL began, in microseconds since the run's start.
    pub(crate) at: u64,
    /// Whether it belongs to the setup.
    pub(crate) setup: bool,
    /// Whether its writes are attempts against the policies.
    pub(crate) hostile: bool,
    /// Whether any state in between may have been sent, or none: its SQL calls sync functions or controls transactions.
    pub(crate) any_state: bool,
    /// The places of the tables that it wrote.
    pub(crate) tables: BTreeSet<usize>,
}

impl Segment {
    /// The SQL of a step.
    pub(crate) fn new(iteration: u64, at: u64, step: &StepPlan, sql: &SqlPlan, plan: &Plan) -> Self {
        Self {
            iteration,
            at,
            phase: step.name.clone(),
            setup: plan.setup.iter().any(|setup| setup.pointer == step.pointer),
            hostile: sql.hostile,
            any_state: sql.any_state,
            tables: BTreeSet::new(),
        }
    }
}
