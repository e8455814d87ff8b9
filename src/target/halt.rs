//! What ends a wait at once. It must not know what is waited for.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a sleeper looks whether it is due.
const TICK: Duration = Duration::from_millis(50);

/// Says whether a wait is to end at once.
#[derive(Clone)]
pub(crate) struct Halt(Arc<dyn Fn() -> bool + Send + Sync>);

impl Halt {
    /// Due as soon as this holds.
    pub(crate) fn when(due: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(due))
    }

    /// Never due: every wait lasts as long as it may.
    pub(crate) fn never() -> Self {
        Self::when(|| false)
    }

    /// Due this long from now.
    pub(crate) fn after(time: Duration) -> Self {
        let until = Instant::now() + time;
        Self::when(move || Instant::now() >= until)
    }

    /// Sleeps, unless it is due before. Gives whether it slept to the end.
    pub(super) fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.is_due() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(TICK));
        }
        false
    }

    /// Whether it is due.
    pub(crate) fn is_due(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Halt(due: {})", self.is_due())
    }
}
