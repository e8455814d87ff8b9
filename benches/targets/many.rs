//! P6, P7 and P11: a thousand databases at once, what each costs, and what recording them costs.

use std::time::Duration;

use jiff::Timestamp;
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
    let first = run.record.workers.iter().filter_map(|worker| Some(worker.events.first()?.at));
    let spread = first.clone().max().zip(first.min()).map_or(0, |(last, first)| last - first);
    let last = last(&run.record, |step| step != StepKind::Close);
    let closing = closed(&run.record).saturating_sub(last);
    let ended = at(&run, run.record.ended.map_or(0, |ended| ended.at));
    let exit = run.measured.gone.duration_since(ended).unsigned_abs();
    let row = |id, figure: &str, value, ratio, target, met| Row {
        id,
        what: format!("{what}: {figure}"),
        figure: value,
        ratio,
        target,
        state: bench.judged(met),
    };
    let micros = |time| figure::duration(Duration::from_micros(time));
    let report = format!("then {} to report, tidy up and exit", figure::duration(exit));
    let record = run.record_bytes;
    Ok(vec![
        completes(bench, "P6", &what, &run),
        each(bench, "P6", &what, &base, &run, Some(("≤ 250 KB", 250e3))),
        row("P6", "first start to last", micros(spread), String::new(), "≤ 1 s", spread <= 1_000_000),
        row("P6", "closing all sessions", micros(closing), report, "< 5 s", closing < 5_000_000),
        row("P11", "record.json", megabytes(record as f64), String::new(), "≤ 20 MB", record <= 20_000_000),
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
    Ok(vec![completes(bench, "P6", &what, &run), each(bench, "P6", &what, &base, &run, None)])
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
    let mut base = run(FEW)?;
    // Now and then it is over before it is looked at after closing.
    for _ in 0..10 {
        if after(&base).is_none() {
            base = run(FEW)?;
        }
    }
    let run = run(many)?;
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
    Ok(vec![
        completes(bench, "P7", &what, &run),
        each(bench, "P7", &what, &base, &run, Some(("≤ 400 KB", 400e3))),
        descriptors,
    ])
}

fn count(bench: &Bench) -> u64 {
    if bench.quick { 40 } else { 1000 }
}

fn completes(bench: &Bench, id: &'static str, what: &str, run: &Run) -> Row {
    let done = run.record.workers.iter().filter(|worker| worker.completed).count();
    let took = format!("{} wall, {} CPU", figure::duration(run.measured.wall), figure::duration(run.measured.cpu));
    let state = bench.judged(done == run.record.workers.len());
    Row { id, what: what.to_owned(), figure: format!("{done} completed"), ratio: took, target: "completes", state }
}

/// What a database adds to the peak memory, and the most bytes that it may.
fn each(bench: &Bench, id: &'static str, what: &str, base: &Run, run: &Run, most: Option<(&'static str, f64)>) -> Row {
    let count = run.record.workers.len() as f64 - FEW as f64;
    let (peak, few) = (run.measured.peak as f64, base.measured.peak as f64);
    let each = (peak - few) / count;
    Row {
        id,
        what: format!("{what}: memory of each"),
        figure: format!("{:.0} KB", each / 1e3),
        ratio: format!("{}, with {FEW} {}", megabytes(peak), megabytes(few)),
        target: most.map_or("", |(target, _)| target),
        state: most.map_or(State::NotJudged("no target"), |(_, most)| bench.judged(each <= most)),
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

/// A moment of the record as a time.
fn at(run: &Run, microseconds: u64) -> Timestamp {
    run.record.started + Duration::from_micros(microseconds)
}

/// How long flushes took as seen from outside, and whether a phase that ran meanwhile took longer. Recording cannot be
/// switched off, so there is no run without it to compare with.
fn flushes(run: &Run) -> Row {
    let spans = &run.measured.flushes;
    let longest = spans.iter().map(|span| span.end.duration_since(span.start).unsigned_abs()).max().unwrap_or_default();
    let (mut during, mut between) = (Vec::new(), Vec::new());
    for event in run.record.workers.iter().flat_map(|worker| &worker.events).filter(|event| event.step.is_sql()) {
        let (from, to) = (at(run, event.at), at(run, end(event)));
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
            "between: {}; {} flushes in all, the longest {}",
            p999(&between),
            thousands(spans.len() as u64),
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
    let closed = at(run, closed(&run.record));
    let after = run.measured.samples.iter().filter(|sample| sample.at > closed);
    after.map(|sample| sample.descriptors).min()
}

fn told(count: Option<usize>) -> String {
    count.map_or_else(|| "–".to_owned(), |count| count.to_string())
}
