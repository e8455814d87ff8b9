//! One run of `stress run`: made in sight of whoever started it, then its server and its databases left as is wanted.

use std::path::Path;
use std::sync::{Arc, mpsc};

use clap::Args;

use super::directory::{RunDirectory, sites};
use super::exit::Exit;
use super::problem::Problem;
use super::progress::View;
use super::signals::{Signals, Will};
use super::terminal::Terminal;
use super::{conduct, limits, person};
use crate::analysis::{Analysis, Verdict};
use crate::execute::{Control, Progress};
use crate::load::Variation;
use crate::plan::Plan;
use crate::record::{EndReason, Record};
use crate::target::{Attendant, Leaving};

/// What is seen of a run while it goes on.
#[derive(Args)]
pub(super) struct Watch {
    /// Print only the line with the verdict
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Show no progress
    #[arg(long)]
    no_progress: bool,
    /// Print the SQL of every phase as it runs, one line per database
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

/// A run to be made.
pub(super) struct Attempt<'a> {
    pub(super) variation: &'a Variation,
    /// The path of the scenario, as given on the command line.
    pub(super) path: &'a str,
    /// The directory under which the run's own is made.
    pub(super) out: &'a Path,
    /// Whether the databases stay when it passes.
    pub(super) keep: bool,
    pub(super) watch: &'a Watch,
    pub(super) signals: &'a Signals,
}

/// A run that was made.
pub(super) struct Made {
    pub(super) exit: Exit,
    pub(super) record: Record,
    pub(super) analysis: Analysis,
    pub(super) directory: RunDirectory,
}

impl Attempt<'_> {
    /// Makes the run, and tells on stderr how it goes.
    pub(super) fn make(&self, terminal: &mut Terminal) -> Result<Made, Problem> {
        let plan = &self.variation.plan;
        limits::suffice(plan.databases.len())?;
        if let Some(limit) = limits::of_file_sizes() {
            terminal.tell(&format!("stress: {limit}\n"));
        }
        let directory = RunDirectory::create(self.out, plan)?;
        if !self.watch.quiet {
            terminal.tell(&format!("stress: {} with seed {}, in {}\n", plan.name, plan.seed, directory.path.display()));
            if let Some(reused) = &directory.reused {
                terminal.tell(&format!("stress: {}\n", reused.told()?));
            }
        }
        let control = Arc::new(Control::default());
        self.signals.direct_to(&control, left(plan, &directory));
        let (sender, statements) = self.watch.verbose.then(mpsc::channel).unzip();
        let progress = Progress::new(plan.databases.len()).telling(sender);
        let run = conduct::Run {
            variation: self.variation,
            path: self.path,
            directory: &directory,
            control: &control,
            progress: &progress,
        };
        let show = !(self.watch.quiet || self.watch.no_progress);
        let view = View { progress: show, watched: terminal.watched, statements };
        let conduct::Conducted { record, analysis, .. } = self.conduct(&run, view, terminal)?;
        self.tidy(&directory, analysis.verdict)?;
        let interrupted = record.ended.is_some_and(|ended| ended.reason == EndReason::Interrupted);
        let exit = if interrupted { Exit::Interrupted } else { Exit::from(analysis.verdict) };
        Ok(Made { exit, record, analysis, directory })
    }

    /// Makes the target ready, makes the run, and leaves the target.
    fn conduct(
        &self,
        run: &conduct::Run<'_>,
        view: View,
        terminal: &mut Terminal,
    ) -> Result<conduct::Conducted, Problem> {
        let stopped = || run.control.is_ending();
        let target = person::attended(terminal, self.watch.quiet, &stopped, |attendant| run.ready(attendant));
        let target = target.map_err(|problem| problem.interrupted(stopped()))?;
        if !target.facts.kind.runs_here() {
            terminal.mask();
        }
        self.signals.at_the_third(target.will().map(|will| Box::new(will) as Will));
        let conducted = view.during(&run.variation.plan, run.progress, || run.conduct(&target));
        // Also after a run that failed: its devices and tokens are there all the same.
        let sites = sites(&run.directory.path);
        let passed = conducted.as_ref().is_ok_and(|conducted| conducted.analysis.verdict == Verdict::Pass);
        let leaving = Leaving { cut: run.control.is_now(), removes: passed && !self.keep };
        let leave = |attendant: &mut Attendant<'_>| target.leave(&sites, leaving, attendant);
        let left = person::attended(terminal, self.watch.quiet, &|| false, leave);
        self.signals.at_the_third(None);
        for error in left {
            terminal.fail(&error.into());
        }
        conducted
    }

    /// After a run that passed: notes it beside databases that the next run goes on with, and removes the run's own.
    fn tidy(&self, directory: &RunDirectory, verdict: Verdict) -> Result<(), Problem> {
        if verdict != Verdict::Pass {
            return Ok(());
        }
        if let Some(reused) = &directory.reused {
            reused.passed()?;
        }
        if self.keep { Ok(()) } else { directory.remove_databases() }
    }
}

/// What a run leaves behind that is killed.
fn left(plan: &Plan, directory: &RunDirectory) -> String {
    let here = format!("{}, with a record of all but the last seconds, and no report", directory.path.display());
    let there = "; on the server, the tables, devices and tokens of the run: `stress cleanup FILE` removes them";
    if plan.target.kind().runs_here() { here } else { format!("{here}{there}") }
}
