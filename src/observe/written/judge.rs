//! One key: whether what is there is what somebody last wrote.

use super::held::HeldRow;
use super::mixture::{Mixing, is_mixture};
use crate::ledger::{Entry, Kept};
use crate::plan::{DatabasePlan, Elsewhere, Plan};

/// What a database wrote under a key as one device, in order. Never nothing.
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
    pub(super) fn holds_at(self, at: u64) -> bool {
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
    pub(super) fn is_acknowledged(&self, place: usize) -> bool {
        let next = self.entries.get(place + 1).map(|next| next.segment);
        self.ledger.is_acknowledged(self.entries[place].segment, next)
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.entries.iter().any(|entry| self.ledger.is_hostile(entry.segment))
    }

    /// The candidates, last first, and how the walk ended. `lenient` takes for allowed what may have been.
    fn candidates(&self, lenient: bool) -> (Vec<&Entry>, End) {
        let mut candidates = Vec::new();
        let mut end = End::Start;
        for (place, entry) in self.entries.iter().enumerate().rev() {
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

/// Whether what is there is explained.
pub(super) fn explain(writes: &[Writes<'_>], held: Option<(u128, &[u8])>, mixing: Mixing<'_>) -> Explained {
    let doubtful = writes.iter().any(|writes| writes.allowed.contains(&Allowed::Perhaps));
    match walk(writes, held, mixing, false) {
        Explained::Yes if doubtful && walk(writes, held, mixing, true) != Explained::Yes => Explained::Perhaps,
        explained => explained,
    }
}

fn walk(writes: &[Writes<'_>], held: Option<(u128, &[u8])>, mixing: Mixing<'_>, lenient: bool) -> Explained {
    let walks: Vec<(Vec<&Entry>, End)> = writes.iter().map(|writes| writes.candidates(lenient)).collect();
    let from_start = walks.iter().all(|(_, end)| *end == End::Start);
    let candidates = || walks.iter().flat_map(|(candidates, _)| candidates.iter().copied());
    let explained = match held {
        None => from_start || candidates().any(|entry| entry.row.is_none()),
        Some((digest, row)) => {
            candidates().any(|entry| entry.digest() == Some(digest))
                || match mixing {
                    Mixing::Rows => false,
                    Mixing::Columns(blocks) => {
                        let rows = candidates().filter_map(|entry| Some(entry.row.as_ref()?.bytes.as_slice()));
                        is_mixture(row, rows, blocks, have_several_writers(writes))
                    }
                }
        }
    };
    match explained {
        true => Explained::Yes,
        false if walks.iter().any(|(_, end)| *end == End::NotKept) => Explained::NotKept,
        false if from_start => Explained::Before,
        false => Explained::No,
    }
}

/// Whether more than one device wrote a row: texts of one are never mixed.
fn have_several_writers(writes: &[Writes<'_>]) -> bool {
    writes.iter().filter(|one| one.entries.iter().any(|entry| entry.row.is_some())).count() > 1
}

/// Whether a row that a database holds may be of its own making: a row that it wrote, or, where columns are merged, columns
/// of a write that the policies deny among columns of others.
pub(super) fn is_own(writes: &[Writes<'_>], database: u32, row: &HeldRow, mixing: Mixing<'_>) -> bool {
    let own = || writes.iter().filter(|one| one.database.index == database);
    let doubtful = || own().any(|one| one.allowed.iter().any(|allowed| *allowed != Allowed::Always));
    let written = || writes.iter().flat_map(|one| &one.entries).filter_map(|entry| entry.row.as_ref());
    own().any(|one| one.wrote(row.digest))
        || match mixing {
            Mixing::Rows => false,
            Mixing::Columns(blocks) => {
                let rows = written().map(|state| state.bytes.as_slice());
                doubtful()
                    && written().all(|state| state.digest != row.digest)
                    && is_mixture(&row.bytes, rows, blocks, have_several_writers(writes))
            }
        }
}
