//! Whether what was held at the end is of the databases, users, tables and checks of the plan, and agrees with itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::plan::{CheckKind, Plan, Question};
use crate::record::{BootstrapState, DatabaseState, Difference, FinalState, Holder, TableState};
use crate::scenario::QueryOn;

/// A list of tables and who holds them.
type Held<'a> = (String, &'a [TableState]);

/// The databases and users are those of the plan, each once. A database that could not be read is told as one of
/// `failures` outside of the workers.
pub(super) fn holders(plan: &Plan, state: &FinalState, failures: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for database in &state.databases {
        let index = database.database;
        match plan.databases.iter().find(|planned| planned.index == index) {
            None => found.push(format!("database {index} was read at the end, but the plan does not have it")),
            Some(planned) if planned.user != database.user => found.push(format!(
                "database {index} is of user {} at the end, and of user {} in the plan",
                database.user, planned.user
            )),
            Some(_) => {}
        }
        if !seen.insert(index) {
            found.push(format!("database {index} was read twice at the end"));
        }
    }
    let unread: Vec<u32> = plan.databases.iter().map(|one| one.index).filter(|one| !seen.contains(one)).collect();
    if unread.len() > failures {
        let unread = crate::verify::databases(&unread);
        found.push(format!("the record does not have what {unread} held at the end, and no failure says why"));
    }
    let users: Vec<u32> = plan.users.iter().map(|user| user.index).collect();
    if let Some(server) = &state.server {
        let seen: Vec<u32> = server.users.iter().map(|user| user.user).collect();
        found.extend(same_users("the server shows its rows to", &seen, &users));
    }
    let new: Vec<u32> = state.bootstrap.iter().map(|new| new.user).collect();
    let asked = plan.checks.iter().any(|check| check.kind() == CheckKind::Bootstrap);
    found.extend(same_users("new databases were made for", &new, if asked { &users } else { &[] }));
    let silent = |new: &&BootstrapState| new.tables.is_empty() && new.failures.is_empty();
    let silent = state.bootstrap.iter().filter(silent);
    found.extend(silent.map(|new| format!("the new database of user {} has neither tables nor a failure", new.user)));
    found
}

fn same_users(what: &str, seen: &[u32], users: &[u32]) -> Option<String> {
    let listed = |users: &[u32]| {
        let users: Vec<String> = users.iter().map(u32::to_string).collect();
        if users.is_empty() { "none".to_owned() } else { users.join(", ") }
    };
    (seen != users).then(|| format!("{what} the users {}, and the plan has {}", listed(seen), listed(users)))
}

/// All lists of tables.
fn lists(state: &FinalState) -> Vec<Held<'_>> {
    let mut lists: Vec<Held<'_>> = Vec::new();
    for database in &state.databases {
        lists.push((format!("database {}", database.database), &database.tables));
    }
    if let Some(server) = &state.server {
        lists.push(("the server".to_owned(), &server.tables));
        lists.extend(server.users.iter().map(|user| (format!("user {} on the server", user.user), &user.tables[..])));
    }
    // One without tables could not sync.
    let new = state.bootstrap.iter().filter(|new| !new.tables.is_empty());
    lists.extend(new.map(|new| (format!("the new database of user {}", new.user), &new.tables[..])));
    lists
}

/// Every list has the tables of the plan, and numbers that can be true.
pub(super) fn numbers(plan: &Plan, state: &FinalState) -> Vec<String> {
    let mut found = Vec::new();
    let planned: Vec<&str> = plan.tables.iter().map(|table| table.name.as_str()).collect();
    for (who, tables) in lists(state) {
        let names: Vec<&str> = tables.iter().map(|table| table.table.as_str()).collect();
        if names != planned {
            let (names, planned) = (names.join(", "), planned.join(", "));
            found.push(format!("{who}: the record has the tables {names}, and the plan has {planned}"));
        }
        for table in tables {
            found.extend(number(table).map(|problem| format!("{who}, table {}: {problem}", table.table)));
        }
    }
    if let Some(server) = &state.server {
        for (user, table) in server.users.iter().flat_map(|user| user.tables.iter().map(move |table| (user, table))) {
            let Some(all) = server.tables.iter().find(|all| all.table == table.table) else { continue };
            let (user, name) = (user.user, &table.table);
            if table.rows > all.rows {
                let (seen, all) = (table.rows, all.rows);
                found.push(format!("user {user} on the server, table {name}: {seen} rows, and the server has {all}"));
            } else if !plan.rls && !same(table, all) {
                found.push(format!("user {user} on the server, table {name}: not the rows of the server"));
            }
        }
    }
    found.extend(named(state));
    found
}

fn number(table: &TableState) -> Option<String> {
    let TableState { table: _, rows, digest, forbidden, leaked, lapsed, left_out: _, columns } = table;
    if digest.len() != 32 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(format!("`{digest}` is no digest"));
    }
    let nothing = digest.bytes().all(|byte| byte == b'0');
    match leaked {
        Some(leaked) if leaked + lapsed > *forbidden => {
            Some(format!("{leaked} leaked and {lapsed} lapsed rows of {forbidden} forbidden ones"))
        }
        // Then the digest is that of their names.
        _ if !columns.is_empty() => None,
        _ if *rows == 0 && !nothing => Some("no rows, but the digest of some".to_owned()),
        _ if *rows > 0 && nothing => Some(format!("{rows} rows, but the digest of none")),
        _ => None,
    }
}

/// No more forbidden rows are named than are counted.
fn named(state: &FinalState) -> Vec<String> {
    let mut named: BTreeMap<(u32, &str), u64> = BTreeMap::new();
    for row in &state.forbidden {
        *named.entry((row.database, &row.table)).or_default() += 1;
    }
    let mut found = Vec::new();
    for ((database, name), named) in named {
        let held = state.databases.iter().find(|held| held.database == database);
        let table = held.and_then(|held| held.tables.iter().find(|table| table.table == name));
        let counted = table.map_or(0, |table| table.forbidden);
        if named > counted {
            let message = format!("{named} forbidden rows are named, and {counted} were counted");
            found.push(format!("database {database}, table {name}: {message}"));
        }
    }
    found
}

fn same(a: &TableState, b: &TableState) -> bool {
    a.rows == b.rows && a.digest == b.digest
}

/// Where the digests of a user's holders differ, a difference is listed, and only there.
pub(super) fn differences(plan: &Plan, state: &FinalState, failures: &[Failure]) -> Vec<String> {
    let mut found = Vec::new();
    for difference in &state.differences {
        let Difference { user, table, total, rows } = difference;
        let place = format!("user {user}, table {table}");
        let named = rows.len() as u64;
        if *total < named || *total > 0 && named == 0 {
            found.push(format!("{place}: {total} rows differ, and {named} of them are named"));
        }
        let known = plan.users.iter().any(|one| one.index == *user) && plan.tables.iter().any(|one| one.name == *table);
        if !known {
            found.push(format!("{place}: rows differ, but the plan does not have that"));
        }
    }
    for user in &plan.users {
        let holders = of_user(state, user.index);
        for table in &plan.tables {
            let of_table = |(_, tables): &(Holder, &'_ [TableState])| {
                tables.iter().find(|state| state.table == table.name).cloned()
            };
            let states: Vec<TableState> = holders.iter().filter_map(of_table).collect();
            let differ = states.windows(2).any(|pair| !same(&pair[0], &pair[1]));
            let mut listed = state.differences.iter().filter(|one| one.user == user.index && one.table == table.name);
            let (first, second) = (listed.next(), listed.next());
            let place = format!("user {}, table {}", user.index, table.name);
            match (differ, first) {
                (false, Some(_)) => {
                    found.push(format!("{place}: rows differ, but the numbers of rows and the digests are equal"));
                }
                // What could not be compared is told as a failure.
                (true, None) if plan.compares() && failures.is_empty() => {
                    found.push(format!("{place}: the digests differ, but the record names no row that differs"));
                }
                (true, None | Some(_)) | (false, None) => {}
            }
            if second.is_some() {
                found.push(format!("{place}: the rows that differ are listed twice"));
            }
            let all: BTreeSet<Holder> = holders.iter().map(|(holder, _)| *holder).collect();
            let rows = first.into_iter().flat_map(|difference| &difference.rows);
            let stranger = rows.flat_map(|row| &row.holders).find(|held| !all.contains(&held.holder));
            if let Some(held) = stranger {
                found.push(format!("{place}: a row that differs names {}, who does not hold it", said(held.holder)));
            }
        }
    }
    found
}

/// All who hold the rows of a user.
fn of_user(state: &FinalState, user: u32) -> Vec<(Holder, &[TableState])> {
    let own = |one: &&DatabaseState| one.user == user;
    let mut holders: Vec<(Holder, &[TableState])> =
        state.databases.iter().filter(own).map(|one| (Holder::Database(one.database), &one.tables[..])).collect();
    let seen = state.server.iter().flat_map(|server| &server.users).filter(|seen| seen.user == user);
    holders.extend(seen.map(|seen| (Holder::Server, &seen.tables[..])));
    let new = state.bootstrap.iter().filter(|new| new.user == user && !new.tables.is_empty());
    holders.extend(new.map(|new| (Holder::Bootstrap, &new.tables[..])));
    holders
}

fn said(holder: Holder) -> String {
    match holder {
        Holder::Database(index) => format!("database {index}"),
        Holder::Server => "the server".to_owned(),
        Holder::Bootstrap => "the new database".to_owned(),
    }
}

/// Every query of a check was put to everybody it is for, once.
pub(super) fn answers(plan: &Plan, state: &FinalState) -> Vec<String> {
    let mut wanted: BTreeMap<(usize, Holder), u64> = BTreeMap::new();
    for (check, planned) in plan.checks.iter().enumerate() {
        match &planned.question {
            Question::Named(_) => {}
            Question::Query { on: QueryOn::Server, .. } => {
                wanted.insert((check, Holder::Server), 0);
            }
            Question::Query { on: QueryOn::Databases, .. } => {
                wanted.extend(plan.databases.iter().map(|one| ((check, Holder::Database(one.index)), 0)));
            }
        }
    }
    let mut found = Vec::new();
    for answer in &state.queries {
        let place = format!("check {} on {}", answer.check + 1, said(answer.holder));
        match wanted.get_mut(&(answer.check, answer.holder)) {
            None => found.push(format!("{place}: there is an answer, but the plan has no such query")),
            Some(times) => *times += 1,
        }
    }
    for ((check, holder), times) in wanted.into_iter().filter(|(_, times)| *times != 1) {
        found.push(format!("check {} on {}: the query has {times} answers instead of one", check + 1, said(holder)));
    }
    found
}
