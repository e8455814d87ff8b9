//! How well the load generator itself is served: processor time against time that passed. How late its threads come to
//! run is measured by the watchdog.

use std::time::{Duration, Instant};

use crate::latency::Latency;
use crate::record::Generator;

/// The clocks at the start of the work.
pub(super) struct Clocks {
    wall: Instant,
    cpu: Option<Duration>,
}

impl Clocks {
    pub(super) fn start() -> Self {
        Self { wall: Instant::now(), cpu: processor_time() }
    }

    /// What they say at its end.
    pub(super) fn stop(&self, lag: &Latency) -> Generator {
        let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let used = processor_time().zip(self.cpu).map(|(now, before)| now.saturating_sub(before));
        Generator {
            ticks: lag.count(),
            lag_p99: lag.percentile(99.0).map_or(0, microseconds),
            lag_max: lag.max().map_or(0, microseconds),
            wall: microseconds(self.wall.elapsed()),
            cpu: used.map(microseconds),
        }
    }
}

/// Processor time of all threads of this process.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

/// Processor time of all threads of this process: not told here.
#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_used_by_work_and_not_by_sleep() {
        let clocks = Clocks::start();
        let mut digits = 0_u64;
        while processor_time()
            .zip(clocks.cpu)
            .is_some_and(|(now, before)| now.saturating_sub(before) < Duration::from_millis(5))
        {
            digits = digits.wrapping_mul(31).wrapping_add(7);
        }
        let lag = [0, 0, 4_000].into_iter().collect();
        let generator = clocks.stop(&lag);
        assert_eq!((generator.ticks, generator.lag_max), (3, 4_000));
        assert!(generator.cpu.is_none_or(|cpu| cpu >= 5_000), "{generator:?} {digits}");
    }
}
