//! Pushes and pulls as requests: which database, who asks, and the planted failures around them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::fault::Faults;
use super::super::wire::{PullRequest, PushHead, Reader, SiteId, message};
use super::database::{Database, Worker};
use super::error::StoreError;
use super::policy::Caller;
use super::pull::Page;
use super::reply::{Delivery, Reply};
use super::shared::Shared;
use super::stash::Stash;
use super::{pull, push, rows, turn};
use crate::scenario::FaultKind;

/// How long a request waits for the database while a planted lock is held.
const LOCKED_TIMEOUT: Duration = Duration::from_millis(200);
/// How late a planted slow answer is.
const SLOW: Duration = Duration::from_secs(2);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Push,
    Pull,
}

/// Answers a push or pull to the managed database `id`.
pub(super) fn answer(shared: &Shared, id: &str, verb: Verb, caller: Caller, body: &[u8]) -> Reply {
    let Some(site) = site_of(verb, body) else { return Reply::store_error(&StoreError::Malformed) };
    let faults = &shared.faults;
    if let Some(refusal) = refuse(faults, &site) {
        return refusal;
    }
    let caller = match caller {
        Caller::User(user) if faults.strikes(FaultKind::SwapTokens, &site) => {
            Caller::User(shared.registry.other_user(&user).unwrap_or(user))
        }
        caller => caller,
    };
    let Some(database) = shared.registry.managed(id) else {
        return Reply::errors(404, "not_found", "managed database not found");
    };
    let reply = match verb {
        Verb::Push => answer_push(shared, &database, &caller, &site, body),
        Verb::Pull => answer_pull(shared, &database, &caller, &site, body),
    };
    let mut reply = reply.unwrap_or_else(|error| {
        if turn::is_over() {
            return Reply::errors(
                503,
                "unavailable",
                "the request took too long and was ended: nothing of it was stored",
            );
        }
        Reply::store_error(&error)
    });
    if faults.strikes(FaultKind::Slow, &site) {
        reply.delay = SLOW;
    }
    if faults.strikes(FaultKind::TornAnswer, &site) {
        reply.delivery = Delivery::Torn;
    }
    if faults.strikes(FaultKind::HangUp, &site) {
        reply.delivery = Delivery::None;
    }
    reply
}

fn site_of(verb: Verb, body: &[u8]) -> Option<SiteId> {
    let mut reader = Reader::open(body).ok()?;
    match verb {
        Verb::Push => reader.take::<PushHead<'_>>().ok().map(|head| head.site),
        Verb::Pull => reader.take::<PullRequest<'_>>().ok().map(|request| request.site),
    }
}

/// The planted failures that answer before any work is done.
fn refuse(faults: &Faults, site: &SiteId) -> Option<Reply> {
    let kinds = [FaultKind::Http500, FaultKind::Http503, FaultKind::Http429, FaultKind::HttpEmpty];
    // Each is asked, so that each counts the request.
    let struck = kinds.map(|kind| faults.strikes(kind, site));
    match struck {
        [true, ..] => Some(Reply::errors(500, "internal_error", "planted failure: http_500")),
        [_, true, ..] => Some(Reply::errors(503, "database_paused", "planted failure: http_503")),
        [_, _, true, _] => Some(Reply::errors(429, "rate_limited", "planted failure: http_429")),
        [_, _, _, true] => Some(Reply::empty(500)),
        [false, false, false, false] => None,
    }
}

fn answer_push(
    shared: &Shared,
    database: &Database,
    caller: &Caller,
    site: &SiteId,
    body: &[u8],
) -> Result<Reply, StoreError> {
    let faults = &shared.faults;
    let head: PushHead<'_> = Reader::open(body)?.take()?;
    if head.table.is_none() {
        // Only a question: nothing that could be lost, locked or repeated.
        let answer = database.with(|worker| push::push(worker, caller, body, shared, rows::Mode::Normal))?;
        return Ok(Reply::bytes(message(&answer, Vec::new())));
    }
    let (forget, back) = (faults.strikes(FaultKind::ForgetPush, site), faults.strikes(FaultKind::ClockBack, site));
    let mode = match (forget, back) {
        (true, _) => rows::Mode::Forget,
        (false, true) => rows::Mode::ClockBack,
        (false, false) => rows::Mode::Normal,
    };
    let repeat = faults.strikes(FaultKind::ApplyTwice, site);
    let locked = faults.strikes(FaultKind::Locked, site);
    let answer = database.with(|worker| {
        if locked {
            return push_locked(database, worker, |worker| push::push(worker, caller, body, shared, mode));
        }
        let answer = push::push(worker, caller, body, shared, mode)?;
        for stash in take_stashes(shared, database, site) {
            push::push(worker, &stash.caller, &stash.body, shared, rows::Mode::Again)?;
        }
        Ok(answer)
    })?;
    if repeat {
        let stash = Stash { site: *site, caller: caller.clone(), body: body.to_vec() };
        let mut again = shared.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.entry(database.name.clone()).or_default().push(stash);
    }
    Ok(Reply::bytes(message(&answer, Vec::new())))
}

/// The pushes of other sites that are now stored a second time, over what this site has just written.
fn take_stashes(shared: &Shared, database: &Database, site: &SiteId) -> Vec<Stash> {
    if !shared.faults.has(FaultKind::ApplyTwice) {
        return Vec::new();
    }
    let mut again = shared.again.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(stashes) = again.get_mut(&database.name) else { return Vec::new() };
    let (own, others) = std::mem::take(stashes).into_iter().partition(|stash| stash.site == *site);
    *stashes = own;
    others
}

/// Runs `work` while another connection really holds the write lock.
fn push_locked<T>(
    database: &Database,
    worker: &mut Worker,
    work: impl FnOnce(&mut Worker) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let holder = database.connect()?;
    holder.connection.execute_batch("BEGIN IMMEDIATE")?;
    worker.wait(LOCKED_TIMEOUT)?;
    let result = work(worker);
    worker.wait(database.busy_timeout())?;
    holder.connection.execute_batch("ROLLBACK")?;
    result
}

fn answer_pull(
    shared: &Shared,
    database: &Database,
    caller: &Caller,
    site: &SiteId,
    body: &[u8],
) -> Result<Reply, StoreError> {
    let faults = &shared.faults;
    let mode = if faults.strikes(FaultKind::StaleRead, site) { pull::Mode::Stale } else { pull::Mode::Normal };
    let pull = |mode| database.with(|worker| pull::pull(worker, caller, body, faults, shared.page_rows, mode));
    let page = pull(mode)?;
    if page.rows > 0 && shared.prepared.as_ref().is_some_and(|prepared| !is_prepared(prepared, site, &page)) {
        return Ok(Reply::bytes(pull(pull::Mode::Stale)?.body));
    }
    // Pages without rows are no occasion: nothing would be seen.
    if page.rows > 0 && faults.strikes(FaultKind::SkipPage, site) {
        return Ok(Reply::bytes(pull(pull::Mode::Skip)?.body));
    }
    if faults.has(FaultKind::RepeatPage) {
        let mut pages = shared.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // The page before this one, as it was then.
        if let Some(earlier) = pages.get(site)
            && faults.strikes(FaultKind::RepeatPage, site)
        {
            return Ok(Reply::bytes(earlier.clone()));
        }
        if page.rows > 0 {
            pages.insert(*site, page.body.clone());
        }
    }
    Ok(Reply::bytes(page.body))
}

/// Whether a pull before this one prepared the site's rows. Otherwise this one does. The last page uses them up.
fn is_prepared(prepared: &Mutex<HashSet<SiteId>>, site: &SiteId, page: &Page) -> bool {
    let mut prepared = prepared.lock().unwrap_or_else(PoisonError::into_inner);
    if prepared.insert(*site) {
        return false;
    }
    if page.complete {
        prepared.remove(site);
    }
    true
}
