//! `stress report RUN_DIR`: judges a run again and tells it, from nothing but its record.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::reports::{self, Format, ReportArguments, Turn};
use super::{Exit, serve};
use crate::analysis::{Analysis, Verdict, analyze};
use crate::plan::Plan;
use crate::record::{RECORD_VERSION, Record};
use crate::scenario::{Issue, Scenario};

/// The file of a run directory that holds what happened.
pub(super) const RECORD: &str = "record.json";
/// Where runs are when nobody says otherwise.
const RUNS: &str = "runs";

/// Judge a run again, and report it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  stress report runs/small/latest
  stress report runs/small/latest --format html > small.html
  stress report runs/small/latest --report junit=junit.xml,csv=steps.csv
  stress report --serve            the newest run in runs/, also while it is running")]
pub(crate) struct Arguments {
    /// The run directory, such as `runs/small/latest`. With `--serve`, the default is the newest run in `runs/`.
    #[arg(required_unless_present = "serve")]
    pub(crate) run_dir: Option<PathBuf>,
    /// Serve the report as a local web page that follows the run while it is running, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["format", "reports"])]
    pub(crate) serve: bool,
    /// The port of the web page; 0 selects a free port.
    #[arg(long, value_name = "PORT", default_value_t = 7801, requires = "serve")]
    pub(crate) port: u16,
    /// The format of the report on stdout; the same as --report FORMAT=-
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) reports: ReportArguments,
}

/// Why a run could not be reported, and how the process ends.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    exit: Exit,
    message: String,
}

/// Reads the record of a run directory, judges it and writes the report to `out`. The process ends as the verdict says.
/// `plan` makes the decisions again from the record's scenario.
pub(crate) fn run(
    arguments: &Arguments,
    plan: fn(&Scenario) -> Result<Plan, String>,
    out: &mut dyn Write,
    err: &mut dyn Write,
    color: bool,
    width: usize,
) -> Exit {
    let run_dir = match &arguments.run_dir {
        Some(run_dir) => Ok(run_dir.clone()),
        None => serve::newest(Path::new(RUNS)).map_err(|message| Problem { exit: Exit::Usage, message }),
    };
    if arguments.serve {
        let served = run_dir.and_then(|run_dir| {
            serve::serve(run_dir, arguments.port, out).map_err(|message| Problem { exit: Exit::CouldNotRun, message })
        });
        return served.unwrap_or_else(|problem| told(err, &problem));
    }
    let reported = run_dir.and_then(|run_dir| {
        let record = read(&run_dir)?;
        let stdout = arguments.reports.stdout(arguments.format.map(|format| ("--format", format)), 1);
        let stdout = stdout.map_err(|message| Problem { exit: Exit::Usage, message })?.unwrap_or(Format::Terminal);
        let analysis = judge(&record, plan, &run_dir)?;
        let text = text(&record, &analysis, stdout, color, width);
        match out.write_all(text.as_bytes()) {
            Ok(()) => {}
            // Who closed the pipe has seen enough: `stress report … | head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => return Err(unwritten(&format!("failed to write the report: {error}"))),
        }
        let written = arguments.reports.prepare();
        let written = written.and_then(|()| arguments.reports.write(&record, &analysis, Turn::ONLY));
        written.map_err(|message| unwritten(&message))?;
        Ok(exit(analysis.verdict))
    });
    reported.unwrap_or_else(|problem| told(err, &problem))
}

fn unwritten(message: &str) -> Problem {
    Problem { exit: Exit::CouldNotRun, message: message.to_owned() }
}

fn told(err: &mut dyn Write, problem: &Problem) -> Exit {
    // When standard error is gone too, the exit code is all there is left to say it with.
    let _ = writeln!(err, "error: {}", problem.message);
    problem.exit
}

/// The decisions of a recorded scenario, made again.
pub(super) fn planned(scenario: &Scenario) -> Result<Plan, String> {
    let told = |issue: &Issue| format!("{}: {}", issue.pointer, issue.message);
    Plan::new(scenario).map(|(plan, _)| plan).map_err(|issues| issues.iter().map(told).collect::<Vec<_>>().join("; "))
}

fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Pass,
        Verdict::Fail => Exit::Fail,
        Verdict::Unknown => Exit::Unknown,
    }
}

fn text(record: &Record, analysis: &Analysis, format: Format, color: bool, width: usize) -> String {
    let page = reports::text(format, record, analysis, width);
    if color { page } else { anstream::adapter::strip_str(&page).to_string() }
}

/// A finished run, judged again; or how the process ends, and why.
pub(super) fn judged(run_dir: &Path) -> Result<(Record, Analysis), (Exit, String)> {
    let judged = read(run_dir).and_then(|record| {
        let analysis = judge(&record, planned, run_dir)?;
        Ok((record, analysis))
    });
    judged.map_err(|problem| (problem.exit, problem.message))
}

fn judge(record: &Record, plan: fn(&Scenario) -> Result<Plan, String>, run_dir: &Path) -> Result<Analysis, Problem> {
    let plan = plan(&record.scenario).map_err(|reason| Problem {
        exit: Exit::CouldNotRun,
        message: format!("failed to plan the scenario recorded in {}: {reason}", run_dir.join(RECORD).display()),
    })?;
    Ok(analyze(record, &plan))
}

/// The record of a run directory.
fn read(run_dir: &Path) -> Result<Record, Problem> {
    if !run_dir.is_dir() {
        let message = match run_dir.file_name() {
            Some(name) if name == RECORD => "give the run's directory, not its record".to_owned(),
            Some(_) | None => "there is no such directory; `stress run` names a run's directory at the end".to_owned(),
        };
        return Err(Problem { exit: Exit::Usage, message: format!("{}: {message}", run_dir.display()) });
    }
    let path = run_dir.join(RECORD);
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Problem {
            exit: Exit::Usage,
            message: format!("{} is not a run directory: it has no {RECORD}", run_dir.display()),
        },
        _ => Problem { exit: Exit::CouldNotRun, message: format!("failed to read {}: {error}", path.display()) },
    })?;
    parse(&text).map_err(|reason| Problem { exit: Exit::CouldNotRun, message: format!("{}: {reason}", path.display()) })
}

fn parse(text: &str) -> Result<Record, String> {
    let document: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        if error.is_eof() {
            "the record breaks off: the run was killed while it was written, or the disk was full".to_owned()
        } else {
            format!("the record is not JSON: {error}")
        }
    })?;
    match document.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(RECORD_VERSION) => {}
        Some(version) => {
            return Err(format!(
                "the record has version {version}, this program reads version {RECORD_VERSION}: use the `stress` that made it"
            ));
        }
        None => return Err("the record has no version: it is not from `stress`".to_owned()),
    }
    // Read from the text again: its errors name lines.
    serde_json::from_str(text).map_err(|error| format!("the record is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn fixed(scenario: &Scenario) -> Result<Plan, String> {
        if scenario.phases.is_empty() { Err("it has no phases".to_owned()) } else { Ok(fixture::plan(2)) }
    }

    fn report(run_dir: &Path, format: Format) -> (Exit, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (format, reports) = (Some(format), ReportArguments::default());
        let arguments = Arguments { run_dir: Some(run_dir.to_owned()), serve: false, port: 0, format, reports };
        let exit = run(&arguments, fixed, &mut out, &mut err, false, 100);
        let text = |bytes| String::from_utf8(bytes).expect("reports are UTF-8");
        (exit, text(out), text(err))
    }

    fn run_dir(record: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        std::fs::write(directory.path().join(RECORD), record).expect("there is room for a record");
        directory
    }

    fn record() -> Record {
        fixture::record(&fixture::plan(2))
    }

    #[test]
    fn a_saved_run_is_judged_again_in_every_format() {
        let record = record();
        let directory = run_dir(&serde_json::to_string(&record).expect("a record is JSON"));
        let (exit, out, err) = report(directory.path(), Format::Terminal);
        assert_eq!((exit, err.as_str()), (Exit::Pass, ""));
        assert!(out.lines().last().is_some_and(|line| line.starts_with("PASS: 2 databases")), "{out}");
        assert!(!out.contains('\u{1b}'));
        let (_, out, _) = report(directory.path(), Format::Json);
        let document: serde_json::Value = serde_json::from_str(&out).expect("it is JSON");
        assert_eq!((&document["version"], &document["verdict"]), (&1.into(), &"pass".into()));
        let (_, out, _) = report(directory.path(), Format::Markdown);
        assert!(out.starts_with("# PASS: small\n"));
        assert_eq!(report(directory.path(), Format::Json).1, report(directory.path(), Format::Json).1);
    }

    #[test]
    fn the_process_ends_as_the_verdict_says() {
        let mut failed = record();
        fixture::diverge(&mut failed);
        let mut killed = record();
        killed.ended = None;
        for (record, wanted) in [(failed, Exit::Fail), (killed, Exit::Unknown)] {
            let directory = run_dir(&serde_json::to_string(&record).expect("a record is JSON"));
            assert_eq!(report(directory.path(), Format::Terminal).0, wanted);
        }
    }

    #[test]
    fn what_is_no_run_directory_is_said() {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let (exit, _, err) = report(directory.path(), Format::Terminal);
        assert_eq!(exit, Exit::Usage);
        assert!(err.contains("it has no record.json"), "{err}");
        let (exit, _, err) = report(&directory.path().join("nothing"), Format::Terminal);
        assert_eq!(exit, Exit::Usage);
        assert!(err.contains("no such directory"), "{err}");
    }

    #[test]
    fn a_record_that_cannot_be_read_says_why() {
        let whole = serde_json::to_string(&record()).expect("a record is JSON");
        for (text, reason) in [
            ("", "breaks off"),
            (&whole[..whole.len() / 2], "breaks off"),
            ("not JSON", "is not JSON"),
            ("{}", "no version"),
            ("{\"version\": 99}", "version 99, this program reads version 1"),
            ("{\"version\": 1}", "is damaged"),
        ] {
            let directory = run_dir(text);
            let (exit, out, err) = report(directory.path(), Format::Json);
            assert_eq!((exit, out.as_str()), (Exit::CouldNotRun, ""), "{reason}");
            assert!(err.contains(reason), "{err}");
        }
    }

    #[test]
    fn a_scenario_that_makes_no_plan_any_more_is_said() {
        let mut record = record();
        record.scenario.phases.clear();
        let directory = run_dir(&serde_json::to_string(&record).expect("a record is JSON"));
        let (exit, _, err) = report(directory.path(), Format::Terminal);
        assert_eq!(exit, Exit::CouldNotRun);
        assert!(err.contains("it has no phases"), "{err}");
    }

    #[test]
    fn colours_are_kept_only_where_they_are_wanted() {
        let analysis = analyze(&record(), &fixture::plan(2));
        let page = |color| text(&record(), &analysis, Format::Terminal, color, 100);
        assert!(page(true).contains('\u{1b}'));
        assert!(!page(false).contains('\u{1b}'));
    }
}
