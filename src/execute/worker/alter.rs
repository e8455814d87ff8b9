//! A worker's database is altered: each change between the two functions by which sync learns of it.

use super::state::Worker;
use crate::failure::{self, Call, RawError};
use crate::plan::{Alteration, StepPlan};
use crate::record::StepKind;
use crate::session::Session;
use crate::sql::one_line;

const BEGIN: &str = "cloudsync_begin_alter";
const COMMIT: &str = "cloudsync_commit_alter";
/// The savepoint that lies around both.
const TAKE_BACK: [&str; 2] = ["ROLLBACK TO cloudsync_alter", "RELEASE cloudsync_alter"];

impl Worker<'_> {
    /// Alters tables, one after the other, up to the first that fails.
    pub(super) fn alter(&mut self, step: &StepPlan, alterations: &[Alteration]) {
        let Some(session) = &self.session else { return };
        let at = self.run.journal.now();
        self.run.progress.tell(|| {
            let texts: Vec<String> = alterations.iter().map(|one| one_line(&one.sql)).collect();
            format!("[DB{}][iter {}] {}: {}", self.database.index, self.iteration, step.name, texts.join("; "))
        });
        let failed = alterations.iter().find_map(|one| alter(session, one).err());
        let mut event = self.event(&step.name, StepKind::Alter, at);
        match failed {
            None => self.note(&event, StepKind::Alter.as_str()),
            Some((what, error)) => {
                let mut failure = failure::classify(&error);
                failure.message = format!("{what}: {}", failure.message);
                self.note(&event, &format!("alter error: {}", failure.message));
                event.failures.push(failure);
            }
        }
        if !self.was_cut(&event.failures) {
            // It is not made again; a rule may want the run to end.
            self.retry(&event.failures, event.attempt);
            self.record(event);
        }
    }
}

/// Alters a table; after an error it is as before. Gives what failed with the error.
fn alter(session: &Session, one: &Alteration) -> Result<(), (String, RawError)> {
    let call = |function: &str| {
        let done = session.call(Call::Sql, &format!("SELECT {function}(?1)"), &[&one.table]);
        done.map(drop).map_err(|error| (format!("{function}('{}')", one.table), error))
    };
    call(BEGIN)?;
    let altered = session.run(Call::Sql, &one.sql).map_err(|error| (one_line(&one.sql), error));
    let done = altered.and_then(|()| call(COMMIT));
    if done.is_err() {
        // Where the last function fails it may have ended the savepoint itself, so that there is nothing to take back. The
        // error that is told is the first one.
        for sql in TAKE_BACK {
            let _ = session.run(Call::Sql, sql);
        }
    }
    done
}
