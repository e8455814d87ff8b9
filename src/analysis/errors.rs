//! What failed, grouped by kind, side and fingerprint; what the rules of `errors:` make of it; and sticky failures of
//! the server counted once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Scene;
use crate::failure::{Failure, FailureKind, Side};
use crate::plan::rule::{Treatment, treatment};

/// A failure where it happened, and what is made of it.
#[derive(Debug, Clone)]
pub(super) struct Occurrence<'a> {
    pub(super) failure: std::borrow::Cow<'a, Failure>,
    /// The database; none outside a worker.
    pub(super) database: Option<u32>,
    pub(super) iteration: u64,
    pub(super) phase: &'a str,
    /// Microseconds since the run's start.
    pub(super) at: u64,
    /// Whether the call was made again afterwards.
    pub(super) retried: bool,
    pub(super) treatment: Treatment,
    /// Whether it is one of `errors.total`.
    pub(super) counts: bool,
}

/// What failed, grouped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorTable {
    /// Failures that count.
    pub total: u64,
    /// Failures seen, whatever became of them.
    pub seen: u64,
    /// Failures after which the call was made again.
    pub retried: u64,
    /// Failures that a rule ignores.
    pub ignored: u64,
    /// Failures that a rule only warns about.
    pub warned: u64,
    /// The groups, the most frequent first.
    pub groups: Vec<ErrorGroup>,
}

/// Failures of one kind, side and fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorGroup {
    /// What failed.
    pub kind: FailureKind,
    /// On whose side.
    pub side: Side,
    /// The message with digits and ids folded.
    pub fingerprint: String,
    /// How many count in `errors.total`.
    pub count: u64,
    /// How many were seen, whatever became of them.
    pub seen: u64,
    /// How many jobs of the server failed, when it named any: each is reported again and again, and counts once.
    pub jobs: u64,
    /// After how many the call was made again.
    pub retried: u64,
    /// How many a rule ignores.
    pub ignored: u64,
    /// How many a rule only warns about.
    pub warned: u64,
    /// The databases in which they came up, in order.
    pub databases: Vec<u32>,
    /// The iterations in which they came up, in order; 0 stands for before the first and after the last.
    pub iterations: Vec<u64>,
    /// The phases in which they came up, in order of their first failure.
    pub phases: Vec<String>,
    /// Where the first of them stands in the scenario; none for what is no phase of it, such as settling.
    pub pointer: Option<String>,
    /// The HTTP status of the first, when known.
    pub http: Option<u16>,
    /// The machine-readable code of the first, when known.
    pub code: Option<String>,
    /// The message of the first, in full.
    pub sample: String,
    /// When the first came up, since the run's start.
    pub first: Duration,
}

/// Every failure of the record in order of time, with what is made of it.
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

/// Panics that no event tells of.
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

/// Decides which failures count: final ones that no rule lets pass, and a failed job only once.
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
