//! All workers, each of whom may panic alone.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use super::error::ExecuteError;
use super::log::Log;
use super::run::Run;
use super::worker::Worker;
use crate::ledger::Kept;

pub(super) struct Workers<'a> {
    run: &'a Run<'a>,
    all: Vec<Mutex<Worker<'a>>>,
}

impl<'a> Workers<'a> {
    /// One for each database.
    pub(super) fn new(run: &'a Run<'a>) -> Result<Self, ExecuteError> {
        let mut all = Vec::new();
        for (index, database) in run.plan.databases.iter().enumerate() {
            let path = run.log_file(database.index);
            let log = Log::create(&path, database.index, run.target.secrets.clone())
                .map_err(|error| ExecuteError::Io { path, error })?;
            all.push(Mutex::new(Worker::new(run, index, log)));
        }
        Ok(Self { run, all })
    }

    /// What a database wrote, when its worker is done.
    pub(super) fn ledger(&self, index: usize) -> Kept {
        let mut worker = self.all[index].lock().unwrap_or_else(PoisonError::into_inner);
        let crashed = self.run.journal.worker(index).crash.is_some();
        worker.ledger.take().map(|ledger| ledger.finish(crashed)).unwrap_or_default()
    }

    /// Does something with a worker whose panic must stay its own.
    pub(super) fn guarded<T>(&self, index: usize, act: impl FnOnce(&mut Worker<'a>) -> T) -> Option<T> {
        let run = self.run;
        let mut worker = self.all[index].lock().unwrap_or_else(PoisonError::into_inner);
        let done = catch_unwind(AssertUnwindSafe(|| act(&mut worker)));
        if let Err(panic) = &done {
            let message = panic_message(panic.as_ref());
            run.journal.worker(index).crash.get_or_insert(run.target.secrets.redact(message));
            run.rendezvous.leave(index);
            // A session left open by the panic is closed in the right order all the same.
            let _ = catch_unwind(AssertUnwindSafe(|| worker.close()));
        }
        done.ok()
    }
}

/// What a panic says.
pub(crate) fn panic_message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}
