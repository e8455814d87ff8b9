//! Going through all keys: what everybody wrote, what is held, and what of it nothing explains.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::path::{Path, PathBuf};

use super::super::contents::Rows;
use super::super::subject::Subject;
use super::behind::{Behind, Left};
use super::held::{self, HeldRow, Source};
use super::judge::{self, Allowed, Explained, Trust, Writes};
use super::keys::{key_literals, last_write, row_literals};
use super::policies::Policies;
use crate::ledger::{Kept, Reading, RowForm};
use crate::plan::{Action, Plan};
use crate::record::{
    Attempt, ForbiddenRow, Holder, Operation, Unexplained, UnexplainedRow, Unjudged, WhyUnjudged, WorkerRecord,
    WrittenState,
};
use crate::session::open_reader;

/// Rows that are named of each table; the others are counted.
const NAMED: usize = 20;

/// What was found.
#[derive(Default)]
pub(crate) struct Examined {
    pub(crate) state: WrittenState,
    /// Rows that denied writes left behind.
    pub(crate) behind: Behind,
    /// Of each database that made any: its attempts against the policies.
    pub(crate) attempts: BTreeMap<u32, Attempts>,
    /// Of each database and table: the rows that its user's select policy forbids.
    pub(crate) forbidden: BTreeMap<(u32, usize), Forbidden>,
}

/// A database's attempts against the policies.
#[derive(Default)]
pub(crate) struct Attempts {
    pub(crate) denied: Vec<Attempt>,
    pub(crate) allowed: u64,
    /// Those about which the policies cannot be asked.
    pub(crate) doubtful: u64,
}

/// Attempts that did not arrive and that a database's record keeps; the others are counted.
const KEPT: usize = 1000;

impl Attempts {
    /// Puts them into the database's record: those that arrived, and some of the others.
    pub(crate) fn keep(mut self, record: &mut WorkerRecord) {
        let (all, mut kept) = (self.denied.len(), 0);
        self.denied.retain(|attempt| {
            kept += 1;
            kept <= KEPT || attempt.arrived == Some(true)
        });
        record.attempts_beyond = (all - self.denied.len()) as u64;
        record.attempts = self.denied;
        record.attempts_allowed = self.allowed;
        record.attempts_doubtful = self.doubtful;
    }
}

/// The rows of a table that a database holds against its user's select policy.
#[derive(Default)]
pub(crate) struct Forbidden {
    /// How many came from elsewhere.
    pub(crate) leaked: u64,
    /// How many came from elsewhere and may have been allowed then.
    pub(crate) lapsed: u64,
    /// Some of them.
    pub(crate) named: Vec<ForbiddenRow>,
}

/// Looks at everything. `server` is a file with the server's rows.
pub(crate) fn examine(subject: &Subject<'_>, server: Option<&Path>) -> io::Result<Examined> {
    let broken = subject.plan.databases.iter().zip(subject.ledgers).find_map(|(database, ledger)| {
        let why = ledger.broken.as_ref()?;
        Some(format!("the ledger of database {} could not be kept: {why}", database.index))
    });
    if broken.is_some() {
        let state = WrittenState { open: broken, ..WrittenState::default() };
        return Ok(Examined { state, ..Examined::default() });
    }
    let mut examiner = Examiner::new(subject, server).map_err(io::Error::other)?;
    examiner.go_through()?;
    Ok(examiner.found)
}

/// A forbidden row of a database.
struct HeldForbidden {
    database: u32,
    row: HeldRow,
}

struct Examiner<'a> {
    subject: &'a Subject<'a>,
    server: bool,
    trust: Vec<Trust>,
    policies: Option<Policies<'a>>,
    /// Whose rows are judged.
    sources: Vec<Source>,
    forbidden: Vec<HeldForbidden>,
    /// Whether an administrator's SQL may have written.
    admin: bool,
    found: Examined,
}

impl<'a> Examiner<'a> {
    fn new(subject: &'a Subject<'a>, server: Option<&Path>) -> rusqlite::Result<Self> {
        let plan = subject.plan;
        let since = |tables: &[String]| settled(plan, subject.ledgers, tables);
        let trust = (0..plan.tables.len()).map(|table| Trust::of(plan, table, since));
        let policies = plan.rls.then(|| Policies::open(plan, &subject.copies, server)).transpose()?;
        Ok(Self {
            subject,
            server: server.is_some(),
            trust: trust.collect(),
            policies,
            sources: sources(subject, server)?,
            forbidden: forbidden(subject)?,
            admin: plan.steps().any(|step| matches!(step.action, Action::Admin(_))),
            found: Examined::default(),
        })
    }

    fn go_through(&mut self) -> io::Result<()> {
        let mut readings: Vec<Reading<'_>> = self.subject.ledgers.iter().map(Reading::of).collect::<io::Result<_>>()?;
        let mut heap: BinaryHeap<Reverse<(u128, usize)>> =
            readings.iter().enumerate().filter_map(|(place, reading)| Some(Reverse((reading.key()?, place)))).collect();
        let mut forbidden = std::mem::take(&mut self.forbidden).into_iter().peekable();
        loop {
            let written = heap.peek().map(|Reverse((key, _))| *key);
            let held = self.sources.iter().filter_map(Source::key).min();
            let kept_back = forbidden.peek().map(|one| one.row.key);
            let Some(key) = [written, held, kept_back].into_iter().flatten().min() else { return Ok(()) };
            let mut writes = Vec::new();
            while let Some(Reverse((_, place))) = heap.peek().copied().filter(|Reverse((next, _))| *next == key) {
                heap.pop();
                let entries = readings[place].take(key)?;
                heap.extend(readings[place].key().map(|key| Reverse((key, place))));
                let (database, ledger) = (&self.subject.plan.databases[place], &self.subject.ledgers[place]);
                writes.push(Writes { database, ledger, entries, allowed: Vec::new() });
            }
            let held: Vec<Option<HeldRow>> = self.sources.iter_mut().map(|source| source.take(key)).collect();
            self.found.state.keys += 1;
            self.key(key, &mut writes, &held).map_err(io::Error::other)?;
            while let Some(one) = forbidden.next_if(|one| one.row.key == key) {
                self.forbidden(key, &writes, &held, &one).map_err(io::Error::other)?;
            }
        }
    }

    /// One key: what was written there, and what each source holds.
    fn key(&mut self, key: u128, writes: &mut [Writes<'_>], held: &[Option<HeldRow>]) -> rusqlite::Result<()> {
        let table = RowForm::table_of(key);
        let trust = self.trust[table];
        let digest = |row: &Option<HeldRow>| row.as_ref().map(|row| row.digest);
        if held.iter().all(|row| judge::is_plain(writes, trust, digest(row))) && !held.is_empty() {
            return Ok(());
        }
        if let Some(policies) = &mut self.policies {
            judge::ask(policies, table, trust, writes)?;
        }
        let mut arrived = false;
        for (place, row) in held.iter().enumerate() {
            arrived |= self.source(place, table, writes, row.as_ref())?;
        }
        if self.policies.is_some() {
            let row = held.first().and_then(Option::as_ref);
            self.attempts(table, writes, row, arrived)?;
            self.left_behind(key, table, writes, row)?;
        }
        Ok(())
    }

    /// Judges what a source holds. Gives whether a write that the policies deny is what is there.
    fn source(
        &mut self,
        place: usize,
        table: usize,
        writes: &[Writes<'_>],
        row: Option<&HeldRow>,
    ) -> rusqlite::Result<bool> {
        let source = &self.sources[place];
        if row.is_none() && !source.whole {
            return Ok(false);
        }
        let own = |row: &HeldRow| {
            writes
                .iter()
                .any(|writes| Holder::Database(writes.database.index) == source.holder && writes.wrote(row.digest))
        };
        if row.is_some_and(own) {
            return Ok(false);
        }
        let columns = self.subject.plan.target.merges_columns();
        let explained = judge::explain(writes, row.map(|row| (row.digest, row.bytes.as_slice())), columns);
        let name = || self.subject.plan.tables[table].name.clone();
        let why = match explained {
            Explained::Yes => return Ok(false),
            Explained::Perhaps => Some(WhyUnjudged::Policy),
            Explained::NotKept => Some(WhyUnjudged::NotKept),
            Explained::Before if self.subject.plan.reuse => Some(WhyUnjudged::EarlierRun),
            Explained::Before | Explained::No if self.admin => Some(WhyUnjudged::Admin),
            Explained::Before | Explained::No if self.is_a_triggers(table, writes, row) => Some(WhyUnjudged::Trigger),
            Explained::Before | Explained::No => None,
        };
        if let Some(why) = why {
            let table = name();
            let unjudged = &mut self.found.state.unjudged;
            match unjudged.iter_mut().find(|one| one.table == table && one.why == why) {
                Some(known) => known.keys += 1,
                None => unjudged.push(Unjudged { table, why, keys: 1 }),
            }
            return Ok(false);
        }
        if is_denied_and_there(writes, row) {
            return Ok(true);
        }
        self.unexplained(source.holder, table, writes, row)?;
        Ok(false)
    }

    /// Whether a trigger on the server may have made of a row what is there.
    fn is_a_triggers(&self, table: usize, writes: &[Writes<'_>], row: Option<&HeldRow>) -> bool {
        let plan = &self.subject.plan.tables[table];
        let triggers = &plan.triggered;
        let rekeys = plan.primary_key.iter().any(|key| triggers.updates.contains(&key.to_ascii_lowercase()));
        let Some(row) = row else { return triggers.deletes || rekeys };
        if triggers.inserts && triggers.deletes || rekeys {
            return true;
        }
        let mut written = writes.iter().flat_map(|writes| &writes.entries).filter_map(|entry| entry.row.as_ref());
        if writes.iter().all(|writes| writes.last().is_none_or(|last| last.row.is_none())) && triggers.inserts {
            return true;
        }
        let kept: Vec<usize> = (0..plan.columns.len())
            .filter(|column| !triggers.updates.contains(&plan.columns[*column].to_ascii_lowercase()))
            .collect();
        kept.len() < plan.columns.len() && written.any(|state| judge::same_columns(&state.bytes, &row.bytes, &kept))
    }

    fn unexplained(
        &mut self,
        holder: Holder,
        table: usize,
        writes: &[Writes<'_>],
        row: Option<&HeldRow>,
    ) -> rusqlite::Result<()> {
        let plan = &self.subject.plan.tables[table];
        let tables = &mut self.found.state.tables;
        let place = tables.iter().position(|one| one.table == plan.name).unwrap_or(tables.len());
        if place == tables.len() {
            tables.push(Unexplained { table: plan.name.clone(), total: 0, rows: Vec::new() });
        }
        tables[place].total += 1;
        if tables[place].rows.len() >= NAMED {
            return Ok(());
        }
        let some = row.map(|row| row.bytes.as_slice());
        let written = || writes.iter().flat_map(|writes| &writes.entries).find_map(|entry| entry.row.as_ref());
        let key = match some.or_else(|| written().map(|row| row.bytes.as_slice())) {
            Some(bytes) => key_literals(plan, bytes),
            None => String::new(),
        };
        let found = UnexplainedRow {
            key,
            holder,
            row: some.map(row_literals),
            earlier: row.is_some_and(|row| writes.iter().any(|writes| writes.wrote(row.digest))),
            writes: writes.iter().filter_map(last_write).collect(),
        };
        self.found.state.tables[place].rows.push(found);
        Ok(())
    }

    /// Counts the attempts of hostile phases, and names the denied ones.
    fn attempts(
        &mut self,
        table: usize,
        writes: &[Writes<'_>],
        row: Option<&HeldRow>,
        arrived: bool,
    ) -> rusqlite::Result<()> {
        for one in writes {
            for (entry, allowed) in one.entries.iter().zip(&one.allowed) {
                let here = arrived && *allowed == Allowed::Never && entry.digest() == row.map(|row| row.digest);
                let hostile = one.ledger.is_hostile(entry.segment);
                if !hostile && !here {
                    continue;
                }
                let attempts = self.found.attempts.entry(one.database.index).or_default();
                match allowed {
                    Allowed::Always => attempts.allowed += 1,
                    Allowed::Perhaps => attempts.doubtful += 1,
                    Allowed::Never => {
                        let plan = &self.subject.plan.tables[table];
                        let segment = &one.ledger.segments[entry.segment as usize];
                        let bytes = entry.row.as_ref().map(|row| row.bytes.as_slice());
                        let some =
                            writes.iter().flat_map(|writes| &writes.entries).find_map(|entry| entry.row.as_ref());
                        let key =
                            bytes.or(row.map(|row| row.bytes.as_slice())).or(some.map(|row| row.bytes.as_slice()));
                        attempts.denied.push(Attempt {
                            iteration: segment.iteration,
                            phase: segment.phase.clone(),
                            table: plan.name.clone(),
                            operation: match (&entry.row, entry.found) {
                                (None, _) => Operation::Delete,
                                (Some(_), true) => Operation::Update,
                                (Some(_), false) => Operation::Insert,
                            },
                            key: key.map(|bytes| key_literals(plan, bytes)).unwrap_or_default(),
                            row: bytes.map(row_literals),
                            arrived: self.server.then_some(here),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes which databases may hold a denied write of their own instead of what is there.
    fn left_behind(
        &mut self,
        key: u128,
        table: usize,
        writes: &[Writes<'_>],
        row: Option<&HeldRow>,
    ) -> rusqlite::Result<()> {
        for one in writes {
            let (Some(last), Some(allowed)) = (one.last(), one.allowed.last()) else { continue };
            if *allowed == Allowed::Always || last.digest() == row.map(|row| row.digest) {
                continue;
            }
            let user = one.database.user;
            if !self.server {
                // Nobody knows what is there instead: the key is compared among this user's databases nowhere.
                let same = self.subject.plan.databases.iter().filter(|other| other.user == user);
                same.for_each(|other| self.found.behind.add(other.index, key, Left { state: None, instead: None }));
                continue;
            }
            let shown = match (row, &mut self.policies) {
                (Some(row), Some(policies)) => policies.shows(table, user, &row.bytes)?.then_some(row.digest),
                _ => None,
            };
            let left = Left { state: Some(last.digest()), instead: shown };
            self.found.behind.add(one.database.index, key, left);
        }
        Ok(())
    }

    /// A row that a database holds against its user's select policy: written there, or come from elsewhere.
    fn forbidden(
        &mut self,
        key: u128,
        writes: &[Writes<'_>],
        held: &[Option<HeldRow>],
        one: &HeldForbidden,
    ) -> rusqlite::Result<()> {
        let table = RowForm::table_of(key);
        let own = writes.iter().any(|writes| writes.database.index == one.database && writes.wrote(one.row.digest));
        let unknown = writes.is_empty() && held.iter().all(Option::is_none);
        let triggers = &self.subject.plan.tables[table].triggered;
        let excused = self.subject.plan.reuse || self.admin || triggers.inserts;
        if unknown && !excused {
            self.unexplained(Holder::Database(one.database), table, writes, Some(&one.row))?;
        }
        let trusted = matches!(self.trust[table], Trust::Lasting | Trust::Since(_));
        let elsewhere = !own && !unknown;
        let forbidden = self.found.forbidden.entry((one.database, table)).or_default();
        forbidden.leaked += u64::from(elsewhere && trusted);
        forbidden.lapsed += u64::from(elsewhere && !trusted);
        let named = forbidden.named.iter().filter(|row| row.leaked).count();
        let leaked = elsewhere && trusted;
        if leaked && named < NAMED || !leaked && forbidden.named.len() < NAMED {
            let plan = &self.subject.plan.tables[table];
            forbidden.named.push(ForbiddenRow {
                database: one.database,
                table: plan.name.clone(),
                key: key_literals(plan, &one.row.bytes),
                row: row_literals(&one.row.bytes),
                leaked,
            });
        }
        Ok(())
    }
}

/// Whether what is there is a write that the policies deny.
fn is_denied_and_there(writes: &[Writes<'_>], row: Option<&HeldRow>) -> bool {
    let digest = row.map(|row| row.digest);
    let denied = |one: &Writes<'_>| {
        one.entries
            .iter()
            .zip(&one.allowed)
            .any(|(entry, allowed)| *allowed == Allowed::Never && entry.digest() == digest)
    };
    writes.iter().any(denied)
}

/// From when on the server had some tables, named in lower case, as in the end: since the last write of the setup came
/// there. None when they were written after the setup, or when nobody knows.
fn settled(plan: &Plan, ledgers: &[Kept], tables: &[String]) -> Option<u64> {
    if plan.steps().any(|step| matches!(step.action, Action::Admin(_))) {
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
        all.extend(rows.into_iter().map(|row| HeldForbidden { database: database.index, row }));
    }
    all.sort_by_key(|one| one.row.key);
    Ok(all)
}
