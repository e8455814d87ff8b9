//! The threads of a run: started one by one, or all of them for a moment, to see whether the system lets them start.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

use super::error::ExecuteError;

/// Stack of a worker's thread: SQLite and the templates need far less than the system's default.
pub(crate) const STACK: usize = 1024 * 1024;

/// Starts a thread of this name, or says that the system does not let it start.
pub(super) fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, ExecuteError> {
    Builder::new().name(name.to_owned()).spawn_scoped(scope, work).map_err(ExecuteError::Threads)
}

/// A pool of this many threads of this name, counted from 1.
pub(super) fn pool(name: &'static str, threads: usize, stack: usize) -> Result<rayon::ThreadPool, ExecuteError> {
    let named = move |index: usize| format!("{name}-{}", index + 1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(stack).thread_name(named);
    pool.build().map_err(|error| ExecuteError::Threads(io::Error::other(error)))
}

/// Starts this many threads at once and lets them end: whoever starts them later, and cannot bear that one does not
/// start, knows it beforehand.
pub(crate) fn suffice(count: usize) -> Result<(), ExecuteError> {
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = || drop(gate.lock());
        let started: Result<Vec<_>, _> =
            (0..count).map(|_| Builder::new().stack_size(STACK).spawn_scoped(scope, waits)).collect();
        drop(closed);
        started.map(drop).map_err(ExecuteError::Threads)
    })
}
