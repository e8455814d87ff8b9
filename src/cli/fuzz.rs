//! `stress selftest --fuzz`: runs random scenarios, several at a time, and makes those smaller that are not judged rightly.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use super::exit::Exit;
use super::problem::Problem;
use super::signals::Signals;
use super::terminal::Terminal;
use super::trial::{conduct, remove};
use crate::execute::{Control, threads_suffice};
use crate::figure::{self, counted};
use crate::selftest::fuzz::{Fuzzed, Made, shrink, summary, told};
use crate::selftest::{NotRun, Seen};

/// Runs to make a scenario smaller.
const SHRINKING: usize = 60;
/// Scenarios that are made smaller; of the others, the seed is told.
const SHRUNK: usize = 20;
/// Scenarios between two lines of progress.
const STEP: usize = 50;
/// Drawings of a scenario whose fault does not strike, and the distance of their seeds.
const DRAWINGS: u64 = 10;
const DISTANCE: u64 = 1_000_000_007;

/// How many scenarios are run.
#[derive(Clone, Copy)]
pub(super) struct Amount {
    pub(super) clean: u64,
    pub(super) planted: u64,
    /// The first seed.
    pub(super) seed: u64,
}

impl Amount {
    /// The kind and seed of every scenario: a planted one after as many clean ones as there are for each.
    fn jobs(self) -> Vec<(bool, u64)> {
        let job = |is_planted, offset| (is_planted, self.seed.wrapping_add(offset) % (1 << 52));
        let mut jobs: Vec<(bool, u64)> = (0..self.clean).map(|offset| job(false, offset)).collect();
        jobs.extend((0..self.planted).map(|offset| job(true, offset)));
        jobs
    }
}

/// Where the runs are made, and what may end them.
struct Bench<'a> {
    directory: &'a Path,
    signals: &'a Signals,
    jobs: &'a [(bool, u64)],
    next: AtomicUsize,
}

pub(super) fn run(amount: Amount, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let signals = Signals::listen()?;
    let directory = std::env::temp_dir().join(format!("stress-fuzz-{}", uuid::Uuid::new_v4().simple()));
    signals.direct_to(&Arc::default(), directory.display().to_string());
    threads_suffice(thread::available_parallelism().map_or(1, NonZero::get))?;
    let jobs = amount.jobs();
    let bench = Bench { directory: &directory, signals: &signals, jobs: &jobs, next: AtomicUsize::new(0) };
    let done = bench.run_all(terminal);
    let wrong: Vec<&Fuzzed> = done.iter().filter(|fuzzed| !fuzzed.is_as_wanted()).collect();
    for (place, drawn) in wrong.iter().enumerate() {
        let small = (place < SHRUNK).then(|| bench.shrunk(drawn));
        terminal.print(&told(drawn, small.as_ref()));
    }
    terminal.print(&summary(&done));
    if wrong.is_empty() {
        if directory.exists() {
            remove(&directory, terminal);
        }
    } else {
        terminal.tell(&format!("the run directories are kept in {}\n", directory.display()));
    }
    if signals.reason().is_some() {
        terminal.tell(&format!("interrupted after {} of {}\n", done.len(), counted(jobs.len() as u64, "scenario")));
        return Ok(Exit::Interrupted);
    }
    Ok(if wrong.is_empty() && !done.is_empty() { Exit::Pass } else { Exit::Fail })
}

impl Bench<'_> {
    /// Every scenario, on as many threads as there are processors.
    fn run_all(&self, terminal: &mut Terminal) -> Vec<Fuzzed> {
        let started = Instant::now();
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let (sender, receiver) = mpsc::channel();
        let mut done: Vec<Fuzzed> = Vec::new();
        thread::scope(|scope| {
            for _ in 0..threads {
                let sender = sender.clone();
                scope.spawn(move || self.work(&sender));
            }
            drop(sender);
            for fuzzed in receiver {
                done.push(fuzzed);
                if done.len().is_multiple_of(STEP) {
                    let wrong = done.iter().filter(|fuzzed| !fuzzed.is_as_wanted()).count();
                    let took = figure::duration(started.elapsed());
                    terminal.tell(&format!(
                        "[{}/{}] {wrong} not judged rightly ({took})\n",
                        done.len(),
                        self.jobs.len()
                    ));
                }
            }
        });
        // In the order of the seeds, whichever thread was first.
        done.sort_by_key(|fuzzed| (fuzzed.made.planted.is_some(), fuzzed.made.seed));
        done
    }

    fn work(&self, sender: &Sender<Fuzzed>) {
        while let Some((is_planted, seed)) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if self.signals.reason().is_some() {
                return;
            }
            let fuzzed = if *is_planted { self.planted(*seed) } else { self.made(Made::clean(*seed), "drawn") };
            // A run that ends with the program says nothing.
            if self.signals.reason().is_some() || sender.send(fuzzed).is_err() {
                return;
            }
        }
    }

    /// A scenario whose planted fault strikes.
    fn planted(&self, seed: u64) -> Fuzzed {
        let draw = |drawing: u64| {
            let made = Made::planted(seed.wrapping_add(drawing * DISTANCE) % (1 << 52));
            self.made(made, "drawn")
        };
        let mut fuzzed = draw(0);
        for drawing in 1..DRAWINGS {
            if fuzzed.has_struck() || fuzzed.seen.is_err() {
                break;
            }
            fuzzed = draw(drawing);
        }
        fuzzed
    }

    fn shrunk(&self, drawn: &Fuzzed) -> Fuzzed {
        let mut small = drawn.clone();
        shrink(&drawn.made, SHRINKING, |made| {
            let fuzzed = self.made(made.clone(), "smaller");
            let fails = self.signals.reason().is_none() && drawn.fails_like(&fuzzed);
            if fails {
                small = fuzzed;
            }
            fails
        });
        small
    }

    /// A run in a part of the directory; its own directory is kept only where it was not judged rightly.
    fn made(&self, made: Made, part: &str) -> Fuzzed {
        let directory = self.directory.join(part);
        let seen = see(&made, &directory).map_err(|problem| NotRun(problem.to_string()));
        let fuzzed = Fuzzed { made, seen };
        if fuzzed.is_as_wanted() || !fuzzed.has_struck() {
            let _ = std::fs::remove_dir_all(directory.join(fuzzed.made.name()));
        }
        fuzzed
    }
}

fn see(made: &Made, directory: &Path) -> Result<Seen, Problem> {
    let path = format!("{}.yaml", made.name());
    let loaded = made.load().map_err(|error| Problem::scenario(Path::new(&path), error.diagnostics()))?;
    let control = Arc::new(Control::default());
    conduct(&loaded.into_first(), &path, directory, &control).map(|(seen, _)| seen)
}
