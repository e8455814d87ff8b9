//! The walk through all keys, in one order: what everybody wrote, what is held, and what of it nothing explains.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::path::Path;

use super::super::subject::Subject;
use super::ask::ask;
use super::examiner::Examiner;
use super::filters::Side;
use super::found::Examined;
use super::held::{HeldRow, Source};
use super::judge::{self, Writes};
use crate::ledger::{Kept, Reading, RowForm};
use crate::record::{WhyUnjudged, WrittenState};

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
    for (place, _) in subject.plan.tables.iter().enumerate().filter(|(_, table)| table.altered) {
        examiner.unjudged(place, WhyUnjudged::Altered);
    }
    examiner.go_through()?;
    Ok(examiner.found)
}

impl Examiner<'_> {
    fn go_through(&mut self) -> io::Result<()> {
        let mut readings: Vec<Reading<'_>> = self.subject.ledgers.iter().map(Kept::read).collect::<io::Result<_>>()?;
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
                let mut entries = readings[place].take(key)?;
                heap.extend(readings[place].key().map(|key| Reverse((key, place))));
                let (database, ledger) = (&self.subject.plan.databases[place], &self.subject.ledgers[place]);
                while let Some(first) = entries.first().map(|entry| ledger.device(entry.segment)) {
                    let rest = entries.partition_point(|entry| ledger.device(entry.segment) == first);
                    let rest = entries.split_off(rest);
                    writes.push(Writes { database, ledger, entries, allowed: Vec::new() });
                    entries = rest;
                }
            }
            let held: Vec<Option<HeldRow>> = self.sources.iter_mut().map(|source| source.take(key)).collect();
            self.found.state.keys += 1;
            self.key(key, &mut writes, &held).map_err(io::Error::other)?;
            while let Some(one) = forbidden.next_if(|one| one.row.key == key) {
                self.forbidden(key, &writes, &held, &one);
            }
        }
    }

    /// One key: what was written there, and what each source holds.
    fn key(&mut self, key: u128, mut writes: &mut [Writes<'_>], held: &[Option<HeldRow>]) -> rusqlite::Result<()> {
        let table = RowForm::table_of(key);
        let filters = self.filters.as_ref();
        let side = filters.map(|filters| filters.side(&self.subject.plan.tables[table], writes)).transpose()?;
        match side {
            None | Some(Side::Inside) => {}
            // Nobody sent them: whoever holds a row here has it from nowhere.
            Some(Side::Outside) => writes = &mut [],
            Some(Side::Both) => {
                self.unjudged(table, WhyUnjudged::Filter);
                return Ok(());
            }
        }
        let trust = self.trust[table];
        let digest = |row: &Option<HeldRow>| row.as_ref().map(|row| row.digest);
        if held.iter().all(|row| judge::is_plain(writes, trust, digest(row))) && !held.is_empty() {
            return Ok(());
        }
        if let Some(policies) = &mut self.policies {
            ask(policies, table, trust, writes)?;
        }
        let mut arrived = false;
        for (place, row) in held.iter().enumerate() {
            arrived |= self.source(place, key, writes, row.as_ref());
        }
        if self.policies.is_some() {
            let row = held.first().and_then(Option::as_ref);
            self.attempts(table, writes, row, arrived);
            self.left_behind(key, table, writes, row)?;
        }
        Ok(())
    }
}
