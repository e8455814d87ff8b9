//! `stress run`: from the file to the verdict.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use super::directory::{RunDirectory, sites};
use super::{Exit, Terminal, overrides, person, progress};
use crate::analysis::{self, Analysis, Verdict};
use crate::diagnostic;
use crate::execute::{self, Control, Job, Progress, write_whole};
use crate::plan::{Plan, combinations};
use crate::record::EndReason;
use crate::report;
use crate::scenario::Scenario;
use crate::target;

/// Descriptors of a database at work: the file, its log and shared memory, its log file, and both ends of a socket.
const DESCRIPTORS_PER_DATABASE: u64 = 7;
/// Descriptors of everything else.
const DESCRIPTORS_BESIDE: u64 = 128;

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
    let (plan, _) = Plan::new(scenario).map_err(|issues| issues_text(&issues))?;
    let plan = &plan;
    raise_descriptors(plan)?;
    let directory = RunDirectory::create(&arguments.out, &plan.name).map_err(|error| {
        let out = arguments.out.display();
        format!(
            "failed to make a run directory in `{out}`: {error}\n  help: name one that can be written to with `--out`"
        )
    })?;
    write_resolved(&directory.path, scenario)?;
    if !arguments.quiet {
        terminal.tell(&format!("stress: {} with seed {}, in {}\n", plan.name, plan.seed, directory.path.display()));
    }
    let scope = Plan::scope(scenario).environment(std::env::vars());
    let control = Arc::new(Control::default());
    signals.direct_to(&control);
    let stopped = || control.is_ending();
    let quiet = arguments.quiet;
    let run = directory.id.replace('-', "_");
    let target = person::attended(terminal, quiet, &stopped, |attendant| {
        target::connect(plan, &scope, &directory.path, &run, attendant)
    });
    let target = match target {
        Ok(target) => target,
        Err(error) if stopped() => {
            terminal.error(&error.to_string());
            return Ok(Exit::Interrupted);
        }
        Err(error) => return Err(error.to_string()),
    };
    let counters = Progress::new(plan.databases.len());
    let job = Job {
        plan,
        scenario,
        path,
        target: &target,
        directory: &directory.path,
        id: &directory.id,
        control: &control,
        progress: &counters,
    };
    let show = !(arguments.quiet || arguments.no_progress);
    let record = progress::shown(plan, &counters, show, terminal.watched, || execute::run(&job));
    // Also after a run that could not be made: its devices and tokens are there all the same.
    let sites = sites(&directory.path);
    let problems = person::attended(terminal, quiet, &|| false, |attendant| target.leave(&sites, attendant));
    for problem in problems {
        terminal.error(&problem.to_string());
    }
    drop(target);
    let record = record.map_err(|error| error.to_string())?;
    let analysis = analysis::analyze(&record, plan);
    write_reports(&directory.path, &analysis)?;
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

/// The open files of a run with this many databases.
pub(super) fn descriptors(databases: usize) -> u64 {
    databases as u64 * DESCRIPTORS_PER_DATABASE + DESCRIPTORS_BESIDE
}

/// Raises the limit of open files to what this many databases need, or gives what it can be raised to.
pub(super) fn descriptors_suffice(databases: usize) -> Result<(), u64> {
    let needed = descriptors(databases);
    let limit = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if limit < needed { Err(limit) } else { Ok(()) }
}

/// Raises the limit of open files to what the plan needs, or says before anything starts that it cannot be.
fn raise_descriptors(plan: &Plan) -> Result<(), String> {
    let databases = plan.databases.len();
    descriptors_suffice(databases).map_err(|limit| {
        let needed = descriptors(databases);
        let most = limit.saturating_sub(DESCRIPTORS_BESIDE) / DESCRIPTORS_PER_DATABASE;
        format!(
            "{databases} databases need {needed} open files, and the system allows {limit}\n  help: raise it with `ulimit -n {needed}`, or run with `--databases {most}`"
        )
    })
}

fn write_resolved(directory: &Path, scenario: &Scenario) -> Result<(), String> {
    let path = directory.join("scenario.yaml");
    write(&path, scenario.to_yaml().as_bytes())
}

fn write_reports(directory: &Path, analysis: &Analysis) -> Result<(), String> {
    let json = serde_json::to_vec_pretty(&report::json(analysis)).map_err(|error| error.to_string())?;
    write(&directory.join("report.json"), &json)?;
    write(&directory.join("report.md"), report::markdown(analysis).as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let written = write_whole(path, |out| out.write_all(bytes));
    written.map_err(|error| format!("failed to write `{}`: {error}", path.display()))
}

fn issues_text(issues: &[crate::scenario::Issue]) -> String {
    issues.iter().map(|issue| format!("{}: {}", issue.pointer, issue.message)).collect::<Vec<_>>().join("\n")
}

/// Ctrl-C and termination: the first finishes the step and reports, the second stops now, the third gives up.
pub(super) struct Signals {
    run: Arc<Mutex<Arc<Control>>>,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, ctrlc::Error> {
        let run = Arc::new(Mutex::new(Arc::new(Control::default())));
        let (current, count) = (Arc::clone(&run), AtomicUsize::new(0));
        ctrlc::set_handler(move || {
            let control = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
            let told = match count.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    control.finish(EndReason::Interrupted);
                    "\nfinishing the running steps, then reporting; once more to stop now\n"
                }
                1 => {
                    control.stop_now(EndReason::Interrupted);
                    "\nstopping now\n"
                }
                _ => std::process::exit(130),
            };
            let _ = io::stderr().write_all(told.as_bytes());
        })?;
        Ok(Self { run })
    }

    pub(super) fn direct_to(&self, control: &Arc<Control>) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = run.reason() {
            // The signal came before the run had started.
            control.finish(reason);
        }
        *run = Arc::clone(control);
    }
}
