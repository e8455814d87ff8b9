//! What a worker looks at beside its work: what its receives brought, and how large its database has become.

use std::time::Duration;

use super::state::Worker;
use crate::observe::{Before, growth};
use crate::record::{EndReason, Leak};

impl Worker<'_> {
    /// Looks what a receive brought.
    pub(super) fn look_for_leaks(&mut self, phase: &str, before: &Before) {
        let (Some(session), Some(watch)) = (&self.session, &mut self.watch) else { return };
        let brought = session.connection().and_then(|connection| watch.after(connection, before));
        let Some(brought) = brought else { return };
        let at = self.run.journal.now();
        let mut record = self.run.journal.worker(self.index);
        record.watched += 1;
        for brought in brought {
            let first = !record.leaks.iter().any(|leak| leak.table == brought.table);
            let number = brought.after - brought.before;
            let table = &brought.table;
            self.log.line(self.iteration, &format!("leak error: {number} forbidden rows of {table}"), Duration::ZERO);
            record.leaks.push(Leak {
                iteration: self.iteration,
                phase: phase.to_owned(),
                at,
                table: brought.table,
                before: brought.before,
                after: brought.after,
                keys: self.run.target.secrets.hidden(brought.keys),
            });
            if first && self.run.alarms.leak() {
                self.run.control.finish(EndReason::Stopped);
            }
        }
    }

    /// Notes how large the database is, in some iterations.
    pub(super) fn measure(&mut self, iteration: u64, iterations: u64) {
        if !growth::is_due(iteration, iterations) {
            return;
        }
        let (run, file, session) = (self.run, &self.file, self.session.as_ref());
        let sample = || match run.target.driver() {
            None => growth::sample(run.plan, file, iteration),
            Some(_) => growth::sample_over(session?, run.plan, file, iteration),
        };
        if let Some(sample) = self.growth.spend(sample) {
            run.journal.worker(self.index).growth.push(sample);
        }
    }
}
