//! The steps of a run as CSV, one step per line, for spreadsheets and data frames. Times are in seconds.

use super::text::plain;
use crate::record::{Event, Record, WorkerRecord};

/// The columns, in order. New columns go to the end.
const COLUMNS: [&str; 17] = [
    "database",
    "user",
    "iteration",
    "phase",
    "step",
    "start_seconds",
    "duration_seconds",
    "rows",
    "chunks",
    "bytes",
    "attempt",
    "retried",
    "failures",
    "kind",
    "side",
    "message",
    "incomplete",
];

/// The steps of a run: database by database, in order of time. A step with several failures shows the first one.
#[expect(clippy::missing_panics_doc, reason = "it cannot: it writes text to memory")]
pub fn csv(record: &Record) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut workers: Vec<&WorkerRecord> = record.workers.iter().collect();
    workers.sort_by_key(|worker| worker.database);
    let rows = workers.into_iter().flat_map(|worker| worker.events.iter().map(|event| row(worker, event)));
    let written = std::iter::once(COLUMNS.map(str::to_owned)).chain(rows).try_for_each(|row| writer.write_record(row));
    let bytes = written.ok().and_then(|()| writer.into_inner().ok()).expect("a Vec takes everything");
    String::from_utf8(bytes).expect("its cells are text")
}

fn row(worker: &WorkerRecord, event: &Event) -> [String; 17] {
    let first = event.failures.first();
    [
        worker.database.to_string(),
        worker.user.to_string(),
        event.iteration.to_string(),
        text(&event.phase),
        event.step.as_str().to_owned(),
        seconds(event.at),
        seconds(event.took),
        event.rows.to_string(),
        event.chunks.to_string(),
        event.bytes.to_string(),
        event.attempt.to_string(),
        event.retried.to_string(),
        event.failures.len().to_string(),
        first.map(|failure| failure.kind.to_string()).unwrap_or_default(),
        first.map(|failure| failure.side.to_string()).unwrap_or_default(),
        first.map(|failure| text(&failure.message)).unwrap_or_default(),
        event.incomplete.to_string(),
    ]
}

/// Microseconds as seconds, exactly.
fn seconds(microseconds: u64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// Text of foreign origin, escaped so that no spreadsheet takes it for a formula.
fn text(text: &str) -> String {
    let text = plain(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_formula() {
        for (found, shown) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'=1"),
            ("\r=1", "'=1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(text(found), shown);
        }
    }

    #[test]
    fn seconds_lose_no_microsecond() {
        assert_eq!([seconds(0), seconds(1), seconds(61_000_020)], ["0.000000", "0.000001", "61.000020"]);
    }
}
