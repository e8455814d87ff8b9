//! What the live view shows: from counters to lines that fit the width. Pure; it must not know how they get on a screen.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::execute::{DatabaseProgress, Progress, Stage};
use crate::figure::{counted, thousands};
use crate::plan::Plan;

/// Databases that are named when there are too many for a line each.
const SLOWEST: usize = 8;
/// Cells of a bar.
const BAR: u64 = 24;
/// Less work than this share says nothing about the rest.
const LEAST_DONE: f64 = 0.02;
/// Lines besides those of the databases.
const OTHERS: usize = 3;

/// How far a run has come, and how long it has taken.
pub(super) struct Page<'a> {
    pub(super) plan: &'a Plan,
    pub(super) progress: &'a Progress,
    pub(super) elapsed: Duration,
}

impl Page<'_> {
    /// The view in at most so many lines and columns: a line per database when there is room, else those that are
    /// furthest behind; then all together, and what failed last.
    pub(super) fn lines(&self, width: usize, height: usize) -> Vec<String> {
        let databases = &self.progress.databases;
        let mut lines = Vec::new();
        if databases.len() + OTHERS <= height {
            let number = databases.len().to_string().len();
            for (database, index) in databases.iter().zip(1_u32..) {
                let name = format!("DB{index:<number$}");
                lines.push(format!("{name} {} {}", bar(self.done(database)), self.doing(database)));
            }
        }
        let share = self.share();
        let percent = format!("{:>3.0} %", (share * 100.0).floor());
        let head =
            if lines.is_empty() { "all".to_owned() } else { format!("{:<1$}", "all", lines_indent(databases.len())) };
        lines.push(format!("{head} {} {percent}  {}{}", bar(share), self.stage(), self.time()));
        lines.push(format!("    {}", self.counts()));
        if databases.len() + OTHERS > height {
            lines.extend(self.slowest());
        }
        lines.extend(self.latest().map(|text| format!("    latest error: {text}")));
        lines.into_iter().map(|line| fitting(&line, width)).collect()
    }

    /// All of it in one line, for a log.
    pub(super) fn line(&self) -> String {
        let percent = (self.share() * 100.0).floor();
        let latest = self.latest().map(|text| format!("; latest error: {text}")).unwrap_or_default();
        format!("{percent:.0} %, {}: {}{}{latest}", self.stage(), self.counts(), self.time())
    }

    /// The share of its steps that a database has done.
    fn done(&self, database: &DatabaseProgress) -> f64 {
        let steps = (self.plan.phases.len() as u64).max(1);
        let all = (self.plan.iterations * steps).max(1);
        if database.finished.load(Ordering::Relaxed) {
            return 1.0;
        }
        let Some(iterations) = database.iteration.load(Ordering::Relaxed).checked_sub(1) else { return 0.0 };
        let step = (database.step.load(Ordering::Relaxed) as u64).min(steps - 1);
        (iterations * steps + step).min(all) as f64 / all as f64
    }

    fn share(&self) -> f64 {
        let databases = &self.progress.databases;
        databases.iter().map(|database| self.done(database)).sum::<f64>() / (databases.len() as f64).max(1.0)
    }

    fn doing(&self, database: &DatabaseProgress) -> String {
        let phase = self.plan.phases.get(database.step.load(Ordering::Relaxed)).map_or("", |step| step.name.as_str());
        let iteration = database.iteration.load(Ordering::Relaxed);
        let doing = if database.finished.load(Ordering::Relaxed) { "done" } else { phase };
        let failures = match database.failures.load(Ordering::Relaxed) {
            0 => String::new(),
            failures => format!(", {}", counted(failures, "error")),
        };
        format!("{iteration}/{} {doing}{failures}", self.plan.iterations)
    }

    fn stage(&self) -> String {
        let least = self.progress.databases.iter().filter(|database| !database.finished.load(Ordering::Relaxed));
        let least = least.map(|database| database.iteration.load(Ordering::Relaxed)).min();
        match self.progress.stage() {
            Stage::Preparing => "creating databases".to_owned(),
            Stage::Running => {
                format!("iteration {} of {}", least.unwrap_or(self.plan.iterations), self.plan.iterations)
            }
            Stage::Settling => format!("settling, round {}", self.progress.round.load(Ordering::Relaxed)),
            Stage::Verifying => "verifying".to_owned(),
        }
    }

    /// How long it has taken, and how long the rest of the work may take at the same pace.
    fn time(&self) -> String {
        let share = self.share();
        let left = match self.progress.stage() {
            Stage::Running if share >= LEAST_DONE => {
                let left = self.elapsed.mul_f64((1.0 - share) / share);
                let limit = self.plan.time_limit.saturating_sub(self.elapsed);
                let cut = if left > limit { ", then the time limit" } else { "" };
                format!(", about {} left{cut}", clock(left.min(limit)))
            }
            Stage::Preparing | Stage::Running | Stage::Settling | Stage::Verifying => String::new(),
        };
        format!("; {}{left}", clock(self.elapsed))
    }

    fn counts(&self) -> String {
        let sum = |count: fn(&DatabaseProgress) -> u64| self.progress.databases.iter().map(count).sum::<u64>();
        let rows = sum(|database| database.rows.load(Ordering::Relaxed));
        let syncs = sum(|database| database.syncs.load(Ordering::Relaxed));
        let failures = sum(|database| database.failures.load(Ordering::Relaxed));
        format!("{} rows changed, {}, {}", thousands(rows), counted(syncs, "sync call"), counted(failures, "error"))
    }

    /// The databases that are furthest behind.
    fn slowest(&self) -> Option<String> {
        let databases = self.progress.databases.iter().zip(1_u32..);
        let mut behind: Vec<_> = databases.filter(|(database, _)| self.done(database) < 1.0).collect();
        behind.sort_by(|(a, _), (b, _)| self.done(a).total_cmp(&self.done(b)));
        let name = |(database, index): &(&DatabaseProgress, u32)| format!("DB{index} {}", self.doing(database));
        let names: Vec<String> = behind.iter().take(SLOWEST).map(name).collect();
        (!names.is_empty()).then(|| format!("    slowest: {}", names.join(" · ")))
    }

    fn latest(&self) -> Option<String> {
        let (database, message) = self.progress.latest_failure()?;
        let message: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Some(format!("DB{database} {message}"))
    }
}

/// The columns before the bars of this many databases.
fn lines_indent(databases: usize) -> usize {
    "DB".len() + databases.to_string().len()
}

fn bar(share: f64) -> String {
    let cells = usize::try_from(crate::figure::whole((share * BAR as f64).floor()).min(BAR)).unwrap_or_default();
    let all = usize::try_from(BAR).unwrap_or_default();
    format!("{}{}", "█".repeat(cells), "░".repeat(all - cells))
}

/// `5s`, `1m 05s`, `2h 03m`.
fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A line that fits; `…` stands for the rest.
fn fitting(line: &str, width: usize) -> String {
    console::truncate_str(line, width, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn progress(databases: u32) -> Progress {
        let progress = Progress::new(databases as usize);
        progress.enter(Stage::Running);
        for (database, index) in progress.databases.iter().zip(0_u64..) {
            database.iteration.store(3 - index % 3, Ordering::Relaxed);
            database.step.store(1, Ordering::Relaxed);
            database.rows.store(2_200, Ordering::Relaxed);
            database.syncs.store(12, Ordering::Relaxed);
        }
        progress.databases[databases as usize / 2].failures.store(2, Ordering::Relaxed);
        progress.failed(2, "insert: locked (client): database is locked\nand so on".into());
        progress
    }

    fn page(databases: u32, width: usize, height: usize) -> String {
        let (plan, progress) = (fixture::plan(databases), progress(databases));
        let page = Page { plan: &plan, progress: &progress, elapsed: Duration::from_secs(75) };
        page.lines(width, height).join("\n")
    }

    #[test]
    fn a_few_databases_have_a_line_each_and_many_are_told_together() {
        let pages = [(2, 80, 24), (2, 40, 24), (1_000, 80, 24), (1_000, 200, 24), (16, 80, 10)];
        let pages = pages.map(|(databases, width, height)| {
            format!("--- {databases} databases, {width} x {height}\n{}", page(databases, width, height))
        });
        insta::assert_snapshot!(pages.join("\n"));
    }

    #[test]
    fn the_view_fits_whatever_the_terminal() {
        for databases in [1, 2, 16, 17, 1_000] {
            for (width, height) in [(20, 5), (60, 8), (80, 24), (200, 60)] {
                let page = page(databases, width, height);
                assert!(page.lines().count() <= height, "{page}");
                assert!(page.lines().all(|line| console::measure_text_width(line) <= width), "{page}");
                assert!(!page.contains(char::is_control) || page.lines().all(|line| !line.contains(char::is_control)));
            }
        }
    }

    #[test]
    fn a_line_of_a_log_tells_the_same() {
        let (plan, progress) = (fixture::plan(2), progress(2));
        let page = Page { plan: &plan, progress: &progress, elapsed: Duration::from_secs(75) };
        assert_eq!(
            page.line(),
            "36 %, iteration 2 of 5: 4,400 rows changed, 24 sync calls, 2 errors; 1m 15s, about 2m 09s left; latest error: DB2 insert: locked (client): database is locked and so on"
        );
    }

    #[test]
    fn the_rest_is_not_guessed_before_there_is_something_to_guess_from() {
        let (plan, progress) = (fixture::plan(2), Progress::new(2));
        let page = |elapsed| Page { plan: &plan, progress: &progress, elapsed: Duration::from_secs(elapsed) };
        assert_eq!(page(1).line(), "0 %, creating databases: 0 rows changed, 0 sync calls, 0 errors; 1s");
        progress.enter(Stage::Running);
        assert!(!page(1).line().contains("left"));
        let half = self::progress(2);
        let page = Page { plan: &plan, progress: &half, elapsed: Duration::from_secs(500) };
        assert!(page.line().contains("about 1m 40s left, then the time limit"), "{}", page.line());
    }
}
