//! `stress clean`: removes the directories of old runs, and says how much room that gives.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::exit::Exit;
use super::old_runs::{self, OldRun};
use super::problem::Problem;
use super::terminal::Terminal;
use crate::figure::{bytes, counted};
use crate::scenario::HumanDuration;
use crate::suggest::suggest;

/// The runs that stay where nothing else is said.
const KEEP: usize = 5;

#[derive(Args)]
#[command(
    after_help = "Removes only directories in which everything was made by a run, and no run that is going on. It also
keeps the databases of `session.reuse`, and the ids of devices on the server: `stress cleanup FILE`
removes those.

Examples:
  stress clean --dry-run
  stress clean --keep 1 small
  stress clean --older 7d"
)]
pub(super) struct Arguments {
    /// The scenarios whose runs are removed, by name [default: all]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Keep the newest N runs of each scenario [default: 5; with --older: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    keep: Option<usize>,
    /// Remove only runs that started longer ago than this, such as 7d
    #[arg(long, value_name = "TIME")]
    older: Option<HumanDuration>,
    /// Remove nothing; say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// The directory that contains the run directories
    #[arg(long, value_name = "DIR", env = "STRESS_OUT", default_value = "runs")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let mut cleaning = Cleaning { arguments, removed: 0, room: 0, kept: 0, exit: Exit::Pass };
    for scenario in arguments.scenarios()? {
        cleaning.clean(&scenario, terminal)?;
    }
    let Cleaning { removed, room, kept, exit, .. } = cleaning;
    let (removed, room, kept) = (counted(removed, "run"), bytes(room), counted(kept, "run"));
    let done = if arguments.dry_run { "would be removed" } else { "removed" };
    terminal.print(&format!("{removed} {done}, {room} of disk space; {kept} kept\n"));
    Ok(exit)
}

impl Arguments {
    /// The directories of the scenarios.
    fn scenarios(&self) -> Result<Vec<PathBuf>, Problem> {
        let out = &self.out;
        let entries = std::fs::read_dir(out).map_err(|error| unreadable(out, &error))?;
        let entries = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        for name in &self.scenarios {
            let is_name = matches!(Path::new(name).components().collect::<Vec<_>>().as_slice(), [Component::Normal(_)]);
            if !is_name || !names.contains(name) {
                let help = suggest(name, names.iter().map(String::as_str), "scenarios");
                let message = format!("there are no runs of a scenario `{name}` in `{}`", out.display());
                return Err(Problem::usage(message).help(help));
            }
        }
        let wanted = names.iter().filter(|name| self.scenarios.is_empty() || self.scenarios.contains(name));
        Ok(wanted.map(|name| out.join(name)).collect())
    }

    /// Whether a run is removed that has this many newer ones.
    fn wants(&self, newer: usize, run: &OldRun) -> bool {
        let keep = self.keep.unwrap_or(if self.older.is_some() { 0 } else { KEEP });
        let age = std::time::Duration::try_from(Timestamp::now().duration_since(run.started)).unwrap_or_default();
        newer >= keep && self.older.is_none_or(|older| age > older.get())
    }
}

fn unreadable(directory: &Path, error: &std::io::Error) -> Problem {
    Problem::usage(format!("failed to read the directory `{}`: {error}", directory.display()))
        .help("name the directory of the runs with `--out`")
}

/// What was removed so far.
struct Cleaning<'a> {
    arguments: &'a Arguments,
    removed: u64,
    room: u64,
    kept: u64,
    exit: Exit,
}

impl Cleaning<'_> {
    fn clean(&mut self, scenario: &Path, terminal: &mut Terminal) -> Result<(), Problem> {
        let (runs, kept) = old_runs::find(scenario).map_err(|error| unreadable(scenario, &error))?;
        for one in kept {
            terminal.tell(&format!("kept {}: {}\n", one.path.display(), one.why));
        }
        let mut some = false;
        for (newer, run) in runs.iter().enumerate() {
            if self.arguments.wants(newer, run) {
                some |= self.remove(run, terminal);
            } else {
                self.kept += 1;
            }
        }
        let repaired = if some { old_runs::repair(scenario) } else { Ok(false) };
        match repaired {
            Ok(true) => {
                terminal.tell(&format!("{}: the list of a series is removed with its runs\n", scenario.display()));
            }
            Ok(false) => {}
            Err(error) => self.failed(scenario, &error.to_string(), terminal),
        }
        Ok(())
    }

    /// Removes a run, or says that it would be. Gives whether it is gone.
    fn remove(&mut self, run: &OldRun, terminal: &mut Terminal) -> bool {
        let is_dry = self.arguments.dry_run;
        if let Err(why) = if is_dry { Ok(()) } else { run.remove() } {
            self.failed(&run.path, &why, terminal);
            return false;
        }
        (self.removed, self.room) = (self.removed + 1, self.room + run.size);
        let done = if is_dry { "would remove" } else { "removed" };
        terminal.print(&format!("{done} {}, {}\n", run.path.display(), bytes(run.size)));
        !is_dry
    }

    fn failed(&mut self, path: &Path, why: &str, terminal: &mut Terminal) {
        self.exit = terminal.fail(&Problem::could_not_run(format!("failed to remove `{}`: {why}", path.display())));
    }
}
