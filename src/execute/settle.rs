//! The rounds after the last iteration: everybody sends and receives until nobody has anything new, twice in a row.
//! Late is not lost: who does not become quiet is named, with what it waits for.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::worker::Worker;
use super::{Run, guarded};
use crate::record::{SettleRecord, Stuck};

/// What a round brought to one database.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Round {
    /// Changes were sent.
    pub(super) sent: bool,
    /// Rows were received, or there are more to receive.
    pub(super) received: bool,
    /// A call failed.
    pub(super) failed: bool,
}

impl Round {
    fn is_quiet(self) -> bool {
        !self.sent && !self.received && !self.failed
    }
}

/// Rounds in a row that must be quiet for all.
const QUIET_ROUNDS: u32 = 2;
/// Rounds in a row in which every call failed, after which there is nothing to wait for.
const HOPELESS_ROUNDS: u32 = 2;

pub(super) fn settle(run: &Run<'_>, workers: &[Mutex<Worker<'_>>]) {
    let at = run.journal.now();
    let mut last: Vec<[Round; 2]> = vec![[Round { sent: true, received: true, failed: false }; 2]; workers.len()];
    let (mut quiet, mut hopeless, mut rounds) = (0, 0, 0);
    while rounds < run.plan.settle.rounds && quiet < QUIET_ROUNDS && hopeless < HOPELESS_ROUNDS {
        if rounds > 0 && !run.control.sleep(run.plan.settle.wait) {
            break;
        }
        rounds += 1;
        run.progress.round.store(rounds.into(), Ordering::Relaxed);
        let round = run.pool.broadcast(|context| {
            let index = context.index();
            if run.journal.worker(index).crash.is_some() {
                return None;
            }
            let was_quiet = last[index][1].is_quiet();
            guarded(run, workers, index, |worker| worker.settle_round(was_quiet))
        });
        for (index, round) in round.iter().enumerate() {
            // A crashed worker has nothing to add, and is told as a crash.
            last[index] = [last[index][1], round.unwrap_or_default()];
        }
        let alive: Vec<Round> = round.into_iter().flatten().collect();
        quiet = if alive.iter().all(|round| round.is_quiet()) { quiet + 1 } else { 0 };
        hopeless = if alive.iter().all(|round| round.failed) { hopeless + 1 } else { 0 };
    }
    let stuck = run.plan.databases.iter().zip(&last).filter(|(_, rounds)| rounds.iter().any(|round| !round.is_quiet()));
    let stuck = stuck.map(|(database, rounds)| Stuck {
        database: database.index,
        unsent: (!rounds[1].failed).then_some(rounds[1].sent),
        busy_receives: rounds.iter().map(|round| u32::from(round.received || round.failed)).sum(),
    });
    let took = run.journal.now() - at;
    run.journal.frame().settle = Some(SettleRecord { rounds, at, took, stuck: stuck.collect() });
}
