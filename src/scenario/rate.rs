//! Rates as people write them: `2/s`, `0.5/s`, `30/m`, `100/h`. A bare number is refused.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A number above zero, and the unit that it counts per.
const PATTERN: &str = r"^ *([1-9][0-9]{0,5}(\.[0-9]{1,3})?|0\.0{0,2}[1-9][0-9]{0,2}) */ *(s|m|h) *$";

/// A rate per second, minute or hour: `2/s`, `0.5/s`, `30/m`, `100/h`. Never zero.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    number: f64,
    unit: char,
}

impl Rate {
    /// The rate in starts per second.
    pub fn per_second(self) -> f64 {
        self.number / f64::from(seconds(self.unit))
    }

    /// The time from one start to the next.
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second())
    }
}

fn seconds(unit: char) -> u32 {
    match unit {
        'h' => 3600,
        'm' => 60,
        _ => 1,
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "A rate per second, minute or hour, such as `2/s`, `0.5/s`, `30/m` or `100/h`.",
            "type": "string",
            "pattern": PATTERN,
            "examples": ["2/s", "30/m"],
        })
    }
}

impl TryFrom<String> for Rate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, unit)| {
            let unit = match unit.trim_matches(' ') {
                "s" => 's',
                "m" => 'm',
                "h" => 'h',
                _ => return None,
            };
            let number: f64 = number.trim_matches(' ').parse().ok()?;
            (number.is_finite() && number > 0.0).then_some(Self { number, unit })
        });
        parsed.ok_or_else(|| {
            format!("`{text}` is not a rate: write a number per second, minute or hour, as in `2/s`, `30/m` or `100/h`")
        })
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.unit)
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written_as_people_do() {
        for (text, interval) in [("2/s", 500), ("0.5 / s", 2000), ("30/m", 2000), ("3600/h", 1000)] {
            let rate = Rate::try_from(text.to_owned()).expect("a rate");
            assert_eq!(rate.interval(), Duration::from_millis(interval), "{text}");
            assert_eq!(Rate::try_from(rate.to_string()), Ok(rate));
        }
        for text in ["2", "0/s", "-1/s", "2/d", "/s", "inf/s", "NaN/s"] {
            assert!(Rate::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
