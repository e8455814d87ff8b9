//! `report.json`: the document for programs. Its types define the JSON schema; a change that breaks readers needs a new
//! version. Durations are in microseconds.

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
    /// The reasons for the verdict; the first one decided.
    #[schemars(length(min = 1))]
    rules: Vec<RuleDocument>,
    /// The run, its scenario, its target and its machine.
    run: RunDocument,
    /// Totals of what the run did.
    totals: TotalsDocument,
    /// Durations, latencies and rates.
    timing: TimingDocument,
    /// A summary of each database, in ascending order.
    databases: Vec<DatabaseDocument>,
    /// The failures, counted and grouped.
    errors: ErrorsDocument,
    /// A summary of each iteration.
    timeline: Vec<IterationDocument>,
    /// The facts that find server failures in the server's logs.
    cards: Vec<CardDocument>,
    /// The beginning and the end of the logs of databases with failures.
    logs: Vec<LogDocument>,
    /// Growth over the run.
    growth: GrowthDocument,
    /// Whether the machine was fast enough for the load generator; null if that was not measured.
    generator: Option<GeneratorDocument>,
    /// The results of the checks.
    checks: Vec<CheckDocument>,
    /// The results of the thresholds.
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

/// A reason for the verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RuleDocument {
    /// The kind of reason: `held`, `expected`, `crash`, `error_rule`, `check`, `threshold`, `disagrees`, `killed`,
    /// `time_limit`, `interrupted`, `starved`, `nothing_ran`, `nothing_synced`, `nothing_changed`, `phase_skipped`,
    /// `not_checked`, `not_measured`.
    kind: String,
    /// The reason in words.
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
