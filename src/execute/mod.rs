//! The executor: creates the databases, sets one thread per database to work at once, settles, and collects what
//! everybody holds at the end. Everything becomes facts in the record; nothing is judged here.

mod alarm;
mod control;
mod error;
mod generator;
mod job;
mod journal;
mod log;
mod phase;
mod progress;
mod rendezvous;
mod run;
mod settle;
mod stream;
mod threads;
mod whole;
mod worker;
mod workers;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use control::Control;
pub(crate) use error::ExecuteError;
pub(crate) use job::Job;
pub(crate) use progress::{DatabaseProgress, Progress, Stage};
pub(crate) use threads::{STACK, suffice as threads_suffice};
pub(crate) use whole::{UNFINISHED, abandon, is_stream, try_out, write_new, write_whole};
pub(crate) use workers::panic_message;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rayon::prelude::*;

use crate::failure::{Failure, FailureKind, Side};
use crate::ledger::Kept;
use crate::observe;
use crate::plan::DatabasePlan;
use crate::record::{Counted, EndReason, Ended, Machine, RECORD_VERSION, Record, WorkerRecord};
use crate::target::Device;
use alarm::Alarms;
use control::Watchdog;
use generator::Clocks;
use journal::Journal;
use rendezvous::Rendezvous;
use run::Run;
use settle::Settling;
use worker::Worker;
use workers::Workers;

/// Databases of whose logs the record keeps the beginning and the end.
const LOGS: usize = 20;

/// Makes a run. What goes wrong with the system under test is in the record; an error means that there was no run.
pub(crate) fn run(job: &Job<'_>) -> Result<Record, ExecuteError> {
    let count = job.plan.databases.len();
    let few = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(count);
    let run = Run {
        plan: job.plan,
        target: job.target,
        directory: job.directory,
        databases: job.databases,
        control: job.control,
        progress: job.progress,
        watchdog: Watchdog::new(count, Instant::now() + job.plan.time_limit),
        rendezvous: Rendezvous::new(count),
        journal: Journal::new(job.directory, frame(job)),
        alarms: Alarms::new(job.plan),
        few: threads::pool("few", few, 2 * STACK)?,
    };
    for path in [job.databases.to_owned(), run.ledgers(), job.directory.join("logs")] {
        std::fs::create_dir_all(&path).map_err(|error| ExecuteError::Io { path, error })?;
    }
    let Run { watchdog, journal, .. } = &run;
    prepare(&run)?;
    journal.flush()?;
    let clocks = Clocks::start();
    std::thread::scope(|scope| {
        // However this ends, the threads beside it end, too: the scope waits for them.
        let _watched = Watched(&run);
        let watching = threads::start(scope, "watchdog", || watchdog.watch(job.control))?;
        threads::start(scope, "journal", || journal.keep_flushing())?;
        let done = catch_unwind(AssertUnwindSafe(|| work(&run)));
        watchdog.finish();
        if let Ok(lag) = watching.join() {
            journal.frame().generator = Some(clocks.stop(&lag));
        }
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    keep_logs(&run);
    if let Some(ended) = job.target.ended() {
        let failure = Failure::new(FailureKind::Unavailable, Side::Server, ended.message);
        journal.frame().failures.push(failure);
    }
    for mut worker in journal.workers() {
        worker.counted = Some(Counted::of(&worker.events));
    }
    let reason = job.control.reason().unwrap_or(EndReason::Done);
    journal.frame().ended = Some(Ended { at: journal.now(), reason });
    journal.flush()?;
    Ok(journal.snapshot())
}

/// A run with threads beside it.
struct Watched<'a>(&'a Run<'a>);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.watchdog.finish();
        self.0.journal.finish();
    }
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
        target: job.target.secrets.hidden(job.target.facts.clone()),
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
        let user = &run.plan.users[database.user as usize - 1].id;
        let device = Device { number: database.index, user, file: &path };
        let site = run
            .target
            .create_database(run.plan, device, false)
            .map_err(|error| ExecuteError::Prepare { path, error })?;
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
    let workers = Workers::new(run)?;
    let all = threads::pool("db", run.plan.databases.len(), STACK)?;
    run.progress.enter(Stage::Running);
    let settling = Settling::new(run);
    let unsent = all.broadcast(|context| {
        let index = context.index();
        workers.guarded(index, Worker::work);
        settling.take_part(&workers, index);
        workers.guarded(index, Worker::leave).flatten()
    });
    drop(all);
    let each = || (0..run.plan.databases.len()).into_par_iter().map(|index| workers.ledger(index)).collect();
    let ledgers: Vec<Kept> = run.few.install(each);
    if settling.began() && !run.control.is_ending() {
        run.progress.enter(Stage::Verifying);
        look(run, &unsent, &ledgers);
    }
    // What they say is in the record. A directory that stays takes room and harms nobody.
    let _ = std::fs::remove_dir_all(run.ledgers());
    Ok(())
}

/// Looks at what everybody holds. `unsent` says of each database whether it still had something to send.
fn look(run: &Run<'_>, unsent: &[Option<bool>], ledgers: &[Kept]) {
    let mut collected = observe::collect(&mut run.subject(ledgers), unsent);
    // A server can send a secret as a row's value.
    let secrets = &run.target.secrets;
    for (index, database) in run.plan.databases.iter().enumerate() {
        let Some(attempts) = collected.attempts.remove(&database.index) else { continue };
        let mut worker = run.journal.worker(index);
        attempts.keep(&mut worker);
        worker.attempts = secrets.hidden(std::mem::take(&mut worker.attempts));
    }
    let mut frame = run.journal.frame();
    frame.failures.append(&mut secrets.hidden(collected.failures));
    frame.state = Some(secrets.hidden(collected.state));
}

/// Keeps the beginning and the end of the logs of databases in which something failed.
fn keep_logs(run: &Run<'_>) {
    let mut kept = 0;
    for (index, database) in run.plan.databases.iter().enumerate() {
        let mut worker = run.journal.worker(index);
        let failed = worker.crash.is_some() || worker.events.iter().any(|event| !event.failures.is_empty());
        if kept < LOGS && (failed || !worker.leaks.is_empty()) {
            kept += 1;
            worker.log = log::excerpt(&run.log_file(database.index));
        }
    }
}
