//! P10: what it takes to read and compare what everybody holds at the end.

use std::time::Duration;

use stress::figure;
use stress::figure::thousands;

use crate::paired::megabytes;
use crate::table::{Row, State};
use crate::{Bench, Failed, Watch, many};

/// Each database writes a quarter of the rows that all of them hold at the end.
const SCENARIO: &str = "version: 1
name: verify
scale: { databases: 4, iterations: 1, rows: 100000, time_limit: 1h }
schema:
  tables:
    - name: test_sync
      sql: CREATE TABLE test_sync (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', name TEXT, value INTEGER)
phases:
  - name: insert
    kind: insert
    rows: \"{{ scale.rows }}\"
    sql: INSERT INTO test_sync (id, user_id, name, value) VALUES (:id, :user_id, 'row ' || :row, :row)
    sync: [send, receive]
verify: [converged, server]
";

/// From the last close to the end of the run, by its record. The share of the memory is what is resident then beyond
/// what was resident when it began: what the run had freed before is used again and not seen.
pub(crate) fn verify(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let rows = if bench.quick { "1000" } else { "100000" };
    let run = bench.run_text(SCENARIO, &["--rows", rows], &[0], Watch::Always)?;
    let closed = Duration::from_micros(many::closed(&run.record));
    let ended = Duration::from_micros(run.record.ended.map_or(0, |ended| ended.at));
    let state = run.record.state.as_ref().ok_or("the run did not look at what everybody holds")?;
    let held = state.databases.iter().flat_map(|database| &database.tables).map(|table| table.rows).max().unwrap_or(0);
    let took = ended.saturating_sub(closed);
    let (from, to) = (run.record.started + closed, run.record.started + ended);
    let before = run.measured.samples.iter().rev().find(|sample| sample.at <= from).map(|sample| sample.resident);
    let during = run.measured.samples.iter().filter(|sample| sample.at > from && sample.at <= to);
    let grown =
        during.map(|sample| sample.resident).max().zip(before).map(|(most, before)| most.saturating_sub(before));
    let time = Row {
        id: "P10",
        what: format!("verify: 4 databases × {} rows, and the server's copy", thousands(held)),
        figure: figure::duration(took),
        ratio: "digests, integrity checks, comparison".to_owned(),
        target: "≤ 2 s",
        state: bench.judged(took <= Duration::from_secs(2)),
    };
    let memory = Row {
        id: "P10",
        what: "memory that verify adds".to_owned(),
        figure: grown.map_or_else(|| "–".to_owned(), |bytes| megabytes(bytes as f64)),
        ratio: format!("{} at its beginning", before.map_or_else(|| "–".to_owned(), |bytes| megabytes(bytes as f64))),
        target: "≤ 50 MB",
        state: grown.map_or_else(
            || State::NotMeasured("it was over before it could be seen, or this is not Linux".to_owned()),
            |bytes| bench.judged(bytes <= 50_000_000),
        ),
    };
    Ok(vec![time, memory])
}
