//! What everybody holds at the end: every database, the server, a new device of each user, and where they differ.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rusqlite::Connection;
use serde_json::Value;

use super::contents::{self, Rows};
use super::hostile::Denied;
use super::{Run, bootstrap, clues, difference, forbidden, hostile, server, size};
use crate::failure::{self, Call, Failure, FailureKind, Side};
use crate::plan::{CheckKind, CheckPlan, DatabasePlan, Question, UserPlan};
use crate::record::{DatabaseState, FinalState, Holder, QueryAnswer, ServerState, TableState, UserState};
use crate::scenario::{CheckName, QueryOn};
use crate::session::{hex, open_reader, raw_error};

pub(super) fn collect(run: &Run<'_>, unsent: &[Option<bool>]) -> FinalState {
    let denied = &Denied::of(run);
    let held = |(database, unsent): (&DatabasePlan, &Option<bool>)| {
        database_state(run, denied, database, *unsent).map_err(|error| (database.index, error))
    };
    let copy = run.directory.join("databases").join("server.db");
    // Where nothing was synced there is nothing to compare with.
    let copied = || run.plan.syncs() && copy_server(run, &copy);
    let all = || run.plan.databases.par_iter().zip(unsent).map(held).collect::<Vec<_>>();
    let (databases, copied) = run.few.install(|| rayon::join(all, copied));
    let mut state = FinalState::default();
    for database in databases {
        match database {
            Ok(database) => state.databases.push(database),
            Err((index, error)) => fail(run, Some(index), &error),
        }
    }
    if copied {
        match server_state(run, denied, &copy) {
            Ok(server) => state.server = Some(server),
            Err(error) => fail(run, None, &error),
        }
    }
    let mut bootstraps = Vec::new();
    if run.plan.checks.iter().any(|check| check.kind() == CheckKind::Bootstrap) {
        let new = |user| bootstrap::bootstrap(run, denied, user);
        let new: Vec<_> = run.few.install(|| run.plan.users.par_iter().map(new).collect());
        for (file, new) in new {
            if !new.tables.is_empty() {
                bootstraps.push((new.user, file));
            }
            state.bootstrap.push(new);
        }
    }
    let server = state.server.is_some().then_some(copy.as_path());
    differences(run, denied, &mut state, server, &bootstraps);
    forbidden_rows(run, denied, &mut state, server);
    if let Some(copy) = server.filter(|_| run.plan.is_hostile())
        && let Err(error) = hostile::look_for_arrivals(run, copy)
    {
        fail(run, None, &error);
    }
    queries(run, &mut state);
    // The record keeps what matters of it; on failure the databases are kept, and it is one of them.
    state
}

fn database_state(
    run: &Run<'_>,
    denied: &Denied,
    database: &DatabasePlan,
    unsent: Option<bool>,
) -> rusqlite::Result<DatabaseState> {
    let file = run.database_file(database.index);
    let reader = denied.open_reader(&file, user_id(run, database.user))?;
    let tables = contents::own_tables(&reader, run.plan)?;
    let integrity = (!run.plan.checks.is_empty()).then(|| integrity(&reader)).transpose()?;
    Ok(DatabaseState {
        database: database.index,
        user: database.user,
        integrity,
        unsent,
        bytes: size(&file, "") + size(&file, "-wal"),
        tables,
    })
}

fn integrity(reader: &Connection) -> rusqlite::Result<String> {
    let mut statement = reader.prepare("PRAGMA integrity_check(10)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(lines.join("; "))
}

fn copy_server(run: &Run<'_>, file: &Path) -> bool {
    let Some((admin, database)) = &run.target.admin else { return false };
    match server::copy(run.plan, admin, database, file) {
        Ok(()) => true,
        Err(error) => {
            let failure = failure::classify(&error);
            run.journal.frame().failures.push(failure);
            false
        }
    }
}

fn server_state(run: &Run<'_>, denied: &Denied, copy: &Path) -> rusqlite::Result<ServerState> {
    let tables = contents::tables(&open_reader(copy, "")?, run.plan, Rows::All)?;
    let tombstones = clues::tombstones(run);
    if !run.plan.rls {
        let users = vec![UserState { user: 1, tables: tables.clone() }];
        return Ok(ServerState { tables, users, tombstones });
    }
    let seen = |user: &UserPlan| {
        let tables = contents::tables(&denied.open_reader(copy, &user.id)?, run.plan, Rows::Allowed)?;
        Ok(UserState { user: user.index, tables })
    };
    let users = run.few.install(|| run.plan.users.par_iter().map(seen).collect::<rusqlite::Result<_>>())?;
    Ok(ServerState { tables, users, tombstones })
}

fn differences(
    run: &Run<'_>,
    denied: &Denied,
    state: &mut FinalState,
    server: Option<&Path>,
    bootstraps: &[(u32, PathBuf)],
) {
    // Comparing opens all of them at once: only where a check asks for it.
    let asked = |check: &CheckPlan| matches!(check.question, Question::Named(name) if name != CheckName::Isolation);
    let compared = run.plan.syncs() && run.plan.checks.iter().any(asked);
    for user in run.plan.users.iter().filter(|_| compared) {
        let databases: Vec<&DatabaseState> = state.databases.iter().filter(|one| one.user == user.index).collect();
        let files: Vec<PathBuf> = databases.iter().map(|one| run.database_file(one.database)).collect();
        let mut holders: Vec<(Holder, &Path)> = Vec::new();
        let mut tables: Vec<&[TableState]> = Vec::new();
        for (database, file) in databases.iter().zip(&files) {
            holders.push((Holder::Database(database.database), file));
            tables.push(&database.tables);
        }
        let seen = state.server.iter().flat_map(|server| &server.users).find(|seen| seen.user == user.index);
        if let (Some(seen), Some(copy)) = (seen, server) {
            holders.push((Holder::Server, copy));
            tables.push(&seen.tables);
        }
        let new = state.bootstrap.iter().find(|new| new.user == user.index);
        let new_file = bootstraps.iter().find(|(index, _)| *index == user.index);
        if let (Some(new), Some((_, file))) = (new, new_file) {
            holders.push((Holder::Bootstrap, file));
            tables.push(&new.tables);
        }
        for (place, table) in run.plan.tables.iter().enumerate() {
            let same = |a: &TableState, b: &TableState| a.rows == b.rows && a.digest == b.digest;
            if tables.windows(2).all(|pair| same(&pair[0][place], &pair[1][place])) {
                continue;
            }
            match difference::compare(run.plan, denied, user.index, table, &holders) {
                Ok(mut difference) => {
                    clues::gather(run, table, &mut difference);
                    state.differences.push(difference);
                }
                Err(error) => fail(run, None, &error),
            }
        }
    }
}

/// Rows held against the select policy. Where they could not be examined their count stays undecided.
fn forbidden_rows(run: &Run<'_>, denied: &Denied, state: &mut FinalState, server: Option<&Path>) {
    let held = |one: &&mut DatabaseState| one.tables.iter().any(|table| table.forbidden > 0);
    for database in state.databases.iter_mut().filter(held) {
        match forbidden::examine(run, denied, database, server) {
            Ok(found) => state.forbidden.extend(found),
            Err(error) => fail(run, Some(database.database), &error),
        }
    }
}

fn queries(run: &Run<'_>, state: &mut FinalState) {
    for (check, plan) in run.plan.checks.iter().enumerate() {
        let Question::Query { on, sql, .. } = &plan.question else { continue };
        match on {
            QueryOn::Server => {
                let (value, failure) = ask_server(run, sql);
                state.queries.push(QueryAnswer { check, holder: Holder::Server, value, failure });
            }
            QueryOn::Databases => {
                for database in &run.plan.databases {
                    let asked = open_reader(&run.database_file(database.index), user_id(run, database.user)).and_then(
                        |reader| {
                            // The author's SQL may never end: it is cut with the run.
                            let slot = database.index as usize - 1;
                            run.watchdog.connection(slot, Some(reader.get_interrupt_handle()));
                            let answer = ask(&reader, sql);
                            run.watchdog.connection(slot, None);
                            answer
                        },
                    );
                    let (value, failure) = match asked {
                        Ok(value) => (value, None),
                        Err(error) => (Value::Null, Some(failure::classify(&raw_error(Call::Sql, &error)))),
                    };
                    let holder = Holder::Database(database.index);
                    state.queries.push(QueryAnswer { check, holder, value, failure });
                }
            }
        }
    }
}

fn ask_server(run: &Run<'_>, sql: &str) -> (Value, Option<Failure>) {
    let Some((admin, database)) = &run.target.admin else {
        let failure = Failure::new(FailureKind::Configuration, Side::Configuration, "the target has no administrator");
        return (Value::Null, Some(failure));
    };
    match admin.sql_within(run.watchdog.left(), Some(database), sql) {
        Ok(rows) => (rows.first().and_then(|row| row.values().next()).cloned().unwrap_or(Value::Null), None),
        Err(error) => (Value::Null, Some(failure::classify(&error))),
    }
}

fn ask(reader: &Connection, sql: &str) -> rusqlite::Result<Value> {
    use rusqlite::OptionalExtension;
    use rusqlite::types::ValueRef;
    let mut statement = reader.prepare(sql)?;
    let value = statement.query_row([], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Real(number) => Value::from(number),
            ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => Value::from(hex(bytes)),
        })
    });
    Ok(value.optional()?.unwrap_or(Value::Null))
}

fn user_id<'r>(run: &'r Run<'_>, user: u32) -> &'r str {
    &run.plan.users[user as usize - 1].id
}

fn fail(run: &Run<'_>, database: Option<u32>, error: &rusqlite::Error) {
    let mut failure = failure::classify(&raw_error(Call::Sql, error));
    if let Some(index) = database {
        failure.message = format!("database {index} could not be read at the end: {}", failure.message);
    }
    run.journal.frame().failures.push(failure);
}
