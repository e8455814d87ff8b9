//! P9: what is felt before anything runs.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::paired::{Figures, megabytes, seconds};
use crate::process::measure;
use crate::table::{Row, State};
use crate::{Bench, Failed};

const STRESS: &str = env!("CARGO_BIN_EXE_stress");

pub(crate) fn small(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let place = bench.place()?;
    let file = place.path().join("long.yaml");
    let scenario = long();
    fs::write(&file, &scenario)?;
    let lines = scenario.lines().count();
    let timed = |what: String, target, most: f64, arguments: &[&str]| {
        let figures = Figures::of(if bench.quick { 3 } else { 20 }, || {
            let measured = measure(Command::new(STRESS).args(arguments), &place.path().join("log"), &[0], None)?;
            Ok(measured.wall.as_secs_f64())
        })?;
        let state = bench.judged(figures.median() < most);
        Ok::<_, Failed>(Row { id: "P9", what, figure: figures.show(seconds), ratio: String::new(), target, state })
    };
    let long = file.to_string_lossy();
    Ok(vec![
        timed("stress --version".to_owned(), "< 10 ms", 0.010, &["--version"])?,
        timed(format!("stress validate, {lines} lines"), "< 50 ms", 0.050, &["validate", &long])?,
        program(place.path())?,
    ])
}

/// The program's size without the symbols that the benchmarks have it built with.
fn program(place: &Path) -> Result<Row, Failed> {
    let stripped = place.join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(STRESS).output();
    let (figure, state) = if strip.is_ok_and(|done| done.status.success()) {
        let bytes = fs::metadata(stripped)?.len() as f64;
        (megabytes(bytes), State::of(bytes <= 15e6))
    } else {
        ("–".to_owned(), State::NotMeasured("`strip` is not there, and the program has symbols".to_owned()))
    };
    Ok(Row { id: "P9", what: "release binary".to_owned(), figure, ratio: String::new(), target: "≤ 15 MB", state })
}

/// A scenario of 5,000 lines, in which every phase has SQL of its own.
fn long() -> String {
    let mut text = "version: 1
name: long
scale: { databases: 2, iterations: 1, rows: 10 }
schema:
  tables:
    - name: t
      sql: CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT, size INTEGER)
phases:
"
    .to_owned();
    let mut lines = text.lines().count();
    for number in (1..).take_while(|number| 8 + 6 * number <= 5000) {
        let phase = format!(
            "  - name: insert{number}
    kind: insert
    rows: \"{{{{ scale.rows }}}}\"
    sql: INSERT INTO t (id, body, size) VALUES (:id, :body, {number})
    bind: {{ id: \"r{number}_{{{{ db }}}}_{{{{ row }}}}\", body: \"{{{{ text(20) }}}}\" }}
    sync: [send, receive]
"
        );
        lines += phase.lines().count();
        text.push_str(&phase);
    }
    for _ in lines..5000 {
        let _ = writeln!(text, "# the rest");
    }
    text
}
