//! P4 and P5: the large scenario, whole.

use std::time::Duration;

use stress::figure;

use crate::paired::megabytes;
use crate::table::{Row, State};
use crate::{Bench, Failed, Watch, shipped};

pub(crate) fn large(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let quick: &[&str] = &["--profile", "medium"];
    let arguments = if bench.quick { quick } else { &["--time-limit", "25m"] };
    // UNKNOWN is a result here: the time limit cut it, and the target is not met.
    let run = bench.run(&shipped("large.yaml"), arguments, &[0, 4], Watch::Never)?;
    let (took, passed) = (run.measured.wall, run.measured.code == 0);
    let verdict = run.measured.output.lines().last().unwrap_or_default();
    let what = if bench.quick { "large --profile medium, embedded" } else { "large, embedded, 50 iterations" };
    let wall = Row {
        id: "P4",
        what: what.to_owned(),
        figure: format!("{} wall, {} CPU", figure::duration(took), figure::duration(run.measured.cpu)),
        ratio: verdict.to_owned(),
        target: "PASS in < 10 min, better 5",
        state: bench.judged(passed && took < Duration::from_secs(600)),
    };
    let peak = run.measured.peak as f64;
    let memory = Row {
        id: "P5",
        what: "peak memory of P4, hub included".to_owned(),
        figure: megabytes(peak),
        ratio: String::new(),
        target: "≤ 400 MB",
        state: if passed || bench.quick {
            bench.judged(peak <= 400e6)
        } else {
            State::NotJudged("not judged: the run was cut")
        },
    };
    Ok(vec![wall, memory])
}
