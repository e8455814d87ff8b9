//! The values that thresholds compare with, and how a value is written in each unit. It must not know what is measured.

use std::time::Duration;

use crate::scenario::HumanDuration;

/// What the values of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time.
    Duration,
    /// Rows per second.
    RowsPerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// A number of failures.
    Failures,
    /// A number of findings of the checks.
    Findings,
    /// A number of databases.
    Databases,
}

/// What is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A count, or rows per second.
    Number(f64),
    /// A duration.
    Duration(Duration),
    /// Bytes per second.
    BytesPerSecond(f64),
    /// As many as there are databases.
    All,
}

impl Unit {
    /// Reads a value; none if it is not one of this unit.
    pub(super) fn read(self, text: &str) -> Option<Limit> {
        match self {
            Self::Duration => Some(Limit::Duration(text.parse::<HumanDuration>().ok()?.get())),
            Self::BytesPerSecond => Some(Limit::BytesPerSecond(size_per_second(text)?)),
            Self::RowsPerSecond => Some(Limit::Number(number(text.strip_suffix("/s").unwrap_or(text))?)),
            Self::Databases if text == "all" => Some(Limit::All),
            Self::Databases | Self::Failures | Self::Findings => {
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
            Self::Failures | Self::Findings => "a whole number",
        }
    }

    /// What a value of it looks like.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Duration => "a duration such as `500ms` or `30s`",
            Self::BytesPerSecond => "a size per second such as `1MB/s` or `10KiB/s`",
            Self::RowsPerSecond => "rows per second, such as `1000`",
            Self::Databases => "a whole number, or `all`",
            Self::Failures | Self::Findings => "a whole number, such as `0`",
        }
    }

    /// Whether it is counted while the run goes on and can only grow, so that a broken upper limit stays broken.
    pub(super) const fn only_grows(self) -> bool {
        match self {
            Self::Failures | Self::Findings => true,
            Self::Duration | Self::RowsPerSecond | Self::BytesPerSecond | Self::Databases => false,
        }
    }
}

/// A plain decimal number: no sign, exponent, infinity or `NaN`.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| plain)
}

fn size_per_second(text: &str) -> Option<f64> {
    let size = text.strip_suffix("/s")?.trim_end();
    let digits = size.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(size.len());
    let (amount, unit) = size.split_at(digits);
    let factor = match unit.trim() {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number(amount)? * factor)
}
