//! Thresholds with `abort`, counted while the run goes on, by the same rules as in the end. Only what grows can be
//! broken beyond repair.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::plan::rule::{Treatment, treatment};
use crate::plan::threshold::{ThresholdPlan, Unit};
use crate::plan::{CheckKind, Plan};
use crate::record::Event;

/// The thresholds that end the run.
pub(super) struct Alarms<'a> {
    plan: &'a Plan,
    watched: Vec<(&'a ThresholdPlan, AtomicU64)>,
    /// Jobs that were counted: a sticky failure counts once.
    jobs: Mutex<HashSet<String>>,
}

impl<'a> Alarms<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let watched = plan.thresholds.iter().filter(|threshold| threshold.abort);
        let watched = watched.map(|threshold| (threshold, AtomicU64::new(0))).collect();
        Self { plan, watched, jobs: Mutex::default() }
    }

    /// Counts the failures of an event. Gives whether a threshold is now broken for good.
    pub(super) fn hear(&self, database: u32, event: &Event) -> bool {
        if self.watched.is_empty() || event.retried {
            return false;
        }
        let mut broken = false;
        for failure in &event.failures {
            let counts = match treatment(&self.plan.errors, failure) {
                Treatment::Count | Treatment::Fail => true,
                Treatment::Ignore | Treatment::Warn => false,
            };
            let first = |job: &String| self.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone());
            if !counts || !failure.job.as_ref().is_none_or(first) {
                continue;
            }
            for (threshold, count) in &self.watched {
                let fits = threshold.metric.unit() == Unit::Failures
                    && threshold.labels.fits(failure, &event.phase, Some(database));
                if fits {
                    broken |= threshold.is_lost_at(count.fetch_add(1, Ordering::Relaxed) + 1);
                }
            }
        }
        broken
    }

    /// Counts the first leak of a database and table, which is a finding of its own.
    pub(super) fn leak(&self) -> bool {
        let mut broken = false;
        for (threshold, count) in &self.watched {
            let about = threshold.labels.check.is_none_or(|check| check == CheckKind::Isolation);
            if threshold.metric.unit() == Unit::Findings && about {
                broken |= threshold.is_lost_at(count.fetch_add(1, Ordering::Relaxed) + 1);
            }
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, FailureKind, Side};
    use crate::fixture;
    use crate::record::StepKind;

    fn event(kind: FailureKind, job: Option<&str>) -> Event {
        let mut failure = Failure::new(kind, Side::Server, "boom");
        failure.job = job.map(str::to_owned);
        let mut event = fixture::record(&fixture::plan(1)).workers[0].events[0].clone();
        (event.step, event.failures) = (StepKind::Send, vec![failure]);
        event
    }

    fn aborting(text: &str) -> Plan {
        let mut plan = fixture::plan(1);
        plan.thresholds = vec![ThresholdPlan { abort: true, ..fixture::threshold(text) }];
        plan
    }

    #[test]
    fn a_threshold_is_broken_for_good_by_the_failure_that_passes_it() {
        let plan = aborting("errors{kind=\"locked\"} <= 2");
        let alarms = Alarms::new(&plan);
        let locked = event(FailureKind::Locked, None);
        assert!(!alarms.hear(1, &event(FailureKind::Timeout, None)));
        assert!(!alarms.hear(1, &locked));
        assert!(!alarms.hear(1, &Event { retried: true, ..locked.clone() }));
        assert!(!alarms.hear(1, &locked));
        assert!(alarms.hear(1, &locked));
    }

    #[test]
    fn a_sticky_failure_counts_once() {
        let plan = aborting("errors.total < 2");
        let alarms = Alarms::new(&plan);
        assert!(!alarms.hear(1, &event(FailureKind::ServerApply, Some("44"))));
        assert!(!alarms.hear(1, &event(FailureKind::ServerApply, Some("44"))));
        assert!(alarms.hear(1, &event(FailureKind::ServerApply, Some("45"))));
    }

    #[test]
    fn a_leak_is_a_finding_of_isolation() {
        let plan = aborting("findings.total{check=\"isolation\"} == 0");
        assert!(Alarms::new(&plan).leak());
        let plan = aborting("findings.total{check=\"server\"} == 0");
        assert!(!Alarms::new(&plan).leak());
    }
}
