//! `stress report RUN_DIR`: judges a run again and tells it, from nothing but its record.

use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::Exit;
use super::problem::Problem;
use super::recorded::{judged, newest};
use super::reports::{self, Format, ReportArguments, Turn};
use super::serve;
use super::terminal::Terminal;

/// Where runs are when nobody says otherwise.
const RUNS: &str = "runs";

/// Judge a run again, and report it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  stress report runs/small/latest
  stress report runs/small/latest --format html > small.html
  stress report runs/small/latest --report junit=junit.xml,csv=steps.csv
  stress report --serve            the newest run in runs/, also while it is running")]
pub(super) struct Arguments {
    /// The run directory, such as `runs/small/latest`. With `--serve`, the default is the newest run in `runs/`.
    #[arg(required_unless_present = "serve")]
    run_dir: Option<PathBuf>,
    /// Serve the report as a local web page that follows the run while it is running, until Ctrl-C.
    #[arg(long, conflicts_with_all = ["format", "reports"])]
    serve: bool,
    /// The port of the web page; 0 selects a free port.
    #[arg(long, value_name = "PORT", default_value_t = 7801, requires = "serve")]
    port: u16,
    /// The format of the report on stdout; the same as --report FORMAT=-
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    reports: ReportArguments,
}

/// Reads the record of a run directory, judges it and reports it. The process ends as the verdict says.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let run_dir = arguments.run_dir.clone().map_or_else(|| newest(Path::new(RUNS)), Ok)?;
    if arguments.serve {
        return serve::serve(run_dir, arguments.port, terminal);
    }
    let format = arguments.reports.stdout(arguments.format.map(|format| ("--format", format)), 1)?;
    let (record, analysis) = judged(&run_dir)?;
    terminal.print(&reports::text(format.unwrap_or(Format::Terminal), &record, &analysis, terminal.width));
    arguments.reports.prepare(1)?;
    let unwritten = arguments.reports.write(&record, &analysis, Turn::ONLY);
    Ok(unwritten.iter().fold(analysis.verdict.into(), |_, problem| terminal.fail(problem)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::recorded::RECORD;
    use crate::fixture;
    use crate::load::Variation;
    use crate::record::Record;

    /// How the process ends, and what it prints to stdout and stderr.
    fn report(run_dir: &Path, format: Format) -> (Exit, String, String) {
        let (mut terminal, out, err) = Terminal::for_test();
        let (format, reports) = (Some(format), ReportArguments::default());
        let arguments = Arguments { run_dir: Some(run_dir.to_owned()), serve: false, port: 0, format, reports };
        let exit = run(&arguments, &mut terminal).unwrap_or_else(|problem| terminal.fail(&problem));
        (exit, out.take(), err.take())
    }

    fn run_dir(record: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        std::fs::write(directory.path().join(RECORD), record).expect("there is room for a record");
        directory
    }

    fn record() -> Record {
        let variation =
            Variation::of(fixture::scenario(), "scenario.yaml", &crate::plan::Grant::Judging).expect("it is planned");
        fixture::record(&variation.plan)
    }

    #[test]
    fn a_saved_run_is_judged_again_in_every_format() {
        let record = record();
        let directory = run_dir(&serde_json::to_string(&record).expect("a record is JSON"));
        let (exit, out, err) = report(directory.path(), Format::Terminal);
        assert_eq!((exit, err.as_str()), (Exit::Pass, ""));
        assert!(out.lines().last().is_some_and(|line| line.starts_with("PASS: 2 databases")), "{out}");
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
            ("", "is incomplete"),
            (&whole[..whole.len() / 2], "is incomplete"),
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
    fn a_recorded_scenario_that_makes_no_plan_any_more_is_shown_with_the_place() {
        let record = serde_json::to_string(&record()).expect("a record is JSON");
        let directory = run_dir(&record.replace("DELETE FROM test_sync", "DELETE FROM tset_sync"));
        let (exit, out, err) = report(directory.path(), Format::Terminal);
        assert_eq!((exit, out.as_str()), (Exit::CouldNotRun, ""));
        for told in [
            "no such table: tset_sync",
            "sql: DELETE FROM tset_sync\n",
            "did you mean `test_sync`?",
            "\nerror: failed to plan the scenario recorded in ",
        ] {
            assert!(err.contains(told), "{told}: {err}");
        }
    }
}
