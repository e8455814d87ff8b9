//! Hostile phases: the writes that the policies deny must not have reached the server.

use std::collections::BTreeMap;

use super::{CheckResult, Finding, Scene};
use crate::figure::{self, counted};
use crate::record::{Attempt, Operation};

/// The maximum number of keys in a finding.
const NAMED: usize = 5;

impl Scene<'_> {
    /// Findings for the denied writes that reached the server, a note about the others, and the reason if some could not
    /// be examined.
    pub(super) fn hostile(&self, result: &mut CheckResult) -> (Vec<Finding>, Option<String>) {
        let mut arrived: BTreeMap<(u32, &str, &str, Operation), Vec<&Attempt>> = BTreeMap::new();
        let (mut denied, mut allowed, mut doubtful, mut unseen) = (0, 0, 0, 0);
        for worker in &self.record.workers {
            allowed += worker.attempts_allowed;
            doubtful += worker.attempts_doubtful;
            denied += worker.attempts_beyond;
            for attempt in &worker.attempts {
                denied += 1;
                match attempt.arrived {
                    Some(true) => {
                        let place = (worker.database, &*attempt.phase, &*attempt.table, attempt.operation);
                        arrived.entry(place).or_default().push(attempt);
                    }
                    Some(false) => {}
                    None => unseen += 1,
                }
            }
        }
        if doubtful > 0 {
            result.notes.push(format!(
                "about {} of hostile phases the policies cannot be asked after the run: they depend on rows that changed, or on what the server had at that moment",
                counted(doubtful, "write")
            ));
        }
        if denied + allowed + unseen == 0 {
            return (Vec::new(), None);
        }
        let taken: usize = arrived.values().map(Vec::len).sum();
        let some_allowed = match allowed {
            0 => String::new(),
            allowed => format!("; the policies allow {} more", figure::thousands(allowed)),
        };
        result.notes.push(format!(
            "hostile phases made {} that the policies deny; {} reached the server{some_allowed}",
            counted(denied, "attempt"),
            if taken == 0 { "none".to_owned() } else { figure::thousands(taken as u64) },
        ));
        let open = (unseen > 0)
            .then(|| format!("no check was made whether {} reached the server", counted(unseen, "hostile attempt")));
        (arrived.into_iter().map(told).collect(), open)
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
        "the server let database {database} {verb} {} of {table} although the policy denies it, in phase {phase}: {}",
        counted(total, "row"),
        figure::list(&keys),
    ));
    finding.total = total;
    finding
}
