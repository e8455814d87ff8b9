//! The metrics, and everything about each that is known before a run: its name, its unit, what is chosen of it by labels
//! and statistics, and whom it speaks against. It must not know how a metric is measured: that is `analysis`' to say.

use std::fmt;

use schemars::JsonSchema;

use super::limit::{number, size, size_per_second};
use super::{Label, Limit};
use crate::failure::Side;
use crate::scenario::HumanDuration;

/// What can be limited. A metric's documentation is its line in `stress help metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub enum Metric {
    /// The number of all failures that count.
    ErrorsTotal,
    /// The number of failures that count and match the labels.
    Errors,
    /// The durations of `send` calls.
    SendDuration,
    /// The durations of `receive` and `check`, which are the same call.
    ReceiveDuration,
    /// The durations of `check` and `receive`, which are the same call.
    CheckDuration,
    /// The durations of `sync` calls.
    SyncDuration,
    /// The durations of the SQL of phases.
    PhaseDuration,
    /// The payload chunks of each `send` call.
    SendChunks,
    /// The payload bytes of each `send` call.
    SendBytes,
    /// The payload chunks of each `receive` and `check` call.
    ReceiveChunks,
    /// The number of `receive` and `check` calls whose answer says that there is more to receive (`complete: false`).
    ReceiveIncomplete,
    /// The delays of starts: the time from when a `rate` should start an iteration or repetition until its start.
    StartLate,
    /// The number of rows changed per second.
    RowsRate,
    /// The payload bytes sent and received per second.
    BytesRate,
    /// The duration of settling.
    SettleDuration,
    /// The number of databases that completed all their steps.
    DatabasesCompleted,
    /// The number of findings of the checks.
    FindingsTotal,
}

/// What is known of a metric before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The metric's name in scenarios and reports.
    pub name: &'static str,
    /// What its values are.
    pub unit: Unit,
    /// The labels it can have.
    pub labels: &'static [Label],
    /// Whether it has many values, of which a statistic chooses one.
    pub has_statistic: bool,
    /// Where the time of a broken limit can have gone; nowhere for what is blamed where each failure is reported.
    pub sides: &'static [Side],
}

/// What the values of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time.
    Duration,
    /// Rows per second.
    RowsPerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// Bytes.
    Bytes,
    /// A number of chunks.
    Chunks,
    /// A number of calls.
    Calls,
    /// A number of failures.
    Failures,
    /// A number of findings of the checks.
    Findings,
    /// A number of databases.
    Databases,
}

impl Description {
    /// One value of the whole run.
    const fn single(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, labels: &[], has_statistic: false, sides: &[] }
    }

    /// The durations of many steps.
    const fn of_steps(name: &'static str, sides: &'static [Side]) -> Self {
        let labels = &[Label::Phase, Label::Database];
        Self { name, unit: Unit::Duration, labels, has_statistic: true, sides }
    }

    /// Something else of each of many calls.
    const fn of_each(name: &'static str, unit: Unit, sides: &'static [Side]) -> Self {
        Self { unit, ..Self::of_steps(name, sides) }
    }

    /// The durations of many calls.
    const fn of_calls(name: &'static str) -> Self {
        Self::of_steps(name, &[Side::Network, Side::Server])
    }

    /// The same, limited to what labels choose.
    const fn with(self, labels: &'static [Label]) -> Self {
        Self { labels, ..self }
    }
}

impl Metric {
    /// All metrics, in the order of their declaration.
    pub const ALL: [Self; 17] = [
        Self::ErrorsTotal,
        Self::Errors,
        Self::SendDuration,
        Self::ReceiveDuration,
        Self::CheckDuration,
        Self::SyncDuration,
        Self::PhaseDuration,
        Self::SendChunks,
        Self::SendBytes,
        Self::ReceiveChunks,
        Self::ReceiveIncomplete,
        Self::StartLate,
        Self::RowsRate,
        Self::BytesRate,
        Self::SettleDuration,
        Self::DatabasesCompleted,
        Self::FindingsTotal,
    ];

    /// What is known of it before a run.
    pub const fn description(self) -> Description {
        match self {
            Self::ErrorsTotal => Description::single("errors.total", Unit::Failures),
            Self::Errors => Description::single("errors", Unit::Failures).with(&[
                Label::Kind,
                Label::Side,
                Label::Phase,
                Label::Database,
            ]),
            Self::SendDuration => Description::of_calls("send.duration"),
            Self::ReceiveDuration => Description::of_calls("receive.duration"),
            Self::CheckDuration => Description::of_calls("check.duration"),
            Self::SyncDuration => Description::of_calls("sync.duration"),
            Self::PhaseDuration => Description::of_steps("phase.duration", &[Side::Client]),
            Self::SendChunks => Description::of_each("send.chunks", Unit::Chunks, &[Side::Client]),
            Self::SendBytes => Description::of_each("send.bytes", Unit::Bytes, &[Side::Client]),
            Self::ReceiveChunks => Description::of_each("receive.chunks", Unit::Chunks, &[Side::Server]),
            Self::ReceiveIncomplete => Description {
                has_statistic: false,
                ..Description::of_each("receive.incomplete", Unit::Calls, &[Side::Server])
            },
            Self::StartLate => Description::of_steps("start.late", &[Side::Harness]),
            Self::RowsRate => Description::single("rows.rate", Unit::RowsPerSecond),
            Self::BytesRate => Description::single("bytes.rate", Unit::BytesPerSecond),
            Self::SettleDuration => Description::single("settle.duration", Unit::Duration),
            Self::DatabasesCompleted => Description::single("databases.completed", Unit::Databases),
            Self::FindingsTotal => Description::single("findings.total", Unit::Findings).with(&[Label::Check]),
        }
    }

    /// The metric's name in scenarios and reports.
    pub const fn as_str(self) -> &'static str {
        self.description().name
    }

    /// What its values are.
    pub const fn unit(self) -> Unit {
        self.description().unit
    }

    /// The labels it can have.
    pub const fn labels(self) -> &'static [Label] {
        self.description().labels
    }

    /// Whether it has many values, of which a statistic chooses one.
    pub const fn has_statistic(self) -> bool {
        self.description().has_statistic
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Unit {
    /// Reads a value; none if it is not one of this unit.
    pub(super) fn read(self, text: &str) -> Option<Limit> {
        match self {
            Self::Duration => Some(Limit::Duration(text.parse::<HumanDuration>().ok()?.get())),
            Self::BytesPerSecond => Some(Limit::BytesPerSecond(size_per_second(text)?)),
            Self::RowsPerSecond => Some(Limit::Number(number(text.strip_suffix("/s").unwrap_or(text))?)),
            Self::Databases if text == "all" => Some(Limit::All),
            Self::Bytes => Some(Limit::Number(size(text)?)),
            Self::Databases | Self::Chunks | Self::Calls | Self::Failures | Self::Findings => {
                number(text).filter(|number| number.fract() == 0.0).map(Limit::Number)
            }
        }
    }

    /// What a text that is no value of it is not: `… is not <this>`.
    pub(super) const fn wanted(self) -> &'static str {
        match self {
            Self::Duration => "a duration with its unit",
            Self::BytesPerSecond => "a size per second",
            Self::RowsPerSecond => "a number of rows",
            Self::Databases => "a whole number, nor `all`",
            Self::Bytes => "a size",
            Self::Chunks | Self::Calls | Self::Failures | Self::Findings => "a whole number",
        }
    }

    /// What a value of it looks like.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Duration => "a duration such as `500ms` or `30s`",
            Self::BytesPerSecond => "a size per second such as `1MB/s` or `10KiB/s`",
            Self::RowsPerSecond => "rows per second, such as `1000`",
            Self::Databases => "a whole number, or `all`",
            Self::Bytes => "a size such as `5MB` or `10KiB`",
            Self::Chunks => "a whole number, such as `1`",
            Self::Calls | Self::Failures | Self::Findings => "a whole number, such as `0`",
        }
    }

    /// Whether it is counted while the run goes on and can only grow, so that a broken upper limit stays broken.
    pub(super) const fn only_grows(self) -> bool {
        match self {
            Self::Failures | Self::Findings => true,
            Self::Duration
            | Self::RowsPerSecond
            | Self::BytesPerSecond
            | Self::Databases
            | Self::Bytes
            | Self::Chunks
            | Self::Calls => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_all_metrics_leaves_none_out() {
        let schema = schemars::schema_for!(Metric).to_value();
        let declared = schema["oneOf"].as_array().expect("one entry for each variant");
        let declared: Vec<&str> = declared.iter().filter_map(|variant| variant["const"].as_str()).collect();
        assert_eq!(Metric::ALL.map(|metric| format!("{metric:?}")).as_slice(), declared);
    }
}
