//! The rounds after the last iteration: everybody sends and receives until nobody has anything new, twice in a row.
//! Late is not lost: who does not become quiet is named, with what it waits for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};

use super::progress::Stage;
use super::run::Run;
use super::worker::Round;
use super::workers::Workers;
use crate::record::{SettleRecord, Stuck};

/// Rounds in a row that must be quiet for all.
const QUIET_ROUNDS: u32 = 2;
/// Rounds in a row in which every call failed, after which there is nothing to wait for.
const HOPELESS_ROUNDS: u32 = 2;

/// The rounds of all databases, each made on its own thread, and decided by whichever thread is the last to be ready.
///
/// Threads meet here instead of being set to work anew for each round: a thousand of them that look for work in each
/// other's queues cost a fifth of the processor time of such a run.
pub(super) struct Settling<'a> {
    run: &'a Run<'a>,
    meeting: Barrier,
    state: Mutex<State>,
    /// Whether there is another round.
    again: AtomicBool,
}

/// How far the rounds are.
struct State {
    /// When they began, in microseconds since the run's start; none before.
    at: Option<u64>,
    rounds: u32,
    /// How many of them were quiet for all, in a row.
    quiet: u32,
    /// In how many of them every call failed, in a row.
    hopeless: u32,
    /// The last two of each database.
    last: Vec<[Round; 2]>,
    /// The present one; nothing of databases whose worker crashed.
    now: Vec<Option<Round>>,
}

impl<'a> Settling<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        let count = run.plan.databases.len();
        let state = State {
            at: None,
            rounds: 0,
            quiet: 0,
            hopeless: 0,
            last: vec![[Round { sent: true, received: true, failed: false }; 2]; count],
            now: vec![None; count],
        };
        Self { run, meeting: Barrier::new(count), state: Mutex::new(state), again: AtomicBool::new(false) }
    }

    /// Whether all work was done before the rounds, so that what is held at the end says something.
    pub(super) fn began(&self) -> bool {
        self.state().at.is_some()
    }

    /// One database's part, after its work: every round, until there are no more. Every thread has to come.
    pub(super) fn take_part(&self, workers: &Workers<'_>, index: usize) {
        loop {
            if self.meeting.wait().is_leader() {
                // A panic here must not leave the others waiting.
                let again = catch_unwind(AssertUnwindSafe(|| self.next())).unwrap_or(false);
                self.again.store(again, Ordering::Relaxed);
            }
            self.meeting.wait();
            if !self.again.load(Ordering::Relaxed) {
                return;
            }
            if self.run.journal.worker(index).crash.is_some() {
                continue;
            }
            let was_quiet = self.state().last[index][1].is_quiet();
            let round = workers.guarded(index, |worker| worker.settle_round(was_quiet));
            self.state().now[index] = round;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is another round, now that all have done their work or the one before.
    fn next(&self) -> bool {
        let run = self.run;
        let mut state = self.state();
        match state.at {
            None if run.control.is_ending() => return false,
            None => {
                state.at = Some(run.journal.now());
                if !run.plan.syncs() {
                    return false;
                }
                run.progress.enter(Stage::Settling);
            }
            Some(_) => state.take_stock(),
        }
        let enough = state.rounds >= run.plan.settle.rounds
            || state.quiet >= QUIET_ROUNDS
            || state.hopeless >= HOPELESS_ROUNDS
            || state.rounds > 0 && !run.control.sleep(run.plan.settle.wait);
        if enough {
            run.journal.frame().settle = Some(state.record(run));
            return false;
        }
        state.rounds += 1;
        run.progress.round.store(state.rounds.into(), Ordering::Relaxed);
        true
    }
}

impl State {
    /// What the round that was just made came to.
    fn take_stock(&mut self) {
        let now: Vec<Option<Round>> = self.now.iter_mut().map(Option::take).collect();
        for (last, round) in self.last.iter_mut().zip(&now) {
            // A crashed worker has nothing to add, and is told as a crash.
            *last = [last[1], round.unwrap_or_default()];
        }
        let alive = || now.iter().flatten();
        self.quiet = if alive().all(|round| round.is_quiet()) { self.quiet + 1 } else { 0 };
        self.hopeless = if alive().all(|round| round.failed) { self.hopeless + 1 } else { 0 };
    }

    fn record(&self, run: &Run<'_>) -> SettleRecord {
        let stuck = run.plan.databases.iter().zip(&self.last);
        let stuck = stuck.filter(|(_, rounds)| rounds.iter().any(|round| !round.is_quiet()));
        let stuck = stuck.map(|(database, rounds)| Stuck {
            database: database.index,
            unsent: (!rounds[1].failed).then_some(rounds[1].sent),
            busy_receives: rounds.iter().map(|round| u32::from(round.received || round.failed)).sum(),
        });
        let at = self.at.unwrap_or_default();
        SettleRecord { rounds: self.rounds, at, took: run.journal.now() - at, stuck: stuck.collect() }
    }
}
