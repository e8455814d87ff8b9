//! How the databases spent their time, and whether a `rate` was kept.

use std::time::Duration;

use super::{SETTLE, Scene};
use crate::latency::Latency;
use crate::plan::StepPlan;
use crate::record::{Event, Part, StepKind};
use crate::scenario::Rate;

/// How the databases spent their time: sums over all databases, from the first step of each to its last one before
/// settling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effort {
    /// Running the SQL of phases.
    pub sql: Duration,
    /// In sync calls.
    pub sync: Duration,
    /// Opening and closing sessions.
    pub session: Duration,
    /// Waiting as the scenario demands: barriers, `wait`, `think`, `rate`.
    pub waiting: Duration,
    /// In SQL on the server (`admin`).
    pub admin: Duration,
    /// Everything in between, in `stress` itself: recording, logging, checking for leaks, measuring sizes.
    pub harness: Duration,
}

impl Effort {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let mut effort = Self::default();
        let mut between = 0_u64;
        for worker in &scene.workers {
            let events = || worker.events.iter().filter(|event| event.phase != SETTLE);
            let start = events().map(|event| event.at).min().unwrap_or_default();
            let end = events().map(|event| event.at.saturating_add(event.took)).max().unwrap_or_default();
            let spent = events().map(|event| event.took).fold(0, u64::saturating_add);
            between = between.saturating_add((end - start).saturating_sub(spent));
            events().for_each(|event| effort.add(event));
        }
        Self { harness: Duration::from_micros(between), ..effort }
    }

    fn add(&mut self, event: &Event) {
        let part = match event.step.part() {
            Part::Sql => &mut self.sql,
            Part::Sync => &mut self.sync,
            Part::Session => &mut self.session,
            Part::Waiting => &mut self.waiting,
            Part::Admin => &mut self.admin,
        };
        *part = part.saturating_add(Duration::from_micros(event.took));
    }

    /// The parts with their names in reports.
    pub const fn parts(&self) -> [(&'static str, Duration); 6] {
        [
            ("SQL", self.sql),
            ("sync calls", self.sync),
            ("sessions", self.session),
            ("waiting", self.waiting),
            ("SQL on the server", self.admin),
            ("stress itself", self.harness),
        ]
    }
}

/// Whether a `rate` was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct RateKept {
    /// The phase that the rate repeats; `None` if the rate starts iterations.
    pub phase: Option<String>,
    /// The requested rate.
    pub rate: Rate,
    /// The actual number of starts per second and database; `None` if no database had two starts.
    pub reached: Option<f64>,
    /// The delays of the starts.
    pub late: Latency,
    /// Whether no start was late by more than one interval of the rate.
    pub kept: bool,
}

/// Every `rate` of the plan that started something.
pub(super) fn rates(scene: &Scene<'_>) -> Vec<RateKept> {
    let plan = scene.plan;
    let iterations = plan.rate.map(|rate| (None, rate));
    let rated = |step: &StepPlan| step.rate.map(|rate| (Some(step.name.clone()), rate));
    let phases = plan.setup.iter().chain(&plan.phases).chain(&plan.teardown).filter_map(rated);
    iterations.into_iter().chain(phases).filter_map(|(phase, rate)| kept(scene, phase, rate)).collect()
}

fn kept(scene: &Scene<'_>, phase: Option<String>, rate: Rate) -> Option<RateKept> {
    let name = phase.as_deref().unwrap_or("iteration");
    let mut late = Latency::default();
    let (mut turns, mut time) = (0_u64, 0_u64);
    for worker in &scene.workers {
        let mut before: Option<(u64, u64)> = None;
        for event in worker.events.iter().filter(|event| event.step == StepKind::Pace && event.phase == name) {
            late.record(event.late);
            let start = event.at.saturating_add(event.took);
            // The schedule of a phase starts anew in each iteration; the schedule of iterations never does.
            if let Some((iteration, earlier)) = before
                && (phase.is_none() || iteration == event.iteration)
            {
                turns += 1;
                time = time.saturating_add(start.saturating_sub(earlier));
            }
            before = Some((event.iteration, start));
        }
    }
    let most = late.max()?;
    let reached = (turns > 0 && time > 0).then(|| turns as f64 / Duration::from_micros(time).as_secs_f64());
    Some(RateKept { phase, rate, reached, late, kept: most <= rate.interval() })
}

impl RateKept {
    /// The requested rate, the actual one and the delays, in words.
    pub fn words(&self) -> String {
        let of = self.phase.as_ref().map_or_else(|| "iterations".to_owned(), |phase| format!("`{phase}`"));
        let unit = match self.rate.per_second() {
            rate if rate >= 0.1 => (1.0, "s"),
            rate if rate * 60.0 >= 0.1 => (60.0, "m"),
            _ => (3600.0, "h"),
        };
        let reached = self
            .reached
            .map_or_else(String::new, |reached| format!(", {:.2}/{} reached per database", reached * unit.0, unit.1));
        let most = self
            .late
            .max()
            .map_or_else(String::new, |most| format!("; starts were up to {} late", crate::figure::duration(most)));
        let verdict = if self.kept { "" } else { "; the rate was not kept" };
        format!("{of}: {} requested{reached}{most}{verdict}", self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyze;
    use crate::fixture::{plan, record};

    fn rate(text: &str) -> Rate {
        Rate::try_from(text.to_owned()).expect("a rate")
    }

    #[test]
    fn all_of_the_databases_time_is_accounted_for() {
        let plan = plan(2);
        let mut record = record(&plan);
        for worker in &mut record.workers {
            // Nothing is recorded of 5 ms in the middle.
            let middle = worker.events.len() / 2;
            worker.events[middle..].iter_mut().for_each(|event| event.at += 5_000);
        }
        let effort = analyze(&record, &plan).timing.effort;
        assert_eq!(effort.harness, Duration::from_millis(10), "{effort:?}");
        assert!(effort.sql > Duration::ZERO && effort.sync > Duration::ZERO && effort.session > Duration::ZERO);
    }

    #[test]
    fn a_rate_is_kept_until_a_start_is_late_by_a_whole_turn() {
        let mut plan = plan(1);
        (plan.rate, plan.iterations) = (Some(rate("2/s")), 3);
        let mut record = record(&plan);
        let pace = |iteration: u64, at: u64, late: u64| Event {
            iteration,
            phase: "iteration".to_owned(),
            step: StepKind::Pace,
            at,
            took: 0,
            late,
            rows: 0,
            ..record.workers[0].events[0].clone()
        };
        let paced = [pace(1, 0, 0), pace(2, 700_000, 200_000), pace(3, 1_500_000, 500_000)];
        let late = [pace(1, 0, 0), pace(2, 1_200_000, 700_000), pace(3, 2_400_000, 1_400_000)];
        let own = std::mem::take(&mut record.workers[0].events);
        for (starts, kept, reached) in [(paced, true, 1.333), (late, false, 0.833)] {
            record.workers[0].events = starts.into_iter().chain(own.clone()).collect();
            let timing = analyze(&record, &plan).timing;
            assert_eq!(timing.rates.len(), 1);
            assert_eq!(timing.rates[0].kept, kept);
            assert!((timing.rates[0].reached.expect("two starts") - reached).abs() < 0.01, "{:?}", timing.rates);
        }
    }

    #[test]
    fn a_call_that_began_late_is_also_measured_from_when_it_was_to_begin() {
        let mut plan = plan(1);
        plan.rate = Some(rate("2/s"));
        let mut record = record(&plan);
        let events = &mut record.workers[0].events;
        events.iter_mut().filter(|event| event.step == StepKind::Send).for_each(|event| event.late = 3_000_000);
        let timing = analyze(&record, &plan).timing;
        let send = timing.steps.iter().find(|row| row.step == StepKind::Send).expect("it was sent");
        let intended = send.intended.as_ref().expect("there is a rate");
        let apart = intended.max().expect("a call").saturating_sub(send.latency.max().expect("a call"));
        assert!(apart.abs_diff(Duration::from_secs(3)) < Duration::from_millis(30), "{apart:?}");
    }
}
