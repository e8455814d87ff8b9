//! Ending a run: who asked for it, whether steps are finished first, and the watchdog that interrupts what runs too
//! long. It must not know what is run.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::latency::Latency;
use crate::record::EndReason;
use crate::session::Interrupt;
use crate::target::Halt;

/// No new step is started; 0 is a run that goes on.
const FINISH: u8 = 1;
/// Running statements are interrupted, too.
const NOW: u8 = 2;
/// How often the watchdog looks, and so how late an interrupt can be.
const TICK: Duration = Duration::from_millis(10);

/// Whether the run goes on; shared by its workers and by whoever may end it.
#[derive(Debug, Default)]
pub(crate) struct Control {
    state: Arc<AtomicU8>,
    reason: Mutex<Option<EndReason>>,
}

impl Control {
    /// Ends the run after the steps that are under way.
    pub(crate) fn finish(&self, reason: EndReason) {
        self.end(reason, FINISH);
    }

    /// Ends the run now: running statements are interrupted.
    pub(crate) fn stop_now(&self, reason: EndReason) {
        self.end(reason, NOW);
    }

    /// Why the run ends early; absent while it goes on.
    pub(crate) fn reason(&self) -> Option<EndReason> {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no new step is to be started.
    pub(crate) fn is_ending(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= FINISH
    }

    /// Whether even running steps are to be cut off.
    pub(crate) fn is_now(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= NOW
    }

    /// What ends the waits of requests, as running statements are cut off.
    pub(crate) fn halt(&self) -> Halt {
        let state = Arc::clone(&self.state);
        Halt::when(move || state.load(Ordering::Relaxed) >= NOW)
    }

    /// Sleeps, unless the run ends. Gives false when it did.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.is_ending() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(TICK));
        }
        false
    }

    fn end(&self, reason: EndReason, state: u8) {
        // The first reason stands: what follows is its consequence.
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.state.fetch_max(state, Ordering::Relaxed);
    }
}

/// Interrupts statements and sync calls that run past their step's limit, or when the run is stopped.
pub(super) struct Watchdog {
    slots: Vec<Slot>,
    limit: Instant,
    done: AtomicBool,
}

#[derive(Default)]
struct Slot {
    deadline: Mutex<Option<Instant>>,
    handle: Mutex<Option<Interrupt>>,
    expired: AtomicBool,
}

impl Watchdog {
    /// For this many workers, in a run that may last until `limit`.
    pub(super) fn new(workers: usize, limit: Instant) -> Self {
        let slots = std::iter::repeat_with(Slot::default).take(workers).collect();
        Self { slots, limit, done: AtomicBool::new(false) }
    }

    /// Watches until [`Self::finish`]. Gives how late it came to look, each time: threads that do not get to run make no
    /// load.
    pub(super) fn watch(&self, control: &Control) -> Latency {
        let mut lag = Latency::default();
        while !self.done.load(Ordering::Relaxed) {
            let before = Instant::now();
            std::thread::sleep(TICK);
            let now = Instant::now();
            let late = now.duration_since(before).saturating_sub(TICK);
            lag.record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
            if now >= self.limit {
                control.stop_now(EndReason::TimeLimit);
            }
            for slot in &self.slots {
                let late = slot.deadline.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| now >= at);
                if late {
                    slot.expired.store(true, Ordering::Relaxed);
                }
                if (late || control.is_now())
                    && let Some(handle) = &*slot.handle.lock().unwrap_or_else(PoisonError::into_inner)
                {
                    handle.interrupt();
                }
            }
        }
        lag
    }

    /// The time left until the run's limit.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_duration_since(Instant::now())
    }

    /// Ends the watch.
    pub(super) fn finish(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// Names the connection that a worker uses now; none while it closes one, which must not be interrupted.
    pub(super) fn connection(&self, worker: usize, handle: Option<Interrupt>) {
        *self.slots[worker].handle.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    /// Sets or lifts the limit of a worker's step.
    pub(super) fn deadline(&self, worker: usize, deadline: Option<Instant>) {
        let slot = &self.slots[worker];
        *slot.deadline.lock().unwrap_or_else(PoisonError::into_inner) = deadline;
        slot.expired.store(false, Ordering::Relaxed);
    }

    /// Whether the worker's step ran past its limit.
    pub(super) fn expired(&self, worker: usize) -> bool {
        self.slots[worker].expired.load(Ordering::Relaxed)
    }
}
