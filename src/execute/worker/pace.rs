//! A worker's waiting: for the moment that a rate sets, for `wait`, for `think`.

use std::time::Duration;

use super::state::{Ending, Flow, Worker};
use crate::plan::StepPlan;
use crate::record::{Event, StepKind};
use crate::scenario::Rate;
use crate::template::Salt;

impl Worker<'_> {
    /// Waits for the moment at which, by the rate, the `nth` of what began at `start` is to begin: how late that is, in
    /// microseconds.
    pub(super) fn pace(&mut self, phase: &str, start: u64, nth: u64, rate: Rate) -> Result<u64, Ending> {
        let interval = rate.interval().as_micros().saturating_mul(u128::from(nth));
        let intended = start.saturating_add(u64::try_from(interval).unwrap_or(u64::MAX));
        let at = self.run.journal.now();
        self.sleep(Duration::from_micros(intended.saturating_sub(at)))?;
        let event = self.event(phase, StepKind::Pace, at);
        let late = (event.at + event.took).saturating_sub(intended);
        self.record(Event { late, ..event });
        Ok(late)
    }

    pub(super) fn pause(&mut self, phase: &str, wait: Duration) -> Flow {
        let at = self.run.journal.now();
        let slept = self.sleep(wait);
        let event = self.event(phase, StepKind::Wait, at);
        self.record(event);
        slept
    }

    pub(super) fn think(&mut self, step: &StepPlan, shortest: Duration, longest: Duration, time: u64) -> Flow {
        let scope = self.scope_at(time).salted(Salt::of(&format!("{}/think", step.name)));
        let spread = u64::try_from(longest.saturating_sub(shortest).as_micros()).unwrap_or(u64::MAX);
        let extra = scope.draw_below(spread.saturating_add(1));
        self.pause(&step.name, shortest + Duration::from_micros(extra))
    }
}
