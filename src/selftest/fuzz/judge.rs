//! Whether a run of a drawn scenario reported what it must, and how that is told.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::made::Made;
use super::plant::Plant;
use super::shape::Shape;
use crate::analysis::Verdict;
use crate::failure::FailureKind;
use crate::figure::{counted, thousands};
use crate::selftest::{NotRun, Seen};

/// A drawn scenario with what its run reported.
#[derive(Debug, Clone)]
pub(crate) struct Fuzzed {
    /// The scenario.
    pub(crate) made: Made,
    /// What its run reported, or the reason why it could not start.
    pub(crate) seen: Result<Seen, NotRun>,
}

impl Fuzzed {
    /// Whether the run reported what it must.
    pub(crate) fn is_as_wanted(&self) -> bool {
        let Ok(seen) = &self.seen else { return false };
        match self.made.plant() {
            None => {
                let is_silent = seen.kinds.is_empty() && seen.checks.is_empty() && seen.limits.is_empty();
                seen.verdict == Verdict::Pass && is_silent
            }
            Some(plant) => self.has_struck() && plant.is_found_in(seen),
        }
    }

    /// Whether the planted fault struck; another scenario is drawn where it did not.
    pub(crate) fn has_struck(&self) -> bool {
        self.made.planted.is_none() || self.seen.as_ref().is_ok_and(|seen| seen.strikes > 0)
    }

    /// Whether another run failed in the same way as this one.
    pub(crate) fn fails_like(&self, other: &Self) -> bool {
        match (&self.seen, &other.seen) {
            _ if other.is_as_wanted() || !other.has_struck() => false,
            (Ok(seen), Ok(other)) => {
                let is_silent = |seen: &Seen| seen.kinds.is_empty() && seen.checks.is_empty();
                let shares = !seen.kinds.is_disjoint(&other.kinds) || !seen.checks.is_disjoint(&other.checks);
                seen.verdict == other.verdict && (shares || is_silent(seen) && is_silent(other))
            }
            (Err(_), Err(_)) => true,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }

    /// What was seen and what had to be, in a line.
    fn line(&self) -> String {
        let wanted = match self.made.plant() {
            None => "expected PASS and nothing found".to_owned(),
            Some(plant) => plant.wanted(),
        };
        match &self.seen {
            Ok(seen) => {
                format!("{wanted}; got {}: {} on {} ({})", seen.verdict, seen.named(), seen.blamed(), seen.rule)
            }
            Err(NotRun(reason)) => format!("{wanted}; the run did not start: {reason}"),
        }
    }
}

impl Plant {
    fn is_found_in(&self, seen: &Seen) -> bool {
        let has_check = self.checks.is_empty() || self.checks.iter().any(|check| seen.checks.contains(check));
        let has_kind = self.kind.is_none_or(|kind| seen.kinds.contains(&kind));
        let is_blamed = seen.sides.iter().copied().eq([self.side]);
        seen.verdict == Verdict::Fail && has_check && has_kind && is_blamed
    }

    /// The name of its fault in scenarios.
    fn name(&self) -> String {
        let name = serde_json::to_value(self.fault).ok().and_then(|name| Some(name.as_str()?.to_owned()));
        name.unwrap_or_default()
    }

    fn wanted(&self) -> String {
        let mut found: Vec<&str> = self.checks.iter().map(|check| check.as_str()).collect();
        found.extend(self.kind.map(FailureKind::as_str));
        format!("with the fault {}, expected FAIL with {} on {}", self.name(), found.join(" or "), self.side.as_str())
    }
}

/// A scenario that was not judged rightly, as it was drawn and, if that was tried, as small as it could be made.
pub(crate) fn told(drawn: &Fuzzed, small: Option<&Fuzzed>) -> String {
    let made = &drawn.made;
    let shapes: Vec<String> = made.shapes.iter().map(ToString::to_string).collect();
    let mut text = format!("{} ({}): {}\n", made.name(), shapes.join(", "), drawn.line());
    if let Some(small) = small {
        let _ = writeln!(text, "as small as it could be made: {}\n{}", small.line(), small.made.yaml());
    }
    text
}

/// The shapes that were covered, and the verdict as the last line.
pub(crate) fn summary(done: &[Fuzzed]) -> String {
    let mut counts: BTreeMap<Shape, u64> = Shape::ALL.into_iter().map(|shape| (shape, 0)).collect();
    for shape in done.iter().flat_map(|fuzzed| &fuzzed.made.shapes) {
        *counts.entry(*shape).or_default() += 1;
    }
    let mut text = String::new();
    let covered: Vec<String> = counts.iter().map(|(shape, count)| format!("{shape} {count}")).collect();
    let _ = writeln!(text, "scenarios with each oddity: {}", covered.join(", "));
    let mut faults: BTreeMap<String, u64> = BTreeMap::new();
    for plant in done.iter().filter_map(|fuzzed| fuzzed.made.plant()) {
        *faults.entry(plant.name()).or_default() += 1;
    }
    if !faults.is_empty() {
        let planted: Vec<String> = faults.iter().map(|(fault, count)| format!("{fault} {count}")).collect();
        let _ = writeln!(text, "scenarios with each fault: {}", planted.join(", "));
    }
    let (planted, clean): (Vec<&Fuzzed>, Vec<&Fuzzed>) = done.iter().partition(|fuzzed| fuzzed.made.planted.is_some());
    let part = |runs: &[&Fuzzed], noun: &str, what: &str| {
        let (all, good) = (runs.len(), runs.iter().filter(|fuzzed| fuzzed.is_as_wanted()).count());
        let of = if good == all { String::new() } else { format!("{} of ", thousands(good as u64)) };
        (all > 0).then(|| format!("{of}{} {what}", counted(all as u64, noun)))
    };
    let parts: Vec<String> = [
        part(&clean, "clean scenario", "passed"),
        part(&planted, "planted fault", "found with the right kind and side"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let all = !done.is_empty() && done.iter().all(Fuzzed::is_as_wanted);
    let verdict = if all { Verdict::Pass } else { Verdict::Fail };
    let said = if parts.is_empty() { "nothing ran".to_owned() } else { parts.join(", ") };
    let _ = writeln!(text, "{verdict}: {said}");
    text
}
