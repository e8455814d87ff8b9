//! Figures of several runs: medians, spread, and ratios of runs that were made one after the other.

use std::time::Duration;

use stress::figure;
use stress::statistics::quantile;

use crate::Failed;

/// One figure, several times.
#[derive(Default)]
pub(crate) struct Figures(pub(crate) Vec<f64>);

impl Figures {
    /// Makes a figure `times` times.
    pub(crate) fn of(times: usize, mut make: impl FnMut() -> Result<f64, Failed>) -> Result<Self, Failed> {
        (0..times).map(|_| make()).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn median(&self) -> f64 {
        quantile(&self.0, 0.5).unwrap_or(f64::NAN)
    }

    /// The median, and from the least to the greatest.
    pub(crate) fn show(&self, figure: impl Fn(f64) -> String) -> String {
        let bound = |share| figure(quantile(&self.0, share).unwrap_or(f64::NAN));
        match self.0.len() {
            0 | 1 => figure(self.median()),
            _ => format!("{} ({} – {})", figure(self.median()), bound(0.0), bound(1.0)),
        }
    }
}

/// Two ways to do the same, run in turns, so that both meet the same machine.
pub(crate) struct Paired {
    pub(crate) ours: Figures,
    pub(crate) theirs: Figures,
}

impl Paired {
    /// Ours, theirs, ours, theirs, …
    pub(crate) fn of(
        times: usize,
        mut ours: impl FnMut() -> Result<f64, Failed>,
        mut theirs: impl FnMut() -> Result<f64, Failed>,
    ) -> Result<Self, Failed> {
        let mut paired = Self { ours: Figures::default(), theirs: Figures::default() };
        for _ in 0..times {
            paired.ours.0.push(ours()?);
            paired.theirs.0.push(theirs()?);
        }
        Ok(paired)
    }

    /// The ratio of the medians.
    pub(crate) fn ratio(&self) -> f64 {
        self.ours.median() / self.theirs.median()
    }

    /// That ratio, the least and the greatest of a pair, and what it is a ratio to.
    pub(crate) fn show_ratio(&self, to: &str) -> String {
        let pairs = Figures(self.ours.0.iter().zip(&self.theirs.0).map(|(ours, theirs)| ours / theirs).collect());
        let spread = |share| quantile(&pairs.0, share).unwrap_or(f64::NAN);
        let theirs = self.theirs.show(seconds);
        format!("{:.3} ({:.3} – {:.3}) of {to}: {theirs}", self.ratio(), spread(0.0), spread(1.0))
    }
}

/// Seconds as people read them.
pub(crate) fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "–".to_owned(), figure::duration)
}

/// Bytes in the units of the targets: a MB is a million of them.
pub(crate) fn megabytes(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

/// The slope of a line through points by least squares on logarithms: 1 is proportional, 2 is quadratic.
pub(crate) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let count = logs.len() as f64;
    let (x, y) = logs.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
    let covariance: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    covariance / logs.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
