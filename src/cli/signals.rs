//! Signals of the system, and the run that they end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::progress;
use crate::execute::{Control, abandon};
use crate::record::EndReason;

/// Ctrl-C, termination and hanging up: the first finishes the steps and reports, the second stops now, the third kills.
pub(super) struct Signals {
    current: Arc<Mutex<Current>>,
}

/// What a signal ends.
#[derive(Default)]
struct Current {
    control: Arc<Control>,
    /// What is left behind if the process is killed.
    left: String,
    will: Option<Will>,
}

/// What is still done when a run is given up. It takes a moment at most.
pub(super) type Will = Box<dyn FnOnce() + Send>;

/// What receives the first signal, for a server that goes on until then.
pub(super) fn interruption() -> Result<Receiver<()>, ctrlc::Error> {
    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || {
        // The second signal finds nobody listening; the first has already ended the server.
        let _ = stop.send(());
    })?;
    Ok(stopped)
}

/// Lets a write beyond `ulimit -f` fail like one on a full disk. Unheard, its signal kills the process.
pub(super) fn outlive_large_files() {
    #[cfg(unix)]
    {
        // A process that cannot listen is killed as it would have been.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    }
}

impl Current {
    /// Obeys the signal with this number, counted from 0.
    fn obey(&mut self, number: usize) {
        match number {
            0 => {
                progress::announce("finishing the running steps; Ctrl-C again stops now");
                self.control.finish(EndReason::Interrupted);
            }
            1 => {
                progress::announce("stopping now; Ctrl-C again kills the run, without a report");
                self.control.stop_now(EndReason::Interrupted);
            }
            _ => {
                let left = if self.left.is_empty() { "nothing" } else { self.left.as_str() };
                progress::announce(&format!("killed; left behind: {left}"));
                if let Some(will) = self.will.take() {
                    will();
                }
                abandon();
                std::process::exit(130);
            }
        }
    }
}

impl Signals {
    /// Listens from now on, until the process ends.
    pub(super) fn listen() -> Result<Self, ctrlc::Error> {
        let signals = Self { current: Arc::default() };
        let (current, count) = (Arc::clone(&signals.current), AtomicUsize::new(0));
        ctrlc::set_handler(move || {
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            current.obey(count.fetch_add(1, Ordering::SeqCst));
        })?;
        Ok(signals)
    }

    /// Lets signals end this run; also one that came before. `left` says what is left behind if it is killed.
    pub(super) fn direct_to(&self, control: &Arc<Control>, left: String) {
        let mut current = self.current();
        if let Some(reason) = current.control.reason() {
            // The signal came before the run had started.
            control.finish(reason);
        }
        *current = Current { control: Arc::clone(control), left, will: None };
    }

    /// What the third signal still does.
    pub(super) fn at_the_third(&self, will: Option<Will>) {
        self.current().will = will;
    }

    /// Why the run is ending, when a signal came.
    pub(super) fn reason(&self) -> Option<EndReason> {
        self.current().control.reason()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
