//! What a source holds under a key: explained, not judged, or unexplained.

use super::examiner::Examiner;
use super::found::NAMED;
use super::held::HeldRow;
use super::judge::{self, Allowed, Explained, Writes};
use super::keys::{key_literals, last_write, row_literals, some_row};
use super::mixture::{Mixing, same_columns};
use crate::ledger::RowForm;
use crate::record::{Holder, Unexplained, UnexplainedRow, Unjudged, WhyUnjudged};

impl Examiner<'_> {
    /// Judges what a source holds. Gives whether a write that the policies deny is what is there.
    pub(super) fn source(&mut self, place: usize, key: u128, writes: &[Writes<'_>], row: Option<&HeldRow>) -> bool {
        let (source, table) = (&self.sources[place], RowForm::table_of(key));
        if row.is_none() && !source.whole {
            return false;
        }
        let mixing = Mixing::of(self.subject.target.merges_columns(), self.subject.plan, table);
        if let (Some(row), Holder::Database(database)) = (row, source.holder)
            && judge::is_own(writes, database, row, mixing)
        {
            return false;
        }
        let explained = judge::explain(writes, row.map(|row| (row.digest, row.bytes.as_slice())), mixing);
        let why = match explained {
            Explained::Yes => return false,
            Explained::Perhaps => WhyUnjudged::Policy,
            Explained::NotKept => WhyUnjudged::NotKept,
            Explained::Before | Explained::No => match self.others(key, explained == Explained::Before) {
                Some(why) => why,
                None if is_denied_and_there(writes, row) => return true,
                None if self.is_a_triggers(table, writes, row) => WhyUnjudged::Trigger,
                None => {
                    self.unexplained(source.holder, table, writes, row);
                    return false;
                }
            },
        };
        self.unjudged(table, why);
        false
    }

    /// Counts a key that is not judged.
    pub(super) fn unjudged(&mut self, table: usize, why: WhyUnjudged) {
        let table = self.subject.plan.tables[table].name.clone();
        let unjudged = &mut self.found.state.unjudged;
        match unjudged.iter_mut().find(|one| one.table == table && one.why == why) {
            Some(known) => known.keys += 1,
            None => unjudged.push(Unjudged { table, why, keys: 1 }),
        }
    }

    /// Who else may have written under a key. `before` says that what was there before the run may still be.
    pub(super) fn others(&self, key: u128, before: bool) -> Option<WhyUnjudged> {
        let plan = self.subject.plan;
        if before && plan.reuse {
            Some(WhyUnjudged::EarlierRun)
        } else if plan.has_admin_steps() {
            Some(WhyUnjudged::Admin)
        } else {
            self.schema.contains(&key).then_some(WhyUnjudged::Schema)
        }
    }

    /// Whether a trigger on the server may have made of a row what is there.
    pub(super) fn is_a_triggers(&self, table: usize, writes: &[Writes<'_>], row: Option<&HeldRow>) -> bool {
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
        kept.len() < plan.columns.len() && written.any(|state| same_columns(&state.bytes, &row.bytes, &kept))
    }

    pub(super) fn unexplained(&mut self, holder: Holder, table: usize, writes: &[Writes<'_>], row: Option<&HeldRow>) {
        let plan = &self.subject.plan.tables[table];
        let tables = &mut self.found.state.tables;
        let place = tables.iter().position(|one| one.table == plan.name).unwrap_or(tables.len());
        if place == tables.len() {
            tables.push(Unexplained { table: plan.name.clone(), total: 0, rows: Vec::new() });
        }
        tables[place].total += 1;
        if tables[place].rows.len() >= NAMED {
            return;
        }
        let found = UnexplainedRow {
            key: some_row(writes, row).map(|bytes| key_literals(plan, bytes)).unwrap_or_default(),
            holder,
            row: row.map(|row| row_literals(&row.bytes)),
            earlier: row.is_some_and(|row| writes.iter().any(|writes| writes.wrote(row.digest))),
            writes: writes.iter().filter_map(last_write).collect(),
        };
        self.found.state.tables[place].rows.push(found);
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
