//! Asking the policies about everything that was written under a key, given what the server may have had there.

use super::judge::{Allowed, Trust, Writes};
use super::mixture::Row;
use super::policies::Policies;
use crate::ledger::Entry;

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
        let after = row_of(entry).map_or_else(Vec::new, |row| {
            let merged = others.iter().copied().filter(|_| policies.merges_columns());
            [vec![row], different(merged, entry)].concat()
        });
        let (mut some, mut every) = (false, true);
        if let (Some(before), Some(after)) = (policies.mixtures(table, &before), policies.mixtures(table, &after)) {
            let absent = (entry.row.is_some() && (deleted || !there)).then_some(None);
            let befores = before.iter().map(|one| Some(one.row())).chain(absent);
            let deletion = entry.row.is_none().then_some(None);
            let afters: Vec<Option<Row<'_>>> = after.iter().map(|one| Some(one.row())).chain(deletion).collect();
            for before in befores {
                for after in &afters {
                    let allowed = policies.allow(table, own.database.user, before, *after)?;
                    some |= allowed;
                    every &= allowed;
                }
            }
        } else {
            (some, every) = (true, false);
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
