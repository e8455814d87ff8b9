//! Durations as people write them: `500ms`, `30s`, `1m 30s`, `2h`. A bare number is refused.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A duration with its unit: `500ms`, `30s`, `1m 30s`, `10m`, `2h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// This many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// This many milliseconds.
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
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(us|ms|s|m|h|d)(\s*[0-9]+(\.[0-9]+)?\s*(us|ms|s|m|h|d))*\s*$",
            "examples": ["500ms", "30s", "1m 30s"],
        })
    }
}

impl std::str::FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a duration: write a number and its unit, as in `500ms`, `30s` or `10m`");
        let duration: jiff::SignedDuration = text.trim().parse().map_err(|_| wrong())?;
        Duration::try_from(duration).map(Self).map_err(|_| wrong())
    }
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
        for (text, milliseconds) in
            [("500ms", 500), ("30s", 30_000), ("1m 30s", 90_000), ("10m", 600_000), ("1.5s", 1500)]
        {
            let duration: HumanDuration = text.parse().expect(text);
            assert_eq!(duration.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(duration.to_string().parse::<HumanDuration>(), Ok(duration), "{text}");
        }
    }

    #[test]
    fn a_bare_or_negative_number_is_refused_with_what_to_write() {
        for text in ["30", "-5s", "", "soon"] {
            let message = text.parse::<HumanDuration>().expect_err(text);
            assert!(message.contains("500ms"), "{message}");
        }
    }
}
