//! Where failures cluster: a timeline of the iterations, and the clusters in words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Scene;
use super::errors::Occurrence;
use crate::figure;
use crate::verify::databases;

/// The minimum number of failures for a cluster.
const FEWEST: usize = 3;

/// One iteration, over all databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRow {
    /// The number of the iteration, from 1.
    pub iteration: u64,
    /// The start of its first step, since the start of the run.
    pub start: Duration,
    /// The end of its last step, since the start of the run.
    pub end: Duration,
    /// The number of rows deleted, inserted and updated.
    pub rows: u64,
    /// The number of sync calls.
    pub syncs: u64,
    /// The number of all failures: counted, ignored and retried ones.
    pub failures: u64,
    /// The number of failures that count in `errors.total`.
    pub errors: u64,
}

pub(super) fn timeline(scene: &Scene<'_>, occurrences: &[Occurrence<'_>]) -> Vec<TimelineRow> {
    let mut rows: BTreeMap<u64, (u64, u64, TimelineRow)> = BTreeMap::new();
    for (_, event) in scene.events().filter(|(_, event)| event.iteration > 0) {
        let empty = TimelineRow {
            iteration: event.iteration,
            start: Duration::ZERO,
            end: Duration::ZERO,
            rows: 0,
            syncs: 0,
            failures: 0,
            errors: 0,
        };
        let (start, end, row) = rows.entry(event.iteration).or_insert((u64::MAX, 0, empty));
        *start = (*start).min(event.at);
        *end = (*end).max(event.at.saturating_add(event.took));
        if event.step.changes_rows() {
            row.rows = row.rows.saturating_add(event.rows);
        }
        row.syncs += u64::from(event.step.is_sync());
    }
    for occurrence in occurrences {
        if let Some((.., row)) = rows.get_mut(&occurrence.iteration) {
            row.failures += 1;
            row.errors += u64::from(occurrence.counts);
        }
    }
    rows.into_values()
        .map(|(start, end, row)| TimelineRow {
            start: Duration::from_micros(start),
            end: Duration::from_micros(end),
            ..row
        })
        .collect()
}

/// Sentences about where the failures cluster, or that they are spread evenly. Empty if there are too few failures.
pub(super) fn in_words(scene: &Scene<'_>, occurrences: &[Occurrence<'_>]) -> Vec<String> {
    let inside: Vec<&Occurrence<'_>> = occurrences.iter().filter(|one| one.database.is_some()).collect();
    if inside.len() < FEWEST {
        return Vec::new();
    }
    let words: Vec<String> =
        [by_database(scene, &inside), by_iteration(scene, &inside), by_phase(scene, &inside), by_time(scene, &inside)]
            .into_iter()
            .flatten()
            .collect();
    if words.is_empty() {
        return vec!["none; the failures are spread evenly over databases, iterations and phases".to_owned()];
    }
    words
}

fn by_database(scene: &Scene<'_>, inside: &[&Occurrence<'_>]) -> Option<String> {
    let there_are = scene.plan.databases.len();
    let (few, share) = few(inside.iter().filter_map(|one| one.database), there_are)?;
    Some(format!("{share} in {}", databases(&few)))
}

fn by_iteration(scene: &Scene<'_>, inside: &[&Occurrence<'_>]) -> Option<String> {
    let there_are = usize::try_from(scene.plan.iterations).unwrap_or(usize::MAX);
    let (few, share) = few(inside.iter().map(|one| one.iteration).filter(|iteration| *iteration > 0), there_are)?;
    let plural = if few.len() == 1 { "" } else { "s" };
    Some(format!("{share} in iteration{plural} {}", figure::runs(&few)))
}

fn by_phase(scene: &Scene<'_>, inside: &[&Occurrence<'_>]) -> Option<String> {
    let mut phases: Vec<&str> = scene.events().map(|(_, event)| event.phase.as_str()).collect();
    phases.sort_unstable();
    phases.dedup();
    let (few, share) = few(inside.iter().map(|one| one.phase), phases.len())?;
    let plural = if few.len() == 1 { "" } else { "s" };
    Some(format!("{share} in phase{plural} {}", figure::list(&few)))
}

/// The smallest set of places with at least four fifths of the failures; `None` if it would need more than a third of all
/// places.
fn few<P: Ord + Copy>(places: impl Iterator<Item = P>, there_are: usize) -> Option<(Vec<P>, String)> {
    let mut counts: BTreeMap<P, usize> = BTreeMap::new();
    for place in places {
        *counts.entry(place).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    if there_are < 2 || total < FEWEST {
        return None;
    }
    let mut most: Vec<(P, usize)> = counts.into_iter().collect();
    most.sort_by_key(|(place, count)| (std::cmp::Reverse(*count), *place));
    let mut held = 0;
    let mut few = Vec::new();
    for (place, count) in most.into_iter().take((there_are / 3).max(1)) {
        held += count;
        few.push(place);
        if held * 5 >= total * 4 {
            few.sort_unstable();
            return Some((
                few,
                if held == total { format!("all {total} are") } else { format!("{held} of {total} are") },
            ));
        }
    }
    None
}

/// Whether the failures start late in the run, or stop early.
fn by_time(scene: &Scene<'_>, inside: &[&Occurrence<'_>]) -> Option<String> {
    let end = scene.end().max(1);
    let first = inside.first()?.at;
    let last = inside.last()?.at;
    let percent = |at: u64| u128::from(at) * 100 / u128::from(end);
    let when = |at: u64| format!("{} ({} % of the run)", figure::duration(Duration::from_micros(at)), percent(at));
    if percent(first) >= 30 {
        Some(format!("none occurred before {}", when(first)))
    } else if percent(last) <= 50 {
        Some(format!("none occurred after {}", when(last)))
    } else {
        None
    }
}
