//! Isolation: no database holds, or ever received, a row that the select policy of its user forbids.

use std::collections::BTreeMap;

use super::{CheckResult, Finding, Hop, Outcome, RowState, Scene, TracedRow};
use crate::figure::{self, counted};
use crate::record::{DatabaseState, FinalState, Holder, Holding, Leak, Record, RowDifference, TableState};

/// The maximum number of keys in a finding about received rows.
const NAMED: usize = 5;

impl Scene<'_> {
    /// Checks that no database holds a row that its user's policy forbids and that it received from the server.
    pub(super) fn isolation(&self, result: &mut CheckResult) {
        if !self.plan.rls {
            result.outcome = Outcome::NotChecked("the run has no row-level security".to_owned());
            return;
        }
        let mut findings = Vec::new();
        let (mut stayed, mut lapsed) = (0, 0);
        let mut open = None;
        for database in self.databases() {
            for table in database.tables.iter().filter(|table| table.forbidden > 0) {
                let leaked = table.leaked.unwrap_or_else(|| listed(self.state, database, table));
                if leaked > 0 {
                    findings.push(self.held(database, table, leaked));
                }
                match table.leaked {
                    Some(leaked) => {
                        stayed += table.forbidden.saturating_sub(leaked).saturating_sub(table.lapsed);
                        lapsed += table.lapsed;
                    }
                    None => open = open.or_else(|| Some(unexamined(database, table))),
                }
            }
        }
        findings.extend(seen(self.record));
        let (taken, unseen) = self.hostile(result);
        findings.extend(taken);
        open = open.or(unseen);
        result.notes.extend(self.watched());
        if lapsed > 0 {
            result.notes.push(format!(
                "{} that users must not see may have been allowed when they came: the policy depends on rows that changed",
                counted(lapsed, "row")
            ));
        }
        if stayed > 0 {
            let (were, stay, exist) = if stayed == 1 { ("was", "stays", "exists") } else { ("were", "stay", "exist") };
            result.notes.push(if findings.is_empty() {
                let rows = counted(stayed, "row");
                format!("{rows} written for other users {were} rejected by the server and {stay} in the local database")
            } else {
                // A leaked row may since have been deleted at its origin.
                let rows = counted(stayed, "more forbidden row");
                format!("{rows} {were} written locally, or no longer {exist} elsewhere")
            });
        }
        result.conclude(findings, self.unread_databases().or(open));
    }

    /// The number of receives after which the received rows were checked.
    fn watched(&self) -> Option<String> {
        let workers = &self.record.workers;
        let watched = workers.iter().map(|worker| worker.watched).fold(0, u64::saturating_add);
        let all = workers.iter().flat_map(|worker| &worker.events).filter(|event| event.step.receives()).count();
        let looked = format!(
            "received rows were checked after {} of {}",
            figure::thousands(watched),
            counted(all as u64, "receive")
        );
        (watched > 0).then_some(looked)
    }

    fn held(&self, database: &DatabaseState, table: &TableState, leaked: u64) -> Finding {
        let rows = self.state.forbidden.iter().filter(|row| row.leaked && of(database, table, row));
        let rows = rows.map(|row| TracedRow {
            row: RowDifference {
                key: row.key.clone(),
                holders: vec![Holding {
                    holder: Holder::Database(database.database),
                    row: Some(row.row.clone()),
                    unsent: None,
                }],
                tombstone: None,
                clocks: Vec::new(),
                writes: None,
            },
            state: RowState::Leaked,
            hop: Hop::Server,
            of: String::new(),
            words: format!("in database {}, whose user must not see this row", database.database),
        });
        let message = format!(
            "database {} holds {} of {} that the select policy of its user{} forbids",
            database.database,
            counted(leaked, "row"),
            table.table,
            self.user_of(database.database),
        );
        Finding { message, total: leaked, fates: Vec::new(), rows: rows.collect() }
    }
}

fn of(database: &DatabaseState, table: &TableState, row: &crate::record::ForbiddenRow) -> bool {
    row.database == database.database && row.table == table.table
}

/// The number of leaked rows in the record, for records without a count of their own.
fn listed(state: &FinalState, database: &DatabaseState, table: &TableState) -> u64 {
    state.forbidden.iter().filter(|row| row.leaked && of(database, table, row)).count() as u64
}

/// The reason for a table with forbidden rows whose origin was not examined.
fn unexamined(database: &DatabaseState, table: &TableState) -> String {
    format!(
        "database {} holds {} of {} that its user must not see, but their origin is unknown",
        database.database,
        counted(table.forbidden, "row"),
        table.table,
    )
}

/// The received rows that the policy forbids, whether they were still there at the end or not. One finding per database
/// and table.
pub(super) fn seen(record: &Record) -> Vec<Finding> {
    let mut leaks: BTreeMap<(u32, &str), Vec<&Leak>> = BTreeMap::new();
    for worker in &record.workers {
        for leak in &worker.leaks {
            leaks.entry((worker.database, &leak.table)).or_default().push(leak);
        }
    }
    leaks.into_iter().map(|((database, table), leaks)| told(database, table, &leaks)).collect()
}

fn told(database: u32, table: &str, leaks: &[&Leak]) -> Finding {
    let total = leaks.iter().map(|leak| leak.after.saturating_sub(leak.before)).fold(0, u64::saturating_add);
    let mut places: Vec<String> = Vec::new();
    for leak in leaks {
        let place = match leak.iteration {
            0 => leak.phase.clone(),
            iteration => format!("iteration {iteration} ({})", leak.phase),
        };
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let more = places.len().saturating_sub(NAMED);
    places.truncate(NAMED);
    if more > 0 {
        places.push(format!("{more} more"));
    }
    let mut keys: Vec<&str> = leaks.iter().flat_map(|leak| &leak.keys).map(String::as_str).collect();
    keys.dedup();
    keys.truncate(NAMED);
    let which = if keys.is_empty() { String::new() } else { format!(", among them {}", keys.join("; ")) };
    let message = format!(
        "database {database} received {} of {table} that the select policy of its user forbids, in {}{which}",
        counted(total, "row"),
        figure::list(&places),
    );
    Finding { message, total, fates: Vec::new(), rows: Vec::new() }
}
