//! What a worker has, and how it writes down what it does.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::log::Log;
use super::super::phase;
use super::super::run::Run;
use crate::failure::{self, Failure, FailureKind, Versions};
use crate::ledger::Keeper;
use crate::observe::{Budget, Watch};
use crate::plan::{
    DatabasePlan, StepPlan,
    rule::{retry, rule_for},
};
use crate::record::{EndReason, Event, StepKind};
use crate::scenario::{ErrorAction, ErrorActionName};
use crate::session::Session;
use crate::session::driver::Driver;
use crate::template::{Scope, TemplateProblem};

/// The run is ending: no further step is started.
pub(crate) struct Ending;

pub(super) type Flow = Result<(), Ending>;

/// What SQLite says about a statement that was interrupted.
const INTERRUPTED: &str = "interrupted";
/// SQLite's code of it, with whatever words the extension has: `Callback aborted` in the middle of a request.
const INTERRUPT: &str = "SQLITE_INTERRUPT";
/// What is left of it where the extension was at work on statements of its own.
const SWALLOWED: &str = "SQL logic error";

pub(crate) struct Worker<'a> {
    pub(super) run: &'a Run<'a>,
    /// Counted from 0.
    pub(super) index: usize,
    pub(super) database: &'a DatabasePlan,
    pub(super) file: PathBuf,
    pub(super) scope: Scope,
    pub(super) log: Log,
    pub(super) session: Option<Session>,
    pub(super) iteration: u64,
    /// How late the iteration, and the repetition in it, began by their rates, in microseconds.
    pub(super) late: [u64; 2],
    /// Whether nothing is under way any more, so that `out-of-sync` stays so.
    pub(super) settled: bool,
    /// Those of the last answer to a send.
    pub(super) versions: Option<Versions>,
    /// Over receives, where isolation is checked.
    pub(super) watch: Option<Watch>,
    /// For looking at how large the database is.
    pub(super) growth: Budget,
    /// What the database writes, where that is to be known.
    pub(crate) ledger: Option<Keeper>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(run: &'a Run<'a>, index: usize, log: Log) -> Self {
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
            ledger: run.plan.keeps_ledger().then(|| Keeper::new(run.plan, &run.ledgers(), database.index)),
        }
    }

    /// A value of the step's templates; one that cannot be rendered is recorded as a failure of the step.
    pub(super) fn evaluated<T>(&self, step: &StepPlan, value: Result<T, TemplateProblem>, otherwise: T) -> T {
        value.unwrap_or_else(|problem| {
            let failure = failure::classify(&phase::template_error(&problem));
            let event = self.event(&step.name, StepKind::Query, self.run.journal.now());
            self.record(Event { failures: vec![failure], ..event });
            otherwise
        })
    }

    /// Whether a step ended because the whole run did: it was not done, and that is no failure of it.
    pub(super) fn was_cut(&self, failures: &[Failure]) -> bool {
        let interrupted = |failure: &Failure| {
            let says = failure.message.ends_with(INTERRUPTED) || failure.code.as_deref() == Some(INTERRUPT);
            failure.kind == FailureKind::Timeout && says || failure.message.ends_with(SWALLOWED)
        };
        self.run.control.is_now()
            && !self.run.watchdog.expired(self.index)
            && !failures.is_empty()
            && failures.iter().all(interrupted)
    }

    /// The pause before the next try, when a rule of `errors:` wants one. Also carries out `stop`.
    pub(super) fn retry(&self, failures: &[Failure], attempt: u32) -> Option<Duration> {
        let rules = &self.run.plan.errors;
        let mut actions = failures.iter().filter_map(|failure| rule_for(rules, failure)).flat_map(|rule| &rule.actions);
        if actions.any(|action| matches!(action, ErrorAction::Name(ErrorActionName::Stop))) {
            self.run.control.finish(EndReason::Stopped);
        }
        let again = retry(rules, failures, attempt);
        again.filter(|_| !self.run.control.is_ending())
    }

    pub(super) fn sleep(&self, time: Duration) -> Flow {
        if self.run.control.sleep(time) { Ok(()) } else { Err(Ending) }
    }

    pub(super) fn go_on(&self) -> Flow {
        if self.run.control.is_ending() { Err(Ending) } else { Ok(()) }
    }

    pub(super) fn scope_at(&self, time: u64) -> Scope {
        self.scope.iteration(self.iteration).repeat(time)
    }

    /// An event from `at` until now.
    pub(super) fn event(&self, phase: &str, step: StepKind, at: u64) -> Event {
        Event {
            iteration: self.iteration,
            phase: phase.to_owned(),
            step,
            at,
            took: self.run.journal.now().saturating_sub(at),
            rows: 0,
            chunks: 0,
            bytes: 0,
            incomplete: false,
            late: self.late[0] + self.late[1],
            attempt: 1,
            retried: false,
            failures: Vec::new(),
        }
    }

    /// A line of the log about an event.
    pub(super) fn note(&mut self, event: &Event, text: &str) {
        self.log.line(self.iteration, text, Duration::from_micros(event.took));
    }

    pub(super) fn record(&self, event: Event) {
        let progress = &self.run.progress.databases[self.index];
        progress.failures.fetch_add(event.failures.len() as u64, Ordering::Relaxed);
        if let Some(failure) = event.failures.first() {
            let message = format!("{}: {} ({}): {}", event.phase, failure.kind, failure.side, failure.message);
            self.run.progress.failed(self.database.index, message);
        }
        if event.step.changes_rows() {
            progress.rows.fetch_add(event.rows, Ordering::Relaxed);
        }
        if event.step.is_sync() {
            progress.syncs.fetch_add(1, Ordering::Relaxed);
        }
        // Nobody learns more from a driver that is gone.
        let is_gone = !event.failures.is_empty() && self.run.target.driver().is_some_and(Driver::is_broken);
        if self.run.alarms.hear(self.database.index, &event) || is_gone {
            self.run.control.finish(EndReason::Stopped);
        }
        self.run.journal.worker(self.index).events.push(event);
    }
}
