//! Charts as numbers: lines over a common axis, in several views. `svg` draws them as static pictures, and the page's
//! script draws them as live charts, from the same numbers.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::figure;

/// The maximum number of lines in a chart; readers cannot distinguish more.
pub(crate) const MOST_LINES: usize = 8;

/// Charts over one axis, with a common cursor and zoom.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Group {
    /// Its name within the page.
    pub(crate) id: &'static str,
    /// The quantity on the x axis.
    pub(crate) axis: Axis,
    /// The positions of the values on the axis, in ascending order.
    #[serde(serialize_with = "rounded")]
    pub(crate) x: Vec<f64>,
    /// Moments marked with a vertical line.
    pub(crate) marks: Vec<Mark>,
    /// Views of the same events; the page shows the first one initially.
    pub(crate) views: Vec<View>,
}

/// The quantity on the x axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Axis {
    /// Seconds since the run's start.
    Seconds,
    /// Iterations, counted from 1.
    Iterations,
    /// Percentiles, on a scale on which 99 is as far from 90 as 99.9 is from 99.
    Percentiles,
}

/// A marked moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Mark {
    /// The position on the axis.
    pub(crate) at: f64,
    /// What happened.
    pub(crate) label: &'static str,
}

/// A view of the events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct View {
    /// The label of the view: `by phase`.
    pub(crate) name: String,
    /// A note about lines that are left out; empty if there are none.
    pub(crate) note: String,
    /// The same charts in every view.
    pub(crate) charts: Vec<Chart>,
}

/// A chart with lines or stacked bars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Chart {
    /// Its name within the page.
    pub(crate) id: &'static str,
    /// The title.
    pub(crate) title: String,
    /// The unit of the values.
    pub(crate) unit: Unit,
    /// Whether the values are stacked bars, and not lines.
    pub(crate) stacked: bool,
    /// The lines.
    pub(crate) lines: Vec<Line>,
}

/// Values by the group's axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    /// What it shows.
    pub(crate) name: String,
    /// One value per position on the axis; `None` for a gap.
    #[serde(serialize_with = "rounded_or_absent")]
    pub(crate) values: Vec<Option<f64>>,
}

/// The unit of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// A count.
    Count,
    /// Rows per second.
    Rate,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Milliseconds,
}

impl Axis {
    /// A position on the axis, with its unit.
    pub(crate) fn shown(self, place: f64) -> String {
        match self {
            Self::Seconds if place == 0.0 => "0 s".to_owned(),
            Self::Seconds => figure::duration(Duration::from_secs_f64(place.max(0.0))),
            Self::Iterations => figure::thousands(figure::whole(place)),
            Self::Percentiles => format!("{} %", (percent(place) * 1000.0).round() / 1000.0),
        }
    }
}

/// A figure on a scale: `200 ms` for `200.0 ms`.
pub(crate) fn on_scale(figure: &str) -> String {
    let end = figure.find(|c: char| !c.is_ascii_digit() && !".,".contains(c)).unwrap_or(figure.len());
    let (number, unit) = figure.split_at(end);
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

/// The position of a percentile on its axis.
pub(crate) fn place_of_percent(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).log10()
}

fn percent(place: f64) -> f64 {
    (1.0 - 10_f64.powf(-place)) * 100.0
}

impl Unit {
    /// A value with its unit.
    pub(crate) fn shown(self, value: f64) -> String {
        match self {
            Self::Count if value.fract() == 0.0 => figure::thousands(figure::whole(value)),
            Self::Count => figure::rate(value),
            Self::Rate => format!("{}/s", figure::rate(value)),
            Self::Bytes => figure::bytes(figure::whole(value)),
            Self::Milliseconds if value == 0.0 => "0 ms".to_owned(),
            Self::Milliseconds => figure::duration(Duration::from_secs_f64(value.max(0.0) / 1e3)),
        }
    }
}

impl Chart {
    /// Whether there is anything to draw.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.values.iter().all(Option::is_none))
    }

    /// The largest value; for stacked bars, the highest stack.
    pub(crate) fn most(&self) -> f64 {
        let at = |place: usize| self.lines.iter().filter_map(move |line| line.values.get(place).copied().flatten());
        let places = 0..self.lines.iter().map(|line| line.values.len()).max().unwrap_or_default();
        let of = |place| if self.stacked { at(place).sum() } else { at(place).fold(0.0, f64::max) };
        places.map(of).fold(0.0, f64::max)
    }

    /// The chart in words, for readers who cannot see it.
    pub(crate) fn in_words(&self, axis: Axis, x: &[f64]) -> String {
        let peaks = self.lines.iter().filter_map(|line| {
            let most = line.values.iter().zip(x).filter_map(|(value, place)| Some(((*value)?, *place)));
            let (value, place) = most.reduce(|most, next| if next.0 > most.0 { next } else { most })?;
            Some(format!("{} at most {} at {}", line.name, self.unit.shown(value), axis.shown(place)))
        });
        let peaks: Vec<String> = peaks.collect();
        if peaks.is_empty() {
            format!("{}: nothing", self.title)
        } else {
            format!("{}: {}", self.title, peaks.join("; "))
        }
    }
}

/// A number with three significant digits, because a picture shows no more.
fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

/// A number as JSON; whole numbers have no fraction.
fn number(value: f64) -> serde_json::Value {
    let value = round(value);
    if value >= 0.0 && value.fract() == 0.0 { figure::whole(value).into() } else { value.into() }
}

fn rounded<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    // The axis keeps one more digit, so that positions stay distinct.
    serializer.collect_seq(values.iter().map(|value| (value * 1e6).round() / 1e6))
}

#[expect(clippy::ptr_arg, reason = "serde calls it with the field's type")]
fn rounded_or_absent<S: Serializer>(values: &Vec<Option<f64>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| value.map(number)))
}

/// Round numbers from 0 to at least `most`, about four of them.
pub(crate) fn ticks(most: f64, unit: Unit) -> Vec<f64> {
    let rough = (most / 4.0).max(f64::MIN_POSITIVE);
    let (base, steps): (f64, &[f64]) = match unit {
        Unit::Bytes => (
            1024_f64.powf((rough.ln() / 1024_f64.ln()).floor()),
            &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 512.0, 1024.0],
        ),
        Unit::Count | Unit::Rate | Unit::Milliseconds => (10_f64.powf(rough.log10().floor()), &[1.0, 2.0, 5.0, 10.0]),
    };
    let step = steps.iter().map(|factor| factor * base).find(|step| *step >= rough).unwrap_or(rough);
    let step = if unit == Unit::Count { step.max(1.0) } else { step };
    let number = figure::whole((most / step).ceil()).max(1);
    (0..=number).map(|tick| tick as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(37.0, Unit::Count), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(ticks(1.0, Unit::Count), [0.0, 1.0]);
        assert_eq!(ticks(0.0, Unit::Count), [0.0, 1.0]);
        assert_eq!(ticks(3.0 * 1024.0, Unit::Bytes), [0.0, 1024.0, 2048.0, 3072.0]);
    }

    #[test]
    fn figures_on_a_scale_have_no_idle_digits() {
        assert_eq!(
            ["200.0 ms", "1.50 s", "2m 05s", "1,000", "100"].map(on_scale),
            ["200 ms", "1.5 s", "2m 05s", "1,000", "100"]
        );
    }

    #[test]
    fn numbers_are_short_in_the_data() {
        let line = Line { name: "p99".into(), values: vec![Some(0.123_456), Some(123_456.7), None, Some(0.0)] };
        let json = serde_json::to_string(&line).expect("it is JSON");
        assert_eq!(json, r#"{"name":"p99","values":[0.1235,123500,null,0]}"#);
    }

    #[test]
    fn a_chart_is_told_in_words() {
        let line = Line { name: "p99".into(), values: vec![Some(3.0), Some(1500.0), None] };
        let chart = Chart {
            id: "latency",
            title: "Latency".into(),
            unit: Unit::Milliseconds,
            stacked: false,
            lines: vec![line],
        };
        assert_eq!(chart.in_words(Axis::Seconds, &[1.0, 2.0, 3.0]), "Latency: p99 at most 1.50 s at 2.00 s");
    }
}
