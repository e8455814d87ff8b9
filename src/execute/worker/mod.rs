//! One database's life: sessions, steps, sync calls, in the scenario's order. It only records; nothing is judged here.

mod alter;
mod beside;
mod crash;
mod device;
mod pace;
mod session;
mod settling;
mod sql;
mod state;
mod sync;

pub(super) use settling::Round;
pub(super) use state::Worker;

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::rendezvous::Position;
use crate::failure::{Failure, FailureKind, Side};
use crate::plan::{Action, StepPlan};
use crate::record::StepKind;
use crate::scenario::{CrashAt, OpenPolicy};
use state::Flow;

/// The phase's name under which waiting for an iteration's start is recorded.
const ITERATION: &str = "iteration";

impl Worker<'_> {
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

    fn step(&mut self, step: &StepPlan, time: u64, position: Position) -> Flow {
        self.go_on()?;
        if let Some((shortest, longest)) = step.think {
            self.think(step, shortest, longest, time)?;
        }
        let watchdog = &self.run.watchdog;
        watchdog.deadline(self.index, step.timeout.map(|timeout| Instant::now() + timeout));
        let done = self.do_step(step, time, position);
        watchdog.deadline(self.index, None);
        if self.run.plan.open == OpenPolicy::PerPhase {
            self.close();
        }
        done
    }

    fn do_step(&mut self, step: &StepPlan, time: u64, position: Position) -> Flow {
        let crash = self.crash_of(step, time);
        match &step.action {
            Action::Nothing => {}
            Action::Wait(wait) => self.pause(&step.name, *wait)?,
            Action::Admin(text) => {
                let sql = text.render(&self.scope_at(time));
                self.admin(step, sql);
            }
            Action::Alter(alterations) => {
                if self.open() {
                    self.alter(step, alterations);
                }
            }
            Action::Sql(sql) => {
                // Without a session the step cannot be done; that it could not be opened is recorded.
                if self.open() {
                    self.sql(step, sql, time, crash == Some(CrashAt::InTransaction));
                }
            }
        }
        if matches!(crash, Some(CrashAt::InTransaction | CrashAt::AfterStatements)) {
            self.crash(&step.name);
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
        let mut dies = crash == Some(CrashAt::AfterSend);
        for call in &step.sync {
            self.go_on()?;
            self.sync(step, call, time)?;
            if dies && call.sends() {
                dies = false;
                self.crash(&step.name);
                if !self.open() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
