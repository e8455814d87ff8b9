//! `stress run`: from the file to the verdict.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use clap::Args;

use super::directory::{RunDirectory, sites};
use super::progress::View;
use super::reports::{self, Format, ReportArguments, Turn};
use super::signals::Signals;
use super::{Exit, Terminal, conduct, github, overrides, person};
use crate::analysis::{Analysis, Verdict};
use crate::diagnostic::Diagnostic;
use crate::execute::{Control, Progress};
use crate::plan::combinations;
use crate::record::{EndReason, Record};
use crate::repeat::{REPEAT_FILE, Repeat, RunSummary};
use crate::report;
use crate::scenario::Scenario;
use crate::source::Source;

/// Every JSON reader keeps 53 bits.
const GREATEST_SEED: u64 = (1 << 53) - 1;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args)]
#[command(after_help = "Examples:
  stress run scenarios/small.yaml
  stress run scenarios/large.yaml --profile medium --iterations 3
  stress run scenarios/rls.yaml --databases 8 --json > report.json
  stress run scenarios/small.yaml --report junit=out/junit.xml,markdown=out/report.md
  stress run scenarios/hot-rows.yaml --repeat 40")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: overrides::ScenarioArguments,
    /// Run the scenario N times, each time with the next seed, and report how often it failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    repeat: Option<u64>,
    /// The directory in which the run directory is created
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
    /// Keep the databases even if the run passes
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    reports: ReportArguments,
    /// Print the report as JSON; the same as --report json=-. With --repeat, print a summary of all runs as JSON
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print only the line with the verdict
    #[arg(long, short)]
    quiet: bool,
    /// Show no progress
    #[arg(long)]
    no_progress: bool,
    /// Print the SQL of every phase as it runs, one line per database
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let path = arguments.scenario.file.display().to_string();
    let unmade = |message: &str, exit: Exit, terminal: &mut Terminal| {
        let written = arguments.reports.prepare();
        let written = written.and_then(|()| arguments.reports.write_unmade(&path, message, Turn::ONLY, terminal));
        written.map_or_else(|message| failed(&message, terminal), |()| exit)
    };
    let loaded = match arguments.scenario.read() {
        Ok(loaded) => loaded,
        Err(error) => {
            terminal.show(&error.diagnostics());
            return unmade(&error.to_string(), Exit::Usage, terminal);
        }
    };
    if !arguments.quiet {
        terminal.show(&loaded.diagnostics());
    }
    let mut scenario = loaded.scenario;
    // Drawn here when the file does not fix it; 53 bits, so that every JSON reader keeps it.
    scenario.seed.get_or_insert_with(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 11);
    let runs = arguments.repeat.unwrap_or(1).saturating_mul(combinations(&scenario).len() as u64);
    let stdout = match arguments.stdout(runs) {
        Ok(stdout) => stdout,
        Err(message) => {
            terminal.error(&message);
            return Exit::Usage;
        }
    };
    if let Err(message) = arguments.reports.prepare() {
        return failed(&message, terminal);
    }
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            let message = format!("failed to listen for Ctrl-C: {error}");
            terminal.error(&message);
            return unmade(&message, Exit::CouldNotRun, terminal);
        }
    };
    if terminal.github.is_some() {
        terminal.tell(&github::hide_variables(&loaded.source, |name| std::env::var(name).ok()));
    }
    let session = Session { arguments, path: path.clone(), source: loaded.source, signals, stdout, runs };
    match arguments.repeat {
        None => session.once(&scenario, terminal),
        Some(times) => session.again_and_again(&scenario, times, terminal),
    }
}

fn failed(message: &str, terminal: &mut Terminal) -> Exit {
    terminal.error(message);
    Exit::CouldNotRun
}

impl Arguments {
    /// The form of the report that stdout gets, when another one is asked for than tables.
    fn stdout(&self, runs: u64) -> Result<Option<Format>, String> {
        let own = match (self.json, self.quiet) {
            (true, _) => Some(("--json", Format::Json)),
            (_, true) => Some(("--quiet", Format::Terminal)),
            (false, false) => None,
        };
        let stdout = self.reports.stdout(own, runs)?;
        match stdout {
            Some(Format::Json) | None => Ok(stdout),
            Some(_) if self.quiet || self.repeat.is_none() => Ok(stdout),
            Some(_) => Err("with `--repeat` stdout is told what all runs came to, as text or with `--json`\n  help: name a file, `--report FORMAT=PATH`: every run gets its own".into()),
        }
    }
}

/// What all runs of one call of the command have in common.
struct Session<'a> {
    arguments: &'a Arguments,
    /// The scenario's path as given.
    path: String,
    source: Source,
    signals: Signals,
    /// The form of the report that stdout gets, when another one is asked for than tables.
    stdout: Option<Format>,
    /// How many runs there will be.
    runs: u64,
}

/// A run that was made.
struct Made {
    exit: Exit,
    record: Record,
    analysis: Analysis,
    directory: RunDirectory,
}

/// A run that was not.
struct Unmade {
    message: String,
    exit: Exit,
}

impl From<String> for Unmade {
    fn from(message: String) -> Self {
        Self { message, exit: Exit::CouldNotRun }
    }
}

impl Session<'_> {
    fn once(&self, scenario: &Scenario, terminal: &mut Terminal) -> Exit {
        let mut worst = Exit::Pass;
        for ((combination, label), number) in combinations(scenario).into_iter().zip(1..) {
            if !label.is_empty() && !self.arguments.quiet {
                terminal.tell(&format!("matrix: {label}\n"));
            }
            let exit = match self.make(&combination, number, terminal) {
                Ok(made) => {
                    terminal.print(&self.text(&made, terminal.width));
                    self.report(&made, number, terminal)
                }
                Err(exit) => exit,
            };
            worst = worst.max(exit);
            if exit == Exit::Interrupted {
                break;
            }
        }
        worst
    }

    /// Every run is told in a line. What could not be run will not run the next time either, and ends it.
    fn again_and_again(&self, scenario: &Scenario, times: u64, terminal: &mut Terminal) -> Exit {
        let combinations = combinations(scenario);
        let mut repeat = Repeat::new(&scenario.name, times.saturating_mul(combinations.len() as u64));
        let mut worst = Exit::Pass;
        'runs: for time in 0..times {
            for ((combination, label), place) in combinations.iter().zip(1..) {
                let number = time * combinations.len() as u64 + place;
                let seed = scenario.seed.unwrap_or_default().wrapping_add(time) & GREATEST_SEED;
                let combination = Scenario { seed: Some(seed), ..combination.clone() };
                let exit = match self.make(&combination, number, terminal) {
                    Ok(made) => {
                        if made.exit != Exit::Interrupted {
                            repeat.runs.push(RunSummary::of(&made.analysis, &made.directory.id, label));
                            let of = if label.is_empty() { String::new() } else { format!(", {label}") };
                            let line = last_line(&made.analysis, terminal.width);
                            if self.stdout.is_none() {
                                terminal.print(&format!("run {} of {times}, seed {seed}{of}: {line}\n", time + 1));
                            }
                        }
                        self.report(&made, number, terminal)
                    }
                    Err(exit) => exit,
                };
                worst = worst.max(exit);
                if matches!(exit, Exit::Interrupted | Exit::CouldNotRun) {
                    break 'runs;
                }
            }
        }
        if let Err(message) = self.report_all(&repeat, terminal) {
            return failed(&message, terminal);
        }
        worst
    }

    /// Makes the run with this number, or says why it was not made, in its reports, too.
    fn make(&self, scenario: &Scenario, number: u64, terminal: &mut Terminal) -> Result<Made, Exit> {
        self.try_to_make(scenario, terminal).map_err(|Unmade { message, exit }| {
            terminal.error(&message);
            if terminal.github.is_some() {
                let diagnostic = Diagnostic::free(&self.path, "run::unmade", message.as_str());
                terminal.tell(&github::annotations(&[diagnostic]));
            }
            let written = self.arguments.reports.write_unmade(&scenario.name, &message, self.turn(number), terminal);
            written.map_or_else(|message| failed(&message, terminal), |()| exit)
        })
    }

    fn turn(&self, number: u64) -> Turn {
        Turn { number, of: self.runs }
    }

    fn try_to_make(&self, scenario: &Scenario, terminal: &mut Terminal) -> Result<Made, Unmade> {
        let arguments = self.arguments;
        let plan = &conduct::plan(scenario)?;
        let directory = conduct::directory(&arguments.out, plan)?;
        if !arguments.quiet {
            terminal.tell(&format!("stress: {} with seed {}, in {}\n", plan.name, plan.seed, directory.path.display()));
        }
        if let Some(reused) = directory.reused.as_ref().filter(|_| !arguments.quiet) {
            terminal.tell(&format!("stress: {}\n", reused.told()?));
        }
        let control = Arc::new(Control::default());
        self.signals.direct_to(&control);
        let (sender, statements) = arguments.verbose.then(mpsc::channel).unzip();
        let counters = Progress::new(plan.databases.len()).telling(sender);
        let show = !(arguments.quiet || arguments.no_progress);
        let view = View { progress: show, watched: terminal.watched, statements };
        let path = &self.path;
        let run = conduct::Run { plan, scenario, path, directory: &directory, control: &control, progress: &counters };
        let stopped = || control.is_ending();
        let target = person::attended(terminal, arguments.quiet, &stopped, |attendant| run.ready(attendant));
        let target = target.map_err(|message| Unmade {
            exit: if stopped() { Exit::Interrupted } else { Exit::CouldNotRun },
            message,
        })?;
        if terminal.github.is_some() && target.facts.kind == "cloudsync" {
            terminal.tell(&github::hide_credentials(&target));
        }
        let conducted = view.during(plan, &counters, || run.conduct(&target));
        // Also after a run that failed: its devices and tokens are there all the same.
        let sites = sites(&directory.path);
        let left = person::attended(terminal, arguments.quiet, &|| false, |attendant| target.leave(&sites, attendant));
        for problem in left {
            terminal.error(&problem.to_string());
        }
        drop(target);
        let conduct::Conducted { record, analysis, .. } = conducted?;
        if let Some(reused) = directory.reused.as_ref().filter(|_| analysis.verdict == Verdict::Pass) {
            reused.passed()?;
        }
        if !arguments.keep && analysis.verdict == Verdict::Pass {
            directory.remove_databases().map_err(|error| format!("failed to remove the run's databases: {error}"))?;
        }
        let interrupted = record.ended.is_some_and(|ended| ended.reason == EndReason::Interrupted);
        let exit = if interrupted { Exit::Interrupted } else { Exit::from(analysis.verdict) };
        Ok(Made { exit, record, analysis, directory })
    }

    /// What stdout is told of a run.
    fn text(&self, made: &Made, width: usize) -> String {
        if self.arguments.quiet {
            return format!("{}\n", last_line(&made.analysis, width));
        }
        reports::text(self.stdout.unwrap_or(Format::Terminal), &made.record, &made.analysis, width)
    }

    /// Writes the reports of a run that go elsewhere.
    fn report(&self, made: &Made, number: u64, terminal: &mut Terminal) -> Exit {
        let written = self.arguments.reports.write(&made.record, &made.analysis, self.turn(number));
        let summarized = terminal.github.as_ref().map(|github| github.summarize(&report::markdown(&made.analysis)));
        if terminal.github.is_some() {
            terminal.tell(&github::annotations(&github::findings(&made.analysis, &self.source)));
        }
        let mut exit = made.exit;
        for problem in [written, summarized.unwrap_or(Ok(()))].into_iter().filter_map(Result::err) {
            exit = failed(&problem, terminal);
        }
        exit
    }

    fn report_all(&self, repeat: &Repeat, terminal: &mut Terminal) -> Result<(), String> {
        let json = serde_json::to_string_pretty(repeat).map_err(|error| error.to_string())?;
        if !repeat.runs.is_empty() {
            let path = self.arguments.out.join(&repeat.scenario).join(REPEAT_FILE);
            conduct::write(&path, json.as_bytes())?;
            if !self.arguments.quiet {
                terminal.tell(&format!("stress: all runs are listed in {}\n", path.display()));
            }
        }
        let text = repeat.text();
        if self.stdout == Some(Format::Json) {
            terminal.print(&format!("{json}\n"));
        } else if self.arguments.quiet {
            terminal.print(&format!("{}\n", text.trim_end().lines().last().unwrap_or_default()));
        } else {
            terminal.print(&text);
        }
        Ok(())
    }
}

fn last_line(analysis: &Analysis, width: usize) -> String {
    report::terminal(analysis, width).trim_end().lines().last().unwrap_or_default().to_owned()
}
