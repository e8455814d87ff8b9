//! Storing a push: one write transaction, each accepted row under the next sequence number. It must not know HTTP.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::super::history;
use super::super::wire::{PushAnswer, PushHead, Reader, SiteId, site_text};
use super::cascade::{self, Cascade};
use super::database::Worker;
use super::error::StoreError;
use super::policy::Caller;
use super::rows::{Mode, Rows, Tally, last_failure};
use super::shared::Shared;

/// Stores a push.
pub(super) fn push(
    worker: &mut Worker,
    caller: &Caller,
    body: &[u8],
    shared: &Shared,
    mode: Mode,
) -> Result<PushAnswer, StoreError> {
    let mut reader = Reader::open(body)?;
    let head: PushHead<'_> = reader.take()?;
    worker.identify(caller);
    let Some(table) = &head.table else { return Ok(answer_status(&worker.connection, &head.site)?) };
    let transaction = worker.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tracked = worker.cache.get(&transaction, table.name)?;
    let cascades = worker.cache.triggers();
    if worker.cascades != cascades {
        cascade::install(&transaction, cascades.is_some())?;
    }
    let site = find_site(&transaction, &head.site, caller)?;
    let known = table_version(&transaction, site, table.name)?;
    let earlier = match &tracked {
        Some(tracked) if tracked.shape.hash != table.hash => history::recall(&transaction, &tracked.shape, table.hash)?,
        Some(_) | None => None,
    };
    let refused = match &tracked {
        None => Some((
            "database_cloudsync_not_ready",
            format!("cloudsync is not initialized: call SELECT cloudsync_init('{}') on the server first", table.name),
        )),
        Some(tracked) if tracked.shape.hash != table.hash && earlier.is_none() => Some((
            "internal_error",
            format!(
                "cloudsync operation failed: Cannot apply the received payload because the schema hash is unknown {}.",
                table.hash
            ),
        )),
        Some(_) => None,
    };
    let mut failure = refused.map(|(code, message)| last_failure(code, message));
    let mut version = known;
    if let Some(tracked) = tracked.filter(|_| failure.is_none()) {
        let mut stored = Rows::open(&transaction, &tracked, caller, shared, (&head.site, site), mode)?;
        stored.earlier = earlier.as_ref();
        if cascades.is_some() {
            stored.cascade = Some(Cascade::open(&transaction, &tracked)?);
        }
        version = stored.store(&mut reader, head.rows, known)?;
        failure = stored.failure.take();
        let tally = stored.tally;
        drop(stored);
        if mode != Mode::Again {
            record(&transaction, site, table.name, version, &tally)?;
        }
        if mode != Mode::ClockBack {
            transaction.prepare_cached("UPDATE cloudsync_state SET seq = ?1")?.execute([tally.seq])?;
        }
    }
    let total = total_version(&transaction, site)?;
    transaction.commit()?;
    worker.cascades = cascades;
    Ok(PushAnswer { version, total, failure })
}

fn answer_status(connection: &Connection, site: &SiteId) -> rusqlite::Result<PushAnswer> {
    let id = connection
        .prepare_cached("SELECT id FROM cloudsync_sites WHERE site = ?1")?
        .query_row([site_text(site)], |row| row.get(0))
        .optional()?;
    let total = id.map_or(Ok(0), |id| total_version(connection, id))?;
    Ok(PushAnswer { version: 0, total, failure: None })
}

/// The site's number here; a new one the first time it is met.
fn find_site(connection: &Connection, site: &SiteId, caller: &Caller) -> rusqlite::Result<i64> {
    let text = site_text(site);
    let known = connection
        .prepare_cached("SELECT id FROM cloudsync_sites WHERE site = ?1")?
        .query_row([&text], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO cloudsync_sites(site, user) VALUES (?1, ?2)")?
        .insert(params![text, caller.user_id()])
}

/// The highest version taken from a site for a table.
pub(super) fn table_version(connection: &Connection, site: i64, table: &str) -> rusqlite::Result<i64> {
    let version = connection
        .prepare_cached("SELECT version FROM cloudsync_versions WHERE site = ?1 AND name = ?2")?
        .query_row(params![site, table], |row| row.get(0))
        .optional()?;
    Ok(version.unwrap_or(0))
}

fn total_version(connection: &Connection, site: i64) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(sum(version), 0) FROM cloudsync_versions WHERE site = ?1")?
        .query_row([site], |row| row.get(0))
}

fn record(connection: &Connection, site: i64, table: &str, version: i64, tally: &Tally) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO cloudsync_versions(site, name, version) VALUES (?1, ?2, ?3)")?
        .execute(params![site, table, version])?;
    connection
        .prepare_cached(
            "UPDATE cloudsync_sites SET pushed = pushed + ?2, denied = denied + ?3, failed = failed + ?4,
             version = (SELECT sum(version) FROM cloudsync_versions WHERE site = ?1) WHERE id = ?1",
        )?
        .execute(params![site, tally.pushed, tally.denied, tally.failed])?;
    Ok(())
}
