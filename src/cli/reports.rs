//! Where reports go: the one table of their forms behind `--report` and `--format`, and how each gets to its file, to
//! stdout or to a collector.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::collector;
use super::hidden;
use super::problem::Problem;
use super::terminal::Terminal;
use crate::analysis::Analysis;
use crate::execute::{is_stream, try_out, write_whole};
use crate::record::Record;
use crate::report;
use crate::suggest;

/// The width of a report in tables that goes to a file.
const FILE_WIDTH: usize = 120;
/// What goes to a collector.
const OTLP: &str = "otlp";

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables for the terminal
    Terminal,
    /// A JSON document; schemas/report.schema.json describes it
    Json,
    /// Markdown, for pull requests and wikis
    #[value(alias = "md")]
    Markdown,
    /// One self-contained HTML file with charts
    Html,
    /// JUnit XML, for tools that show test results
    Junit,
    /// One line per step, for spreadsheets and data frames
    Csv,
    /// OpenMetrics text, for Prometheus
    Prometheus,
}

impl Format {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Why what was asked for by this flag does not go into one stream.
    fn several(self, flag: &str, runs: u64) -> Problem {
        Problem::usage(format!("`{flag}` would write {runs} reports into one stream"))
            .help(format!("name a file, `--report {}=PATH`: every run writes its own file", self.name()))
    }

    /// Whether a reader can tell where one report ends and the next begins.
    const fn has_an_end(self) -> bool {
        match self {
            Self::Terminal | Self::Json | Self::Markdown => true,
            Self::Html | Self::Junit | Self::Csv | Self::Prometheus => false,
        }
    }
}

/// A judged run in this form, in lines of at most `width` characters where it has lines.
pub(super) fn text(format: Format, record: &Record, analysis: &Analysis, width: usize) -> String {
    match format {
        Format::Terminal => report::terminal(analysis, width),
        Format::Json => format!("{:#}\n", report::json(analysis)),
        Format::Markdown => report::markdown(analysis),
        Format::Html => report::html(record, analysis),
        Format::Junit => report::junit(analysis),
        Format::Csv => report::csv(record),
        Format::Prometheus => report::prometheus(record, analysis),
    }
}

/// A report and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    File(Format, PathBuf),
    Stdout(Format),
    /// To the collector at this address, without one to that of the environment.
    Collector(Option<String>),
}

/// The reports that are asked for.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ReportArguments {
    /// Write the report to a file: html=PATH, junit=PATH, markdown=PATH, json=PATH, csv=PATH, prometheus=PATH,
    /// terminal=PATH; PATH - is stdout. otlp[=ADDRESS] sends it to an OpenTelemetry collector. Can be given several
    /// times, or several formats with commas
    #[arg(long = "report", value_name = "FORMAT=PATH", value_delimiter = ',', value_parser = wanted)]
    pub(super) reports: Vec<Wanted>,
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let (name, place) = text.split_once('=').map_or((text, None), |(name, place)| (name, Some(place)));
    if name == OTLP {
        return Ok(Wanted::Collector(place.map(str::to_owned)));
    }
    let format = Format::from_str(name, false).map_err(|_| {
        let all: Vec<String> = Format::value_variants().iter().map(|format| format.name()).collect();
        let all = all.iter().map(String::as_str).chain([OTLP]);
        format!("there is no format `{name}`; {}", suggest::suggest(name, all, "formats"))
    })?;
    match place {
        // By these names it is the same, and must not be written over what was printed before.
        Some("-" | "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Ok(Wanted::Stdout(format)),
        Some(path) if !path.is_empty() => Ok(Wanted::File(format, path.into())),
        Some(_) | None => Err(format!("the report needs a path: write `{name}=PATH`, or `{name}=-` for stdout")),
    }
}

/// One of the runs of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Which, counted from 1.
    pub(super) number: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl Turn {
    /// The only one.
    pub(super) const ONLY: Self = Self { number: 1, of: 1 };

    /// Its file: `junit.xml`, and of several runs `junit-1.xml`, `junit-2.xml`. A pipe or a device takes all of them.
    fn path(self, path: &Path) -> PathBuf {
        if self.of == 1 || is_stream(path) {
            return path.to_owned();
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{stem}-{}", self.number);
        match path.extension() {
            Some(extension) => path.with_file_name(format!("{name}.{}", extension.to_string_lossy())),
            None => path.with_file_name(name),
        }
    }
}

impl ReportArguments {
    /// What goes to stdout, `own` included; it takes one.
    pub(super) fn stdout(&self, own: Option<(&str, Format)>, runs: u64) -> Result<Option<Format>, Problem> {
        let own = own.map(|(flag, format)| (flag.to_owned(), format));
        let all = own.into_iter().chain(self.reports.iter().filter_map(|wanted| match wanted {
            Wanted::Stdout(format) => Some((format!("--report {}=-", format.name()), *format)),
            Wanted::File(..) | Wanted::Collector(_) => None,
        }));
        let all: Vec<(String, Format)> = all.collect();
        match all.as_slice() {
            [] => Ok(None),
            [(_, format)] if runs == 1 || format.has_an_end() => Ok(Some(*format)),
            [(flag, format)] => Err(format.several(flag, runs)),
            [(first, _), (second, _), ..] => Err(Problem::usage(format!(
                "`{first}` and `{second}` both write to stdout, which can take only one report"
            ))
            .help("name a file, `--report FORMAT=PATH`")),
        }
    }

    /// Makes the directories of the files, so that a long run does not end with a report that cannot be written.
    pub(super) fn prepare(&self, runs: u64) -> Result<(), Problem> {
        let mut named = BTreeSet::new();
        for wanted in &self.reports {
            let Wanted::File(format, path) = wanted else { continue };
            let shown = path.display();
            let failed = |why: &dyn Display| Problem::could_not_run(format!("failed to write `{shown}`: {why}"));
            if !named.insert(path) {
                return Err(failed(&"two reports go there"));
            }
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|error| {
                    Problem::could_not_run(format!("failed to create the directory `{}`: {error}", parent.display()))
                })?;
            }
            try_out(path).map_err(|error| failed(&error))?;
            if is_stream(path) && runs > 1 && !format.has_an_end() {
                return Err(format.several(&format!("--report {}={shown}", format.name()), runs));
            }
        }
        Ok(())
    }

    /// Writes all of them but what goes to stdout, and gives the problems: what could not be written does not keep the
    /// others from it.
    pub(super) fn write(&self, record: &Record, analysis: &Analysis, turn: Turn) -> Vec<Problem> {
        let written = self.reports.iter().map(|wanted| match wanted {
            Wanted::File(format, path) => {
                let text = text(*format, record, analysis, FILE_WIDTH);
                write(&turn.path(path), &anstream::adapter::strip_str(&text).to_string())
            }
            Wanted::Collector(address) => collector::send(address.as_deref(), record, analysis),
            Wanted::Stdout(_) => Ok(()),
        });
        written.filter_map(Result::err).collect()
    }

    /// Writes those that can tell of a run that was not made, and why. Gives the problem that is to be told in the end.
    pub(super) fn unmade(&self, scenario: &str, problem: Problem, turn: Turn, terminal: &mut Terminal) -> Problem {
        match self.write_unmade(scenario, &problem, turn, terminal) {
            Ok(()) => problem,
            Err(unwritten) => {
                terminal.fail(&problem);
                unwritten
            }
        }
    }

    fn write_unmade(
        &self,
        scenario: &str,
        problem: &Problem,
        turn: Turn,
        terminal: &mut Terminal,
    ) -> Result<(), Problem> {
        self.prepare(turn.of)?;
        let text = hidden::redact(report::junit_unmade(scenario, &problem.to_string()));
        for wanted in &self.reports {
            match wanted {
                Wanted::File(Format::Junit, path) => write(&turn.path(path), &text)?,
                Wanted::Stdout(Format::Junit) => terminal.print(&text),
                Wanted::File(..) | Wanted::Stdout(_) | Wanted::Collector(_) => {}
            }
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Problem> {
    Ok(write_whole(path, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_format_and_a_place() {
        assert_eq!(wanted("junit=a/b=c.xml"), Ok(Wanted::File(Format::Junit, "a/b=c.xml".into())));
        assert_eq!(wanted("md=-"), Ok(Wanted::Stdout(Format::Markdown)));
        assert_eq!(wanted("otlp"), Ok(Wanted::Collector(None)));
        assert_eq!(wanted("otlp=http://h:1"), Ok(Wanted::Collector(Some("http://h:1".into()))));
        assert_eq!(wanted("junt=a"), Err("there is no format `junt`; did you mean `junit`?".into()));
        for text in ["json", "json="] {
            assert_eq!(wanted(text), Err("the report needs a path: write `json=PATH`, or `json=-` for stdout".into()));
        }
    }

    #[test]
    fn the_help_names_every_format() {
        let command = ReportArguments::augment_args(clap::Command::new("x"));
        let help = command.get_arguments().find_map(clap::Arg::get_help).expect("it has one").to_string();
        for format in Format::value_variants() {
            assert!(help.contains(&format!("{}=PATH", format.name())), "{}: {help}", format.name());
        }
    }

    #[test]
    fn every_run_of_several_has_a_file_of_its_own() {
        let second = Turn { number: 2, of: 3 };
        assert_eq!(second.path(Path::new("out/junit.xml")), Path::new("out/junit-2.xml"));
        assert_eq!(second.path(Path::new("metrics")), Path::new("metrics-2"));
        assert_eq!(Turn::ONLY.path(Path::new("out/junit.xml")), Path::new("out/junit.xml"));
    }

    #[test]
    fn stdout_takes_one() {
        let asked = |texts: &[&str]| ReportArguments {
            reports: texts.iter().map(|text| wanted(text).expect("it is one")).collect(),
        };
        let stdout = |texts, own, runs| asked(texts).stdout(own, runs).expect("it takes this one");
        assert_eq!(stdout(&["json=a", "md=-"], None, 1), Some(Format::Markdown));
        assert_eq!(stdout(&[], Some(("--json", Format::Json)), 2), Some(Format::Json));
        let error = asked(&["md=-"]).stdout(Some(("--json", Format::Json)), 1).expect_err("there are two");
        assert!(error.message.starts_with("`--json` and `--report markdown=-` both write to stdout"), "{error}");
        assert!(asked(&["junit=-"]).stdout(None, 2).is_err() && asked(&["junit=-"]).stdout(None, 1).is_ok());
    }
}
