//! Keeping one database's ledger: segments as they end, merged as they pile up.

use std::io;
use std::path::Path;

use super::entry::Entry;
use super::form::RowForm;
use super::look::{Look, Source};
use super::page::{Page, Written};
use super::reading::Reading;
use super::run::{Files, Run};
use super::segment::Segment;
use crate::failure::RawError;
use crate::plan::Plan;
use crate::session::Session;

/// Runs of a level that are merged into one of the next.
const FAN: usize = 8;
/// What all databases together keep in memory of a level, about, and what each keeps at least and at most, in bytes.
const MEMORY: Share = Share { all: 8 * 1024 * 1024, least: 4 * 1024, most: 1024 * 1024 };
/// The same of what is being written.
const WRITING: Share = Share { all: 16 * 1024 * 1024, least: 64 * 1024, most: 4 * 1024 * 1024 };

/// A memory that all databases share.
struct Share {
    all: usize,
    least: usize,
    most: usize,
}

impl Share {
    /// What one of so many databases has of it, in bytes.
    fn of(&self, databases: usize) -> usize {
        (self.all / databases.max(1)).clamp(self.least, self.most)
    }
}

/// A database's ledger while its worker writes.
pub(crate) struct Keeper {
    page: Page,
    files: Files,
    /// The most bytes of a run in memory.
    limit: usize,
    /// The places of the tables of which every state is kept: on which side of a filter a row was, each says anew.
    whole: Vec<usize>,
    /// Whether the session tells of each write. Otherwise its rows are looked at before and after a phase.
    hears: bool,
    sources: Vec<Source>,
    /// The rows as they were last, unless others have changed them since.
    looked: Option<Look>,
    kept: Kept,
}

/// A database's ledger.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Its segments, in order.
    pub(crate) segments: Vec<Segment>,
    /// After how many of them a send succeeded, and when, in ascending order.
    acknowledged: Vec<(u32, u64)>,
    /// When it was logged out, in order.
    logouts: Vec<Logout>,
    /// Up to which of them the server said that it could not store something.
    refused: u32,
    runs: Vec<Run>,
    /// Why it is not whole.
    pub(crate) broken: Option<String>,
}

/// A logout: what was written before it and not acknowledged by then is not sent any more.
#[derive(Debug, Clone, Copy)]
struct Logout {
    /// After how many segments.
    segments: u32,
    /// After how many acknowledgements.
    acknowledged: usize,
}

impl Kept {
    /// A ledger without its entries, for the tests of what is made of it.
    #[cfg(test)]
    pub(crate) fn of(segments: Vec<Segment>, acknowledged: Vec<(u32, u64)>) -> Self {
        Self { segments, acknowledged, ..Self::default() }
    }

    /// Reads its entries.
    pub(crate) fn read(&self) -> io::Result<Reading<'_>> {
        Reading::of(&self.runs, &self.segments)
    }

    /// Whether the server surely got the state in which a segment left a key, as far as no policy denied it. `next` is the
    /// next segment of the database that wrote the key.
    pub(crate) fn is_acknowledged(&self, segment: u32, next: Option<u32>) -> bool {
        let any_state = self.segments.get(segment as usize).is_none_or(|segment| segment.any_state);
        let sent = self.sent(segment).is_some_and(|(sent, _)| next.is_none_or(|next| sent <= next));
        sent && segment >= self.refused && !any_state
    }

    /// When the server surely had what a segment wrote.
    pub(crate) fn acknowledged_at(&self, segment: u32) -> Option<u64> {
        self.sent(segment).map(|(_, at)| at).filter(|_| segment >= self.refused)
    }

    /// The first send after a segment that succeeded.
    fn sent(&self, segment: u32) -> Option<(u32, u64)> {
        let after = self.acknowledged.partition_point(|(sent, _)| *sent <= segment);
        let logout = self.logouts.iter().find(|logout| segment < logout.segments);
        self.acknowledged.get(after).copied().filter(|_| logout.is_none_or(|logout| after < logout.acknowledged))
    }

    /// Of how many devices the database had been one after another when it wrote a segment: a logout makes it a new one,
    /// which knows nothing of what the former wrote.
    pub(crate) fn device(&self, segment: u32) -> usize {
        self.logouts.partition_point(|logout| logout.segments <= segment)
    }

    /// Whether the database was logged out after a segment.
    pub(crate) fn was_logged_out(&self, segment: u32) -> bool {
        self.device(segment) < self.logouts.len()
    }

    /// The database was logged out.
    fn log_out(&mut self) {
        let segments = u32::try_from(self.segments.len()).unwrap_or(u32::MAX);
        self.logouts.push(Logout { segments, acknowledged: self.acknowledged.len() });
    }

    /// Whether a segment's writes are attempts against the policies.
    pub(crate) fn is_hostile(&self, segment: u32) -> bool {
        self.segments.get(segment as usize).is_some_and(|segment| segment.hostile)
    }

    /// Leaves out what a later state of the same database has surely replaced.
    fn elide(&self, entries: &mut Vec<Entry>) {
        if !self.logouts.is_empty() {
            // A write of a new device does not surely replace what the former one wrote.
            return;
        }
        let replaces = |place: &usize| {
            let (entry, next) = (&entries[*place], entries.get(place + 1).map(|next| next.segment));
            self.is_acknowledged(entry.segment, next) && !self.is_hostile(entry.segment)
        };
        let Some(last) = (0..entries.len()).rev().find(replaces) else { return };
        let (found, policy, deleted) = (entries[0].found, entries[last].policy, entries[last].row.is_none());
        let (mut place, mut kept) = (0, 0);
        entries.retain(|entry| {
            let earlier = place < last;
            place += 1;
            // A policy may have let one pass and not the other.
            let keep =
                !earlier || self.is_hostile(entry.segment) || !deleted && entry.row.is_some() && entry.policy != policy;
            kept += usize::from(earlier && keep);
            keep
        });
        if kept < last {
            (entries[kept].found, entries[kept].elided) = (found, true);
        }
    }
}

impl Keeper {
    /// Of a database, counted from 1. Files are kept in `directory`, which exists.
    pub(crate) fn new(plan: &Plan, directory: &Path, database: u32) -> Self {
        Self::with_memory(plan, directory, database, WRITING.of(plan.databases.len()))
    }

    /// The same, with so many bytes for what is being written.
    pub(crate) fn with_memory(plan: &Plan, directory: &Path, database: u32, writing: usize) -> Self {
        let files = Files::new(directory, database);
        Self {
            page: Page::new(&plan.tables, files.clone(), writing),
            files,
            limit: MEMORY.of(plan.databases.len()),
            whole: (0..plan.tables.len()).filter(|place| plan.tables[*place].filter.is_some()).collect(),
            hears: false,
            sources: Source::all(&plan.tables),
            looked: None,
            kept: Kept::default(),
        }
    }

    /// Has a session tell what it writes, if it can.
    pub(crate) fn listen(&mut self, session: &mut Session) {
        self.hears = session.hear_writes(self.page.ear());
    }

    /// A phase's SQL is about to run: where nobody hears of its writes, the rows are looked at.
    pub(crate) fn look_before(&mut self, session: &Session) {
        if self.hears || self.looked.is_some() || self.kept.broken.is_some() {
            return;
        }
        let looked = Look::at(session, &self.sources);
        self.looked = self.seen(looked);
    }

    /// A phase's SQL has run.
    pub(crate) fn look_after(&mut self, session: &Session) {
        let Some(looked) = self.looked.take() else { return };
        let looked = looked.compare(session, &self.sources, &self.page);
        self.looked = self.seen(looked);
    }

    /// Others may have changed the rows.
    pub(crate) fn forget_look(&mut self) {
        self.looked = None;
    }

    fn seen(&mut self, looked: Result<Look, RawError>) -> Option<Look> {
        looked.map_err(|error| self.break_off(&io::Error::other(error.message))).ok()
    }

    /// What is being written at the moment.
    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    /// A phase's SQL begins.
    pub(crate) fn open(&mut self, segment: Segment) {
        self.page.open(self.next(), segment.any_state);
        self.kept.segments.push(segment);
    }

    /// The phase's SQL has ended.
    pub(crate) fn close(&mut self) {
        let written = self.page.close(self.limit);
        if self.kept.broken.is_some() {
            written.into_iter().flatten().for_each(|piece| piece.run.discard());
            return;
        }
        if let Err(error) = written.and_then(|written| self.add(written)) {
            self.break_off(&error);
        }
    }

    /// The ledger cannot be kept any more.
    fn break_off(&mut self, error: &io::Error) {
        self.kept.broken = Some(error.to_string());
        self.kept.runs.drain(..).for_each(Run::discard);
    }

    /// A send was answered, and nothing failed. `now` is in microseconds since the run's start.
    pub(crate) fn acknowledge(&mut self, now: u64) {
        let next = self.next();
        if self.kept.acknowledged.last().is_none_or(|(last, _)| *last != next) {
            self.kept.acknowledged.push((next, now));
        }
    }

    /// A send was answered, and the server says that something failed there.
    pub(crate) fn refuse(&mut self) {
        self.kept.refused = self.next();
    }

    /// The database was logged out.
    pub(crate) fn log_out(&mut self) {
        self.kept.log_out();
    }

    /// The ledger, when the work is done, or when its worker crashed within it.
    pub(crate) fn finish(mut self, crashed: bool) -> Kept {
        if crashed {
            self.kept.broken.get_or_insert_with(|| "its worker crashed".to_owned());
        }
        // All ledgers are read at once, and each file that is read takes a descriptor.
        if self.kept.runs.iter().filter(|run| run.is_in_file()).count() > 1
            && let Err(error) = self.merge(self.kept.runs.len())
        {
            self.break_off(&error);
        }
        self.kept
    }

    fn next(&self) -> u32 {
        u32::try_from(self.kept.segments.len()).unwrap_or(u32::MAX)
    }

    fn add(&mut self, written: Vec<Written>) -> io::Result<()> {
        for Written { run, tables } in written {
            if let Some(segment) = self.kept.segments.last_mut() {
                segment.tables.extend(tables);
            }
            self.kept.runs.push(run);
            while self.is_piled_up() {
                self.merge(FAN)?;
            }
        }
        Ok(())
    }

    fn is_piled_up(&self) -> bool {
        let runs = &self.kept.runs;
        let last = runs.len().checked_sub(FAN).map(|first| &runs[first..]);
        last.is_some_and(|last| last.iter().all(|run| run.level == last[0].level))
    }

    /// Merges so many of the last runs into one.
    fn merge(&mut self, count: usize) -> io::Result<()> {
        let runs = self.kept.runs.split_off(self.kept.runs.len() - count);
        let level = runs[0].level + 1;
        let memory: usize = runs.iter().map(Run::memory).sum();
        let to_file = runs.iter().any(Run::is_in_file) || memory > self.limit;
        let (kept, whole) = (&self.kept, &self.whole);
        let mut reading = Reading::of(&runs, &kept.segments)?;
        let mut waiting = Vec::new().into_iter();
        let entries = std::iter::from_fn(|| {
            if waiting.len() == 0 {
                let key = reading.key()?;
                let mut entries = match reading.take(key) {
                    Ok(entries) => entries,
                    Err(error) => return Some(Err(error)),
                };
                if to_file && !whole.contains(&RowForm::table_of(key)) {
                    kept.elide(&mut entries);
                }
                waiting = entries.into_iter();
            }
            waiting.next().map(Ok)
        });
        let merged =
            if to_file { Run::in_file(level, self.files.next(), entries)? } else { Run::in_memory(level, entries)? };
        runs.into_iter().for_each(Run::discard);
        self.kept.runs.push(merged);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_a_logout_lost_is_acknowledged_by_no_later_send() {
        let mut kept = Kept::of(Vec::new(), Vec::new());
        let segment = || Segment {
            iteration: 1,
            phase: "insert".to_owned(),
            at: 0,
            setup: false,
            hostile: false,
            any_state: false,
            tables: BTreeSet::new(),
        };
        // Sent, then one that is not, then a logout, then one that is sent.
        kept.segments = vec![segment(), segment()];
        kept.acknowledged.push((1, 10));
        kept.log_out();
        kept.segments.push(segment());
        kept.acknowledged.push((3, 20));
        let sent: Vec<bool> = (0..3).map(|segment| kept.is_acknowledged(segment, None)).collect();
        assert_eq!(sent, [true, false, true]);
        assert_eq!([0, 1, 2].map(|segment| kept.device(segment)), [0, 0, 1]);
        assert_eq!([0, 1, 2].map(|segment| kept.was_logged_out(segment)), [true, true, false]);
    }
}
