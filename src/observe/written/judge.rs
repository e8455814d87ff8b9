//! One key: whether what is there is what somebody last wrote.

use std::ops::Range;

use super::held::HeldRow;
use super::mixture::is_mixture;
use super::policies::{Policies, Row};
use crate::ledger::{Entry, Kept};
use crate::plan::{DatabasePlan, Elsewhere, Plan};

/// What a database wrote under a key, in order. Never nothing.
pub(super) struct Writes<'a> {
    pub(super) database: &'a DatabasePlan,
    pub(super) ledger: &'a Kept,
    pub(super) entries: Vec<Entry>,
    /// What the policies say about each of them; empty until they are asked.
    pub(super) allowed: Vec<Allowed>,
}

/// What the policies say about a write, whatever the server had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Always,
    Never,
    /// It depends.
    Perhaps,
}

/// How far the policies of a table can be asked after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// There are none: everything is allowed.
    Free,
    /// Their answers depend on the row and the user only.
    Lasting,
    /// They depend on rows that the server had from this moment on as in the end, in microseconds since the run's start.
    Since(u64),
    /// They depend on what changed.
    None,
}

impl Trust {
    /// In a table of the plan. `since` says from when on the server had tables, named in lower case, as in the end.
    pub(super) fn of(plan: &Plan, table: usize, since: impl Fn(&[String]) -> Option<u64>) -> Self {
        match &plan.tables[table].policies_depend_on {
            _ if !plan.rls => Self::Free,
            // The rows of an earlier run are not known.
            _ if plan.reuse => Self::None,
            Elsewhere::Nothing => Self::Lasting,
            Elsewhere::Tables(tables) => since(tables).map_or(Self::None, Self::Since),
            Elsewhere::Anything => Self::None,
        }
    }

    /// Whether the policies answer about a write at a moment as they do now.
    fn holds_at(self, at: u64) -> bool {
        match self {
            Self::Free | Self::Lasting => true,
            Self::Since(moment) => at >= moment,
            Self::None => false,
        }
    }
}

impl Writes<'_> {
    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Whether the database itself wrote this row, or may have.
    pub(super) fn wrote(&self, digest: u128) -> bool {
        self.entries.iter().any(|entry| entry.digest() == Some(digest) || entry.elided)
    }

    /// Whether the server surely got this state, as far as no policy denied it: a send succeeded before the next one
    /// replaced it.
    fn is_acknowledged(&self, place: usize) -> bool {
        let next = self.entries.get(place + 1).map(|next| next.segment);
        self.ledger.is_acknowledged(self.entries[place].segment, next)
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.entries.iter().any(|entry| self.ledger.is_hostile(entry.segment))
    }

    /// The candidates, last first, and how the walks through the writes of each device that the database was ended.
    /// `lenient` takes for allowed what may have been.
    fn candidates(&self, lenient: bool) -> (Vec<&Entry>, End) {
        let device = |entry: &Entry| self.ledger.device(entry.segment);
        let (mut candidates, mut end, mut to) = (Vec::new(), End::Start, self.entries.len());
        for entries in self.entries.chunk_by(|one, next| device(one) == device(next)).rev() {
            let from = to - entries.len();
            let (of_device, ended) = self.candidates_among(from..to, lenient);
            candidates.extend(of_device);
            end = end.and(ended);
            to = from;
        }
        (candidates, end)
    }

    fn candidates_among(&self, places: Range<usize>, lenient: bool) -> (Vec<&Entry>, End) {
        let mut candidates = Vec::new();
        let mut end = End::Start;
        for place in places.rev() {
            let entry = &self.entries[place];
            // Without policies nobody asked.
            let allowed = match self.allowed.get(place).copied().unwrap_or(Allowed::Always) {
                Allowed::Perhaps if lenient => Allowed::Always,
                allowed => allowed,
            };
            if allowed != Allowed::Never {
                candidates.push(entry);
            }
            if allowed == Allowed::Always && self.is_acknowledged(place) {
                return (candidates, End::Certain);
            }
            if entry.elided {
                end = End::NotKept;
            }
        }
        (candidates, end)
    }
}

/// How the walk back through a database's writes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At a write that surely had an effect.
    Certain,
    /// At the first one.
    Start,
    /// At one before which some were not kept.
    NotKept,
}

impl End {
    /// The end of two walks together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotKept, _) | (_, Self::NotKept) => Self::NotKept,
            (Self::Certain, _) | (_, Self::Certain) => Self::Certain,
            (Self::Start, Self::Start) => Self::Start,
        }
    }
}

/// Whether something explains what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explained {
    /// A last write does.
    Yes,
    /// A last write does if a policy denied others, about which the policies cannot be asked.
    Perhaps,
    /// Nothing that is known does.
    No,
    /// Nothing that is known does, and what was there before the run may show.
    Before,
    /// States that were not kept may.
    NotKept,
}

/// Whether all last writes were surely taken and are what is there, and no policy needs to be asked.
pub(super) fn is_plain(writes: &[Writes<'_>], trust: Trust, held: Option<u128>) -> bool {
    let quiet = |writes: &Writes<'_>| {
        let last = writes
            .last()
            .is_some_and(|last| writes.ledger.is_acknowledged(last.segment, None) && last.digest() == held);
        last && !writes.is_hostile()
    };
    (trust == Trust::Free || held.is_none()) && !writes.is_empty() && writes.iter().all(quiet)
}

/// Whether what is there is explained. `columns` says that the target merges columns.
pub(super) fn explain(writes: &[Writes<'_>], held: Option<(u128, &[u8])>, columns: bool) -> Explained {
    let doubtful = writes.iter().any(|writes| writes.allowed.contains(&Allowed::Perhaps));
    match walk(writes, held, columns, false) {
        Explained::Yes if doubtful && walk(writes, held, columns, true) != Explained::Yes => Explained::Perhaps,
        explained => explained,
    }
}

fn walk(writes: &[Writes<'_>], held: Option<(u128, &[u8])>, columns: bool, lenient: bool) -> Explained {
    let walks: Vec<(Vec<&Entry>, End)> = writes.iter().map(|writes| writes.candidates(lenient)).collect();
    let from_start = walks.iter().all(|(_, end)| *end == End::Start);
    let candidates = || walks.iter().flat_map(|(candidates, _)| candidates.iter().copied());
    let explained = match held {
        None => from_start || candidates().any(|entry| entry.row.is_none()),
        Some((digest, row)) => {
            candidates().any(|entry| entry.digest() == Some(digest))
                || columns
                    && is_mixture(row, candidates().filter_map(|entry| Some(entry.row.as_ref()?.bytes.as_slice())))
        }
    };
    match explained {
        true => Explained::Yes,
        false if walks.iter().any(|(_, end)| *end == End::NotKept) => Explained::NotKept,
        false if from_start => Explained::Before,
        false => Explained::No,
    }
}

/// Whether a row that a database holds may be of its own making: a row that it wrote, or, where columns are merged, columns
/// of a write that the policies deny among columns of others.
pub(super) fn is_own(writes: &[Writes<'_>], database: u32, row: &HeldRow, columns: bool) -> bool {
    let Some(own) = writes.iter().find(|one| one.database.index == database) else { return false };
    let doubtful = || own.allowed.iter().any(|allowed| *allowed != Allowed::Always);
    let written = || writes.iter().flat_map(|one| &one.entries).filter_map(|entry| entry.row.as_ref());
    own.wrote(row.digest)
        || columns
            && doubtful()
            && written().all(|state| state.digest != row.digest)
            && is_mixture(&row.bytes, written().map(|state| state.bytes.as_slice()))
}

/// Asks the policies about everything that was written under a key.
pub(super) fn ask(
    policies: &mut Policies<'_>,
    table: usize,
    trust: Trust,
    writes: &mut [Writes<'_>],
) -> rusqlite::Result<()> {
    // A state that was left out may have been there, too.
    let gaps = writes.iter().any(|writes| writes.entries.iter().any(|entry| entry.elided && entry.row.is_none()));
    for place in 0..writes.len() {
        let allowed = if trust != Trust::None && !gaps {
            of_database(policies, table, trust, writes, place)?
        } else {
            vec![Allowed::Perhaps; writes[place].entries.len()]
        };
        writes[place].allowed = allowed;
    }
    Ok(())
}

fn of_database(
    policies: &mut Policies<'_>,
    table: usize,
    trust: Trust,
    writes: &[Writes<'_>],
    place: usize,
) -> rusqlite::Result<Vec<Allowed>> {
    let all = || writes.iter().flat_map(|writes| &writes.entries);
    let deleted = all().any(|entry| entry.row.is_none() || entry.elided);
    let others: Vec<&Entry> =
        writes.iter().enumerate().filter(|(other, _)| *other != place).flat_map(|(_, other)| &other.entries).collect();
    let own = &writes[place];
    let mut there = own.entries.first().is_some_and(|first| first.found);
    let mut answers = Vec::new();
    for (index, entry) in own.entries.iter().enumerate() {
        // What may be on the server when the write comes there: rows of others, own earlier ones, or nothing.
        let before = different(others.iter().copied().chain(&own.entries[..index]), entry);
        // What may come of the write: the row, or the columns of others in it.
        let mut after = different(others.iter().copied().filter(|_| policies.merges_columns()), entry);
        after.insert(0, row_of(entry).unwrap_or_default());
        let (mut some, mut every) = (false, true);
        match (policies.mixtures(table, &before), policies.mixtures(table, &after)) {
            (Some(before), Some(after)) => {
                let absent = (entry.row.is_some() && (deleted || !there)).then_some(None);
                let befores = before.iter().map(|one| Some(one.row())).chain(absent);
                let afters: Vec<Option<Row<'_>>> = match &entry.row {
                    Some(_) => after.iter().map(|one| Some(one.row())).collect(),
                    None => vec![None],
                };
                for before in befores {
                    for after in &afters {
                        let allowed = policies.allow(table, own.database.user, before, *after)?;
                        some |= allowed;
                        every &= allowed;
                    }
                }
            }
            _ => (some, every) = (true, false),
        }
        let at = own.ledger.segments.get(entry.segment as usize).map_or(0, |segment| segment.at);
        let answer = match (some, every) {
            _ if !trust.holds_at(at) => Allowed::Perhaps,
            (true, true) => Allowed::Always,
            (false, false) => Allowed::Never,
            // Also where nothing is known that could have been there.
            _ => Allowed::Perhaps,
        };
        there |= answer == Allowed::Always && entry.row.is_some() && own.is_acknowledged(index);
        answers.push(answer);
    }
    Ok(answers)
}

/// The rows among some entries that are not what another one left, one for each answer of the policies.
fn different<'e>(entries: impl Iterator<Item = &'e Entry>, other: &Entry) -> Vec<Row<'e>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for row in entries.filter(|entry| entry.digest() != other.digest()).filter_map(row_of) {
        if !rows.iter().any(|known| known.policy == row.policy) {
            rows.push(row);
        }
    }
    rows
}

fn row_of(entry: &Entry) -> Option<Row<'_>> {
    entry.row.as_ref().map(|row| Row { policy: entry.policy, bytes: &row.bytes })
}
