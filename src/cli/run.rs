//! `stress run`: from the file to the verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::attempt::{Attempt, Made, Watch};
use super::exit::Exit;
use super::problem::Problem;
use super::reports::{self, Format, ReportArguments, Turn};
use super::signals::Signals;
use super::terminal::Terminal;
use super::{github, hidden, overrides};
use crate::analysis::Analysis;
use crate::diagnostic::Diagnostic;
use crate::execute::write_whole;
use crate::load::{Origin, Variation, Variations};
use crate::repeat::{REPEAT_FILE, Repeat, RunSummary};
use crate::report;
use crate::scenario::Scenario;
use crate::source::Source;
use crate::target;

/// Every JSON reader keeps 53 bits.
const GREATEST_SEED: u64 = (1 << 53) - 1;

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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true)]
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
    #[command(flatten)]
    watch: Watch,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let path = arguments.scenario.file.display().to_string();
    let unmade = |problem, terminal| arguments.reports.unmade(&path, problem, Turn::ONLY, terminal);
    let loaded = match arguments.scenario.load_seeded() {
        Ok(loaded) => loaded,
        Err(problem) => return Err(unmade(problem, terminal)),
    };
    if !arguments.watch.quiet {
        terminal.show(&loaded.diagnostics());
    }
    let runs = arguments.repeat.unwrap_or(1).saturating_mul(loaded.variations.len());
    let stdout = arguments.stdout(runs)?;
    arguments.reports.prepare(runs)?;
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return Err(unmade(error.into(), terminal)),
    };
    for Variation { plan, .. } in loaded.variations.iter() {
        hidden::hide(target::secrets(&plan, &plan.environment(overrides::environment())));
        terminal.mask();
    }
    let session = Session { arguments, path, source: loaded.source, origins: loaded.origins, signals, stdout, runs };
    match arguments.repeat {
        None => Ok(session.once(&loaded.variations, terminal)),
        Some(times) => session.again_and_again(&loaded.variations, times, terminal),
    }
}

impl Arguments {
    /// The form of the report that stdout gets, when another one is asked for than tables.
    fn stdout(&self, runs: u64) -> Result<Option<Format>, Problem> {
        let own = match (self.json, self.watch.quiet) {
            (true, _) => Some(("--json", Format::Json)),
            (_, true) => Some(("--quiet", Format::Terminal)),
            (false, false) => None,
        };
        let stdout = self.reports.stdout(own, runs)?;
        match stdout {
            Some(Format::Json) | None => Ok(stdout),
            Some(_) if self.watch.quiet || self.repeat.is_none() => Ok(stdout),
            Some(_) => {
                Err(Problem::usage("with `--repeat`, stdout shows the summary of all runs, as text or with `--json`")
                    .help("name a file, `--report FORMAT=PATH`: every run writes its own file"))
            }
        }
    }
}

/// What all runs of one call of the command have in common.
struct Session<'a> {
    arguments: &'a Arguments,
    /// The path of the scenario, as given on the command line.
    path: String,
    source: Source,
    /// What of the scenario was written in a profile or elsewhere.
    origins: BTreeMap<String, Origin>,
    signals: Signals,
    /// The form of the report that stdout gets, when another one is asked for than tables.
    stdout: Option<Format>,
    /// How many runs there will be.
    runs: u64,
}

impl Session<'_> {
    fn once(&self, variations: &Variations, terminal: &mut Terminal) -> Exit {
        let mut worst = Exit::Pass;
        for (variation, number) in variations.iter().zip(1..) {
            if !variation.label.is_empty() && !self.arguments.watch.quiet {
                terminal.tell(&format!("matrix: {}\n", variation.label));
            }
            let exit = match self.make(&variation, number, terminal) {
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

    /// Every run is told in a line. A run without a verdict ends them.
    fn again_and_again(&self, variations: &Variations, times: u64, terminal: &mut Terminal) -> Result<Exit, Problem> {
        let name = variations.iter().next().map_or_else(String::new, |variation| variation.plan.name);
        let mut repeat = Repeat::new(&name, self.runs);
        let mut worst = Exit::Pass;
        'runs: for time in 0..times {
            for (Variation { label, scenario, plan }, place) in variations.iter().zip(1..) {
                let number = time * variations.len() + place;
                let seed = plan.seed.wrapping_add(time) & GREATEST_SEED;
                // What is right with one seed can be wrong with the next.
                let made = match Variation::of(Scenario { seed: Some(seed), ..scenario }, &self.path, &plan.grant) {
                    Ok(variation) => self.make(&variation, number, terminal),
                    Err(error) => {
                        let problem = Problem::scenario(Path::new(&self.path), error.diagnostics());
                        Err(self.unmade(&plan.name, problem, number, terminal))
                    }
                };
                let exit = match made {
                    Ok(made) => {
                        if made.exit != Exit::Interrupted {
                            repeat.runs.push(RunSummary::of(
                                &made.analysis,
                                &made.directory.id,
                                hidden::redact(label.clone()),
                            ));
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
                if exit >= Exit::Usage {
                    break 'runs;
                }
            }
        }
        self.report_all(&repeat, terminal)?;
        Ok(worst)
    }

    /// Makes the run with this number, or says why it was not made.
    fn make(&self, variation: &Variation, number: u64, terminal: &mut Terminal) -> Result<Made, Exit> {
        let Arguments { out, keep, watch, .. } = self.arguments;
        let path = self.path.as_str();
        let attempt = Attempt { variation, path, out, keep: *keep, watch, signals: &self.signals };
        attempt.make(terminal).map_err(|problem| {
            // Where there are diagnostics, GitHub is told of each.
            if terminal.github.is_some() && problem.diagnostics.is_empty() {
                let diagnostic = Diagnostic::free(path, "run::unmade", &problem.message);
                terminal.tell(&github::annotations(&[diagnostic.help(problem.help.clone())]));
            }
            self.unmade(&variation.plan.name, problem, number, terminal)
        })
    }

    /// Says why the run with this number was not made, in its reports, too.
    fn unmade(&self, name: &str, problem: Problem, number: u64, terminal: &mut Terminal) -> Exit {
        let problem = self.arguments.reports.unmade(name, problem, self.turn(number), terminal);
        terminal.fail(&problem)
    }

    fn turn(&self, number: u64) -> Turn {
        Turn { number, of: self.runs }
    }

    /// What stdout is told of a run.
    fn text(&self, made: &Made, width: usize) -> String {
        if self.arguments.watch.quiet {
            return format!("{}\n", last_line(&made.analysis, width));
        }
        reports::text(self.stdout.unwrap_or(Format::Terminal), &made.record, &made.analysis, width)
    }

    /// Writes the reports of a run that go elsewhere.
    fn report(&self, made: &Made, number: u64, terminal: &mut Terminal) -> Exit {
        let mut problems = self.arguments.reports.write(&made.record, &made.analysis, self.turn(number));
        if let Some(github) = &terminal.github {
            problems.extend(github.summarize(&report::markdown(&made.analysis)).err());
            terminal.tell(&github::annotations(&github::findings(&made.analysis, &self.source, &self.origins)));
        }
        problems.iter().fold(made.exit, |_, problem| terminal.fail(problem))
    }

    fn report_all(&self, repeat: &Repeat, terminal: &mut Terminal) -> Result<(), Problem> {
        let json = serde_json::to_string_pretty(repeat).expect("names and numbers are JSON");
        if !repeat.runs.is_empty() {
            let path = self.arguments.out.join(&repeat.scenario).join(REPEAT_FILE);
            write_whole(&path, &json)?;
            if !self.arguments.watch.quiet {
                terminal.tell(&format!("stress: all runs are listed in {}\n", path.display()));
            }
        }
        let text = repeat.text();
        if self.stdout == Some(Format::Json) {
            terminal.print(&format!("{json}\n"));
        } else if self.arguments.watch.quiet {
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
