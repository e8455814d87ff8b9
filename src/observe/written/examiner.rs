//! What is needed to hold what is there against what was written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::contents::Rows;
use super::super::subject::Subject;
use super::filters::Filters;
use super::found::Examined;
use super::held::{self, HeldRow, Source};
use super::judge::Trust;
use super::policies::Policies;
use crate::ledger::Kept;
use crate::plan::Plan;
use crate::record::Holder;
use crate::session::open_reader;

/// A forbidden row of a database.
pub(super) struct HeldForbidden {
    pub(super) database: u32,
    pub(super) row: HeldRow,
}

pub(super) struct Examiner<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) server: bool,
    pub(super) trust: Vec<Trust>,
    pub(super) policies: Option<Policies<'a>>,
    pub(super) filters: Option<Filters>,
    /// Whose rows are judged.
    pub(super) sources: Vec<Source>,
    pub(super) forbidden: Vec<HeldForbidden>,
    /// The keys of the rows that the schema's own SQL writes, on the server and in every database.
    pub(super) schema: HashSet<u128>,
    pub(super) found: Examined,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, server: Option<&Path>) -> rusqlite::Result<Self> {
        let plan = subject.plan;
        let since = |tables: &[String]| settled(plan, subject.ledgers, tables);
        let trust = (0..plan.tables.len()).map(|table| Trust::of(plan, table, since));
        let columns = subject.target.merges_columns();
        let policies = plan.rls.then(|| Policies::open(plan, columns, &subject.copies, server)).transpose()?;
        Ok(Self {
            subject,
            server: server.is_some(),
            trust: trust.collect(),
            policies,
            filters: Filters::open(plan)?,
            sources: sources(subject, server)?,
            forbidden: forbidden(subject)?,
            schema: schema(plan)?,
            found: Examined::default(),
        })
    }
}

/// The keys of the rows that are there when the tables have been made.
fn schema(plan: &Plan) -> rusqlite::Result<HashSet<u128>> {
    if plan.tables.iter().all(|table| table.also.is_empty()) {
        return Ok(HashSet::new());
    }
    let made = open_reader(Path::new(":memory:"), "")?;
    rusqlite::vtab::series::load_module(&made)?;
    for table in &plan.tables {
        made.execute_batch(&table.sql)?;
        table.also.iter().try_for_each(|sql| made.execute_batch(sql))?;
    }
    Ok(held::rows(&made, plan, Rows::All)?.map(|row| row.key).collect())
}

/// From when on the server had some tables, named in lower case, as in the end: since the last write of the setup came
/// there. None when they were written after the setup, or when nobody knows.
fn settled(plan: &Plan, ledgers: &[Kept], tables: &[String]) -> Option<u64> {
    if plan.has_admin_steps() {
        return None;
    }
    let places: Vec<usize> = plan
        .tables
        .iter()
        .enumerate()
        .filter(|(_, table)| tables.contains(&table.name.to_ascii_lowercase()))
        .map(|(place, _)| place)
        .collect();
    let mut since = 0;
    for ledger in ledgers {
        for (number, segment) in (0..).zip(&ledger.segments) {
            if !places.iter().any(|place| segment.tables.contains(place)) {
                continue;
            }
            if !segment.setup {
                return None;
            }
            since = since.max(ledger.acknowledged_at(number)?);
        }
    }
    Some(since)
}

/// Whose rows are judged: the server's; without it those of the first database of each user.
fn sources(subject: &Subject<'_>, server: Option<&Path>) -> rusqlite::Result<Vec<Source>> {
    let plan = subject.plan;
    if let Some(server) = server {
        let rows = held::rows(&open_reader(server, "")?, plan, Rows::All)?;
        return Ok(vec![Source::new(Holder::Server, true, rows)]);
    }
    let mut sources = Vec::new();
    for user in &plan.users {
        let Some(first) = plan.databases.iter().find(|database| database.user == user.index || !plan.rls) else {
            continue;
        };
        let file: PathBuf = subject.database_file(first.index);
        let rows = held::rows(&open_reader(&file, &user.id)?, plan, Rows::Allowed)?;
        sources.push(Source::new(Holder::Database(first.index), !plan.rls, rows));
        if !plan.rls {
            break;
        }
    }
    Ok(sources)
}

/// The rows that databases hold against the select policies of their users, in the order of their keys.
fn forbidden(subject: &Subject<'_>) -> rusqlite::Result<Vec<HeldForbidden>> {
    let mut all = Vec::new();
    for database in subject.plan.databases.iter().filter(|_| subject.plan.rls) {
        let reader = open_reader(&subject.database_file(database.index), subject.user_id(database.user))?;
        let rows = held::rows(&reader, subject.plan, Rows::Forbidden)?;
        all.extend(rows.map(|row| HeldForbidden { database: database.index, row }));
    }
    all.sort_by_key(|one| one.row.key);
    Ok(all)
}
