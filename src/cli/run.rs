//! `stress run`: from the file to the verdict.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::directory::{RunDirectory, sites};
use super::signals::Signals;
use super::{Exit, Terminal, conduct, overrides, person, progress};
use crate::analysis::{Analysis, Verdict};
use crate::diagnostic;
use crate::execute::{Control, Progress};
use crate::plan::combinations;
use crate::record::EndReason;
use crate::repeat::{REPEAT_FILE, Repeat, RunSummary};
use crate::report;
use crate::scenario::Scenario;

/// Every JSON reader keeps 53 bits.
const GREATEST_SEED: u64 = (1 << 53) - 1;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args)]
#[command(after_help = "Examples:
  stress run scenarios/small.yaml
  stress run scenarios/large.yaml --profile medium --iterations 3
  stress run scenarios/rls.yaml --databases 8 --json > report.json
  stress run scenarios/hot-rows.yaml --repeat 40")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: overrides::ScenarioArguments,
    /// Run it so often, each time with the next seed, and say how often it failed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    repeat: Option<u64>,
    /// The directory under which the run's own directory is made
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
    /// Keep the databases of a run that passed, too
    #[arg(long)]
    keep: bool,
    /// Print the report as JSON; with --repeat, what all runs came to
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// Print the verdict's line alone
    #[arg(long, short)]
    quiet: bool,
    /// Show no progress
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let loaded = match arguments.scenario.load(terminal) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if !arguments.quiet {
        terminal.tell(&diagnostic::render(&loaded.diagnostics(), terminal.color, terminal.width));
    }
    let mut scenario = loaded.scenario;
    // Drawn here when the file does not fix it; 53 bits, so that every JSON reader keeps it.
    scenario.seed.get_or_insert_with(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 11);
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            terminal.error(&format!("failed to listen for Ctrl-C: {error}"));
            return Exit::CouldNotRun;
        }
    };
    let session = Session { arguments, path: arguments.scenario.file.display().to_string(), signals };
    match arguments.repeat {
        None => session.once(&scenario, terminal),
        Some(times) => session.again_and_again(&scenario, times, terminal),
    }
}

/// What all runs of one call of the command have in common.
struct Session<'a> {
    arguments: &'a Arguments,
    /// The scenario's path as given.
    path: String,
    signals: Signals,
}

/// A run that was made.
struct Made {
    exit: Exit,
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
        for (combination, label) in combinations(scenario) {
            if !label.is_empty() && !self.arguments.quiet {
                terminal.tell(&format!("matrix: {label}\n"));
            }
            let made = self.make(&combination, terminal).and_then(|made| {
                self.report(&made.analysis, terminal)?;
                Ok(made.exit)
            });
            let exit = made.unwrap_or_else(|Unmade { message, exit }| {
                terminal.error(&message);
                exit
            });
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
            for (combination, label) in &combinations {
                let seed = scenario.seed.unwrap_or_default().wrapping_add(time) & GREATEST_SEED;
                let combination = Scenario { seed: Some(seed), ..combination.clone() };
                let exit = match self.make(&combination, terminal) {
                    Ok(Made { exit: Exit::Interrupted, .. }) => Exit::Interrupted,
                    Ok(made) => {
                        repeat.runs.push(RunSummary::of(&made.analysis, &made.directory.id, label));
                        let of = if label.is_empty() { String::new() } else { format!(", {label}") };
                        let line = last_line(&made.analysis, terminal.width);
                        if !(self.arguments.json || self.arguments.quiet) {
                            terminal.print(&format!("run {} of {times}, seed {seed}{of}: {line}\n", time + 1));
                        }
                        made.exit
                    }
                    Err(Unmade { message, exit }) => {
                        terminal.error(&message);
                        exit
                    }
                };
                worst = worst.max(exit);
                if matches!(exit, Exit::Interrupted | Exit::CouldNotRun) {
                    break 'runs;
                }
            }
        }
        if let Err(message) = self.report_all(&repeat, terminal) {
            terminal.error(&message);
            return Exit::CouldNotRun;
        }
        worst
    }

    fn make(&self, scenario: &Scenario, terminal: &mut Terminal) -> Result<Made, Unmade> {
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
        let counters = Progress::new(plan.databases.len());
        let show = !(arguments.quiet || arguments.no_progress);
        let path = &self.path;
        let run = conduct::Run { plan, scenario, path, directory: &directory, control: &control, progress: &counters };
        let stopped = || control.is_ending();
        let target = person::attended(terminal, arguments.quiet, &stopped, |attendant| run.ready(attendant));
        let target = target.map_err(|message| Unmade {
            exit: if stopped() { Exit::Interrupted } else { Exit::CouldNotRun },
            message,
        })?;
        let conducted = progress::shown(plan, &counters, show, terminal.watched, || run.conduct(&target));
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
        Ok(Made { exit, analysis, directory })
    }

    fn report(&self, analysis: &Analysis, terminal: &mut Terminal) -> Result<(), String> {
        let text = if self.arguments.json {
            let json = serde_json::to_string_pretty(&report::json(analysis)).map_err(|error| error.to_string())?;
            format!("{json}\n")
        } else if self.arguments.quiet {
            format!("{}\n", last_line(analysis, terminal.width))
        } else {
            report::terminal(analysis, terminal.width)
        };
        terminal.print(&text);
        Ok(())
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
        if self.arguments.json {
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
