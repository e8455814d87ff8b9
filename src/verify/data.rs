//! The checks of whole tables: by digest, with the differing rows if the record holds them.

use super::{CheckResult, Finding, Outcome, Scene, TracedRow, databases, fates, trace};
use crate::figure::counted;
use crate::record::{BootstrapState, Holder, Holding, TableState};

/// The maximum number of versions of a table that a finding describes.
const MOST_VERSIONS: usize = 5;

/// The contents of a table in one holder: a database or the server.
struct Held<'a> {
    holder: Holder,
    table: Option<&'a TableState>,
}

impl<'a> Held<'a> {
    fn content(&self) -> Option<(u64, &'a str)> {
        self.table.map(|table| (table.rows, table.digest.as_str()))
    }

    /// Whether the rows cannot be compared: the table was altered here or elsewhere, and has other columns than it should.
    fn has_other_columns(&self) -> bool {
        self.table.is_some_and(|table| !table.columns.is_empty())
    }
}

fn find<'a>(tables: &'a [TableState], name: &str) -> Option<&'a TableState> {
    tables.iter().find(|table| table.table == name)
}

impl Scene<'_> {
    /// Checks that the databases of each user hold the same rows.
    pub(super) fn converged(&self, result: &mut CheckResult) {
        let mut findings = Vec::new();
        let mut unread = self.unread_databases();
        for user in self.groups() {
            for table in self.table_names() {
                let held = self.held_by(user, table);
                let left_out = self.left_out(user, table, &held, result);
                unread = unread.or_else(|| missing(&held, table)).or(left_out);
                findings.extend(self.compare(user, table, &held, is_database));
            }
        }
        result.conclude(findings, unread);
    }

    /// Checks that the server and the databases hold the same rows.
    pub(super) fn server(&self, result: &mut CheckResult) {
        let Some(server) = &self.state.server else {
            let why = self.record.failures.first().map(|failure| format!(": {}", failure.message));
            let reason = format!("the server's rows were not read{}", why.unwrap_or_default());
            result.outcome = Outcome::NotChecked(reason);
            return;
        };
        let mut findings = Vec::new();
        let mut unread = self.unread_databases();
        for user in self.groups() {
            let seen = server.users.iter().find(|state| state.user == user);
            for table in self.table_names() {
                let mut held = self.held_by(user, table);
                if held.is_empty() {
                    continue;
                }
                held.push(Held { holder: Holder::Server, table: seen.and_then(|state| find(&state.tables, table)) });
                unread = unread.or_else(|| missing(&held, table));
                findings.extend(self.compare_to_last(user, table, &held, |holder| holder == Holder::Server));
            }
        }
        result.conclude(findings, unread);
    }

    /// Checks that a new database received the rows that the server shows its user; if those are unknown, the rows that
    /// the user's other databases hold.
    pub(super) fn bootstrap(&self, result: &mut CheckResult) {
        let mut findings = Vec::new();
        let mut open = None;
        for user in self.groups() {
            let Some(fresh) = self.state.bootstrap.iter().find(|fresh| fresh.user == user) else {
                open = open.or_else(|| Some(format!("no new database was synced{}", self.for_user(user))));
                continue;
            };
            if let Some(reason) = failed(fresh) {
                open = open.or_else(|| Some(format!("a new database{} could not sync: {reason}", self.for_user(user))));
                continue;
            }
            let server = self.state.server.as_ref().and_then(|server| server.users.iter().find(|it| it.user == user));
            for table in self.table_names() {
                let mut held = match server {
                    Some(server) => vec![Held { holder: Holder::Server, table: find(&server.tables, table) }],
                    None => self.held_by(user, table),
                };
                held.push(Held { holder: Holder::Bootstrap, table: find(&fresh.tables, table) });
                let left_out = self.left_out(user, table, &held, result);
                open = open.or_else(|| missing(&held, table)).or(left_out);
                findings.extend(self.compare_to_last(user, table, &held, |holder| holder == Holder::Bootstrap));
            }
        }
        result.conclude(findings, open);
    }

    pub(super) fn user_of(&self, database: u32) -> String {
        let user = self.plan.databases.iter().find(|plan| plan.index == database);
        user.map(|plan| format!(" {}", plan.user)).unwrap_or_default()
    }

    fn for_user(&self, user: u32) -> String {
        if self.plan.rls { format!(" for user {user}") } else { String::new() }
    }

    /// Notes the rows that could not be compared, because only the server's rows tell what the policies allowed. Gives them
    /// as a reason if nothing else was compared.
    fn left_out(&self, user: u32, table: &str, held: &[Held<'_>], result: &mut CheckResult) -> Option<String> {
        let rows = held.iter().filter_map(|one| one.table).map(|table| table.left_out).max();
        let rows = rows.filter(|&rows| rows > 0 && held.len() > 1)?;
        let said = format!(
            "not compared: {} of table {table}{}; only the server's rows tell what the policies allowed, and they were not read",
            counted(rows, "row"),
            self.of_user(user)
        );
        if held.iter().filter_map(Held::content).all(|(rows, _)| rows == 0) {
            return Some(said);
        }
        result.notes.push(said);
        None
    }

    fn groups(&self) -> Vec<u32> {
        if self.plan.rls { self.plan.users.iter().map(|user| user.index).collect() } else { vec![1] }
    }

    fn table_names(&self) -> impl Iterator<Item = &str> {
        self.plan.tables.iter().map(|table| table.name.as_str())
    }

    /// The contents of a table in each database of a group.
    fn held_by(&self, user: u32, table: &str) -> Vec<Held<'_>> {
        self.databases()
            .into_iter()
            .filter(|database| self.group(database.user) == user)
            .map(|database| Held { holder: Holder::Database(database.database), table: find(&database.tables, table) })
            .collect()
    }

    /// The finding that a table differs between the holders.
    fn compare(&self, user: u32, table: &str, held: &[Held<'_>], concerned: fn(Holder) -> bool) -> Option<Finding> {
        let mut versions: Vec<((u64, &str), Vec<Holder>)> = Vec::new();
        for one in held {
            let Some(content) = one.content() else { continue };
            match versions.iter_mut().find(|(version, _)| *version == content) {
                Some((_, holders)) => holders.push(one.holder),
                None => versions.push((content, vec![one.holder])),
            }
        }
        let has_others = |holder: &Holder| held.iter().any(|one| one.holder == *holder && one.has_other_columns());
        if versions.len() < 2 && !held.iter().any(Held::has_other_columns) {
            return None;
        }
        let mut described: Vec<String> = versions
            .iter()
            .take(MOST_VERSIONS)
            .map(|((rows, digest), holders)| {
                let same_count = versions.iter().filter(|((other, _), _)| other == rows).count() > 1;
                let short = digest.get(..8).unwrap_or(digest);
                let which = if same_count { format!(" (content {short})") } else { String::new() };
                let verb = if holders.len() > 1 { "have" } else { "has" };
                let others = holders.first().filter(|holder| has_others(holder));
                let columns = others.and_then(|holder| held.iter().find(|one| one.holder == *holder)?.table);
                let which =
                    columns.map_or(which, |table| format!(" with other columns ({})", table.columns.join(", ")));
                format!("{} {verb} {}{which}", names(holders), counted(*rows, "row"))
            })
            .collect();
        if versions.len() > MOST_VERSIONS {
            described.push(format!("and {}", counted((versions.len() - MOST_VERSIONS) as u64, "more version")));
        }
        let (total, rows) = self.rows_between(user, table, concerned);
        let message = format!("table {table}{} differs: {}", self.of_user(user), described.join(", "));
        let mut told = fates::in_words(&rows, total);
        told.extend(rows.iter().flat_map(|row| fates::clocks(&row.row)));
        Some(Finding { message, total, fates: told, rows })
    }

    /// The finding that some holders differ from the last one.
    fn compare_to_last(
        &self,
        user: u32,
        table: &str,
        held: &[Held<'_>],
        concerned: fn(Holder) -> bool,
    ) -> Option<Finding> {
        let (last, others) = held.split_last()?;
        let wanted = last.content()?;
        let differs = held.iter().any(Held::has_other_columns)
            || others.iter().any(|one| one.content().is_some_and(|content| content != wanted));
        if differs { self.compare(user, table, held, concerned) } else { None }
    }

    fn of_user(&self, user: u32) -> String {
        if self.plan.rls { format!(" of user {user}") } else { String::new() }
    }

    /// The number of rows of the table that differ anywhere, and those rows of the record in which the holders concerned
    /// differ from each other or from the rest.
    fn rows_between(&self, user: u32, table: &str, concerned: fn(Holder) -> bool) -> (u64, Vec<TracedRow>) {
        let found = self.state.differences.iter().find(|it| it.user == user && it.table == table);
        let Some(difference) = found else { return (0, Vec::new()) };
        let among_databases = concerned(Holder::Database(1));
        let rows: Vec<TracedRow> = difference
            .rows
            .iter()
            .filter(|row| {
                let held: Vec<&Holding> =
                    row.holders.iter().filter(|held| !among_databases || is_database(held.holder)).collect();
                let differs = |one: &Holding| held.iter().any(|other| other.row != one.row);
                held.iter().any(|one| concerned(one.holder) && differs(one))
            })
            .map(|row| trace::trace(self, row, &difference.rows))
            .collect();
        let all_listed = difference.rows.len() as u64 == difference.total;
        (if all_listed { rows.len() as u64 } else { difference.total }, rows)
    }
}

fn is_database(holder: Holder) -> bool {
    match holder {
        Holder::Database(_) => true,
        Holder::Server | Holder::Bootstrap => false,
    }
}

/// The reason if some holders were read without this table.
fn missing(held: &[Held<'_>], table: &str) -> Option<String> {
    let holders: Vec<Holder> = held.iter().filter(|one| one.table.is_none()).map(|one| one.holder).collect();
    (!holders.is_empty()).then(|| format!("table {table} of {} could not be read", names(&holders)))
}

fn failed(fresh: &BootstrapState) -> Option<String> {
    let failure = fresh.failures.first().map(|failure| failure.message.clone());
    failure.or_else(|| fresh.tables.is_empty().then(|| "it has no tables".to_owned()))
}

/// `databases 1 and 2, the server`.
fn names(holders: &[Holder]) -> String {
    let mut indexes = Vec::new();
    let mut others = Vec::new();
    for holder in holders {
        match holder {
            Holder::Database(index) => indexes.push(*index),
            Holder::Server => others.push("the server".to_owned()),
            Holder::Bootstrap => others.push("the new database".to_owned()),
        }
    }
    if !indexes.is_empty() {
        others.insert(0, databases(&indexes));
    }
    others.join(" and ")
}
