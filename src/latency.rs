//! Latencies in fixed memory: an HDR histogram of microseconds. It must not know what was measured.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency kept apart from longer ones: a week.
const LONGEST: u64 = 7 * 24 * 3600 * 1_000_000;

/// Durations of one kind of thing, in microseconds: quantiles to three digits; count, least, most and mean exact.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    least: u64,
    most: u64,
    sum: u128,
}

impl Default for Latency {
    fn default() -> Self {
        let mut histogram = Histogram::new(3).expect("three digits are between 0 and 5");
        histogram.auto(true);
        Self { histogram, least: u64::MAX, most: 0, sum: 0 }
    }
}

impl Latency {
    /// Adds one duration in microseconds.
    pub fn record(&mut self, microseconds: u64) {
        // Zero and one share a bucket; a value above the bound counts as the bound.
        let recorded = self.histogram.record(microseconds.min(LONGEST));
        debug_assert!(recorded.is_ok(), "an auto-resizing histogram takes every value below its bound");
        self.least = self.least.min(microseconds);
        self.most = self.most.max(microseconds);
        self.sum += u128::from(microseconds);
    }

    /// How many durations it holds.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The duration that this share of all durations (in percent) does not exceed; nothing when it holds none.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let bucket = self.histogram.value_at_percentile(percent);
        (self.count() > 0).then(|| Duration::from_micros(bucket.clamp(self.least, self.most)))
    }

    /// The shortest; nothing when it holds none.
    pub fn min(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.least))
    }

    /// The longest; nothing when it holds none.
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.most))
    }

    /// The mean, to the microsecond below; nothing when it holds none.
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum.checked_div(u128::from(self.count()))?;
        Some(Duration::from_micros(u64::try_from(mean).unwrap_or(u64::MAX)))
    }
}

impl FromIterator<u64> for Latency {
    fn from_iter<I: IntoIterator<Item = u64>>(durations: I) -> Self {
        let mut latency = Self::default();
        durations.into_iter().for_each(|duration| latency.record(duration));
        latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_values() {
        let latency: Latency = (1..=1000).map(|milliseconds| milliseconds * 1000).collect();
        for (percent, milliseconds) in [(50.0, 500.0), (95.0, 950.0), (99.0, 990.0), (99.9, 999.0)] {
            let found = latency.percentile(percent).expect("it holds values").as_secs_f64() * 1000.0;
            assert!((found - milliseconds).abs() / milliseconds < 0.002, "{percent}: {found}");
        }
        assert_eq!(latency.min(), Some(Duration::from_millis(1)));
        assert_eq!(latency.max(), Some(Duration::from_secs(1)));
        assert_eq!(latency.mean(), Some(Duration::from_micros(500_500)));
    }

    #[test]
    fn nothing_measured_has_no_quantiles() {
        let latency = Latency::default();
        assert_eq!((latency.count(), latency.percentile(99.0)), (0, None));
        assert_eq!((latency.min(), latency.max(), latency.mean()), (None, None, None));
    }

    #[test]
    fn an_absurd_duration_is_kept_as_the_longest() {
        let latency: Latency = [1, u64::MAX, u64::MAX].into_iter().collect();
        assert_eq!((latency.count(), latency.max()), (3, Some(Duration::from_micros(u64::MAX))));
        assert!(latency.percentile(50.0).is_some());
    }
}
