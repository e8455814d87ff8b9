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
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

    /// The longest that a wait which must end may take, on a machine that does much else.
    const LIMIT: Duration = Duration::from_secs(60);

    /// Starts workers that wait at a position; each that passes says so. One that never passes hangs in a thread of its
    /// own and not in the test.
    fn start(
        rendezvous: &Arc<Rendezvous>,
        control: &Arc<Control>,
        workers: &[usize],
        position: Position,
    ) -> Receiver<usize> {
        let (passed, through) = channel();
        for &worker in workers {
            let (rendezvous, control, passed) = (Arc::clone(rendezvous), Arc::clone(control), passed.clone());
            std::thread::spawn(move || {
                rendezvous.wait(worker, position, &control);
                // Nobody listens any more when the test has failed.
                let _ = passed.send(worker);
            });
        }
        through
    }

    #[test]
    fn nobody_passes_before_all_have_come_and_a_worker_that_left_is_not_waited_for() {
        let (rendezvous, control) = (Arc::new(Rendezvous::new(3)), Arc::default());
        let through = start(&rendezvous, &control, &[0, 1], (1, 1, 1));
        assert_eq!(through.recv_timeout(Duration::from_millis(100)), Err(RecvTimeoutError::Timeout));
        rendezvous.leave(2);
        let mut passed = [through.recv_timeout(LIMIT), through.recv_timeout(LIMIT)];
        passed.sort_by_key(|worker| worker.unwrap_or(usize::MAX));
        assert_eq!(passed, [Ok(0), Ok(1)]);
    }

    #[test]
    fn a_worker_further_on_counts_as_come() {
        let (rendezvous, control) = (Arc::new(Rendezvous::new(2)), Arc::default());
        rendezvous.advance(1, (2, 0, 0));
        assert_eq!(start(&rendezvous, &control, &[0], (1, 5, 1)).recv_timeout(LIMIT), Ok(0));
    }

    #[test]
    fn a_run_that_ends_opens_it() {
        let (rendezvous, control) = (Arc::new(Rendezvous::new(2)), Arc::new(Control::default()));
        let through = start(&rendezvous, &control, &[0], (1, 1, 1));
        assert_eq!(through.recv_timeout(Duration::from_millis(100)), Err(RecvTimeoutError::Timeout));
        control.finish(crate::record::EndReason::Interrupted);
        assert_eq!(through.recv_timeout(LIMIT), Ok(0));
    }
}
