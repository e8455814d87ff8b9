//! A chart as a static picture: shapes that stretch with the page, next to labels that do not.

use std::fmt::Write;

use minijinja::{Value, context};

use super::chart::{Axis, Chart, Group, MOST_LINES, Unit, on_scale, place_of_percent, ticks};

/// The size of the drawing, in units that stretch with the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
/// The maximum number of labels below a long axis.
const LABELS: f64 = 8.0;

/// A chart for the page's template: the drawing, and labels with positions in percent.
pub(crate) fn drawn(group: &Group, chart: &Chart) -> Value {
    let (from, to) = span(group);
    let x = |place: f64| (place - from) / (to - from) * WIDTH;
    let ticks = ticks(chart.most(), chart.unit);
    let top = ticks.last().copied().unwrap_or(1.0);
    let y = |value: f64| HEIGHT - value / top * HEIGHT;
    let mut shapes = String::new();
    for tick in &ticks {
        let _ = write!(shapes, r#"<path class="grid" d="M0 {0:.1}H{WIDTH}"/>"#, y(*tick));
    }
    for mark in &group.marks {
        let _ = write!(shapes, r#"<path class="mark" d="M{:.1} 0V{HEIGHT}"/>"#, x(mark.at));
    }
    if chart.stacked {
        shapes.push_str(&bars(&group.x, chart, (from, to), y));
    } else {
        for (index, line) in chart.lines.iter().enumerate() {
            let points = group.x.iter().zip(&line.values).filter_map(|(place, value)| Some((x(*place), y((*value)?))));
            let _ = write!(shapes, r#"<path class="line s{}" d="{}"/>"#, index % MOST_LINES + 1, path(points));
        }
    }
    let svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false">{shapes}</svg>"#
    );
    let label = |at: f64, text: String| context! { at => format!("{at:.2}"), text };
    context! {
        id => chart.id,
        title => chart.title.clone(),
        words => chart.in_words(group.axis, &group.x),
        svg => Value::from_safe_string(svg),
        rows => ticks.iter().map(|tick| label(tick / top * 100.0, on_scale(&chart.unit.shown(*tick)))).collect::<Vec<_>>(),
        columns => places(group).into_iter()
            .map(|place| label((place - from) / (to - from) * 100.0, on_scale(&group.axis.shown(place)))).collect::<Vec<_>>(),
        marks => group.marks.iter()
            .map(|mark| label((mark.at - from) / (to - from) * 100.0, mark.label.to_owned())).collect::<Vec<_>>(),
        lines => chart.lines.iter().map(|line| line.name.clone()).collect::<Vec<_>>(),
    }
}

/// The ends of the axis; a single position gets space around it.
fn span(group: &Group) -> (f64, f64) {
    let (first, last) = (group.x.first().copied().unwrap_or(0.0), group.x.last().copied().unwrap_or(1.0));
    let (from, last) = match group.axis {
        // The positions are the middles of buckets.
        Axis::Seconds => (0.0, last + first),
        Axis::Percentiles => (0.0, last),
        Axis::Iterations => (first, last),
    };
    (from, if last > from { last } else { from + 1.0 })
}

/// The positions of the labels below the axis.
fn places(group: &Group) -> Vec<f64> {
    let (from, to) = span(group);
    match group.axis {
        Axis::Percentiles => {
            let named = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99].map(place_of_percent);
            named.into_iter().filter(|place| *place <= to + 1e-9).collect()
        }
        Axis::Iterations => {
            let unit = Unit::Count;
            ticks(to - from, unit).into_iter().map(|tick| tick + from).filter(|place| *place <= to).collect()
        }
        Axis::Seconds => {
            let minutes = [60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0];
            let round = minutes.into_iter().find(|step| to > 180.0 && to / step <= LABELS);
            let step = round.unwrap_or_else(|| ticks(to, Unit::Milliseconds).get(1).copied().unwrap_or(1.0));
            (0..100).map(|label| f64::from(label) * step).take_while(|place| *place <= to).collect()
        }
    }
}

/// A line through points; a single point is a short dash.
pub(crate) fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    let mut number = 0;
    for (x, y) in points {
        let _ = write!(path, "{}{x:.1} {y:.1}", if number == 0 { 'M' } else { 'L' });
        number += 1;
    }
    if number == 1 {
        path.push_str("h4");
    }
    path
}

fn bars(places: &[f64], chart: &Chart, (from, to): (f64, f64), y: impl Fn(f64) -> f64) -> String {
    let width = (WIDTH / places.len().max(1) as f64).max(1.5);
    let mut below = vec![0.0; places.len()];
    let mut shapes = String::new();
    for (index, line) in chart.lines.iter().enumerate() {
        let mut path = String::new();
        for ((place, value), below) in places.iter().zip(&line.values).zip(&mut below) {
            let Some(value) = value.filter(|value| *value > 0.0) else { continue };
            let left = ((place - from) / (to - from) * WIDTH - width / 2.0).clamp(0.0, WIDTH - width);
            let (low, high) = (y(*below), y(*below + value));
            let _ = write!(path, "M{left:.1} {low:.1}V{high:.1}h{width:.1}V{low:.1}z");
            *below += value;
        }
        let _ = write!(shapes, r#"<path class="bar s{}" d="{path}"/>"#, index + 1);
    }
    shapes
}
