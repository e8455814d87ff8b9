//! Live progress: on a terminal one line per database up to a screenful and a summary beyond; elsewhere a line every
//! ten seconds.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::execute::{DatabaseProgress, Progress, Stage};
use crate::figure::thousands;
use crate::plan::Plan;

/// Databases that get a line of their own.
const LINES: usize = 16;
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// More only flickers.
const DRAWS_PER_SECOND: u8 = 5;
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Does `work` while its progress is shown.
pub(super) fn shown<T>(plan: &Plan, progress: &Progress, show: bool, watched: bool, work: impl FnOnce() -> T) -> T {
    if !show {
        return work();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| if watched { draw(plan, progress, &done) } else { tell(plan, progress, &done) });
        // Also after a panic, or the scope would wait for ever.
        let _guard = Guard(&done);
        work()
    })
}

struct Guard<'a>(&'a AtomicBool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn draw(plan: &Plan, progress: &Progress, done: &AtomicBool) {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
    let style =
        ProgressStyle::with_template("{prefix:>8} {bar:24} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let own = if progress.databases.len() <= LINES { progress.databases.len() } else { 0 };
    let bar = |prefix: String, length: u64| {
        let bar = bars.add(ProgressBar::new(length).with_style(style.clone()));
        bar.set_prefix(prefix);
        bar
    };
    let lines: Vec<ProgressBar> = (1..=own).map(|index| bar(format!("DB{index}"), plan.iterations)).collect();
    let all = bar("all".to_owned(), plan.iterations * progress.databases.len() as u64);
    while !done.load(Ordering::Relaxed) {
        for (line, database) in lines.iter().zip(&progress.databases) {
            line.set_position(done_iterations(plan, database));
            line.set_message(database_text(plan, database));
        }
        all.set_position(progress.databases.iter().map(|database| done_iterations(plan, database)).sum());
        all.set_message(summary(plan, progress));
        std::thread::sleep(LOOK_EVERY);
    }
    let _ = bars.clear();
}

fn tell(plan: &Plan, progress: &Progress, done: &AtomicBool) {
    let mut told = Instant::now();
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK_EVERY);
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let _ = writeln!(io::stderr(), "{}", summary(plan, progress));
        }
    }
}

fn done_iterations(plan: &Plan, database: &DatabaseProgress) -> u64 {
    if database.finished.load(Ordering::Relaxed) {
        return plan.iterations;
    }
    database.iteration.load(Ordering::Relaxed).saturating_sub(1)
}

fn database_text(plan: &Plan, database: &DatabaseProgress) -> String {
    let phase = plan.phases.get(database.step.load(Ordering::Relaxed)).map_or("", |step| step.name.as_str());
    let iteration = database.iteration.load(Ordering::Relaxed);
    let doing = if database.finished.load(Ordering::Relaxed) { "done" } else { phase };
    let failures = database.failures.load(Ordering::Relaxed);
    let failures = if failures == 0 { String::new() } else { format!(", {failures} errors") };
    format!("{iteration}/{} {doing}{failures}", plan.iterations)
}

fn summary(plan: &Plan, progress: &Progress) -> String {
    let sum = |count: fn(&DatabaseProgress) -> u64| progress.databases.iter().map(count).sum::<u64>();
    let databases = progress.databases.len() as u64;
    let iterations: u64 = progress.databases.iter().map(|database| done_iterations(plan, database)).sum();
    let stage = match progress.stage() {
        Stage::Preparing => "creating databases".to_owned(),
        Stage::Running => format!("iteration {} of {}", iterations / databases.max(1) + 1, plan.iterations),
        Stage::Settling => format!("settling, round {}", progress.round.load(Ordering::Relaxed)),
        Stage::Verifying => "verifying".to_owned(),
    };
    let rows = sum(|database| database.rows.load(Ordering::Relaxed));
    let syncs = sum(|database| database.syncs.load(Ordering::Relaxed));
    let failures = sum(|database| database.failures.load(Ordering::Relaxed));
    format!(
        "{stage}: {} rows changed, {} sync calls, {} errors",
        thousands(rows),
        thousands(syncs),
        thousands(failures)
    )
}
