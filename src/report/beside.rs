//! Growth and cards as rows and lines, shared by the terminal and the Markdown report.

use super::text::plain;
use crate::analysis::{Card, Growth, GrowthRow, Request};
use crate::figure::{self, counted, thousands};

pub(super) const GROWTH: [&str; 5] = ["measure", "iterations", "first", "last", "per iteration"];

pub(super) fn growth(row: &GrowthRow) -> [String; 5] {
    let shown = |value| row.measure.shown(value);
    [
        row.measure.as_str().to_owned(),
        format!("{}–{}", row.iterations.0, row.iterations.1),
        shown(row.first),
        shown(row.last),
        shown(row.slope),
    ]
}

/// The lines below the table of growth.
pub(super) fn growth_notes(growth: &Growth) -> Vec<String> {
    let buried = growth.tombstones.iter().filter(|(_, rows)| *rows > 0);
    let buried: Vec<String> = buried.map(|(table, rows)| format!("{} of {table}", counted(*rows, "row"))).collect();
    let kept = (!buried.is_empty()).then(|| format!("the server remembers the deletion of {}", figure::list(&buried)));
    growth.words.iter().cloned().chain(kept).map(|line| plain(&line)).collect()
}

/// The title and the lines of a card.
pub(super) fn card(card: &Card) -> (String, Vec<String>) {
    let title = format!("{} × {}: {}", card.kind, thousands(card.total), plain(&card.message));
    let mut lines = Vec::new();
    if !card.jobs.is_empty() {
        lines.push(format!("jobs: {}", plain(&card.jobs.join(", "))));
    }
    lines.extend(card.requests.iter().map(request));
    let more = card.total.saturating_sub(card.requests.len() as u64);
    if more > 0 {
        lines.push(format!("and {} more", counted(more, "request")));
    }
    (title, lines)
}

fn request(request: &Request) -> String {
    let millisecond = |time: jiff::Timestamp| time.round(jiff::Unit::Millisecond).unwrap_or(time).to_string();
    let site = request.site_id.as_ref().map(|site| format!(", site {site}")).unwrap_or_default();
    let job = request.job.as_ref().map(|job| format!(", job {job}")).unwrap_or_default();
    let failed = request.failed_at.as_ref().map(|at| format!(" failed at {at}")).unwrap_or_default();
    let place = match request.iteration {
        0 => request.phase.clone(),
        iteration => format!("iteration {iteration}, {}", request.phase),
    };
    plain(&format!(
        "{} to {}: database {}{site}, sync call {} of this database ({}; {place}){job}{failed}",
        millisecond(request.from),
        millisecond(request.until),
        request.database,
        thousands(request.order),
        request.step.as_str(),
    ))
}
