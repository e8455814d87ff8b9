//! One database's life: sessions, steps, sync calls, in the scenario's order. It only records; nothing is judged here.

mod beside;
mod settling;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Run;
use super::hostile;
use super::isolation::{Budget, Watch};
use super::log::Log;
use super::phase;
use super::sync::{SyncCall, Synced};
use crate::failure::{self, Failure, FailureKind, RawError, Side, Versions};
use crate::plan::{Action, DatabasePlan, ReceivePlan, SqlPlan, StepPlan, SyncPlan, rule::rule_for};
use crate::record::{EndReason, Event, StepKind};
use crate::scenario::{
    ErrorAction, ErrorActionName, ErrorActionOptions, HumanDuration, Kind, OpenPolicy, Rate, ReceiveUntil,
};
use crate::session::{Opening, Session, define_auth, raw_error};
use crate::sql::one_line;
use crate::template::{Salt, Scope};

/// The run is ending: no further step is started.
pub(super) struct Ending;

type Flow = Result<(), Ending>;

/// The phase's name under which opening and closing is recorded.
const SESSION: &str = "session";
/// The phase's name under which waiting for an iteration's start is recorded.
const ITERATION: &str = "iteration";
/// What SQLite says about a statement that was interrupted.
const INTERRUPTED: &str = "interrupted";

pub(super) struct Worker<'a> {
    run: &'a Run<'a>,
    /// Counted from 0.
    index: usize,
    database: &'a DatabasePlan,
    file: PathBuf,
    scope: Scope,
    log: Log,
    session: Option<Session>,
    iteration: u64,
    /// How late the iteration, and the repetition in it, began by their rates, in microseconds.
    late: [u64; 2],
    /// Whether nothing is under way any more, so that `out-of-sync` stays so.
    settled: bool,
    /// Those of the last answer to a send.
    versions: Option<Versions>,
    /// Over receives, where isolation is checked.
    watch: Option<Watch>,
    /// For looking at how large the database is.
    growth: Budget,
}

impl<'a> Worker<'a> {
    pub(super) fn new(run: &'a Run<'a>, index: usize, log: Log) -> Self {
        let database = &run.plan.databases[index];
        let scope = run.plan.database_scope(database);
        Self {
            run,
            index,
            database,
            file: run.database_file(database.index),
            scope,
            log,
            session: None,
            iteration: 0,
            late: [0; 2],
            settled: false,
            versions: None,
            watch: Watch::new(run.plan),
            growth: Budget::new(run.plan.databases.len()),
        }
    }

    /// Does everything the scenario says, as far as the run lets it.
    pub(super) fn work(&mut self) {
        let done = self.all_steps();
        self.close();
        self.log.flush();
        self.run.rendezvous.leave(self.index);
        let mut record = self.run.journal.worker(self.index);
        record.completed = done.is_ok();
        drop(record);
        self.run.progress.databases[self.index].finished.store(true, Ordering::Relaxed);
        if let Some(error) = self.log.error() {
            let message = format!("failed to write the log of database {}: {error}", self.database.index);
            self.run.journal.frame().failures.push(Failure::new(FailureKind::Disk, Side::Harness, message));
        }
    }

    fn all_steps(&mut self) -> Flow {
        let plan = self.run.plan;
        if !plan.ramp_up.is_zero() {
            let share = f64::from(self.database.index - 1) / plan.databases.len() as f64;
            self.pause("ramp-up", plan.ramp_up.mul_f64(share))?;
        }
        self.steps(&plan.setup, 0)?;
        let start = self.run.journal.now();
        for iteration in 1..=plan.iterations {
            self.iteration = iteration;
            if let Some(rate) = plan.rate {
                self.late[0] = self.pace(ITERATION, start, iteration - 1, rate)?;
            }
            self.run.progress.databases[self.index].iteration.store(iteration, Ordering::Relaxed);
            self.steps(&plan.phases, iteration)?;
            self.measure(iteration, plan.iterations);
            if plan.open != OpenPolicy::PerRun {
                self.close();
            }
            self.log.flush();
            self.run.journal.worker(self.index).iterations = iteration;
        }
        self.iteration = 0;
        self.late = [0; 2];
        self.steps(&plan.teardown, plan.iterations + 1)
    }

    fn steps(&mut self, steps: &[StepPlan], position: u64) -> Flow {
        for (place, step) in steps.iter().enumerate() {
            self.run.progress.databases[self.index].step.store(place, Ordering::Relaxed);
            self.run.rendezvous.advance(self.index, (position, place, 0));
            if !self.applies(step) {
                continue;
            }
            let repeat = self.evaluated(step, step.repeat.value(&self.scope_at(1)), 1);
            let start = self.run.journal.now();
            for time in 1..=repeat {
                if let Some(rate) = step.rate {
                    self.late[1] = self.pace(&step.name, start, time - 1, rate)?;
                }
                self.step(step, time, (position, place, time))?;
            }
            self.late[1] = 0;
        }
        Ok(())
    }

    fn applies(&mut self, step: &StepPlan) -> bool {
        let once = matches!(step.action, Action::Admin(_)) && step.when.is_none();
        if once {
            // SQL on the server is done once, not once per database.
            return self.database.index == 1;
        }
        let Some(when) = &step.when else { return true };
        let holds = when.holds(&self.scope_at(1));
        self.evaluated(step, holds, false)
    }

    /// A value of the step's templates; one that cannot be rendered is recorded as a failure of the step.
    fn evaluated<T>(&mut self, step: &StepPlan, value: Result<T, crate::template::TemplateProblem>, otherwise: T) -> T {
        value.unwrap_or_else(|problem| {
            let failure = failure::classify(&phase::template_error(&problem));
            let event = self.event(&step.name, StepKind::Query, self.run.journal.now());
            self.record(Event { failures: vec![failure], ..event });
            otherwise
        })
    }

    fn step(&mut self, step: &StepPlan, time: u64, position: super::rendezvous::Position) -> Flow {
        self.go_on()?;
        if let Some((shortest, longest)) = step.think {
            self.think(step, shortest, longest, time)?;
        }
        let watchdog = self.run.watchdog;
        watchdog.deadline(self.index, step.timeout.map(|timeout| Instant::now() + timeout));
        let done = self.do_step(step, time, position);
        watchdog.deadline(self.index, None);
        if self.run.plan.open == OpenPolicy::PerPhase {
            self.close();
        }
        done
    }

    fn do_step(&mut self, step: &StepPlan, time: u64, position: super::rendezvous::Position) -> Flow {
        match &step.action {
            Action::Nothing => {}
            Action::Wait(wait) => self.pause(&step.name, *wait)?,
            Action::Admin(text) => {
                let sql = text.render(&self.scope_at(time));
                self.admin(step, sql);
            }
            Action::Sql(sql) => {
                // Without a session the step cannot be done; that it could not be opened is recorded.
                if self.open() {
                    self.sql(step, sql, time);
                }
            }
        }
        if step.sync.is_empty() {
            return Ok(());
        }
        let opened = self.open();
        if let Some(skew) = step.barrier {
            let at = self.run.journal.now();
            self.run.rendezvous.wait(self.index, position, self.run.control);
            let skew = skew * (self.database.index - 1);
            if !skew.is_zero() {
                self.run.control.sleep(skew);
            }
            let event = self.event(&step.name, StepKind::Barrier, at);
            self.record(event);
        }
        if !opened {
            return Ok(());
        }
        for call in &step.sync {
            self.go_on()?;
            match call {
                SyncPlan::Send => drop(self.call(&step.name, &SyncCall::send())),
                SyncPlan::Receive(receive) => self.receive(&step.name, receive)?,
                SyncPlan::Sync(options) => drop(self.call(&step.name, &SyncCall::sync(*options))),
                SyncPlan::Wait(wait) => self.pause(&step.name, *wait)?,
            }
        }
        Ok(())
    }

    fn sql(&mut self, step: &StepPlan, sql: &SqlPlan, time: u64) {
        let scope = self.scope_at(time);
        let kind = match sql.kind {
            Kind::Delete => StepKind::Delete,
            Kind::Insert => StepKind::Insert,
            Kind::Update => StepKind::Update,
            Kind::Query => StepKind::Query,
        };
        self.run.progress.tell(|| {
            let (database, text) = (self.database.index, phase::in_words(sql, &scope));
            format!("[DB{database}][iter {}] {}: {text}", self.iteration, step.name)
        });
        let mut attempt = 1;
        loop {
            let (run, index) = (self.run, self.index);
            let cut = || run.control.is_now() || run.watchdog.expired(index);
            let Some(session) = &self.session else { return };
            let connection = session.connection();
            let watched = if sql.hostile { hostile::before(connection, run.plan) } else { Ok(()) };
            let at = self.run.journal.now();
            let ran = phase::run(connection, sql, &scope, &cut);
            // Looking at what was attempted is no part of the phase's time.
            let mut event = self.event(&step.name, kind, at);
            let mut failures: Vec<Failure> = ran.error.iter().map(failure::classify).collect();
            if sql.hostile {
                let attempts =
                    watched.and_then(|()| hostile::attempts(connection, run.plan, self.iteration, &step.name));
                match attempts {
                    Ok((denied, allowed)) => self.attempted(denied, allowed),
                    Err(error) => failures.push(failure::classify(&raw_error(failure::Call::Sql, &error))),
                }
            }
            if self.was_cut(&failures) {
                return;
            }
            if failures.is_empty()
                && let Some(wanted) = &sql.expect_rows
            {
                let wanted = self.evaluated(step, wanted.value(&scope), ran.rows);
                if wanted != ran.rows {
                    let message = format!("the phase changed {} rows, and {wanted} were expected", ran.rows);
                    failures.push(Failure::new(FailureKind::RowCount, Side::Client, message));
                }
            }
            let took = Duration::from_micros(event.took);
            self.log.line(self.iteration, &format!("{}, count={}", sql.kind.past(), ran.rows), took);
            for failure in &failures {
                self.log.line(self.iteration, &format!("{} error: {}", step.name, failure.message), took);
            }
            let again = self.retry(&failures, attempt);
            event.rows = ran.rows;
            event.attempt = attempt;
            event.retried = again.is_some();
            event.failures = failures;
            self.record(event);
            match again {
                Some(backoff) if self.run.control.sleep(backoff) => attempt += 1,
                _ => return,
            }
        }
    }

    fn admin(&mut self, step: &StepPlan, sql: Result<String, crate::template::TemplateProblem>) {
        let at = self.run.journal.now();
        let answer = sql.map_err(|problem| phase::template_error(&problem)).and_then(|sql| {
            let no_server = || RawError {
                call: failure::Call::Admin,
                sqlite: None,
                http: None,
                message: "the target has no administrator: set `connection_string`".to_owned(),
            };
            let (admin, database) = self.run.target.admin.as_ref().ok_or_else(no_server)?;
            self.run.progress.tell(|| {
                format!("[DB{}][iter {}] {}: {}", self.database.index, self.iteration, step.name, one_line(&sql))
            });
            admin.sql_within(self.run.watchdog.left(), Some(database), &sql)
        });
        let mut event = self.event(&step.name, StepKind::Admin, at);
        let took = Duration::from_micros(event.took);
        match answer {
            Ok(rows) => self.log.line(self.iteration, &format!("admin, rows={}", rows.len()), took),
            Err(error) => {
                self.log.line(self.iteration, &format!("admin error: {}", error.message), took);
                let failure = failure::classify(&error);
                if failure.kind == FailureKind::Timeout && self.run.watchdog.left().is_zero() {
                    // The run's limit cut it: it was not done, and that is no failure of it.
                    return;
                }
                event.failures.push(failure);
            }
        }
        self.record(event);
    }

    fn receive(&mut self, phase: &str, plan: &ReceivePlan) -> Flow {
        let call = SyncCall::receive(plan.check, plan.max_chunks);
        let Some(until) = plan.until else {
            drop(self.call(phase, &call));
            return Ok(());
        };
        let mut quiet = 0;
        for attempt in 1..=plan.attempts {
            self.go_on()?;
            let Some(synced) = self.call(phase, &call) else { return Ok(()) };
            quiet = if synced.rows == 0 && synced.complete { quiet + 1 } else { 0 };
            let enough = match until {
                ReceiveUntil::Rows => synced.rows > 0,
                ReceiveUntil::Quiet => quiet >= 2,
            };
            if enough {
                return Ok(());
            }
            // A capped call that took its chunks has more waiting: only an empty one is worth a pause.
            if attempt < plan.attempts && synced.rows == 0 {
                self.pause(phase, plan.every)?;
            }
        }
        Ok(())
    }

    /// Makes a sync call, again where a rule says so, and records it.
    pub(super) fn call(&mut self, phase: &str, call: &SyncCall) -> Option<Synced> {
        let mut attempt = 1;
        loop {
            let connection = self.session.as_ref()?.connection();
            let before =
                if call.receives() { self.watch.as_mut().and_then(|watch| watch.before(connection)) } else { None };
            let at = self.run.journal.now();
            let synced = call.make(self.session.as_ref()?, self.settled, self.versions);
            self.versions = synced.versions.or(self.versions);
            let mut event = self.event(phase, call.step, at);
            let took = Duration::from_micros(event.took);
            let word = match call.step {
                StepKind::Send => "send",
                StepKind::Receive => "receive",
                StepKind::Check => "check",
                _ => "sync",
            };
            let kind = if synced.failures.is_empty() { "" } else { " error" };
            self.log.line(self.iteration, &format!("{word}{kind}: {}", synced.text), took);
            if self.was_cut(&synced.failures) {
                return None;
            }
            let again = self.retry(&synced.failures, attempt);
            event.rows = synced.rows;
            event.chunks = synced.chunks;
            event.bytes = synced.bytes;
            event.attempt = attempt;
            event.retried = again.is_some();
            event.failures.clone_from(&synced.failures);
            self.record(event);
            if let Some(before) = before {
                self.look_for_leaks(phase, &before);
            }
            match again {
                Some(backoff) if self.run.control.sleep(backoff) => attempt += 1,
                _ => return Some(synced),
            }
        }
    }

    /// Whether a step ended because the whole run did: it was not done, and that is no failure of it.
    fn was_cut(&self, failures: &[Failure]) -> bool {
        let interrupted = |failure: &Failure| failure.kind == FailureKind::Timeout && failure.message == INTERRUPTED;
        self.run.control.is_now()
            && !self.run.watchdog.expired(self.index)
            && !failures.is_empty()
            && failures.iter().all(interrupted)
    }

    /// The pause before the next try, when a rule of `errors:` wants one. Also carries out `stop`.
    fn retry(&self, failures: &[Failure], attempt: u32) -> Option<Duration> {
        let mut again = None;
        for failure in failures {
            let Some(rule) = rule_for(&self.run.plan.errors, failure) else { continue };
            for action in &rule.actions {
                match action {
                    ErrorAction::Name(ErrorActionName::Stop) => self.run.control.finish(EndReason::Stopped),
                    ErrorAction::Options(ErrorActionOptions::Retry(retry)) if attempt <= retry.times => {
                        again = Some(retry.backoff.map_or(Duration::from_millis(500), HumanDuration::get));
                    }
                    ErrorAction::Name(_) | ErrorAction::Options(ErrorActionOptions::Retry(_)) => {}
                }
            }
        }
        again.filter(|_| !self.run.control.is_ending())
    }

    /// Opens a session unless one is open. Gives whether there is one.
    pub(super) fn open(&mut self) -> bool {
        if self.session.is_some() {
            return true;
        }
        let at = self.run.journal.now();
        let target = self.run.target;
        let credential = target.credential(self.database);
        let opened = Session::open(&Opening {
            file: &self.file,
            loader: &target.loader,
            pragmas: &self.run.plan.pragmas,
            settings: &[],
            network: Some((&target.network, credential)),
        });
        let mut event = self.event(SESSION, StepKind::Open, at);
        let user = &self.run.plan.users[self.database.user as usize - 1].id;
        let opened = opened.and_then(|session| {
            if self.watch.is_some() || self.run.plan.is_hostile() {
                define_auth(session.connection(), user).map_err(|error| raw_error(failure::Call::Open, &error))?;
            }
            Ok(session)
        });
        match opened {
            Ok(session) => {
                self.run.watchdog.connection(self.index, Some(session.interrupt_handle()));
                self.session = Some(session);
            }
            Err(error) => {
                self.log.line(
                    self.iteration,
                    &format!("open error: {}", error.message),
                    Duration::from_micros(event.took),
                );
                event.failures.push(failure::classify(&error));
            }
        }
        self.record(event);
        self.session.is_some()
    }

    /// Closes the session, in the right order whatever happened in it.
    pub(super) fn close(&mut self) {
        let Some(session) = self.session.take() else { return };
        self.run.watchdog.connection(self.index, None);
        let at = self.run.journal.now();
        let closed = session.close();
        let mut event = self.event(SESSION, StepKind::Close, at);
        if let Err(error) = closed {
            self.log.line(
                self.iteration,
                &format!("close error: {}", error.message),
                Duration::from_micros(event.took),
            );
            event.failures.push(failure::classify(&error));
        }
        self.record(event);
    }

    /// Waits for the moment at which, by the rate, the `nth` of what began at `start` is to begin: how late that is, in
    /// microseconds.
    fn pace(&mut self, phase: &str, start: u64, nth: u64, rate: Rate) -> Result<u64, Ending> {
        let interval = rate.interval().as_micros().saturating_mul(u128::from(nth));
        let intended = start.saturating_add(u64::try_from(interval).unwrap_or(u64::MAX));
        let at = self.run.journal.now();
        self.sleep(Duration::from_micros(intended.saturating_sub(at)))?;
        let event = self.event(phase, StepKind::Pace, at);
        let late = (event.at + event.took).saturating_sub(intended);
        self.record(Event { late, ..event });
        Ok(late)
    }

    fn pause(&mut self, phase: &str, wait: Duration) -> Flow {
        let at = self.run.journal.now();
        let slept = self.sleep(wait);
        let event = self.event(phase, StepKind::Wait, at);
        self.record(event);
        slept
    }

    fn think(&mut self, step: &StepPlan, shortest: Duration, longest: Duration, time: u64) -> Flow {
        let scope = self.scope_at(time).salted(Salt::of(&format!("{}/think", step.name)));
        let spread = u64::try_from(longest.saturating_sub(shortest).as_micros()).unwrap_or(u64::MAX);
        let extra = scope.draw_below(spread.saturating_add(1));
        self.pause(&step.name, shortest + Duration::from_micros(extra))
    }

    fn sleep(&self, time: Duration) -> Flow {
        if self.run.control.sleep(time) { Ok(()) } else { Err(Ending) }
    }

    fn go_on(&self) -> Flow {
        if self.run.control.is_ending() { Err(Ending) } else { Ok(()) }
    }

    fn scope_at(&self, time: u64) -> Scope {
        self.scope.iteration(self.iteration).repeat(time)
    }

    /// An event from `at` until now.
    fn event(&self, phase: &str, step: StepKind, at: u64) -> Event {
        Event {
            iteration: self.iteration,
            phase: phase.to_owned(),
            step,
            at,
            took: self.run.journal.now().saturating_sub(at),
            rows: 0,
            chunks: 0,
            bytes: 0,
            late: self.late[0] + self.late[1],
            attempt: 1,
            retried: false,
            failures: Vec::new(),
        }
    }

    fn record(&self, event: Event) {
        let progress = &self.run.progress.databases[self.index];
        progress.failures.fetch_add(event.failures.len() as u64, Ordering::Relaxed);
        if let Some(failure) = event.failures.first() {
            let message = format!("{}: {} ({}): {}", event.phase, failure.kind, failure.side, failure.message);
            self.run.progress.failed(self.database.index, message);
        }
        match event.step {
            StepKind::Delete | StepKind::Insert | StepKind::Update => {
                progress.rows.fetch_add(event.rows, Ordering::Relaxed);
            }
            StepKind::Send | StepKind::Receive | StepKind::Check | StepKind::Sync => {
                progress.syncs.fetch_add(1, Ordering::Relaxed);
            }
            StepKind::Query
            | StepKind::Open
            | StepKind::Barrier
            | StepKind::Wait
            | StepKind::Pace
            | StepKind::Admin
            | StepKind::Close => {}
        }
        if self.run.alarms.hear(self.database.index, &event) {
            self.run.control.finish(EndReason::Stopped);
        }
        self.run.journal.worker(self.index).events.push(event);
    }
}
