//! What is there, held against what the databases wrote: no row is lost, changed or made up.

use super::{CheckResult, Finding, Hop, Outcome, RowState, Scene, TracedRow, databases, fates};
use crate::figure::counted;
use crate::record::{Holder, Holding, RowDifference, Unexplained, UnexplainedRow, Unjudged, WhyUnjudged};

impl Scene<'_> {
    /// Checks that every row is what a database last wrote there.
    pub(super) fn written(&self, result: &mut CheckResult) {
        let Some(written) = &self.state.written else {
            result.outcome = Outcome::NotChecked("what the databases wrote was not kept".to_owned());
            return;
        };
        result.notes.extend(written.unjudged.iter().map(unjudged));
        result.conclude(written.tables.iter().map(told).collect(), written.open.clone());
    }
}

fn unjudged(one: &Unjudged) -> String {
    let why = match one.why {
        WhyUnjudged::Altered => {
            return format!("the rows of {} were not held against what was written: it was altered", one.table);
        }
        WhyUnjudged::EarlierRun => "an earlier run may have written them",
        WhyUnjudged::Admin => "the scenario's SQL on the server may have written them",
        WhyUnjudged::Schema => "the schema's own SQL writes them",
        WhyUnjudged::Trigger => "a trigger may have written them on the server",
        WhyUnjudged::Policy => "a policy that depends on other rows may have denied the writes",
        WhyUnjudged::Filter => {
            "they were written on both sides of the table's filter, and what arrives then depends on when it is sent"
        }
        WhyUnjudged::NotKept => "a policy may have denied a write, and the states before were not kept",
    };
    format!("{} of {} could not be held against what was written: {why}", counted(one.keys, "row"), one.table)
}

fn told(table: &Unexplained) -> Finding {
    let rows: Vec<TracedRow> = table.rows.iter().map(traced).collect();
    let count = counted(table.total, "row");
    let place = table.rows.first().map_or_else(|| "the server".to_owned(), |row| place(row.holder));
    let state = rows.first().map(|row| row.state);
    let all_the_same = table.total == rows.len() as u64 && rows.iter().all(|row| Some(row.state) == state);
    let (are, have) = if table.total == 1 { ("is", "has") } else { ("are", "have") };
    let were = if table.total == 1 { "was" } else { "were" };
    let name = &table.table;
    let message = match state.filter(|_| all_the_same) {
        Some(RowState::Missing) => format!("{count} of {name} {were} acknowledged and {are} missing on {place}"),
        Some(RowState::Resurrected) => format!("{count} of {name} {were} deleted and {are} on {place} again"),
        Some(RowState::Phantom) => format!("{count} of {name} {are} on {place}, but no database wrote them"),
        Some(RowState::Stale) => {
            format!("{count} of {name} {are} on {place} in an earlier version, although later writes were acknowledged")
        }
        _ => format!("{count} of {name} on {place} {have} values other than those last written"),
    };
    Finding { message, total: table.total, fates: fates::in_words(&rows, table.total), rows }
}

fn place(holder: Holder) -> String {
    match holder {
        Holder::Database(index) => databases(&[index]),
        Holder::Server => "the server".to_owned(),
        Holder::Bootstrap => "the new database".to_owned(),
    }
}

fn traced(row: &UnexplainedRow) -> TracedRow {
    let deleted = row.writes.iter().all(|write| write.row.is_none());
    let place = place(row.holder);
    let writers: Vec<u32> = row.writes.iter().map(|write| write.database).collect();
    let last = row.writes.last();
    let phase = last.map(|write| write.phase.as_str()).unwrap_or_default();
    let (state, words) = match (&row.row, row.writes.is_empty()) {
        (Some(_), true) => (RowState::Phantom, format!("on {place}, but no database wrote it")),
        (Some(_), false) if deleted => {
            (RowState::Resurrected, format!("last deleted by {} in phase {phase}, but on {place}", databases(&writers)))
        }
        (Some(_), false) if row.earlier => {
            (RowState::Stale, format!("last written in phase {phase}, but an earlier version is on {place}"))
        }
        (Some(_), false) => {
            (RowState::Altered, format!("last written in phase {phase}, but {place} has values that nobody wrote"))
        }
        (None, _) => {
            (RowState::Missing, format!("last written in phase {phase}, sent and acknowledged, but not on {place}"))
        }
    };
    let of = match row.writes.as_slice() {
        [only] if only.iteration > 0 => format!("of database {}, iteration {}", only.database, only.iteration),
        [only] => format!("of database {}", only.database),
        _ => String::new(),
    };
    let holding = |holder, row: &Option<String>| Holding { holder, row: row.clone(), unsent: None };
    let mut holders: Vec<Holding> =
        row.writes.iter().map(|write| holding(Holder::Database(write.database), &write.row)).collect();
    holders.push(holding(row.holder, &row.row));
    let row = RowDifference {
        key: row.key.clone(),
        holders,
        tombstone: None,
        clocks: Vec::new(),
        writes: Some(row.writes.clone()),
    };
    let hop = if state == RowState::Missing { Hop::Acknowledged } else { Hop::Server };
    TracedRow { row, state, hop, of, words }
}
