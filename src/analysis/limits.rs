//! The evaluation of thresholds: the measured values, and whether they meet the limits.

use std::time::Duration;

use super::errors::Occurrence;
use super::{Scene, Timing};
use crate::figure;
use crate::latency::Latency;
use crate::plan::threshold::{Labels, Limit, Metric, Statistic, ThresholdPlan, Unit};
use crate::record::{Event, StepKind};
use crate::scenario::Severity;
use crate::verify::{CheckResult, Outcome, was_cut};

use super::SETTLE;

/// The result of a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdResult {
    /// Where it stands in the scenario; none for one that is always on.
    pub pointer: Option<String>,
    /// The expression as written.
    pub text: String,
    /// The metric that it limits.
    pub metric: Metric,
    /// What happens if the limit is not met.
    pub severity: Severity,
    /// The measured value, if there is one.
    pub measured: Option<Measured>,
    /// Whether the value meets the limit.
    pub state: LimitState,
}

impl ThresholdResult {
    /// The sentence about a threshold that is not met.
    pub fn not_met(&self) -> String {
        let measured = self.measured.map(|measured| format!(": the value is {measured}")).unwrap_or_default();
        format!("{} is not met{measured}", self.text)
    }
}

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// A count.
    Count(u64),
    /// A duration.
    Duration(Duration),
    /// An amount that need not be whole: a mean of counts.
    Amount(f64),
    /// Bytes; a mean of them need not be whole.
    Bytes(f64),
    /// Rows per second.
    RowsPerSecond(f64),
    /// Bytes per second.
    BytesPerSecond(f64),
}

/// Whether a value meets its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LimitState {
    /// The value meets the limit.
    Kept,
    /// The value does not meet the limit.
    Broken,
    /// There is no value, for this reason.
    NotMeasured(String),
}

impl ThresholdResult {
    /// Whether the threshold always applies, without being written.
    pub fn is_built_in(&self) -> bool {
        self.pointer.is_none()
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => f.write_str(&figure::thousands(*count)),
            Self::Duration(duration) => f.write_str(&figure::duration(*duration)),
            Self::Amount(amount) if amount.fract() == 0.0 => f.write_str(&figure::thousands(figure::whole(*amount))),
            Self::Amount(amount) => f.write_str(&figure::rate(*amount)),
            Self::Bytes(bytes) => f.write_str(&figure::bytes(figure::whole(*bytes))),
            Self::RowsPerSecond(rate) => write!(f, "{}/s", figure::rate(*rate)),
            Self::BytesPerSecond(rate) => write!(f, "{}/s", figure::bytes(figure::whole(*rate))),
        }
    }
}

impl Measured {
    fn number(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Duration(duration) => duration.as_secs_f64(),
            Self::Amount(amount) | Self::Bytes(amount) => amount,
            Self::RowsPerSecond(rate) | Self::BytesPerSecond(rate) => rate,
        }
    }
}

pub(super) fn evaluate(
    scene: &Scene<'_>,
    occurrences: &[Occurrence<'_>],
    checks: &[CheckResult],
) -> Vec<ThresholdResult> {
    let scale = Scale { scene, occurrences, checks, timing: Timing::of(scene) };
    scene.plan.thresholds.iter().map(|threshold| scale.weigh(threshold)).collect()
}

/// The data from which values are measured.
struct Scale<'a> {
    scene: &'a Scene<'a>,
    occurrences: &'a [Occurrence<'a>],
    checks: &'a [CheckResult],
    timing: Timing,
}

impl Scale<'_> {
    fn weigh(&self, threshold: &ThresholdPlan) -> ThresholdResult {
        let measured = self.measure(threshold);
        let state = match &measured {
            Ok(measured) => self.compare(threshold, *measured),
            Err(reason) => LimitState::NotMeasured(reason.clone()),
        };
        ThresholdResult {
            pointer: threshold.pointer.clone(),
            text: threshold.text.clone(),
            metric: threshold.metric,
            severity: threshold.severity,
            measured: measured.ok(),
            state,
        }
    }

    fn compare(&self, threshold: &ThresholdPlan, measured: Measured) -> LimitState {
        let limit = match threshold.value {
            Limit::Number(number) => number,
            Limit::Duration(duration) => duration.as_secs_f64(),
            Limit::BytesPerSecond(rate) => rate,
            Limit::All => self.scene.plan.databases.len() as f64,
        };
        if threshold.op.holds(measured.number(), limit) {
            LimitState::Kept
        } else if threshold.metric.unit() == Unit::Databases && was_cut(self.scene.record) {
            // Another rule reports that the run ended early; it is not the databases' fault.
            LimitState::NotMeasured("the run ended early".to_owned())
        } else {
            LimitState::Broken
        }
    }

    fn measure(&self, threshold: &ThresholdPlan) -> Result<Measured, String> {
        let labels = &threshold.labels;
        let nothing = || "nothing ran".to_owned();
        match threshold.metric {
            Metric::ErrorsTotal | Metric::Errors => Ok(Measured::Count(self.errors(labels))),
            Metric::SendDuration => self.calls(threshold, sends),
            Metric::ReceiveDuration | Metric::CheckDuration => self.calls(threshold, receives),
            Metric::SyncDuration => self.calls(threshold, |step| step.sends() && step.receives()),
            Metric::PhaseDuration => self.calls(threshold, StepKind::is_sql),
            Metric::SendChunks => self.each(threshold, sends, |event| event.chunks).map(Measured::Amount),
            Metric::SendBytes => self.each(threshold, sends, |event| event.bytes).map(Measured::Bytes),
            Metric::ReceiveChunks => self.each(threshold, receives, |event| event.chunks).map(Measured::Amount),
            Metric::ReceiveIncomplete => {
                let calls = self.events(threshold, receives).filter(|event| event.incomplete);
                Ok(Measured::Count(calls.count() as u64))
            }
            Metric::StartLate => self.calls(threshold, |step| step == StepKind::Pace),
            Metric::RowsRate => self.timing.rows_per_second.map(Measured::RowsPerSecond).ok_or_else(nothing),
            Metric::BytesRate => self.timing.bytes_per_second.map(Measured::BytesPerSecond).ok_or_else(nothing),
            Metric::SettleDuration => {
                self.timing.settle.map(Measured::Duration).ok_or_else(|| "the run did not settle".to_owned())
            }
            Metric::DatabasesCompleted => Ok(Measured::Count(completed(self.scene))),
            Metric::FindingsTotal => self.findings(labels),
        }
    }

    fn errors(&self, labels: &Labels) -> u64 {
        let fits = |one: &&Occurrence<'_>| one.counts && labels.fits(&one.failure, one.phase, one.database);
        self.occurrences.iter().filter(fits).count() as u64
    }

    /// The number of findings. If a check was not made, the findings of the others still count.
    fn findings(&self, labels: &Labels) -> Result<Measured, String> {
        let wanted = |result: &&CheckResult| labels.check.is_none_or(|check| check == result.check);
        let asked: Vec<&CheckResult> = self.checks.iter().filter(wanted).collect();
        let found: u64 = asked.iter().map(|result| result.findings().len() as u64).sum();
        let undone = asked.iter().find_map(|result| match &result.outcome {
            Outcome::NotChecked(reason) => Some(format!("{} was not checked: {reason}", result.name)),
            Outcome::Passed | Outcome::Failed(_) => None,
        });
        match (found, undone) {
            (0, Some(reason)) => Err(reason),
            (found, _) => Ok(Measured::Count(found)),
        }
    }

    /// The steps that a threshold is about. Those of settling are included only if the label `phase` names settling.
    fn events<'s>(
        &'s self,
        threshold: &'s ThresholdPlan,
        wanted: fn(StepKind) -> bool,
    ) -> impl Iterator<Item = &'s Event> {
        let labels = &threshold.labels;
        let in_phase = |event: &Event| match &labels.phase {
            Some(phase) => *phase == event.phase,
            None => event.phase != SETTLE,
        };
        self.scene
            .events()
            .filter(|(worker, _)| labels.database.is_none_or(|database| database == worker.database))
            .map(|(_, event)| event)
            .filter(move |event| wanted(event.step) && in_phase(event))
    }

    /// The statistic of an amount of each step.
    fn each(
        &self,
        threshold: &ThresholdPlan,
        wanted: fn(StepKind) -> bool,
        amount: fn(&Event) -> u64,
    ) -> Result<f64, String> {
        let mut amounts: Vec<u64> = self.events(threshold, wanted).map(amount).collect();
        amounts.sort_unstable();
        let count = amounts.len();
        let at = |place: usize| amounts.get(place.min(count.saturating_sub(1))).map(|amount| *amount as f64);
        let amount = match threshold.statistic {
            Some(Statistic::Percentile(percent)) => {
                let rank = figure::whole((count as f64 * percent / 100.0).ceil());
                at(usize::try_from(rank).unwrap_or(usize::MAX).saturating_sub(1))
            }
            Some(Statistic::Min) => at(0),
            Some(Statistic::Max) => at(count),
            Some(Statistic::Mean) | None => {
                (count > 0).then(|| amounts.iter().map(|amount| *amount as f64).sum::<f64>() / count as f64)
            }
        };
        amount.ok_or_else(|| NO_STEP.to_owned())
    }

    /// The statistic of the durations of steps.
    fn calls(&self, threshold: &ThresholdPlan, wanted: fn(StepKind) -> bool) -> Result<Measured, String> {
        let latency: Latency = self
            .events(threshold, wanted)
            .map(|event| if event.step == StepKind::Pace { event.late } else { event.took })
            .collect();
        let duration = match threshold.statistic {
            Some(Statistic::Percentile(percent)) => latency.percentile(percent),
            Some(Statistic::Min) => latency.min(),
            Some(Statistic::Max) => latency.max(),
            Some(Statistic::Mean) | None => latency.mean(),
        };
        duration.map(Measured::Duration).ok_or_else(|| NO_STEP.to_owned())
    }
}

const NO_STEP: &str = "no such step ran";

fn sends(step: StepKind) -> bool {
    step.sends() && !step.receives()
}

fn receives(step: StepKind) -> bool {
    step.receives() && !step.sends()
}

/// The number of databases that completed all their steps.
pub(super) fn completed(scene: &Scene<'_>) -> u64 {
    scene.workers.iter().filter(|worker| worker.completed && worker.crash.is_none()).count() as u64
}
