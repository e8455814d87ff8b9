//! Signals of the system, and the run that they end.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};

use crate::execute::Control;
use crate::record::EndReason;

/// Ctrl-C and termination: the first finishes the step and reports, the second stops now, the third gives up.
pub(super) struct Signals {
    run: Arc<Mutex<Arc<Control>>>,
    will: Arc<Mutex<Option<Will>>>,
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

impl Signals {
    /// Listens from now on, until the process ends.
    pub(super) fn listen() -> Result<Self, ctrlc::Error> {
        let run = Arc::new(Mutex::new(Arc::new(Control::default())));
        let will: Arc<Mutex<Option<Will>>> = Arc::default();
        let (current, last, count) = (Arc::clone(&run), Arc::clone(&will), AtomicUsize::new(0));
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
                _ => {
                    if let Some(will) = last.lock().unwrap_or_else(PoisonError::into_inner).take() {
                        will();
                    }
                    std::process::exit(130)
                }
            };
            let _ = io::stderr().write_all(told.as_bytes());
        })?;
        Ok(Self { run, will })
    }

    /// Lets signals end this run; also one that came before.
    pub(super) fn direct_to(&self, control: &Arc<Control>) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = run.reason() {
            // The signal came before the run had started.
            control.finish(reason);
        }
        *run = Arc::clone(control);
    }

    /// What the third signal still does.
    pub(super) fn at_the_third(&self, will: Option<Will>) {
        *self.will.lock().unwrap_or_else(PoisonError::into_inner) = will;
    }

    /// Why the run is ending, when a signal came.
    pub(super) fn reason(&self) -> Option<EndReason> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner).reason()
    }
}
