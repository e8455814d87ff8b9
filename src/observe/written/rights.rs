//! What the policies say about a key: attempts that arrived, what denied writes left behind, and rows that a database holds
//! against its user's select policy.

use super::behind::{Left, State, Whose};
use super::examiner::{Examiner, HeldForbidden};
use super::found::NAMED;
use super::held::HeldRow;
use super::judge::{self, Allowed, Trust, Writes};
use super::keys::{key_literals, row_literals, some_row};
use super::mixture::Mixing;
use crate::ledger::{Entry, RowForm};
use crate::record::{Attempt, ForbiddenRow, Holder, Operation};

impl Examiner<'_> {
    /// Counts the attempts of hostile phases, and names the denied ones.
    pub(super) fn attempts(&mut self, table: usize, writes: &[Writes<'_>], row: Option<&HeldRow>, arrived: bool) {
        for one in writes {
            for (entry, allowed) in one.entries.iter().zip(&one.allowed) {
                let here = arrived && *allowed == Allowed::Never && entry.digest() == row.map(|row| row.digest);
                if !one.ledger.is_hostile(entry.segment) && !here {
                    continue;
                }
                let denied = (*allowed == Allowed::Never).then(|| self.attempt(table, writes, row, (one, entry), here));
                let attempts = self.found.attempts.entry(one.database.index).or_default();
                attempts.allowed += u64::from(*allowed == Allowed::Always);
                attempts.doubtful += u64::from(*allowed == Allowed::Perhaps);
                attempts.denied.extend(denied);
            }
        }
    }

    /// A write that the policies deny, as the record keeps it.
    fn attempt(
        &self,
        table: usize,
        writes: &[Writes<'_>],
        row: Option<&HeldRow>,
        (one, entry): (&Writes<'_>, &Entry),
        here: bool,
    ) -> Attempt {
        let plan = &self.subject.plan.tables[table];
        let segment = &one.ledger.segments[entry.segment as usize];
        let bytes = entry.row.as_ref().map(|row| row.bytes.as_slice());
        Attempt {
            iteration: segment.iteration,
            phase: segment.phase.clone(),
            table: plan.name.clone(),
            operation: match (&entry.row, entry.found) {
                (None, _) => Operation::Delete,
                (Some(_), true) => Operation::Update,
                (Some(_), false) => Operation::Insert,
            },
            key: bytes.or(some_row(writes, row)).map(|bytes| key_literals(plan, bytes)).unwrap_or_default(),
            row: bytes.map(row_literals),
            arrived: self.server.then_some(here),
        }
    }

    /// Notes which databases may hold a denied write of their own instead of what is there.
    pub(super) fn left_behind(
        &mut self,
        key: u128,
        table: usize,
        writes: &[Writes<'_>],
        row: Option<&HeldRow>,
    ) -> rusqlite::Result<()> {
        for one in writes {
            let (Some(last), Some(allowed)) = (one.last(), one.allowed.last()) else { continue };
            // A logout deletes what the device left.
            if *allowed == Allowed::Always || one.ledger.was_logged_out(last.segment) {
                continue;
            }
            let user = one.database.user;
            if !self.server {
                self.found.behind.add(Whose::User(user), key, Left { state: State::Any, instead: None });
                continue;
            }
            if last.digest() == row.map(|row| row.digest) {
                continue;
            }
            let shown = match (row, &mut self.policies) {
                (Some(row), Some(policies)) => policies.shows(table, user, &row.bytes)?.then_some(row.digest),
                _ => None,
            };
            let of_server = match Mixing::of(self.subject.target.merges_columns(), self.subject.plan, table) {
                Mixing::Rows => None,
                Mixing::Columns(blocks) => row.map(|row| (row.bytes.clone(), blocks.to_vec())),
            };
            let state = match &last.row {
                Some(own) => State::Row { own: own.bytes.clone(), of_server },
                None => State::Gone,
            };
            let left = Left { state, instead: shown };
            self.found.behind.add(Whose::Database(one.database.index), key, left);
        }
        Ok(())
    }

    /// A row that a database holds against its user's select policy: written there, or come from elsewhere.
    pub(super) fn forbidden(
        &mut self,
        key: u128,
        writes: &[Writes<'_>],
        held: &[Option<HeldRow>],
        one: &HeldForbidden,
    ) {
        let table = RowForm::table_of(key);
        let mixing = Mixing::of(self.subject.target.merges_columns(), self.subject.plan, table);
        let own = judge::is_own(writes, one.database, &one.row, mixing);
        let unknown = writes.is_empty() && held.iter().all(Option::is_none);
        let excused = || self.others(key, true).is_some() || self.is_a_triggers(table, writes, Some(&one.row));
        if unknown && !excused() {
            self.unexplained(Holder::Database(one.database), table, writes, Some(&one.row));
        }
        let elsewhere = !own && !unknown;
        let leaked = elsewhere && matches!(self.trust[table], Trust::Lasting | Trust::Since(_));
        let forbidden = self.found.forbidden.entry((one.database, table)).or_default();
        forbidden.leaked += u64::from(leaked);
        forbidden.lapsed += u64::from(elsewhere && !leaked);
        if forbidden.named.iter().filter(|row| row.leaked == leaked).count() < NAMED {
            let plan = &self.subject.plan.tables[table];
            forbidden.named.push(ForbiddenRow {
                database: one.database,
                table: plan.name.clone(),
                key: key_literals(plan, &one.row.bytes),
                row: row_literals(&one.row.bytes),
                leaked,
            });
        }
    }
}
