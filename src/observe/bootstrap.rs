//! A new, empty database per user that syncs from nothing: what a new device would see.

use std::path::{Path, PathBuf};

use super::subject::Subject;
use super::{contents, copied};
use crate::failure::{self, Call, RawError};
use crate::plan::{UserPlan, rule::retry};
use crate::record::{BootstrapState, Holder};
use crate::session::{Session, SyncCall, Synced, open_reader, raw_error};
use crate::target::Device;

/// Receives until nothing comes twice in a row, or as often as settling may last.
const QUIET: u32 = 2;

/// Syncs a new database of `user` from nothing. Gives its file, for comparing, and what it holds.
pub(super) fn bootstrap(subject: &Subject<'_>, user: &UserPlan) -> (PathBuf, BootstrapState) {
    let file = subject.copies.join(format!("bootstrap-user{}.db", user.index));
    let mut state = BootstrapState { user: user.index, site_id: None, tables: Vec::new(), failures: Vec::new() };
    let received = receive_all(subject, user, &file, &mut state);
    if let Err(error) = &received {
        state.failures = vec![failure::classify(error)];
    }
    (received.unwrap_or(file), state)
}

/// One receive, made again where a rule of the scenario says so, as a worker does.
fn receive(subject: &Subject<'_>, session: &Session) -> Synced {
    let call = SyncCall::receive(None);
    let mut attempt = 1;
    loop {
        let received = call.make(session, false, None);
        match retry(&subject.plan.errors, &received.failures, attempt) {
            Some(backoff) if subject.limits.sleep(backoff) => attempt += 1,
            Some(_) | None => return received,
        }
    }
}

fn receive_all(
    subject: &Subject<'_>,
    user: &UserPlan,
    file: &Path,
    state: &mut BootstrapState,
) -> Result<PathBuf, RawError> {
    let (target, plan) = (subject.target, subject.plan);
    let number = u32::try_from(plan.databases.len()).unwrap_or(u32::MAX) + user.index;
    let device = Device { number, user: &user.id, file };
    state.site_id = target.create_database(plan, device, true)?;
    let session = target.open(plan, device, &target.credentials[user.index as usize - 1])?;
    let mut failures = Vec::new();
    let mut quiet = 0;
    for attempt in 0..subject.plan.settle.rounds.max(QUIET + 1) {
        if attempt > 0 && !subject.limits.sleep(subject.plan.settle.wait) {
            break;
        }
        let received = receive(subject, &session);
        failures.extend(received.failures);
        quiet = if received.rows == 0 && received.complete { quiet + 1 } else { 0 };
        if quiet == QUIET || failures.len() > 2 {
            break;
        }
    }
    let held = copied::beside(plan, &session, file)?;
    session.close()?;
    let reader = open_reader(&held, &user.id).map_err(|error| raw_error(Call::Open, &error))?;
    let behind = subject.behind.of(user.index, Holder::Bootstrap);
    let tables = contents::own_tables(&reader, subject.plan, behind);
    state.tables = tables.map_err(|error| raw_error(Call::Open, &error))?;
    state.failures = failures;
    Ok(held)
}
