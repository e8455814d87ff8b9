//! `report.json`: the frozen document for programs. Its types are the schema; a change that breaks readers takes a new
//! version. Durations are microseconds.

mod beside;
mod checks;
mod errors;
mod microseconds;
mod run;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use self::beside::{CardDocument, GeneratorDocument, GrowthDocument, LogDocument};
use self::checks::{CheckDocument, ThresholdDocument};
use self::errors::{ErrorsDocument, IterationDocument};
use self::microseconds::microseconds;
use self::run::{DatabaseDocument, RunDocument, TimingDocument, TotalsDocument};
use crate::analysis::{Analysis, Verdict};

/// The version of the document.
const VERSION: u32 = 1;

/// The report as a JSON document.
#[expect(clippy::missing_panics_doc, reason = "it cannot: the document's types are plain")]
pub fn json(analysis: &Analysis) -> Value {
    serde_json::to_value(Report::of(analysis)).expect("its types are plain: no map with keys that are not texts")
}

/// The document's JSON schema.
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Report>().to_value()
}

/// A judged run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "stress report, version 1", deny_unknown_fields)]
pub struct Report {
    /// The version of this format. Always `1`.
    #[schemars(range(min = 1, max = 1))]
    version: u32,
    /// `pass`, `fail` or `unknown`.
    verdict: VerdictName,
    /// The rules that led to the verdict, the one that decided first.
    #[schemars(length(min = 1))]
    rules: Vec<RuleDocument>,
    /// Which run it was.
    run: RunDocument,
    /// What was done, counted.
    totals: TotalsDocument,
    /// How long things took.
    timing: TimingDocument,
    /// The databases, in index order.
    databases: Vec<DatabaseDocument>,
    /// What failed.
    errors: ErrorsDocument,
    /// The iterations one by one.
    timeline: Vec<IterationDocument>,
    /// What finds failures of the server in its own logs.
    cards: Vec<CardDocument>,
    /// The beginning and the end of the logs of databases in which something failed.
    logs: Vec<LogDocument>,
    /// Growth over the run.
    growth: GrowthDocument,
    /// How the load generator was served by its machine; null when it was not measured.
    generator: Option<GeneratorDocument>,
    /// The checks on the data.
    checks: Vec<CheckDocument>,
    /// The thresholds.
    thresholds: Vec<ThresholdDocument>,
}

/// A verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum VerdictName {
    Pass,
    Fail,
    Unknown,
}

/// Why the verdict is what it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RuleDocument {
    /// What speaks for it: `held`, `expected`, `crash`, `error_rule`, `check`, `threshold`, `killed`, `time_limit`,
    /// `interrupted`, `starved`, `nothing_ran`, `nothing_synced`, `phase_skipped`, `not_checked`, `not_measured`.
    kind: String,
    /// What happened, in words.
    message: String,
}

impl Report {
    fn of(analysis: &Analysis) -> Self {
        Self {
            version: VERSION,
            verdict: match analysis.verdict {
                Verdict::Pass => VerdictName::Pass,
                Verdict::Fail => VerdictName::Fail,
                Verdict::Unknown => VerdictName::Unknown,
            },
            rules: analysis
                .rules
                .iter()
                .map(|rule| RuleDocument { kind: rule.kind.as_str().to_owned(), message: rule.message.clone() })
                .collect(),
            run: RunDocument::of(analysis),
            totals: TotalsDocument::of(analysis),
            timing: TimingDocument::of(&analysis.timing),
            databases: analysis.databases.iter().map(DatabaseDocument::of).collect(),
            errors: ErrorsDocument::of(analysis),
            timeline: analysis.timeline.iter().map(IterationDocument::of).collect(),
            cards: analysis.cards.iter().map(CardDocument::of).collect(),
            logs: analysis.logs.iter().map(LogDocument::of).collect(),
            growth: GrowthDocument::of(&analysis.growth),
            generator: analysis.generator.as_ref().map(GeneratorDocument::of),
            checks: analysis.checks.iter().map(CheckDocument::of).collect(),
            thresholds: analysis.thresholds.iter().map(ThresholdDocument::of).collect(),
        }
    }
}
