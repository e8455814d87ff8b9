//! The executor: creates the databases, sets one thread per database to work at once, settles, and collects what
//! everybody holds at the end. Everything becomes facts in the record; nothing is judged here.

mod alarm;
mod bootstrap;
mod clues;
mod collect;
mod contents;
mod control;
mod difference;
mod error;
mod extension;
mod forbidden;
mod generator;
mod growth;
mod hostile;
mod isolation;
mod journal;
mod log;
mod phase;
mod progress;
mod rendezvous;
mod server;
mod settle;
mod sync;
mod worker;

#[cfg(test)]
pub(crate) mod tests;

pub use control::Control;
pub use error::ExecuteError;
pub use journal::write_whole;
pub use progress::{DatabaseProgress, Progress, Stage};

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::failure::{Call, RawError};
use crate::plan::{DatabasePlan, Plan, quote};
use crate::record::{EndReason, Ended, Machine, RECORD_VERSION, Record, WorkerRecord};
use crate::scenario::Scenario;
use crate::session::{Opening, Session};
use crate::target::Connected;
use crate::template::Scope;
use alarm::Alarms;
use control::Watchdog;
use generator::Clocks;
use journal::Journal;
use log::Log;
use rayon::prelude::*;
use rendezvous::Rendezvous;
use settle::Settling;
use worker::Worker;

/// Stack of a worker's thread: SQLite and the templates need far less than the system's default.
const STACK: usize = 1024 * 1024;

/// Databases of whose logs the record keeps the beginning and the end.
const LOGS: usize = 20;

/// A run to be made.
pub struct Job<'a> {
    /// What is decided.
    pub plan: &'a Plan,
    /// The scenario as resolved, kept in the record.
    pub scenario: &'a Scenario,
    /// Its path as given.
    pub path: &'a str,
    /// What the databases sync with.
    pub target: &'a Connected,
    /// The run's directory, which exists.
    pub directory: &'a Path,
    /// The directory of the databases; those that are there already are gone on with.
    pub databases: &'a Path,
    /// The run's id.
    pub id: &'a str,
    /// By which it is ended early.
    pub control: &'a Control,
    /// How far it has come.
    pub progress: &'a Progress,
}

/// What all parts of a run share.
struct Run<'a> {
    plan: &'a Plan,
    scope: Scope,
    target: &'a Connected,
    directory: &'a Path,
    databases: &'a Path,
    control: &'a Control,
    progress: &'a Progress,
    watchdog: &'a Watchdog,
    rendezvous: &'a Rendezvous,
    journal: &'a Journal,
    alarms: &'a Alarms<'a>,
    /// As many threads as processors, for what need not be done by all databases at once.
    few: &'a rayon::ThreadPool,
}

impl Run<'_> {
    fn database_file(&self, index: u32) -> PathBuf {
        self.databases.join(format!("db{index}.db"))
    }

    /// Opens a file without a network, creates the tables unless they are there, and enables sync; gives the site id.
    fn create(&self, file: &Path) -> Result<Option<String>, RawError> {
        let (loader, pragmas) = (&self.target.loader, self.plan.pragmas.as_slice());
        let session = Session::open(&Opening { file, loader, pragmas, settings: &[], network: None })?;
        let tables = session.call(Call::Open, "SELECT count(*) FROM sqlite_schema", &[])?;
        if tables.as_deref() == Some("0") {
            // All or none: a file that was cut off here is made the next time.
            session.run(Call::Open, "BEGIN")?;
            for sql in self.plan.tables.iter().flat_map(|table| std::iter::once(&table.sql).chain(&table.also)) {
                session.run(Call::Open, sql)?;
            }
            session.run(Call::Open, "COMMIT")?;
        }
        let mut site = None;
        for table in &self.plan.tables {
            // The name is unquoted; the function takes it as a text.
            site = session.call(Call::Open, "SELECT cloudsync_init(?1)", &[&table.name])?.or(site);
        }
        for (key, value) in &self.target.settings {
            // Ignored by the extension before the first init, and kept in the file after it.
            session.call(Call::Open, "SELECT cloudsync_set(?1, ?2)", &[key, value])?;
        }
        session.close()?;
        Ok(site)
    }
}

/// Makes a run. What goes wrong with the system under test is in the record; an error means that there was no run.
pub fn run(job: &Job<'_>) -> Result<Record, ExecuteError> {
    let count = job.plan.databases.len();
    for path in [job.databases.to_owned(), job.directory.join("databases"), job.directory.join("logs")] {
        std::fs::create_dir_all(&path).map_err(|error| ExecuteError::Io { path, error })?;
    }
    let few = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(count);
    let few = rayon::ThreadPoolBuilder::new().num_threads(few).build().map_err(ExecuteError::Threads)?;
    let journal = Journal::new(job.directory, frame(job));
    let watchdog = Watchdog::new(count, Instant::now() + job.plan.time_limit);
    let rendezvous = Rendezvous::new(count);
    let alarms = Alarms::new(job.plan);
    let run = Run {
        plan: job.plan,
        scope: Plan::scope(job.scenario),
        target: job.target,
        directory: job.directory,
        databases: job.databases,
        control: job.control,
        progress: job.progress,
        watchdog: &watchdog,
        rendezvous: &rendezvous,
        journal: &journal,
        alarms: &alarms,
        few: &few,
    };
    prepare(&run)?;
    journal.flush()?;
    let clocks = Clocks::start();
    std::thread::scope(|threads| {
        let watching = threads.spawn(|| watchdog.watch(job.control));
        threads.spawn(|| journal.keep_flushing());
        let done = catch_unwind(AssertUnwindSafe(|| work(&run)));
        watchdog.finish();
        if let Ok(lag) = watching.join() {
            journal.frame().generator = Some(clocks.stop(&lag));
        }
        journal.finish();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    keep_logs(&run);
    let reason = job.control.reason().unwrap_or(EndReason::Done);
    journal.frame().ended = Some(Ended { at: journal.now(), reason });
    journal.flush()?;
    Ok(journal.snapshot())
}

fn frame(job: &Job<'_>) -> Record {
    let workers = job.plan.databases.iter().map(|database| WorkerRecord {
        database: database.index,
        user: database.user,
        ..WorkerRecord::default()
    });
    Record {
        version: RECORD_VERSION,
        stress: env!("CARGO_PKG_VERSION").to_owned(),
        id: job.id.to_owned(),
        path: job.path.to_owned(),
        scenario: job.scenario.clone(),
        started: jiff::Timestamp::now(),
        machine: Machine {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            sqlite: rusqlite::version().to_owned(),
        },
        target: job.target.facts.clone(),
        workers: workers.collect(),
        failures: Vec::new(),
        settle: None,
        state: None,
        generator: None,
        ended: None,
    }
}

/// Creates every database.
fn prepare(run: &Run<'_>) -> Result<(), ExecuteError> {
    let create = |(index, database): (usize, &DatabasePlan)| {
        let path = run.database_file(database.index);
        let site = run.create(&path).map_err(|error| ExecuteError::Prepare { path, error })?;
        if let Some(site) = &site {
            run.target.name_site(site, database.index);
        }
        run.journal.worker(index).site_id = site;
        Ok(())
    };
    run.few.install(|| run.plan.databases.par_iter().enumerate().try_for_each(create))
}

/// The run itself: all workers, the rounds after them, and the contents at the end.
fn work(run: &Run<'_>) -> Result<(), ExecuteError> {
    let mut workers = Vec::new();
    for (index, database) in run.plan.databases.iter().enumerate() {
        let path = log_file(run, database.index);
        let log = Log::create(&path, database.index).map_err(|error| ExecuteError::Io { path, error })?;
        workers.push(Mutex::new(Worker::new(run, index, log)));
    }
    let all = rayon::ThreadPoolBuilder::new()
        .num_threads(workers.len())
        .stack_size(STACK)
        .thread_name(|index| format!("db-{}", index + 1))
        .build()
        .map_err(ExecuteError::Threads)?;
    run.progress.enter(Stage::Running);
    let settling = Settling::new(run);
    let unsent = all.broadcast(|context| {
        let index = context.index();
        guarded(run, &workers, index, Worker::work);
        settling.take_part(&workers, index);
        guarded(run, &workers, index, Worker::leave).flatten()
    });
    drop(all);
    if settling.began() && !run.control.is_ending() {
        run.progress.enter(Stage::Verifying);
        let state = collect::collect(run, &unsent);
        run.journal.frame().state = Some(state);
    }
    Ok(())
}

/// Keeps the beginning and the end of the logs of databases in which something failed.
fn keep_logs(run: &Run<'_>) {
    let mut kept = 0;
    for (index, database) in run.plan.databases.iter().enumerate() {
        let mut worker = run.journal.worker(index);
        let failed = worker.crash.is_some() || worker.events.iter().any(|event| !event.failures.is_empty());
        if kept < LOGS && (failed || !worker.leaks.is_empty()) {
            kept += 1;
            worker.log = log::excerpt(&log_file(run, database.index));
        }
    }
}

fn log_file(run: &Run<'_>, database: u32) -> PathBuf {
    run.directory.join("logs").join(format!("db{database}.log"))
}

/// The size of a file, or of the one beside it.
fn size(file: &Path, suffix: &str) -> u64 {
    let mut name = file.to_path_buf().into_os_string();
    name.push(suffix);
    std::fs::metadata(name).map_or(0, |file| file.len())
}

/// Does something with a worker whose panic must stay its own.
fn guarded<'w, T>(
    run: &Run<'_>,
    workers: &[Mutex<Worker<'w>>],
    index: usize,
    act: impl FnOnce(&mut Worker<'w>) -> T,
) -> Option<T> {
    let mut worker = lock(&workers[index]);
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

/// What a panic says.
pub(crate) fn panic_message(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

fn lock<'w, 'r>(worker: &'w Mutex<Worker<'r>>) -> MutexGuard<'w, Worker<'r>> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A table's columns as a list for SQL.
fn column_list(columns: &[String]) -> String {
    columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
}
