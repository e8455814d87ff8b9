//! Durations as people write them: `500ms`, `30s`, `1m 30s`, `2h`. A bare number is refused.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// One to six numbers with units. The number of digits is limited so that the sum always fits into a `Duration`.
const PATTERN: &str = concat!(
    r"^ *[0-9]{1,9}(\.[0-9]{1,9})? *(ns|us|µs|ms|s|m|h|d)",
    r"( *[0-9]{1,9}(\.[0-9]{1,9})? *(ns|us|µs|ms|s|m|h|d)){0,5} *$"
);

/// A duration with its unit: `500ms`, `30s`, `1m 30s`, `10m`, `2h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// A duration of this many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A duration of this many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A duration with its unit, such as `500ms`, `30s`, `1m 30s` or `2h`.",
            "type": "string",
            "pattern": PATTERN,
            "examples": ["500ms", "30s", "1m 30s"],
        })
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Self).ok_or_else(|| {
            format!("`{text}` is not a duration: write a number and its unit, as in `500ms`, `30s` or `10m`")
        })
    }
}

/// Reads exactly what [`PATTERN`] allows, so that what an editor accepts is never refused later.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim_matches(' ');
    let mut nanoseconds: u128 = 0;
    let mut parts = 0;
    while !rest.is_empty() {
        let whole = take(&mut rest, |byte| byte.is_ascii_digit())?;
        let fraction = match rest.strip_prefix('.') {
            Some(after) => {
                rest = after;
                take(&mut rest, |byte| byte.is_ascii_digit())?
            }
            None => "",
        };
        rest = rest.trim_start_matches(' ');
        let unit: u128 = match take(&mut rest, |byte| !byte.is_ascii_digit() && byte != b' ')? {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => return None,
        };
        parts += 1;
        if whole.len() > 9 || fraction.len() > 9 || parts > 6 {
            return None;
        }
        let billionths: u128 = format!("{fraction:0<9}").parse().ok()?;
        nanoseconds += whole.parse::<u128>().ok()? * unit + billionths * unit / 1_000_000_000;
        rest = rest.trim_start_matches(' ');
    }
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).ok()?;
    let below = u32::try_from(nanoseconds % 1_000_000_000).ok()?;
    (parts > 0).then(|| Duration::new(seconds, below))
}

/// Takes the leading bytes for which `fits` holds; `None` if there are none.
fn take<'t>(text: &mut &'t str, fits: impl Fn(u8) -> bool) -> Option<&'t str> {
    let end = text.bytes().position(|byte| !fits(byte)).unwrap_or(text.len());
    let (taken, rest) = text.split_at_checked(end)?;
    *text = rest;
    (!taken.is_empty()).then_some(taken)
}

impl TryFrom<String> for HumanDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HumanDuration> for String {
    fn from(duration: HumanDuration) -> Self {
        duration.to_string()
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = jiff::SignedDuration::try_from(self.0).unwrap_or(jiff::SignedDuration::MAX);
        write!(f, "{duration:#}")
    }
}

impl fmt::Debug for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1m 30s", 90_000),
            ("10m", 600_000),
            ("1.5s", 1500),
            ("1d", 86_400_000),
            (" 2 h ", 7_200_000),
            ("0s", 0),
            ("1s1s", 2000),
        ] {
            let duration: HumanDuration = text.parse().expect(text);
            assert_eq!(duration.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(duration.to_string().parse::<HumanDuration>(), Ok(duration), "{text}");
        }
    }

    #[test]
    fn a_bare_or_negative_number_is_refused_with_what_to_write() {
        for text in ["30", "-5s", "", "soon", "1.s", ".5s", "1x", "1234567890s", "5 s s"] {
            let message = text.parse::<HumanDuration>().expect_err(text);
            assert!(message.contains("500ms"), "{message}");
        }
    }
}
