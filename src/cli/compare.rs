//! `stress compare A B`: what changed between two runs, or two series of them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{Exit, Terminal, report};
use crate::compare::{self, Sample, compare};
use crate::repeat::{REPEAT_FILE, REPEAT_VERSION, Repeat};

#[derive(Args)]
#[command(after_help = "A and B are run directories, or what `stress run --repeat` left: repeat.json or its directory.

It is a regression when the verdict got worse, runs or calls fail significantly more often, there is a new kind of
error or finding, or a latency quantile is worse by more than the bound and by more than 1 ms, with p < 0.01.

Exit codes:
  0    no significant regression
  1    a regression
  2    wrong usage
  3    a run could not be read

Examples:
  stress compare runs/small/20260101T120000Z-aaaaaa runs/small/latest
  stress compare before/hot-rows/repeat.json after/hot-rows --format markdown")]
pub(super) struct Arguments {
    /// Before
    #[arg(value_name = "A")]
    before: PathBuf,
    /// After
    #[arg(value_name = "B")]
    after: PathBuf,
    /// By how many percent a latency may get worse
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    bound: f64,
    /// The form of the comparison
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
}

/// The forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables and colours for people
    Terminal,
    /// A JSON document
    Json,
    /// Markdown, for pull requests and wikis
    #[value(alias = "md")]
    Markdown,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let read = |path: &Path, terminal: &mut Terminal| {
        samples(path).map_err(|(exit, message)| {
            terminal.error(&message);
            exit
        })
    };
    let before = match read(&arguments.before, terminal) {
        Ok(samples) => samples,
        Err(exit) => return exit,
    };
    let after = match read(&arguments.after, terminal) {
        Ok(samples) => samples,
        Err(exit) => return exit,
    };
    let comparison = compare(&before, &after, arguments.bound / 100.0);
    let text = match arguments.format {
        Format::Terminal => compare::terminal(&comparison, terminal.width),
        Format::Json => format!("{:#}\n", compare::json(&comparison)),
        Format::Markdown => compare::markdown(&comparison),
    };
    terminal.print(&text);
    if comparison.regressions.is_empty() { Exit::Pass } else { Exit::Fail }
}

/// The runs that a path stands for, judged again.
fn samples(path: &Path) -> Result<Vec<Sample>, (Exit, String)> {
    let file = if path.is_dir() { path.join(REPEAT_FILE) } else { path.to_owned() };
    if !file.is_file() {
        return sample(path).map(|sample| vec![sample]);
    }
    let failed = |reason: String| (Exit::CouldNotRun, format!("failed to read `{}`: {reason}", file.display()));
    let text = std::fs::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
    let repeat: Repeat = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    if repeat.version != REPEAT_VERSION {
        return Err(failed(format!("it has version {}, this program reads {REPEAT_VERSION}", repeat.version)));
    }
    if repeat.runs.is_empty() {
        return Err(failed("it lists no runs".to_owned()));
    }
    let beside = file.parent().unwrap_or(Path::new("."));
    repeat.runs.iter().map(|run| sample(&beside.join(&run.directory))).collect()
}

fn sample(directory: &Path) -> Result<Sample, (Exit, String)> {
    report::judged(directory).map(|(record, analysis)| Sample::of(&record, &analysis))
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').trim().parse().map_err(|_| "write a number, such as 10".to_owned())?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("it is 0 or more".to_owned()) }
}
