//! Live progress on stderr: on a terminal a view that is redrawn in place; elsewhere a line every ten seconds. With
//! `--verbose` each statement goes there, too, as it runs.

mod page;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::hidden;
use crate::execute::Progress;
use crate::plan::Plan;
use page::Page;

/// The most lines of the view.
const LINES: usize = 20;
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// More only flickers.
const DRAWS_PER_SECOND: u8 = 5;
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The view that is drawn at this moment.
static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Prints a line on stderr at once: above the view, where one is drawn.
pub(super) fn announce(line: &str) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(view) = drawn.as_ref().filter(|view| !view.is_hidden()) {
        let _ = view.println(line);
        return;
    }
    // The terminal has written `^C` into the line.
    let apart = if io::stderr().is_terminal() { "\n" } else { "" };
    let _ = io::stderr().write_all(format!("{apart}{line}\n").as_bytes());
}

/// What is shown of a run.
pub(super) struct View {
    /// Whether to show how far it has come.
    pub(super) progress: bool,
    /// Whether stderr is a terminal.
    pub(super) watched: bool,
    /// The statements as they run, where they were asked for.
    pub(super) statements: Option<Receiver<String>>,
}

impl View {
    /// Does `work` while its progress is shown.
    pub(super) fn during<T>(self, plan: &Plan, progress: &Progress, work: impl FnOnce() -> T) -> T {
        if !self.progress && self.statements.is_none() {
            return work();
        }
        let done = &AtomicBool::new(false);
        std::thread::scope(|threads| {
            let show = Show { plan, progress, started: Instant::now(), done };
            let shown = Builder::new().name("view".to_owned()).spawn_scoped(threads, move || {
                if self.progress && self.watched {
                    show.draw(self.statements.as_ref());
                } else {
                    show.tell(self.progress, self.statements.as_ref());
                }
            });
            if let Err(error) = shown {
                announce(&format!("stress: no progress is shown: {error}"));
            }
            // Also after a panic, or the scope would wait for ever.
            let _guard = Guard(done);
            work()
        })
    }
}

struct Guard<'a>(&'a AtomicBool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

struct Show<'a> {
    plan: &'a Plan,
    progress: &'a Progress,
    started: Instant,
    done: &'a AtomicBool,
}

impl Show<'_> {
    fn page(&self) -> Page<'_> {
        Page { plan: self.plan, progress: self.progress, elapsed: self.started.elapsed() }
    }

    fn draw(&self, statements: Option<&Receiver<String>>) {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bars.clone());
        // Lines are written over, not cleared first: nothing flickers.
        bars.set_move_cursor(true);
        let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let mut shown: Vec<ProgressBar> = Vec::new();
        loop {
            let done = self.done.load(Ordering::Acquire);
            for line in statements.iter().flat_map(|statements| statements.try_iter()) {
                let _ = bars.println(hidden::redact(line));
            }
            if done {
                break;
            }
            let (height, width) = console::Term::stderr().size();
            let lines = self.page().lines(usize::from(width), usize::from(height).saturating_sub(1).min(LINES));
            while shown.len() < lines.len() {
                shown.push(bars.add(ProgressBar::new(1).with_style(style.clone())));
            }
            for (at, bar) in shown.iter().enumerate() {
                bar.set_message(lines.get(at).cloned().unwrap_or_default());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        bars.set_move_cursor(false);
        let _ = bars.clear();
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn tell(&self, progress: bool, statements: Option<&Receiver<String>>) {
        let mut told = Instant::now();
        loop {
            let done = self.done.load(Ordering::Acquire);
            for line in statements.iter().flat_map(|statements| statements.try_iter()) {
                let _ = writeln!(io::stderr(), "{}", hidden::redact(line));
            }
            if done {
                return;
            }
            if progress && told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let _ = writeln!(io::stderr(), "{}", self.page().line());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
