//! Time for looking beside the work.

use std::time::{Duration, Instant};

/// Time for looking beside the work: a little for free, so that small runs are looked at everywhere, then one per cent
/// of what has passed.
pub(crate) struct Budget {
    free: Duration,
    since: Instant,
    spent: Duration,
}

impl Budget {
    /// What may be spent in any case, by all databases together.
    const FREE: Duration = Duration::from_secs(1);

    /// For one of so many databases.
    pub(crate) fn new(databases: usize) -> Self {
        let free = (Self::FREE / u32::try_from(databases.max(1)).unwrap_or(u32::MAX)).min(Duration::from_millis(20));
        Self { free, since: Instant::now(), spent: Duration::ZERO }
    }

    /// Does something unless too much time was spent already.
    pub(crate) fn spend<T>(&mut self, act: impl FnOnce() -> Option<T>) -> Option<T> {
        if self.spent > self.free + self.since.elapsed() / 100 {
            return None;
        }
        self.charge(act)
    }

    /// Does something in any case.
    pub(super) fn charge<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = act();
        self.spent += start.elapsed();
        done
    }
}
