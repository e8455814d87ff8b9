//! A worker's SQL: a phase's on its own database, and the administrator's on the server.

use std::time::Duration;

use super::super::phase;
use super::state::Worker;
use crate::failure::{self, Call, Failure, FailureKind, RawError, Side};
use crate::ledger::{Keeper, Segment};
use crate::plan::{SqlPlan, StepPlan};
use crate::record::StepKind;
use crate::sql::one_line;
use crate::template::{Scope, TemplateProblem};

impl Worker<'_> {
    /// Runs a phase's SQL, in which the device may die.
    pub(super) fn sql(&mut self, step: &StepPlan, sql: &SqlPlan, time: u64, dies: bool) {
        let scope = self.scope_at(time);
        self.run.progress.tell(|| {
            let (database, text) = (self.database.index, phase::in_words(sql, &scope));
            format!("[DB{database}][iter {}] {}: {text}", self.iteration, step.name)
        });
        let mut attempt = 1;
        while let Some(backoff) = self.try_sql(step, sql, &scope, attempt, dies) {
            if !self.run.control.sleep(backoff) {
                return;
            }
            attempt += 1;
        }
    }

    /// Runs a phase's SQL once. Gives the pause before the next try, if there is to be one.
    fn try_sql(&mut self, step: &StepPlan, sql: &SqlPlan, scope: &Scope, attempt: u32, dies: bool) -> Option<Duration> {
        let (run, index) = (self.run, self.index);
        let cut = || run.control.is_now() || run.watchdog.expired(index);
        let session = self.session.as_ref()?;
        if let Some(ledger) = &mut self.ledger {
            ledger.look_before(session);
            ledger.open(Segment::new(self.iteration, run.journal.now(), step, sql, run.plan));
        }
        let at = run.journal.now();
        let ran = phase::run(session, sql, scope, self.ledger.as_ref().map(Keeper::page), dies, &cut);
        // Keeping what was written is no part of the phase's time.
        let mut event = self.event(&step.name, StepKind::of(sql.kind), at);
        if let Some(ledger) = &mut self.ledger {
            ledger.look_after(session);
            ledger.close();
        }
        let session = self.session.as_ref()?;
        let error = ran.error.map(|error| session.hide(error));
        let mut failures: Vec<Failure> = error.iter().map(failure::classify).collect();
        if self.was_cut(&failures) {
            return None;
        }
        if failures.is_empty() {
            failures.extend(self.unexpected(step, sql, scope, ran.rows));
        }
        self.note(&event, &format!("{}, count={}", sql.kind.past(), ran.rows));
        for failure in &failures {
            self.note(&event, &format!("{} error: {}", step.name, failure.message));
        }
        let again = self.retry(&failures, attempt);
        event.rows = ran.rows;
        event.attempt = attempt;
        event.retried = again.is_some();
        event.failures = failures;
        self.record(event);
        again
    }

    /// A number of rows that is not the one which the scenario expects.
    fn unexpected(&self, step: &StepPlan, sql: &SqlPlan, scope: &Scope, rows: u64) -> Option<Failure> {
        let wanted = self.evaluated(step, sql.expect_rows.as_ref()?.value(scope), rows);
        let message = || format!("the phase changed {rows} rows, and {wanted} were expected");
        (wanted != rows).then(|| Failure::new(FailureKind::RowCount, Side::Client, message()))
    }

    pub(super) fn admin(&mut self, step: &StepPlan, sql: Result<String, TemplateProblem>) {
        let at = self.run.journal.now();
        let answer = sql.map_err(|problem| phase::template_error(&problem)).and_then(|sql| {
            let no_server = || RawError::said(Call::Admin, "the target has no administrator: set `connection_string`");
            let (admin, database) = self.run.target.admin.as_ref().ok_or_else(no_server)?;
            self.run.progress.tell(|| {
                format!("[DB{}][iter {}] {}: {}", self.database.index, self.iteration, step.name, one_line(&sql))
            });
            admin.sql_within(self.run.watchdog.left(), Some(database), &sql)
        });
        let mut event = self.event(&step.name, StepKind::Admin, at);
        match answer {
            Ok(rows) => self.note(&event, &format!("admin, rows={}", rows.len())),
            Err(error) => {
                self.note(&event, &format!("admin error: {}", error.message));
                let failure = failure::classify(&error);
                let late = failure.kind == FailureKind::Timeout && self.run.watchdog.left().is_zero();
                if late || self.was_cut(std::slice::from_ref(&failure)) {
                    // The run's end cut it: it was not done, and that is no failure of it.
                    return;
                }
                event.failures.push(failure);
            }
        }
        self.record(event);
    }
}
