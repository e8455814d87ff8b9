//! What everybody holds at the end: every database, the server, a new device of each user, and where they differ.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rusqlite::Connection;
use serde_json::Value;

use super::contents::{self, Rows};
use super::subject::Subject;
use super::written::{self, Attempts, Examined};
use super::{bootstrap, clues, copied, difference, foreign_keys, growth, queries, server};
use crate::failure::{self, Call, Failure, FailureKind, RawError, Side};
use crate::plan::{CheckKind, DatabasePlan, UserPlan};
use crate::record::{DatabaseState, FinalState, Holder, ServerState, TableState, UserState, WrittenState};
use crate::session::{open_reader, raw_error};

/// What was found.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) state: FinalState,
    /// What could not be looked at.
    pub(crate) failures: Vec<Failure>,
    /// The server's rows in a file, where they could be had.
    server: Option<PathBuf>,
    /// The attempts of databases against the policies.
    pub(crate) attempts: BTreeMap<u32, Attempts>,
}

/// Looks at everything. `unsent` says of each database whether it still had something to send.
pub(crate) fn collect(subject: &mut Subject<'_>, unsent: &[Option<bool>]) -> Collected {
    let mut found = Collected::default();
    let copy = subject.copies.join("server.db");
    // A driver's databases come first: whatever is looked at then is a copy.
    let fetched = copied::databases(subject);
    let looked = |subject: &Subject<'_>| {
        let held = |((database, unsent), fetched): ((&DatabasePlan, &Option<bool>), &Result<(), RawError>)| {
            let state = fetched.clone().and_then(|()| {
                database_state(subject, database, *unsent).map_err(|error| raw_error(Call::Sql, &error))
            });
            state.map_err(|error| (database.index, error))
        };
        subject.plan.databases.par_iter().zip(unsent).zip(&fetched).map(held).collect::<Vec<_>>()
    };
    // What denied writes left behind is known only once the server is.
    let (early, copied) = {
        let subject = &*subject;
        let early = || (!subject.plan.rls).then(|| looked(subject));
        subject.pool.install(|| rayon::join(early, || copy_server(subject, &copy)))
    };
    let copied = copied.unwrap_or_else(|error| {
        found.failures.push(failure::classify(&error));
        false
    });
    let mut examined = examine(subject, copied.then_some(copy.as_path()), &mut found);
    subject.behind = std::mem::take(&mut examined.behind);
    let subject = &*subject;
    for database in early.unwrap_or_else(|| subject.pool.install(|| looked(subject))) {
        match database {
            Ok(database) => found.state.databases.push(database),
            Err((index, error)) => found.failures.push(unread(Some(index), &error)),
        }
    }
    if copied {
        match server_state(subject, &copy) {
            Ok(mut server) => {
                server.integrity = server_integrity(subject).unwrap_or_else(|error| {
                    found.failures.push(failure::classify(&error));
                    None
                });
                found.state.server = Some(server);
                found.server = Some(copy);
            }
            Err(error) => found.failures.push(unread(None, &raw_error(Call::Sql, &error))),
        }
    }
    let bootstraps = bootstraps(subject, &mut found.state);
    differences(subject, &mut found, &bootstraps);
    forbidden_rows(subject, &mut found, &mut examined);
    found.attempts = examined.attempts;
    found.state.written = subject.plan.keeps_ledger().then_some(examined.state);
    found.state.queries = queries::answers(subject);
    // The record keeps what matters of it; on failure the databases are kept, and the server's copy is one of them.
    found
}

/// New devices, where they are asked for: the files of those that hold something, by user.
fn bootstraps(subject: &Subject<'_>, state: &mut FinalState) -> Vec<(u32, PathBuf)> {
    if !subject.plan.checks.iter().any(|check| check.kind() == CheckKind::Bootstrap) {
        return Vec::new();
    }
    let new = |user| bootstrap::bootstrap(subject, user);
    let new: Vec<_> = subject.pool.install(|| subject.plan.users.par_iter().map(new).collect());
    let mut files = Vec::new();
    for (file, new) in new {
        if !new.tables.is_empty() {
            files.push((new.user, file));
        }
        state.bootstrap.push(new);
    }
    files
}

fn database_state(
    subject: &Subject<'_>,
    database: &DatabasePlan,
    unsent: Option<bool>,
) -> rusqlite::Result<DatabaseState> {
    let (file, own) = (subject.database_file(database.index), subject.own_file(database.index));
    let reader = open_reader(&file, subject.user_id(database.user))?;
    let behind = subject.behind.of(database.user, Holder::Database(database.index));
    let tables = contents::own_tables(&reader, subject.plan, behind)?;
    let verified = !subject.plan.checks.is_empty();
    // The file of a driver's engine is its own.
    let readable = verified && subject.target.driver().is_none();
    let integrity = readable.then(|| integrity(&reader)).transpose()?;
    let enforced = verified && subject.plan.foreign_keys;
    let foreign_keys = enforced.then(|| foreign_keys::check(&reader, subject.plan));
    Ok(DatabaseState {
        database: database.index,
        user: database.user,
        integrity,
        foreign_keys,
        unsent,
        bytes: growth::size(&own, "") + growth::size(&own, "-wal"),
        tables,
    })
}

/// What SQLite says of a database file; `ok`, or its first problems.
const INTEGRITY: &str = "PRAGMA integrity_check(10)";

fn integrity(reader: &Connection) -> rusqlite::Result<String> {
    let mut statement = reader.prepare(INTEGRITY)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(lines.join("; "))
}

/// The same of the server's file. The cloud is not asked: its databases are large, and others use them.
fn server_integrity(subject: &Subject<'_>) -> Result<Option<String>, RawError> {
    let asked = !subject.plan.checks.is_empty() && !subject.target.facts.kind.loads_the_extension();
    let Some((admin, database)) = subject.target.admin.as_ref().filter(|_| asked) else { return Ok(None) };
    let rows = admin.sql(Some(database), INTEGRITY)?;
    let lines = rows.iter().flat_map(|row| row.values()).filter_map(Value::as_str).collect::<Vec<_>>();
    Ok(Some(lines.join("; ")))
}

/// Gives whether there is a server to copy. Where nothing was synced there is nothing to compare with.
fn copy_server(subject: &Subject<'_>, file: &Path) -> Result<bool, RawError> {
    if !subject.plan.syncs() {
        return Ok(false);
    }
    if let Some(driver) = subject.target.driver() {
        return copied::server(subject.plan, driver, file);
    }
    let Some((admin, database)) = &subject.target.admin else { return Ok(false) };
    server::copy(subject.plan, admin, database, file).map(|()| true)
}

fn server_state(subject: &Subject<'_>, copy: &Path) -> rusqlite::Result<ServerState> {
    let tables = contents::tables(&open_reader(copy, "")?, subject.plan, Rows::All)?;
    let tombstones = clues::tombstones(subject);
    if !subject.plan.rls {
        let users = vec![UserState { user: 1, tables: tables.clone() }];
        return Ok(ServerState { tables, users, tombstones, integrity: None });
    }
    let seen = |user: &UserPlan| {
        let tables = contents::tables(&open_reader(copy, &user.id)?, subject.plan, Rows::Allowed)?;
        Ok(UserState { user: user.index, tables })
    };
    let users = subject.pool.install(|| subject.plan.users.par_iter().map(seen).collect::<rusqlite::Result<_>>())?;
    Ok(ServerState { tables, users, tombstones, integrity: None })
}

fn differences(subject: &Subject<'_>, found: &mut Collected, bootstraps: &[(u32, PathBuf)]) {
    let Collected { state, failures, server, .. } = found;
    // Comparing opens all of them at once: only where a check asks for it.
    let compared = subject.plan.compares();
    for user in subject.plan.users.iter().filter(|_| compared) {
        let databases: Vec<&DatabaseState> = state.databases.iter().filter(|one| one.user == user.index).collect();
        let files: Vec<PathBuf> = databases.iter().map(|one| subject.database_file(one.database)).collect();
        let mut holders: Vec<(Holder, &Path)> = Vec::new();
        let mut tables: Vec<&[TableState]> = Vec::new();
        for (database, file) in databases.iter().zip(&files) {
            holders.push((Holder::Database(database.database), file));
            tables.push(&database.tables);
        }
        let seen = state.server.iter().flat_map(|server| &server.users).find(|seen| seen.user == user.index);
        if let (Some(seen), Some(copy)) = (seen, &*server) {
            holders.push((Holder::Server, copy));
            tables.push(&seen.tables);
        }
        let new = state.bootstrap.iter().find(|new| new.user == user.index);
        let new_file = bootstraps.iter().find(|(index, _)| *index == user.index);
        if let (Some(new), Some((_, file))) = (new, new_file) {
            holders.push((Holder::Bootstrap, file));
            tables.push(&new.tables);
        }
        for (place, table) in subject.plan.tables.iter().enumerate() {
            let same = |a: &TableState, b: &TableState| a.rows == b.rows && a.digest == b.digest;
            if tables.windows(2).all(|pair| same(&pair[0][place], &pair[1][place])) {
                continue;
            }
            // Tables with other columns have no rows to compare.
            let compared = holders.iter().zip(&tables).filter(|(_, tables)| tables[place].columns.is_empty());
            let compared: Vec<(Holder, &Path)> = compared.map(|(holder, _)| *holder).collect();
            match difference::compare(subject, user.index, table, &compared) {
                Ok(mut difference) => {
                    clues::gather(subject, table, &mut difference);
                    state.differences.push(difference);
                }
                Err(error) => failures.push(unread(None, &raw_error(Call::Sql, &error))),
            }
        }
    }
    if let Err(error) = written::last_writes(subject, &mut state.differences) {
        let message = format!("the writes of rows that differ could not be read: {error}");
        failures.push(Failure::new(FailureKind::Disk, Side::Harness, message));
    }
}

/// Holds what is there against what was written.
fn examine(subject: &Subject<'_>, server: Option<&Path>, found: &mut Collected) -> Examined {
    if !subject.plan.keeps_ledger() {
        return Examined::default();
    }
    written::examine(subject, server).unwrap_or_else(|error| {
        let open = Some(format!("what was written could not be compared: {error}"));
        let missing = |database: &DatabasePlan| !subject.database_file(database.index).exists();
        // A driver's database that has no copy could not be read, which is told by itself.
        if subject.target.driver().is_none() || !subject.plan.databases.iter().any(missing) {
            found.failures.push(Failure::new(FailureKind::Disk, Side::Harness, open.clone().unwrap_or_default()));
        }
        Examined { state: WrittenState { open, ..WrittenState::default() }, ..Examined::default() }
    })
}

/// Rows held against the select policy. Where they could not be examined their count stays undecided.
fn forbidden_rows(subject: &Subject<'_>, found: &mut Collected, examined: &mut Examined) {
    if examined.state.open.is_some() {
        return;
    }
    for database in &mut found.state.databases {
        for (place, table) in database.tables.iter_mut().enumerate().filter(|(_, table)| table.forbidden > 0) {
            let Some(forbidden) = examined.forbidden.remove(&(database.database, place)) else { continue };
            table.leaked = Some(forbidden.leaked);
            table.lapsed = forbidden.lapsed;
            found.state.forbidden.extend(forbidden.in_order());
        }
    }
    debug_assert!(subject.plan.rls || found.state.forbidden.is_empty(), "without policies nothing is forbidden");
}

fn unread(database: Option<u32>, error: &RawError) -> Failure {
    let mut failure = failure::classify(error);
    if let Some(index) = database {
        failure.message = format!("database {index} could not be read at the end: {}", failure.message);
    }
    failure
}
