//! `stress compare A B …`: what changed between runs, or series of them, the first being what the others are held against.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::problem::Problem;
use super::recorded;
use super::terminal::Terminal;
use crate::compare::{self, Comparison, Sample, Series, compare};
use crate::execute::write_whole;
use crate::repeat::{REPEAT_FILE, REPEAT_VERSION, Repeat};

#[derive(Args)]
#[command(
    after_help = "A and B are run directories, or series of runs: the repeat.json that `stress run --repeat` writes, or its
directory. Further arguments are compared with A, too.

These are regressions: a worse verdict; runs or calls that fail significantly more often; a new kind of error or
finding; a latency percentile that is worse by more than the bound and by more than 1 ms (p < 0.01).

Exit codes:
  0    no significant regression
  1    a regression
  2    wrong usage
  3    a run could not be read

Examples:
  stress compare runs/small/20260101T120000Z-aaaaaa runs/small/latest
  stress compare before/hot-rows/repeat.json after/hot-rows --format markdown
  stress compare monday/small tuesday/small wednesday/small --html week.html"
)]
pub(super) struct Arguments {
    /// The baseline
    #[arg(value_name = "A")]
    before: PathBuf,
    /// The runs to compare with the baseline
    #[arg(value_name = "B", required = true)]
    after: Vec<PathBuf>,
    /// The increase in latency that is not a regression, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent, allow_negative_numbers = true)]
    bound: f64,
    /// The format of the comparison
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// Also write an HTML page that shows the runs in the same charts [default file: compare.html]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "compare.html", value_parser = page)]
    html: Option<PathBuf>,
}

/// The forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for the terminal
    Terminal,
    /// A JSON document
    Json,
    /// Markdown, for pull requests and wikis
    #[value(alias = "md")]
    Markdown,
    /// One self-contained HTML file with charts
    Html,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let paths = std::iter::once(&arguments.before).chain(&arguments.after);
    let read = |path: &PathBuf| Ok(Series { path: path.display().to_string(), samples: samples(path)? });
    let series = paths.map(read).collect::<Result<Vec<Series>, Problem>>()?;
    let (first, others) = series.split_first().expect("the arguments name two at least");
    let bound = arguments.bound / 100.0;
    let comparisons: Vec<Comparison> =
        others.iter().map(|other| compare(&first.samples, &other.samples, bound)).collect();
    if let Some(file) = &arguments.html {
        write_whole(file, &compare::html(&series, &comparisons))?;
    }
    terminal.print(&text(arguments.format, &series, &comparisons, terminal.width));
    Ok(if comparisons.iter().all(|comparison| comparison.regressions.is_empty()) { Exit::Pass } else { Exit::Fail })
}

/// The comparisons one after the other, each under the name of what is compared when there are several.
fn text(format: Format, series: &[Series], comparisons: &[Comparison], width: usize) -> String {
    let one_by_one = |told: &dyn Fn(&Comparison) -> String| {
        let [only] = comparisons else {
            let title = |other: &Series| format!("{} against {}\n\n", other.path, series[0].path);
            let parts = series[1..].iter().zip(comparisons).map(|(other, one)| title(other) + &told(one));
            return parts.collect::<Vec<_>>().join("\n");
        };
        told(only)
    };
    match format {
        Format::Terminal => one_by_one(&|one| compare::terminal(one, width)),
        Format::Markdown => one_by_one(&compare::markdown),
        Format::Json => match comparisons {
            [only] => format!("{:#}\n", compare::json(only)),
            several => format!("{:#}\n", several.iter().map(compare::json).collect::<serde_json::Value>()),
        },
        Format::Html => compare::html(series, comparisons),
    }
}

/// A name that cannot be that of a run.
fn page(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_page = path.extension().is_some_and(|extension| extension == "html" || extension == "htm");
    if is_page { Ok(path) } else { Err("name a file that ends in .html".to_owned()) }
}

/// The runs that a path stands for, judged again.
fn samples(path: &Path) -> Result<Vec<Sample>, Problem> {
    let file = if path.is_dir() { path.join(REPEAT_FILE) } else { path.to_owned() };
    if !file.is_file() {
        return sample(path).map(|sample| vec![sample]);
    }
    let failed = |reason: String| Problem::could_not_run(format!("failed to read `{}`: {reason}", file.display()));
    let text = recorded::bytes(&file).map_err(|error| failed(error.to_string()))?;
    let repeat: Repeat = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
    if repeat.version != REPEAT_VERSION {
        return Err(failed(format!("it has version {}, this program reads {REPEAT_VERSION}", repeat.version)));
    }
    if repeat.runs.is_empty() {
        return Err(failed("it lists no runs".to_owned()));
    }
    let beside = file.parent().unwrap_or(Path::new("."));
    repeat.runs.iter().map(|run| sample(&beside.join(&run.directory))).collect()
}

fn sample(directory: &Path) -> Result<Sample, Problem> {
    recorded::judged(directory).map(|(record, analysis)| Sample::of(&record, &analysis))
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').trim().parse().map_err(|_| "write a number, such as 10".to_owned())?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err("it is 0 or more".to_owned()) }
}
