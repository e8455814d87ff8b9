//! P8: what a row change costs when there is more of everything.

use crate::paired::{Figures, exponent, megabytes};
use crate::table::{Row, State};
use crate::{Bench, Failed, Watch};

/// How much of everything there is.
#[derive(Clone, Copy)]
struct Work {
    databases: u64,
    iterations: u64,
    rows: u64,
    /// Characters of a row's text.
    width: u64,
}

const BASE: Work = Work { databases: 4, iterations: 4, rows: 2000, width: 50 };
const TIMES: [u64; 3] = [1, 3, 10];

/// What grows, how, and whether a row change must cost the same.
type Axis = (&'static str, fn(Work, u64) -> Work, bool);

const AXES: [Axis; 4] = [
    ("rows", |work, times| Work { rows: work.rows * times, ..work }, true),
    ("databases", |work, times| Work { databases: work.databases * times, ..work }, true),
    ("iterations", |work, times| Work { iterations: work.iterations * times, ..work }, true),
    ("row width", |work, times| Work { width: work.width * times, ..work }, false),
];

/// How often each point is measured, at most.
const RUNS: usize = 3;

pub(crate) fn growth(bench: &Bench) -> Result<Vec<Row>, Failed> {
    AXES.into_iter().map(|axis| along(bench, axis)).collect()
}

fn along(bench: &Bench, (name, grown, flat): Axis) -> Result<Row, Failed> {
    let base = if bench.quick { Work { databases: 2, iterations: 2, rows: 100, ..BASE } } else { BASE };
    let mut points: Vec<(Figures, Figures, Figures)> = TIMES.iter().map(|_| Default::default()).collect();
    // In turns, so that all meet the same machine.
    for _ in 0..bench.runs.min(RUNS) {
        for (times, (changes, cpu, peak)) in TIMES.into_iter().zip(&mut points) {
            let run = bench.run_text(&scenario(grown(base, times)), &[], &[0], Watch::Never)?;
            changes.0.push(run.changed() as f64);
            cpu.0.push(run.measured.cpu.as_secs_f64());
            peak.0.push(run.measured.peak as f64);
        }
    }
    let each: Vec<f64> = points.iter().map(|(changes, cpu, _)| cpu.median() / changes.median() * 1e6).collect();
    let shown =
        TIMES.iter().zip(&each).map(|(times, each)| format!("×{times} {each:.2}")).collect::<Vec<_>>().join(", ");
    let ratio = each[2] / each[0];
    let work = |times: u64, changes: &Figures| if flat { changes.median() } else { times as f64 };
    let logs: Vec<(f64, f64)> =
        TIMES.into_iter().zip(&points).map(|(times, (changes, cpu, _))| (work(times, changes), cpu.median())).collect();
    let (least, most) = (points[0].2.median(), points[2].2.median());
    let met = (0.8..=1.2).contains(&ratio) && (name != "iterations" || most <= 1.2 * least);
    Ok(Row {
        id: "P8",
        what: format!("{name} ×10, CPU of a row change"),
        figure: format!("{shown} µs; peak {} → {}", megabytes(least), megabytes(most)),
        ratio: format!("{ratio:.2} of ×1; CPU grows by the power of {:.2}", exponent(&logs)),
        target: match (flat, name) {
            (true, "iterations") => "± 20 %, memory flat",
            (true, _) => "± 20 %",
            (false, _) => "",
        },
        state: if flat { bench.judged(met) } else { State::NotJudged("no target") },
    })
}

/// The seed's cycle by users with two databases each, so that more databases do not mean more rows in each of them.
fn scenario(work: Work) -> String {
    let Work { databases, iterations, rows, width } = work;
    format!(
        "version: 1
name: growth
scale: {{ databases: {databases}, iterations: {iterations}, rows: {rows}, time_limit: 1h }}
schema:
  tables:
    - name: test_sync
      sql: CREATE TABLE test_sync (id TEXT PRIMARY KEY, user_id TEXT NOT NULL DEFAULT '', name TEXT, value INTEGER)
rls:
  databases_per_user: 2
  policies:
    test_sync:
      select: auth_userid() = user_id
      insert: auth_userid() = NEW.user_id
      update: auth_userid() = NEW.user_id AND auth_userid() = OLD.user_id
      delete: auth_userid() = OLD.user_id
phases:
  - {{ name: delete, kind: delete, sql: DELETE FROM test_sync, sync: [send, receive] }}
  - name: insert
    kind: insert
    rows: {rows}
    sql: INSERT INTO test_sync (id, user_id, name, value) VALUES (:id, :user_id, printf('%.*c', {width}, 'x'), :row)
    sync: [send, receive]
  - {{ name: update, kind: update, sql: UPDATE test_sync SET value = value + 1, sync: [send, receive] }}
verify: [converged, server]
"
    )
}
