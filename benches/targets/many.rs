//! P6, P7 and P11: a thousand databases at once, what each costs, and what recording them costs.

use std::time::Duration;

use stress::figure;
use stress::figure::{counted, thousands};
use stress::record::{Event, Record, StepKind};
use stress::statistics::quantile;

use crate::paired::megabytes;
use crate::process::Measured;
use crate::table::{Row, State};
use crate::workload::{TABLE, cloudsync};
use crate::{Bench, Failed, Run, Watch, shipped};

/// The run that the others are compared with, to know what a database adds.
const FEW: u64 = 2;

/// P6 with row-level security, and P11: two databases share the rows of a user, so that work grows with the databases.
pub(crate) fn embedded(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let run = |databases: u64| {
        let databases = databases.to_string();
        let arguments = ["--databases", &databases, "--rows", "100", "--iterations", "3", "--time-limit", "30m"];
        bench.run(&shipped("rls.yaml"), &arguments, &[0], Watch::Always)
    };
    let many = count(bench);
    let (base, run) = (run(FEW)?, run(many)?);
    let what = format!("{} databases, embedded, RLS", thousands(many));
    let closing = closing(&run);
    let first: Vec<u64> = run.record.workers.iter().filter_map(|worker| Some(worker.events.first()?.at)).collect();
    let spread = first.iter().max().zip(first.iter().min()).map_or(0, |(last, first)| last - first);
    let spread = Duration::from_micros(spread);
    Ok(vec![
        completes(bench, "P6", &what, &run),
        each(bench, "P6", &what, &base, &run, "≤ 250 KB", 250e3),
        row(
            "P6",
            format!("{what}: first start to last"),
            figure::duration(spread),
            "≤ 1 s",
            bench.judged(spread <= Duration::from_secs(1)),
        ),
        row(
            "P6",
            format!("{what}: closing and exit"),
            figure::duration(closing),
            "< 5 s",
            bench.judged(closing < Duration::from_secs(5)),
        ),
        row(
            "P11",
            format!("{what}: record.json"),
            megabytes(run.record_bytes as f64),
            "≤ 20 MB",
            bench.judged(run.record_bytes <= 20_000_000),
        ),
        flushes(&run),
    ])
}

/// P6 without row-level security: every database receives the rows of all, so there are few of them, inserted once.
pub(crate) fn shared(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let scenario = format!(
        "version: 1
name: shared
scale: {{ databases: 2, iterations: 1, rows: 10, time_limit: 30m }}
schema:
  tables:
    - {{ name: test_sync, sql: \"{TABLE}\" }}
phases:
  - name: insert
    kind: insert
    rows: \"{{{{ scale.rows }}}}\"
    sql: INSERT INTO test_sync (id, user_id, name, value) VALUES (:id, :user_id, 'row ' || :row, :row)
    sync: [send, receive]
verify: [converged, server]
"
    );
    let run = |databases: u64| bench.run_text(&scenario, &["--databases", &databases.to_string()], &[0], Watch::Always);
    let many = count(bench);
    let (base, run) = (run(FEW)?, run(many)?);
    let what = format!("{} databases, embedded, {} in each of them", thousands(many), counted(10 * many, "row"));
    Ok(vec![completes(bench, "P6", &what, &run), each(bench, "P6", &what, &base, &run, "≤ 250 KB", 250e3)])
}

/// P7: the real extension, with a server that is not there.
pub(crate) fn extension(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let scenario = format!(
        "version: 1
name: closed
scale: {{ databases: 2, iterations: 3, rows: 100, time_limit: 30m }}
{}
schema:
  tables:
    - {{ name: test_sync, sql: \"{TABLE}\" }}
phases:
  - {{ name: delete, kind: delete, sql: DELETE FROM test_sync, sync: [send, receive] }}
  - name: insert
    kind: insert
    rows: \"{{{{ scale.rows }}}}\"
    sql: INSERT INTO test_sync (id, user_id, name, value) VALUES (:id, :user_id, 'row ' || :row, :row)
    sync: [send, receive]
  - {{ name: update, kind: update, sql: UPDATE test_sync SET value = value + 1, sync: [send, receive] }}
settle: {{ rounds: 0 }}
verify: []
",
        cloudsync(bench.extension()?)
    );
    // Every sync call fails, and so does the run.
    let run = |databases: u64| bench.run_text(&scenario, &["--databases", &databases.to_string()], &[1], Watch::Always);
    let many = count(bench);
    let (base, run) = (run(FEW)?, run(many)?);
    let what = format!("{} databases, extension, closed port", thousands(many));
    let (most, left, few) = (descriptors(&run.measured, usize::max), after(&run), after(&base));
    let descriptors = Row {
        id: "P7",
        what: format!("{what}: descriptors"),
        figure: format!("{} at most, {} after closing", told(most), told(left)),
        ratio: format!("{} after closing {FEW}", told(few)),
        target: "back to the start",
        state: match (left, few) {
            (Some(left), Some(few)) => bench.judged(left <= few),
            (None, _) | (_, None) => State::NotMeasured("this system does not tell".to_owned()),
        },
    };
    Ok(vec![completes(bench, "P7", &what, &run), each(bench, "P7", &what, &base, &run, "≤ 400 KB", 400e3), descriptors])
}

fn count(bench: &Bench) -> u64 {
    if bench.quick { 40 } else { 1000 }
}

fn row(id: &'static str, what: String, figure: String, target: &'static str, state: State) -> Row {
    Row { id, what, figure, ratio: String::new(), target, state }
}

fn completes(bench: &Bench, id: &'static str, what: &str, run: &Run) -> Row {
    let done = run.record.workers.iter().filter(|worker| worker.completed).count();
    let took = format!("{} wall, {} CPU", figure::duration(run.measured.wall), figure::duration(run.measured.cpu));
    let state = bench.judged(done == run.record.workers.len());
    Row { id, what: what.to_owned(), figure: format!("{done} completed"), ratio: took, target: "completes", state }
}

/// What a database adds to the peak memory.
fn each(bench: &Bench, id: &'static str, what: &str, base: &Run, run: &Run, target: &'static str, most: f64) -> Row {
    let count = run.record.workers.len() as f64 - FEW as f64;
    let (peak, few) = (run.measured.peak as f64, base.measured.peak as f64);
    let each = (peak - few) / count;
    Row {
        id,
        what: format!("{what}: memory of each"),
        figure: format!("{:.0} KB", each / 1e3),
        ratio: format!("{}, with {FEW} {}", megabytes(peak), megabytes(few)),
        target,
        state: bench.judged(each <= most),
    }
}

/// When the last session was closed, in microseconds since the run's start.
pub(crate) fn closed(record: &Record) -> u64 {
    last(record, |step| step == StepKind::Close)
}

fn last(record: &Record, of: impl Fn(StepKind) -> bool) -> u64 {
    let events = record.workers.iter().flat_map(|worker| &worker.events);
    events.filter(|event| of(event.step)).map(end).max().unwrap_or(0)
}

fn end(event: &Event) -> u64 {
    event.at + event.took
}

/// From the last thing done to the last close, and from the end of the run to that of the process.
fn closing(run: &Run) -> Duration {
    let sessions = closed(&run.record).saturating_sub(last(&run.record, |step| step != StepKind::Close));
    let ended = run.record.started + Duration::from_micros(run.record.ended.map_or(0, |ended| ended.at));
    let exit = run.measured.gone.duration_since(ended);
    Duration::from_micros(sessions) + exit.unsigned_abs()
}

/// How long flushes took as seen from outside, and whether a phase that ran meanwhile took longer. Recording cannot be
/// switched off, so there is no run without it to compare with.
fn flushes(run: &Run) -> Row {
    let spans = &run.measured.flushes;
    let longest = spans.iter().map(|span| span.end.duration_since(span.start).unsigned_abs()).max().unwrap_or_default();
    let (mut during, mut between) = (Vec::new(), Vec::new());
    for event in run.record.workers.iter().flat_map(|worker| &worker.events).filter(|event| event.step.is_sql()) {
        let from = run.record.started + Duration::from_micros(event.at);
        let to = run.record.started + Duration::from_micros(end(event));
        let met = spans.iter().any(|span| from <= span.end && span.start <= to);
        (if met { &mut during } else { &mut between }).push(event.took as f64 / 1e6);
    }
    let p999 = |sample: &[f64]| {
        let seconds = quantile(sample, 0.999).map_or_else(|| "–".to_owned(), crate::paired::seconds);
        format!("{seconds} of {}", sample.len())
    };
    Row {
        id: "P11",
        what: "p99.9 of a phase's SQL while the record is flushed".to_owned(),
        figure: p999(&during),
        ratio: format!(
            "between: {}; {}, the longest {}",
            p999(&between),
            counted(spans.len() as u64, "flush in all"),
            figure::duration(longest)
        ),
        target: "unchanged",
        state: State::NotJudged("not judged: a phase that takes longer meets a flush more often"),
    }
}

fn descriptors(measured: &Measured, choose: fn(usize, usize) -> usize) -> Option<usize> {
    measured.samples.iter().map(|sample| sample.descriptors).reduce(choose)
}

/// The fewest descriptors open after the last session was closed.
fn after(run: &Run) -> Option<usize> {
    let closed = run.record.started + Duration::from_micros(closed(&run.record));
    let after = run.measured.samples.iter().filter(|sample| sample.at > closed);
    after.map(|sample| sample.descriptors).min()
}

fn told(count: Option<usize>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| count.to_string())
}
