//! `stress run`: from the file to the verdict.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::signals::Signals;
use super::{Exit, Terminal, conduct, overrides, progress};
use crate::analysis::Verdict;
use crate::diagnostic;
use crate::execute::{Control, Progress};
use crate::plan::combinations;
use crate::record::EndReason;
use crate::report;
use crate::scenario::Scenario;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args)]
#[command(after_help = "Examples:
  stress run scenarios/small.yaml
  stress run scenarios/large.yaml --profile medium --iterations 3
  stress run scenarios/rls.yaml --databases 8 --json > report.json")]
pub(super) struct Arguments {
    #[command(flatten)]
    scenario: overrides::ScenarioArguments,
    /// The directory under which the run's own directory is made
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
    /// Keep the databases of a run that passed, too
    #[arg(long)]
    keep: bool,
    /// Print the report as JSON
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
    let path = arguments.scenario.file.display().to_string();
    let mut worst = Exit::Pass;
    for (combination, label) in combinations(&scenario) {
        if !label.is_empty() && !arguments.quiet {
            terminal.tell(&format!("matrix: {label}\n"));
        }
        let exit = match run_one(arguments, &combination, &path, &signals, terminal) {
            Ok(exit) => exit,
            Err(message) => {
                terminal.error(&message);
                Exit::CouldNotRun
            }
        };
        worst = worst.max(exit);
        if exit == Exit::Interrupted {
            break;
        }
    }
    worst
}

fn run_one(
    arguments: &Arguments,
    scenario: &Scenario,
    path: &str,
    signals: &Signals,
    terminal: &mut Terminal,
) -> Result<Exit, String> {
    let plan = &conduct::plan(scenario)?;
    let directory = conduct::directory(&arguments.out, &plan.name)?;
    if !arguments.quiet {
        terminal.tell(&format!("stress: {} with seed {}, in {}\n", plan.name, plan.seed, directory.path.display()));
    }
    let control = Arc::new(Control::default());
    signals.direct_to(&control);
    let counters = Progress::new(plan.databases.len());
    let show = !(arguments.quiet || arguments.no_progress);
    let run = conduct::Run { plan, scenario, path, directory: &directory, control: &control, progress: &counters };
    let conduct::Conducted { record, analysis, .. } =
        progress::shown(plan, &counters, show, terminal.watched, || run.conduct())?;
    if !arguments.keep && analysis.verdict == Verdict::Pass {
        directory.remove_databases().map_err(|error| format!("failed to remove the run's databases: {error}"))?;
    }
    let text = report::terminal(&analysis, terminal.width);
    if arguments.json {
        let json = serde_json::to_string_pretty(&report::json(&analysis)).map_err(|error| error.to_string())?;
        terminal.print(&format!("{json}\n"));
    } else if arguments.quiet {
        terminal.print(&format!("{}\n", text.trim_end().lines().last().unwrap_or_default()));
    } else {
        terminal.print(&text);
    }
    if record.ended.is_some_and(|ended| ended.reason == EndReason::Interrupted) {
        return Ok(Exit::Interrupted);
    }
    Ok(match analysis.verdict {
        Verdict::Pass => Exit::Pass,
        Verdict::Fail => Exit::Fail,
        Verdict::Unknown => Exit::Unknown,
    })
}
