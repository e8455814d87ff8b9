//! A series of runs of one scenario: how often it failed, with a confidence interval, and the kinds of failures. Its
//! document (`repeat.json`) can replace a run directory in `stress compare`. Pure: the caller makes the runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, Verdict};
use crate::figure::counted;
use crate::statistics::{Interval, wilson};

/// The version of the document's format.
pub(crate) const REPEAT_VERSION: u32 = 1;

/// The name of the file.
pub(crate) const REPEAT_FILE: &str = "repeat.json";

/// Runs of one scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repeat {
    /// The version of the document's format: [`REPEAT_VERSION`].
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The requested number of runs. An interrupted series lists fewer.
    pub wanted: u64,
    /// The runs, in order.
    pub runs: Vec<RunSummary>,
}

/// One of the runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunSummary {
    /// The run directory, relative to that of the document.
    pub directory: String,
    /// The values of the scenario's `matrix`, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub combination: String,
    /// The seed of the run.
    pub seed: u64,
    /// The verdict.
    pub verdict: RunVerdict,
    /// The kinds of failures and the checks with findings, as reports name them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<String>,
}

/// A verdict, as the document spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunVerdict {
    /// Every check and threshold passed.
    Pass,
    /// The run did too little to pass or fail.
    Unknown,
    /// A check or a threshold failed.
    Fail,
}

impl From<Verdict> for RunVerdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

impl From<RunVerdict> for Verdict {
    fn from(verdict: RunVerdict) -> Self {
        match verdict {
            RunVerdict::Pass => Self::Pass,
            RunVerdict::Fail => Self::Fail,
            RunVerdict::Unknown => Self::Unknown,
        }
    }
}

impl RunSummary {
    /// The summary of a run.
    pub(crate) fn of(analysis: &Analysis, directory: impl Into<String>, combination: impl Into<String>) -> Self {
        let failures =
            analysis.errors.groups.iter().filter(|group| group.count > 0).map(|group| group.kind.to_string());
        let found = analysis.checks.iter().filter(|result| !result.findings().is_empty());
        Self {
            directory: directory.into(),
            combination: combination.into(),
            seed: analysis.run.seed,
            verdict: analysis.verdict.into(),
            kinds: failures.chain(found.map(|result| result.check.to_string())).collect(),
        }
    }
}

impl Repeat {
    /// The number of runs that are still to be made.
    pub(crate) fn new(scenario: impl Into<String>, wanted: u64) -> Self {
        Self { version: REPEAT_VERSION, scenario: scenario.into(), wanted, runs: Vec::new() }
    }

    /// The number of runs with this verdict.
    pub(crate) fn count(&self, verdict: RunVerdict) -> u64 {
        self.runs.iter().filter(|run| run.verdict == verdict).count() as u64
    }

    /// The number of runs that passed or failed. An unknown run did neither.
    pub(crate) fn judged(&self) -> u64 {
        self.count(RunVerdict::Pass) + self.count(RunVerdict::Fail)
    }

    /// The 95 % confidence interval of the share of runs that fail, of those that passed or failed.
    pub(crate) fn failing(&self) -> Interval {
        wilson(self.count(RunVerdict::Fail), self.judged())
    }

    /// The verdict on the series: the worst of its runs; UNKNOWN without runs.
    pub(crate) fn verdict(&self) -> Verdict {
        self.runs.iter().map(|run| run.verdict).max().map_or(Verdict::Unknown, Verdict::from)
    }

    /// The kinds of failures and findings with the number of runs in which they occurred, most frequent first.
    pub(crate) fn kinds(&self) -> Vec<(&str, u64)> {
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for kind in self.runs.iter().flat_map(|run| &run.kinds) {
            *kinds.entry(kind).or_default() += 1;
        }
        let mut kinds: Vec<(&str, u64)> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }

    /// A summary of the series as text; the last line is the verdict.
    pub(crate) fn text(&self) -> String {
        let (all, failed) = (self.runs.len() as u64, self.count(RunVerdict::Fail));
        let mut text = String::new();
        for (kind, count) in self.kinds() {
            let _ = writeln!(text, "  {kind:<16} in {count} of {}", counted(all, "run"));
        }
        let failing = self.failing();
        let unknown = self.count(RunVerdict::Unknown);
        let unknown = if unknown == 0 {
            String::new()
        } else {
            format!(
                "; {} UNKNOWN and not counted",
                if unknown == 1 { "1 run is".to_owned() } else { format!("{unknown} runs are") }
            )
        };
        let missing = self.wanted.saturating_sub(all);
        let missing = if missing == 0 { String::new() } else { format!("; {missing} more did not run") };
        let _ = writeln!(
            text,
            "{}: {failed} of {} failed (95 % confidence interval: {:.1} % to {:.1} %){unknown}{missing}",
            self.verdict(),
            counted(self.judged(), "run"),
            failing.low * 100.0,
            failing.high * 100.0,
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(verdicts: &[RunVerdict]) -> Repeat {
        let run = |(place, verdict): (usize, &RunVerdict)| RunSummary {
            directory: format!("run-{place}"),
            combination: String::new(),
            seed: place as u64,
            verdict: *verdict,
            kinds: if *verdict == RunVerdict::Fail { BTreeSet::from(["locked".to_owned()]) } else { BTreeSet::new() },
        };
        let runs = verdicts.iter().enumerate().map(run).collect();
        Repeat { version: REPEAT_VERSION, scenario: "small".to_owned(), wanted: verdicts.len() as u64, runs }
    }

    #[test]
    fn the_worst_run_decides() {
        use RunVerdict::{Fail, Pass, Unknown};
        for (verdicts, all) in [
            (&[Pass, Pass][..], Verdict::Pass),
            (&[Pass, Unknown], Verdict::Unknown),
            (&[Unknown, Fail, Pass], Verdict::Fail),
            (&[], Verdict::Unknown),
        ] {
            assert_eq!(repeat(verdicts).verdict(), all);
        }
    }

    #[test]
    fn how_often_it_fails_is_said_with_how_sure_that_is() {
        let mut verdicts = [RunVerdict::Pass; 20];
        verdicts[3] = RunVerdict::Fail;
        let text = repeat(&verdicts).text();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "  locked           in 1 of 20 runs",
                "FAIL: 1 of 20 runs failed (95 % confidence interval: 0.9 % to 23.6 %)"
            ]
        );
        let never = repeat(&[RunVerdict::Pass; 40]);
        assert!(never.text().contains("interval: 0.0 % to 8.8 %"), "{}", never.text());
    }

    #[test]
    fn an_unknown_run_has_neither_failed_nor_passed() {
        use RunVerdict::{Fail, Pass, Unknown};
        let text = |verdicts: &[RunVerdict]| repeat(verdicts).text().lines().last().unwrap_or_default().to_owned();
        let mut verdicts = vec![Unknown; 16];
        verdicts.extend([Pass, Pass, Pass, Fail]);
        assert_eq!(
            text(&verdicts),
            "FAIL: 1 of 4 runs failed (95 % confidence interval: 4.6 % to 69.9 %); 16 runs are UNKNOWN and not counted"
        );
        assert_eq!(repeat(&verdicts).failing(), repeat(&[Pass, Pass, Fail, Pass]).failing());
        assert_eq!(
            text(&[Unknown]),
            "UNKNOWN: 0 of 0 runs failed (95 % confidence interval: 0.0 % to 100.0 %); 1 run is UNKNOWN and not counted"
        );
    }

    #[test]
    fn the_document_reads_back() {
        let repeat = repeat(&[RunVerdict::Pass, RunVerdict::Fail]);
        let json = serde_json::to_string(&repeat).expect("it is JSON");
        assert_eq!(serde_json::from_str::<Repeat>(&json).expect("it reads back"), repeat);
    }
}
