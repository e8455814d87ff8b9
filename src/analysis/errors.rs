//! The failures of a run, grouped by kind, side and fingerprint, with the effect of the rules under `errors:`. A failed
//! job that the server reports repeatedly counts once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Scene;
use crate::failure::{Failure, FailureKind, Side};
use crate::plan::rule::{Treatment, treatment};

/// A failure with its place in the run and its treatment.
#[derive(Debug, Clone)]
pub(super) struct Occurrence<'a> {
    pub(super) failure: std::borrow::Cow<'a, Failure>,
    /// The database; `None` for failures outside a worker.
    pub(super) database: Option<u32>,
    pub(super) iteration: u64,
    pub(super) phase: &'a str,
    /// Microseconds since the start of the run.
    pub(super) at: u64,
    /// Whether the call was retried afterwards.
    pub(super) retried: bool,
    pub(super) treatment: Treatment,
    /// Whether the failure counts in `errors.total`.
    pub(super) counts: bool,
}

/// The failures of a run, counted and grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorTable {
    /// The number of failures that count in `errors.total`.
    pub total: u64,
    /// The number of all failures: counted, ignored and retried ones.
    pub seen: u64,
    /// The number of failures after which the call was retried.
    pub retried: u64,
    /// The number of failures that a rule ignores.
    pub ignored: u64,
    /// The number of failures that a rule only warns about.
    pub warned: u64,
    /// The groups, most frequent first.
    pub groups: Vec<ErrorGroup>,
}

/// Failures of one kind, side and fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorGroup {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The side on which the failures happened.
    pub side: Side,
    /// The message with digits and ids replaced by placeholders.
    pub fingerprint: String,
    /// The number of failures that count in `errors.total`.
    pub count: u64,
    /// The number of all failures: counted, ignored and retried ones.
    pub seen: u64,
    /// The number of failed jobs, if the server names them. The server reports each repeatedly; it counts once.
    pub jobs: u64,
    /// The number of failures after which the call was retried.
    pub retried: u64,
    /// The number of failures that a rule ignores.
    pub ignored: u64,
    /// The number of failures that a rule only warns about.
    pub warned: u64,
    /// The databases with such failures, in ascending order.
    pub databases: Vec<u32>,
    /// The iterations with such failures, in ascending order; 0 means before the first or after the last.
    pub iterations: Vec<u64>,
    /// The phases with such failures, in order of their first failure.
    pub phases: Vec<String>,
    /// Where the first of them stands in the scenario; none for what is no phase of it, such as settling.
    pub pointer: Option<String>,
    /// The HTTP status of the first failure, if known.
    pub http: Option<u16>,
    /// The machine-readable code of the first failure, if known.
    pub code: Option<String>,
    /// The full message of the first failure.
    pub sample: String,
    /// The time of the first failure, since the start of the run.
    pub first: Duration,
}

/// Every failure of the record in order of time, with its treatment.
pub(super) fn occurrences<'a>(scene: &Scene<'a>) -> Vec<Occurrence<'a>> {
    let mut occurrences: Vec<Occurrence<'a>> = Vec::new();
    for (worker, event) in scene.events() {
        occurrences.extend(event.failures.iter().map(|failure| Occurrence {
            failure: std::borrow::Cow::Borrowed(failure),
            database: Some(worker.database),
            iteration: event.iteration,
            phase: &event.phase,
            at: event.at.saturating_add(event.took),
            retried: event.retried,
            treatment: treatment(&scene.plan.errors, failure),
            counts: false,
        }));
    }
    occurrences.extend(crashes(scene));
    let end = scene.end();
    let fresh = scene.record.state.iter().flat_map(|state| &state.bootstrap).flat_map(|fresh| &fresh.failures);
    let outside =
        scene.record.failures.iter().map(|failure| (failure, "run")).chain(fresh.map(|failure| (failure, "bootstrap")));
    occurrences.extend(outside.map(|(failure, phase)| Occurrence {
        failure: std::borrow::Cow::Borrowed(failure),
        database: None,
        iteration: 0,
        phase,
        at: end,
        retried: false,
        treatment: treatment(&scene.plan.errors, failure),
        counts: false,
    }));
    occurrences.sort_by_key(|occurrence| (occurrence.at, occurrence.database));
    count(&mut occurrences);
    occurrences
}

/// Panics that no event reports.
fn crashes<'a>(scene: &Scene<'a>) -> Vec<Occurrence<'a>> {
    let told = |worker: &crate::record::WorkerRecord| {
        worker.events.iter().flat_map(|event| &event.failures).any(|failure| failure.kind == FailureKind::Crash)
    };
    scene
        .workers
        .iter()
        .filter(|worker| !told(worker))
        .filter_map(|worker| {
            let message = worker.crash.as_ref()?;
            let last = worker.events.last();
            Some(Occurrence {
                failure: std::borrow::Cow::Owned(Failure::new(FailureKind::Crash, Side::Harness, message)),
                database: Some(worker.database),
                iteration: last.map_or(0, |event| event.iteration),
                phase: last.map_or("session", |event| event.phase.as_str()),
                at: last.map_or(0, |event| event.at.saturating_add(event.took)),
                retried: false,
                treatment: Treatment::Count,
                counts: false,
            })
        })
        .collect()
}

/// Decides which failures count: those that were not retried and that no rule excuses; a failed job counts once.
fn count(occurrences: &mut [Occurrence<'_>]) {
    let mut jobs = BTreeSet::new();
    for occurrence in occurrences {
        let wanted = match occurrence.treatment {
            Treatment::Count | Treatment::Fail => true,
            Treatment::Ignore | Treatment::Warn => false,
        };
        let first = |job: &String| jobs.insert(job.clone());
        occurrence.counts = wanted && !occurrence.retried && occurrence.failure.job.as_ref().is_none_or(first);
    }
}

impl ErrorTable {
    pub(super) fn of(scene: &Scene<'_>, occurrences: &[Occurrence<'_>]) -> Self {
        let mut groups: BTreeMap<(FailureKind, Side, &str), Vec<&Occurrence<'_>>> = BTreeMap::new();
        for occurrence in occurrences {
            let failure = &occurrence.failure;
            groups.entry((failure.kind, failure.side, &failure.fingerprint)).or_default().push(occurrence);
        }
        let groups = groups.into_values().filter_map(|group| ErrorGroup::of(scene, &group));
        let mut groups: Vec<ErrorGroup> = groups.collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.count, group.seen)));
        Self {
            total: groups.iter().map(|group| group.count).sum(),
            seen: groups.iter().map(|group| group.seen).sum(),
            retried: groups.iter().map(|group| group.retried).sum(),
            ignored: groups.iter().map(|group| group.ignored).sum(),
            warned: groups.iter().map(|group| group.warned).sum(),
            groups,
        }
    }
}

impl ErrorGroup {
    fn of(scene: &Scene<'_>, group: &[&Occurrence<'_>]) -> Option<Self> {
        let first = group.first()?;
        let number = |fits: fn(&Occurrence<'_>) -> bool| group.iter().filter(|one| fits(one)).count() as u64;
        let jobs: BTreeSet<&String> = group.iter().filter_map(|one| one.failure.job.as_ref()).collect();
        let databases: BTreeSet<u32> = group.iter().filter_map(|one| one.database).collect();
        let iterations: BTreeSet<u64> = group.iter().map(|one| one.iteration).collect();
        let mut phases: Vec<String> = Vec::new();
        for one in group {
            if !phases.iter().any(|phase| phase == one.phase) {
                phases.push(one.phase.to_owned());
            }
        }
        Some(Self {
            kind: first.failure.kind,
            side: first.failure.side,
            fingerprint: first.failure.fingerprint.clone(),
            count: number(|one| one.counts),
            seen: group.len() as u64,
            jobs: jobs.len() as u64,
            retried: number(|one| one.retried),
            ignored: number(|one| one.treatment == Treatment::Ignore),
            warned: number(|one| one.treatment == Treatment::Warn),
            databases: databases.into_iter().collect(),
            iterations: iterations.into_iter().collect(),
            pointer: scene.plan.steps().find(|step| step.name == first.phase).map(|step| step.pointer.clone()),
            phases,
            http: first.failure.http,
            code: first.failure.code.clone(),
            sample: first.failure.message.clone(),
            first: Duration::from_micros(first.at),
        })
    }
}
