//! What the checks look at.

use crate::figure::{self, counted};
use crate::plan::Plan;
use crate::record::{DatabaseState, EndReason, FinalState, Record};

/// The data that the checks use.
pub(super) struct Scene<'a> {
    pub(super) record: &'a Record,
    pub(super) plan: &'a Plan,
    pub(super) state: &'a FinalState,
}

impl Scene<'_> {
    /// Notes about the databases that were still busy after settling.
    pub(super) fn stuck(&self) -> Vec<String> {
        let Some(settle) = &self.record.settle else { return Vec::new() };
        let mut stuck: Vec<_> = settle.stuck.iter().collect();
        stuck.sort_by_key(|stuck| stuck.database);
        stuck
            .into_iter()
            .map(|stuck| {
                let unsent = match stuck.unsent {
                    Some(true) => "had changes to send",
                    Some(false) => "had sent everything",
                    None => "did not report whether it had changes to send",
                };
                format!(
                    "database {} was not quiet after {}: it {unsent}, and {} of its last two receives brought rows or failed; rows missing there may be late rather than lost",
                    stuck.database,
                    counted(u64::from(settle.rounds), "round"),
                    stuck.busy_receives,
                )
            })
            .collect()
    }

    pub(super) fn databases(&self) -> Vec<&DatabaseState> {
        let mut databases: Vec<_> = self.state.databases.iter().collect();
        databases.sort_by_key(|database| database.database);
        databases
    }

    /// The group of a database: its user. Without row-level security, all databases are one group.
    pub(super) fn group(&self, user: u32) -> u32 {
        if self.plan.rls { user } else { 1 }
    }

    pub(super) fn unread_databases(&self) -> Option<String> {
        let unread: Vec<u32> = self
            .plan
            .databases
            .iter()
            .map(|database| database.index)
            .filter(|index| !self.state.databases.iter().any(|state| state.database == *index))
            .collect();
        (!unread.is_empty()).then(|| format!("{} could not be read", databases(&unread)))
    }
}

/// Whether the run ended before its work was done, for a reason other than the system under test.
pub(crate) fn was_cut(record: &Record) -> bool {
    match record.ended.map(|ended| ended.reason) {
        None | Some(EndReason::TimeLimit | EndReason::Interrupted) => true,
        Some(EndReason::Done | EndReason::Stopped) => false,
    }
}

/// `database 3`, `databases 1, 2 and 3`, `databases 1–40, 42`.
pub(crate) fn databases(indexes: &[u32]) -> String {
    match indexes {
        [] => "no database".to_owned(),
        [one] => format!("database {one}"),
        [_, _] | [_, _, _] => format!("databases {}", figure::list(indexes)),
        many => format!("databases {}", figure::runs(&many.iter().copied().map(u64::from).collect::<Vec<_>>())),
    }
}
