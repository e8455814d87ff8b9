//! P1–P3: local work alone, over the seed's way and over a bare loop.

use std::path::PathBuf;

use crate::paired::{Figures, Paired, seconds};
use crate::process::Measured;
use crate::table::{Row, State};
use crate::workload::Size;
use crate::{Bench, Failed};

/// The seed's three sizes, of the largest one iteration, and what the ratio of each should be.
const SIZES: [(Size, &str, f64); 3] = [
    (Size { name: "small", rows: 1000, iterations: 5, databases: 2 }, "≤ 0.33 wall", 0.33),
    (Size { name: "medium", rows: 10_000, iterations: 10, databases: 4 }, "≤ 0.35 wall", 0.35),
    (Size { name: "large×1", rows: 100_000, iterations: 1, databases: 4 }, "≤ 0.13 wall", 0.13),
];

/// P1: with the extension and without a sync call, over the seed's way.
pub(crate) fn extension(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let extension = bench.extension()?;
    let each = SIZES.into_iter().map(|(size, target, most)| {
        let what = format!("{}, extension, no sync calls", size.name);
        over_the_seed(bench, "P1", what, size, Some(extension), target, most)
    });
    each.collect()
}

/// P2: the medium size on a plain table, over the seed's way on one.
pub(crate) fn plain(bench: &Bench) -> Result<Vec<Row>, Failed> {
    over_the_seed(bench, "P2", "medium, plain table".to_owned(), SIZES[1].0, None, "≤ 0.05 wall", 0.05)
        .map(|row| vec![row])
}

/// Beside it the bare loop over the seed's way: the ratio of a program that does nothing but run the statements.
fn over_the_seed(
    bench: &Bench,
    id: &'static str,
    what: String,
    size: Size,
    extension: Option<&PathBuf>,
    target: &'static str,
    most: f64,
) -> Result<Row, Failed> {
    let shell = bench.shell()?;
    let size = bench.scaled(size);
    let wall = |measured: Measured| measured.wall.as_secs_f64();
    let ours = || bench.ours(size, extension).map(wall);
    let paired = Paired::of(bench.runs, ours, || bench.seed(size, shell, extension).map(wall))?;
    let bare = Figures::of(bench.runs, || bench.bare(size, extension).map(wall))?;
    let state = bench.judged(paired.ratio() <= most);
    let mut row = row(id, what, &paired, "the seed's way", target, state);
    row.ratio = format!("{}; the bare loop's {:.3}", row.ratio, bare.median() / paired.theirs.median());
    Ok(row)
}

/// P3: processor time over the bare loop of the same statements, on a plain table and with the extension.
pub(crate) fn bare(bench: &Bench) -> Result<Vec<Row>, Failed> {
    let size = bench.scaled(SIZES[1].0);
    let cpu = |measured: Measured| measured.cpu.as_secs_f64();
    let on = |what: &str, extension: Option<&PathBuf>| {
        let ours = || bench.ours(size, extension).map(cpu);
        let paired = Paired::of(bench.runs, ours, || bench.bare(size, extension).map(cpu))?;
        let state = bench.judged(paired.ratio() <= 1.05);
        Ok::<_, Failed>(row("P3", format!("medium, {what}, CPU"), &paired, "the bare loop", "≤ 1.05 CPU", state))
    };
    let mut rows = vec![on("plain table", None)?];
    match bench.extension() {
        Ok(extension) => rows.push(on("extension", Some(extension))?),
        Err(Failed::Absent(why) | Failed::Broken(why)) => rows.push(Row::without("P3", State::NotMeasured(why))),
    }
    Ok(rows)
}

fn row(id: &'static str, what: String, paired: &Paired, to: &str, target: &'static str, state: State) -> Row {
    Row { id, what, figure: paired.ours.show(seconds), ratio: paired.show_ratio(to), target, state }
}
