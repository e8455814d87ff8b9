//! What hostile phases attempted: what the policies deny must not have arrived.

use std::collections::BTreeMap;

use super::{CheckResult, Finding, Scene};
use crate::figure::{self, counted};
use crate::record::{Attempt, Operation};

/// Keys that are named.
const NAMED: usize = 5;

impl Scene<'_> {
    /// Findings for denied attempts that the server took; notes on the others, and what could not be looked at.
    pub(super) fn hostile(&self, result: &mut CheckResult) -> (Vec<Finding>, Option<String>) {
        let mut arrived: BTreeMap<(u32, &str, &str, Operation), Vec<&Attempt>> = BTreeMap::new();
        let (mut denied, mut allowed, mut unseen) = (0, 0, 0);
        for worker in &self.record.workers {
            allowed += worker.attempts_allowed;
            denied += worker.attempts_beyond;
            for attempt in &worker.attempts {
                denied += 1;
                match attempt.arrived {
                    Some(true) if self.is_proof(attempt) => {
                        let place = (worker.database, &*attempt.phase, &*attempt.table, attempt.operation);
                        arrived.entry(place).or_default().push(attempt);
                    }
                    Some(_) => {}
                    None => unseen += 1,
                }
            }
        }
        if denied + allowed + unseen == 0 {
            return (Vec::new(), None);
        }
        let taken: usize = arrived.values().map(Vec::len).sum();
        let some_allowed = match allowed {
            0 => String::new(),
            allowed => format!("; {} allowed by the policies", counted(allowed, "other").replace(" other", " more")),
        };
        result.notes.push(format!(
            "hostile phases made {} that the policies deny, of which {} arrived{some_allowed}",
            counted(denied, "attempt"),
            if taken == 0 { "none".to_owned() } else { figure::thousands(taken as u64) },
        ));
        let open =
            (unseen > 0).then(|| format!("whether {} arrived was not looked at", counted(unseen, "hostile attempt")));
        (arrived.into_iter().map(told).collect(), open)
    }

    /// A row that is gone proves nothing where others may delete it.
    fn is_proof(&self, attempt: &Attempt) -> bool {
        let honest_deletes = self.plan.phases.iter().any(|step| match &step.action {
            crate::plan::Action::Sql(sql) => sql.kind == crate::scenario::Kind::Delete && !sql.hostile,
            crate::plan::Action::Admin(_) | crate::plan::Action::Wait(_) | crate::plan::Action::Nothing => false,
        });
        attempt.operation != Operation::Delete || !honest_deletes
    }
}

fn told(((database, phase, table, operation), attempts): ((u32, &str, &str, Operation), Vec<&Attempt>)) -> Finding {
    let verb = match operation {
        Operation::Insert => "insert",
        Operation::Update => "update",
        Operation::Delete => "delete",
    };
    let mut keys: Vec<String> = attempts.iter().take(NAMED).map(|attempt| attempt.key.clone()).collect();
    if attempts.len() > NAMED {
        keys.push(format!("{} more", attempts.len() - NAMED));
    }
    let total = attempts.len() as u64;
    let mut finding = Finding::new(format!(
        "the server let database {database} {verb} {} of {table} against the policy, in phase {phase}: {}",
        counted(total, "row"),
        figure::list(&keys),
    ));
    finding.total = total;
    finding
}
