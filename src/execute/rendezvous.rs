//! A barrier for workers of which some may skip a step, repeat it less often, or be dead: it opens when every living
//! worker has come as far.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::control::Control;

/// How far a worker has come: iteration, step, repetition. Ordered as the run is.
pub(super) type Position = (u64, usize, u64);

/// Past every position: a worker that will not come back.
const GONE: Position = (u64::MAX, usize::MAX, u64::MAX);

pub(super) struct Rendezvous {
    positions: Mutex<Vec<Position>>,
    moved: Condvar,
}

impl Rendezvous {
    pub(super) fn new(workers: usize) -> Self {
        Self { positions: Mutex::new(vec![(0, 0, 0); workers]), moved: Condvar::new() }
    }

    /// Says that a worker has come to `position`.
    pub(super) fn advance(&self, worker: usize, position: Position) {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        let before = positions.iter().min().copied();
        positions[worker] = position;
        if positions.iter().min().copied() != before {
            self.moved.notify_all();
        }
    }

    /// Says that a worker will not come back.
    pub(super) fn leave(&self, worker: usize) {
        self.advance(worker, GONE);
    }

    /// Waits until every living worker has come to `position`, or the run ends.
    pub(super) fn wait(&self, worker: usize, position: Position, control: &Control) {
        self.advance(worker, position);
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        while positions.iter().any(|other| *other < position) && !control.is_ending() {
            // The timeout is for a run that ends, which does not notify.
            let waited = self.moved.wait_timeout(positions, Duration::from_millis(20));
            positions = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn nobody_passes_before_all_have_come_and_a_worker_that_left_is_not_waited_for() {
        let rendezvous = Rendezvous::new(3);
        let control = Control::default();
        let arrived = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for worker in 0..2 {
                let (rendezvous, control, arrived) = (&rendezvous, &control, &arrived);
                threads.spawn(move || {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    rendezvous.wait(worker, (1, 1, 1), control);
                    assert_eq!(arrived.load(Ordering::SeqCst), 3);
                });
            }
            std::thread::sleep(Duration::from_millis(30));
            arrived.fetch_add(1, Ordering::SeqCst);
            rendezvous.leave(2);
        });
    }

    #[test]
    fn a_worker_further_on_counts_as_come_and_an_ending_run_opens_it() {
        let rendezvous = Rendezvous::new(2);
        let control = Control::default();
        rendezvous.advance(1, (2, 0, 0));
        rendezvous.wait(0, (1, 5, 1), &control);
        control.finish(crate::record::EndReason::Interrupted);
        rendezvous.wait(0, (9, 0, 0), &control);
    }
}
