//! What happened to a row that differs between holders: its state, the last hop where it was seen, and its writer, in
//! words. Only facts of the record count: a write whose send failed is indeterminate, not lost.

use super::traced::{Hop, RowState, TracedRow};
use super::{Scene, databases};
use crate::figure::counted;
use crate::record::{CellClock, Event, Holder, LastWrite, RowDifference, StepKind};

/// The writer that a row's key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Writer {
    database: u32,
    iteration: Option<u64>,
}

impl Writer {
    /// Reads the default id, `'db3_r12_7'`; or `'db3_r7'` for rows outside iterations.
    fn of(key: &str) -> Option<Self> {
        let id = key.strip_prefix("'db")?;
        let id = &id[..id.find('\'')?];
        let (database, rest) = id.split_once("_r")?;
        let (iteration, row) = rest.split_once('_').map_or((None, rest), |(iteration, row)| (Some(iteration), row));
        row.parse::<u64>().ok()?;
        let iteration = iteration.map(str::parse).transpose().ok()?;
        Some(Self { database: database.parse().ok()?, iteration })
    }
}

/// A row in one database.
#[derive(Clone, Copy)]
struct Copy<'a> {
    database: u32,
    row: Option<&'a str>,
    /// Whether the database still has to send its change of the row, if known.
    unsent: Option<bool>,
}

/// A row on the server.
#[derive(Clone, Copy)]
enum OnServer<'a> {
    /// The server was not read.
    Unknown,
    Absent,
    Present(&'a str),
}

/// A row with everything that the record says about it.
struct Case<'a> {
    scene: &'a Scene<'a>,
    copies: Vec<Copy<'a>>,
    server: OnServer<'a>,
    tombstone: Option<bool>,
    clocks: &'a [CellClock],
    /// The last write of each database under the key, where that is known.
    writes: Option<&'a [LastWrite]>,
    writer: Option<Writer>,
    /// The time at which its writer had written it; `None` if it never did.
    written: Option<u64>,
}

type Fate = (RowState, Hop, String);

/// Finds out what happened to a row; `others` are the other differing rows.
pub(super) fn trace(scene: &Scene<'_>, row: &RowDifference, others: &[RowDifference]) -> TracedRow {
    let case = Case::new(scene, row);
    let (mut state, hop, mut words) = case.fate();
    if state == RowState::Phantom && others.iter().any(|other| says_the_same(row, other)) {
        (state, words) = (RowState::Duplicated, format!("{words}; its values are those of another row"));
    }
    let of = match case.writer {
        Some(Writer { database, iteration: Some(iteration) }) if iteration > 0 => {
            format!("of database {database}, iteration {iteration}")
        }
        Some(Writer { database, .. }) => format!("of database {database}"),
        None => String::new(),
    };
    TracedRow { row: row.clone(), state, hop, of, words }
}

/// Whether another row has the same values, apart from the key.
fn says_the_same(row: &RowDifference, other: &RowDifference) -> bool {
    let values = |row: &RowDifference| -> Option<String> {
        let text = row.holders.iter().find_map(|held| held.row.as_ref())?;
        text.strip_prefix(&row.key).filter(|rest| !rest.is_empty()).map(str::to_owned)
    };
    row.key != other.key && values(row).is_some_and(|own| values(other) == Some(own))
}

impl<'a> Case<'a> {
    fn new(scene: &'a Scene<'a>, row: &'a RowDifference) -> Self {
        let mut copies = Vec::new();
        let mut server = OnServer::Unknown;
        for held in &row.holders {
            match held.holder {
                Holder::Database(database) => {
                    let whole = scene.state.databases.iter().find(|state| state.database == database);
                    let unsent = held.unsent.or_else(|| whole.and_then(|state| state.unsent));
                    copies.push(Copy { database, row: held.row.as_deref(), unsent });
                }
                Holder::Server => server = held.row.as_deref().map_or(OnServer::Absent, OnServer::Present),
                Holder::Bootstrap => {}
            }
        }
        let known = |writer: &Writer| scene.record.workers.iter().any(|worker| worker.database == writer.database);
        let last = row.writes.as_deref();
        let named = || Writer::of(&row.key).filter(known);
        let writer = match last {
            Some([only]) => Some(Writer { database: only.database, iteration: Some(only.iteration) }),
            Some(_) | None => named(),
        };
        let (tombstone, clocks) = (row.tombstone, row.clocks.as_slice());
        let mut case = Self { scene, copies, server, tombstone, clocks, writes: last, writer, written: None };
        case.written = writer.and_then(|writer| case.written_at(writer));
        case
    }

    fn events(&self, database: u32) -> impl Iterator<Item = &'a Event> {
        let worker = self.scene.record.workers.iter().find(|worker| worker.database == database);
        worker.into_iter().flat_map(|worker| &worker.events)
    }

    fn written_at(&self, writer: Writer) -> Option<u64> {
        let changes = |event: &&Event| {
            event.step.writes_rows()
                && event.rows > 0
                && writer.iteration.is_none_or(|iteration| event.iteration == iteration)
        };
        self.events(writer.database).find(changes).map(|event| event.at.saturating_add(event.took))
    }

    /// The sends of a database since a moment: the number of acknowledged ones, and the number of failed ones.
    fn sends(&self, database: u32, since: u64) -> (usize, usize) {
        let sends = |event: &&Event| event.step.sends() && event.at >= since;
        let (good, bad): (Vec<&Event>, Vec<&Event>) =
            self.events(database).filter(sends).partition(|event| event.failures.is_empty());
        (good.len(), bad.len())
    }

    /// Whether a database that lacks the row once had it and deleted it. A delete phase alone proves nothing: the row may
    /// not have arrived by then. The writer certainly had the row; for other databases, only a clock is proof.
    fn had_it_and_deleted_it(&self, database: u32) -> bool {
        let dead = self.clocks.iter().any(|clock| clock.database == database && clock.is_of_a_dead_row());
        if let Some(writes) = self.writes {
            return dead || writes.iter().any(|write| write.database == database && write.row.is_none());
        }
        let deletes = |event: &Event, since| event.step == StepKind::Delete && event.rows > 0 && event.at >= since;
        let wrote = self.writer.filter(|writer| writer.database == database).and(self.written);
        wrote.is_some_and(|since| self.events(database).any(|event| deletes(event, since))) || dead
    }

    /// Whether the server remembers that the row was deleted. Under row-level security, it also remembers there which
    /// users may no longer see a row that still exists.
    fn is_remembered_as_deleted(&self) -> bool {
        self.tombstone == Some(true) && !self.scene.plan.rls
    }

    /// Whether no database wrote the row. In reused databases, it may be from an earlier run.
    fn nobody_wrote_it(&self) -> bool {
        if let Some(writes) = self.writes {
            return writes.is_empty() && !self.scene.plan.reuse && !self.scene.plan.has_admin_steps();
        }
        self.writer.is_some() && self.written.is_none() && !self.scene.plan.reuse
    }

    fn those(&self, fits: impl Fn(&Copy<'_>) -> bool) -> Vec<u32> {
        self.copies.iter().filter(|copy| fits(copy)).map(|copy| copy.database).collect()
    }

    /// The databases that hold the row and still have to send it.
    fn waiting(&self) -> Vec<u32> {
        self.those(|copy| copy.row.is_some() && copy.unsent == Some(true))
    }

    /// The number of databases that hold the row as the server does or, if the server was not read, at all.
    fn received(&self) -> Hop {
        let as_it_should_be = |copy: &Copy<'_>| match self.server {
            OnServer::Present(row) => copy.row == Some(row),
            OnServer::Absent | OnServer::Unknown => copy.row.is_some(),
        };
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Hop::Received { by: count(self.those(as_it_should_be).len()), of: count(self.copies.len()) }
    }

    fn fate(&self) -> Fate {
        let holding = self.those(|copy| copy.row.is_some());
        let lacking = self.those(|copy| copy.row.is_none());
        match self.server {
            OnServer::Absent => self.not_on_server(&holding),
            OnServer::Present(_) | OnServer::Unknown if !lacking.is_empty() => self.not_received(&lacking),
            OnServer::Present(row) => self.differing(Some(row)),
            OnServer::Unknown => self.differing(None),
        }
    }

    /// The fate of a row that the server does not hold.
    fn not_on_server(&self, holding: &[u32]) -> Fate {
        let names = databases(holding);
        if self.nobody_wrote_it() {
            return (RowState::Phantom, self.received(), format!("in {names}, but no database wrote it"));
        }
        let waiting = self.waiting();
        if !waiting.is_empty() {
            return not_sent(&waiting);
        }
        if self.tombstone == Some(true) {
            return (RowState::Stale, self.received(), format!("deleted on the server, but still in {names}"));
        }
        let writer = self.writer.map(|writer| writer.database);
        let origin = match (writer, holding) {
            (Some(writer), _) if holding.contains(&writer) => Some(writer),
            (None, [only]) => Some(*only),
            _ => None,
        };
        if let Some(origin) = origin {
            let said = self.copies.iter().any(|copy| copy.database == origin && copy.unsent == Some(false));
            match self.sends(origin, self.written.unwrap_or(0)) {
                (0, 0) => return (RowState::Indeterminate, Hop::Written, format!("never sent by database {origin}")),
                (0, failed) if !said => {
                    let words =
                        format!("written, but {} of database {origin} failed since", counted(failed as u64, "send"));
                    return (RowState::Indeterminate, Hop::Written, words);
                }
                _ => {}
            }
        }
        let elsewhere = holding.iter().any(|database| origin.is_none_or(|origin| origin != *database));
        if elsewhere {
            let Hop::Received { by, of } = self.received() else {
                return (RowState::Missing, Hop::Server, format!("in {names}, but not on the server"));
            };
            let words = format!("received by {by} of {of} databases, but not on the server");
            return (RowState::Missing, self.received(), words);
        }
        (RowState::Missing, Hop::Acknowledged, "sent and acknowledged, but not on the server".to_owned())
    }

    /// The fate of a row that some databases lack, and that the server holds or was not read for.
    fn not_received(&self, lacking: &[u32]) -> Fate {
        let names = databases(lacking);
        let place = match self.server {
            OnServer::Present(_) | OnServer::Absent => "on the server",
            OnServer::Unknown => "in other databases",
        };
        if self.nobody_wrote_it() {
            return (RowState::Phantom, Hop::Server, format!("{place}, but no database wrote it"));
        }
        // Where the server was not read, it may lack the row for the same reason.
        let (holding, unsent) = (self.those(|copy| copy.row.is_some()), self.waiting());
        if matches!(self.server, OnServer::Unknown) && !unsent.is_empty() && unsent == holding {
            return not_sent(&unsent);
        }
        let waiting = self.those(|copy| copy.row.is_none() && copy.unsent == Some(true));
        if !waiting.is_empty() {
            let words = format!("deleted, but the deletion was not sent yet by {}", databases(&waiting));
            return (RowState::Indeterminate, Hop::Server, words);
        }
        let deleted = self.those(|copy| copy.row.is_none() && self.had_it_and_deleted_it(copy.database));
        if !deleted.is_empty() {
            let words = format!("deleted in {}, but {place} again", databases(&deleted));
            return (RowState::Resurrected, self.received(), words);
        }
        if self.is_remembered_as_deleted() && matches!(self.server, OnServer::Present(_)) {
            let words = format!("deleted on the server, but there again, and not in {names}");
            return (RowState::Resurrected, self.received(), words);
        }
        let stuck = |database: &&u32| {
            let settle = self.scene.record.settle.as_ref();
            settle.is_some_and(|settle| settle.stuck.iter().any(|stuck| stuck.database == **database))
        };
        let late: Vec<u32> = lacking.iter().filter(stuck).copied().collect();
        if late == lacking {
            let words = format!("{place}, but {names} {} not quiet yet", if late.len() == 1 { "was" } else { "were" });
            return (RowState::Indeterminate, self.received(), words);
        }
        let hop = self.received();
        let count = match hop {
            Hop::Received { by, of } => format!(" (received by {by} of {of})"),
            Hop::Written | Hop::Acknowledged | Hop::Server => String::new(),
        };
        (RowState::Missing, hop, format!("{place}, but not received by {names}{count}"))
    }

    /// The fate of a row that all databases hold, with different values; or that only a new database lacks.
    fn differing(&self, server: Option<&str>) -> Fate {
        let Some(first) = self.copies.first().and_then(|copy| copy.row) else {
            return (RowState::Missing, Hop::Server, "on the server only".to_owned());
        };
        let reference = server.unwrap_or(first);
        let other = self.those(|copy| copy.row != Some(reference));
        let waiting = self.those(|copy| copy.row != Some(reference) && copy.unsent == Some(true));
        if !waiting.is_empty() {
            let words = format!("changed, but the change was not sent yet by {}", databases(&waiting));
            return (RowState::Indeterminate, Hop::Written, words);
        }
        if other.is_empty() {
            let words = "the same in all databases, but a new database does not hold it in this form".to_owned();
            return (RowState::Missing, self.received(), words);
        }
        let have = if other.len() == 1 { "has" } else { "have" };
        let words = match server {
            Some(_) if other.len() == self.copies.len() && self.copies.iter().all(|copy| copy.row == Some(first)) => {
                "the server's value differs from that of all databases".to_owned()
            }
            Some(_) if self.writer.is_some_and(|writer| other == [writer.database]) => {
                "changed by its writer, sent and acknowledged, but the server has a different value".to_owned()
            }
            Some(_) => format!("{} {have} a different value from the server", databases(&other)),
            None => format!(
                "{} {have} a different value from {}",
                databases(&other),
                databases(&self.those(|copy| copy.row == Some(first)))
            ),
        };
        (RowState::Stale, self.received(), words)
    }
}

/// The fate of a row that these databases still have to send.
fn not_sent(waiting: &[u32]) -> Fate {
    (RowState::Indeterminate, Hop::Written, format!("not sent yet by {}", databases(waiting)))
}

#[cfg(test)]
mod tests {
    use super::super::fates::{clocks, in_words};
    use super::*;
    use crate::failure::{Failure, FailureKind, Side};
    use crate::fixture::{plan, record};
    use crate::plan::Plan;
    use crate::record::{Holding, Record, Stuck};

    const ROW: &str = "'db1_r5_7', 'row 7', 7";

    /// A row of database 1, iteration 5, as three databases and the server have it.
    fn row(databases: [Option<&str>; 3], server: Option<&str>) -> RowDifference {
        let holding = |holder, row: Option<&str>| Holding { holder, row: row.map(str::to_owned), unsent: None };
        let mut holders: Vec<Holding> =
            (1..).zip(databases).map(|(index, row)| holding(Holder::Database(index), row)).collect();
        holders.push(holding(Holder::Server, server));
        RowDifference { key: "'db1_r5_7'".into(), holders, tombstone: None, clocks: Vec::new(), writes: None }
    }

    fn fate_in(record: &Record, plan: &Plan, row: &RowDifference) -> (RowState, Hop, String) {
        let state = record.state.as_ref().expect("it has one");
        let traced = trace(&Scene { record, plan, state }, row, &[]);
        (traced.state, traced.hop, traced.words)
    }

    fn fate(row: &RowDifference) -> (RowState, Hop, String) {
        let plan = plan(3);
        fate_in(&record(&plan), &plan, row)
    }

    #[test]
    fn an_acknowledged_row_that_the_server_does_not_have_is_missing() {
        let found = fate(&row([Some(ROW), None, None], None));
        let words = "sent and acknowledged, but not on the server";
        assert_eq!(found, (RowState::Missing, Hop::Acknowledged, words.to_owned()));
        let found = fate(&row([Some(ROW), Some(ROW), None], None));
        assert_eq!((found.0, found.1), (RowState::Missing, Hop::Received { by: 2, of: 3 }));
    }

    #[test]
    fn a_row_whose_sends_failed_is_indeterminate_and_not_lost() {
        let plan = plan(3);
        let mut record = record(&plan);
        let missing = row([Some(ROW), None, None], None);
        for state in &mut record.state.as_mut().expect("it has one").databases {
            state.unsent = None;
        }
        for event in record.workers[0].events.iter_mut().filter(|event| event.step == StepKind::Send) {
            event.failures = vec![Failure::new(FailureKind::Http, Side::Server, "boom")];
        }
        let found = fate_in(&record, &plan, &missing);
        assert_eq!((found.0, found.1), (RowState::Indeterminate, Hop::Written));
        // The final read says that nothing waits there any more.
        record.state.as_mut().expect("it has one").databases[0].unsent = Some(false);
        assert_eq!(fate_in(&record, &plan, &missing).0, RowState::Missing);
        record.state.as_mut().expect("it has one").databases[0].unsent = Some(true);
        let found = fate_in(&record, &plan, &missing);
        assert_eq!(found.2, "not sent yet by database 1");
    }

    #[test]
    fn a_row_that_waits_in_its_database_is_not_lost_where_the_server_was_not_read() {
        let mut waiting = row([Some(ROW), None, None], None);
        waiting.holders.pop();
        let words = "in other databases, but not received by databases 2 and 3 (received by 1 of 3)";
        assert_eq!(fate(&waiting).2, words);
        waiting.holders[0].unsent = Some(true);
        assert_eq!(fate(&waiting), (RowState::Indeterminate, Hop::Written, "not sent yet by database 1".to_owned()));
        // Only a new database holds it.
        waiting.holders[0].row = None;
        waiting.holders[0].unsent = Some(false);
        assert!(!fate(&waiting).2.contains("not sent yet"));
    }

    #[test]
    fn a_row_on_the_server_that_did_not_arrive_is_missing_or_late() {
        let plan = plan(3);
        let mut record = record(&plan);
        let late = row([Some(ROW), None, Some(ROW)], Some(ROW));
        let found = fate_in(&record, &plan, &late);
        assert_eq!(found.1, Hop::Received { by: 2, of: 3 });
        assert_eq!(found.2, "on the server, but not received by database 2 (received by 2 of 3)");
        record.settle.as_mut().expect("it has one").stuck =
            vec![Stuck { database: 2, unsent: Some(false), busy_receives: 2 }];
        assert_eq!(fate_in(&record, &plan, &late).0, RowState::Indeterminate);
    }

    /// A row of iteration 2, after which every database ran deletions.
    fn row_before_deletions(databases: [Option<&str>; 3]) -> RowDifference {
        RowDifference { key: "'db1_r2_7'".into(), ..row(databases, Some(ROW)) }
    }

    fn clock(database: u32, column: &str, col_version: i64) -> CellClock {
        CellClock {
            database,
            column: column.into(),
            col_version,
            db_version: 9,
            site_id: "ab".repeat(16),
            cl: 1,
            seq: 0,
        }
    }

    #[test]
    fn a_row_that_its_writer_deleted_and_that_is_back_is_resurrected() {
        let words = "deleted in database 1, but on the server again";
        for database_3 in [Some(ROW), None] {
            let found = fate(&row_before_deletions([None, Some(ROW), database_3]));
            assert_eq!((found.0, found.2.as_str()), (RowState::Resurrected, words));
        }
    }

    #[test]
    fn a_row_that_never_arrived_is_missing_whatever_was_deleted_there() {
        let found = fate(&row_before_deletions([Some(ROW), None, Some(ROW)]));
        let words = "on the server, but not received by database 2 (received by 2 of 3)";
        assert_eq!((found.0, found.2.as_str()), (RowState::Missing, words));
    }

    #[test]
    fn a_row_whose_deletion_is_remembered_and_that_is_back_is_resurrected() {
        let mut back = row_before_deletions([Some(ROW), None, Some(ROW)]);
        back.tombstone = Some(false);
        assert_eq!(fate(&back).0, RowState::Missing);
        back.tombstone = Some(true);
        let words = "deleted on the server, but there again, and not in database 2";
        assert_eq!((fate(&back).0, fate(&back).2.as_str()), (RowState::Resurrected, words));
        // Under row-level security the server also remembers who may no longer see a row that lives.
        let plan = Plan { rls: true, ..plan(3) };
        assert_eq!(fate_in(&record(&plan), &plan, &back).0, RowState::Missing);
    }

    #[test]
    fn a_row_that_is_dead_by_a_database_s_clock_was_deleted_there() {
        let mut back = row_before_deletions([Some(ROW), None, None]);
        back.clocks = vec![clock(1, "name", 1), CellClock { cl: 2, ..clock(2, "__[RIP]__", 2) }];
        let words = "deleted in database 2, but on the server again";
        assert_eq!((fate(&back).0, fate(&back).2.as_str()), (RowState::Resurrected, words));
    }

    #[test]
    fn a_row_deleted_on_the_server_and_still_somewhere_is_stale() {
        let mut deleted = row([None, Some(ROW), None], None);
        deleted.tombstone = Some(true);
        assert_eq!(fate(&deleted).2, "deleted on the server, but still in database 2");
        assert_eq!(fate(&deleted).0, RowState::Stale);
    }

    #[test]
    fn a_row_that_nobody_wrote_is_a_phantom_or_a_duplicate() {
        let plan = plan(3);
        let record = record(&plan);
        let mut phantom = row([Some("'db1_r99_7', 'row 7', 7"), None, None], Some("'db1_r99_7', 'row 7', 7"));
        phantom.key = "'db1_r99_7'".into();
        assert_eq!(fate(&phantom).0, RowState::Phantom);
        let other = row([Some(ROW), None, None], Some(ROW));
        let state = record.state.as_ref().expect("it has one");
        let traced = trace(&Scene { record: &record, plan: &plan, state }, &phantom, &[phantom.clone(), other]);
        assert_eq!(traced.state, RowState::Duplicated);
    }

    #[test]
    fn another_value_is_stale_and_names_who_has_it() {
        let found = fate(&row([Some(ROW), Some("'db1_r5_7', 'row 7', 6"), Some(ROW)], Some(ROW)));
        let words = "database 2 has a different value from the server";
        assert_eq!(found, (RowState::Stale, Hop::Received { by: 2, of: 3 }, words.to_owned()));
        let lost_update = fate(&row([Some("'db1_r5_7', 'row 7', 8"), Some(ROW), Some(ROW)], Some(ROW)));
        assert!(lost_update.2.starts_with("changed by its writer, sent and acknowledged"), "{lost_update:?}");
        let mut waiting = row([Some(ROW), Some("'db1_r5_7', 'row 7', 6"), Some(ROW)], Some(ROW));
        waiting.holders[1].unsent = Some(true);
        assert_eq!(fate(&waiting).0, RowState::Indeterminate);
    }

    #[test]
    fn rows_with_the_same_fate_are_counted_together() {
        let plan = plan(3);
        let record = record(&plan);
        let state = record.state.as_ref().expect("it has one");
        let missing = row([Some(ROW), None, None], None);
        let traced = vec![trace(&Scene { record: &record, plan: &plan, state }, &missing, &[]); 7];
        assert_eq!(
            in_words(&traced, 7),
            ["7 rows of database 1, iteration 5: sent and acknowledged, but not on the server (missing)"]
        );
        assert_eq!(in_words(&traced, 100)[0], "7 of 100 rows were examined:");
    }

    #[test]
    fn keys_name_their_writer_only_in_the_default_form() {
        let writer = |database, iteration| Some(Writer { database, iteration });
        assert_eq!(Writer::of("'db3_r12_7'"), writer(3, Some(12)));
        assert_eq!(Writer::of("'db3_r7'"), writer(3, None));
        for other in ["'malicious_db1_r1_2'", "7", "'db3'", "'dbx_r1_2'", "'db3_r1_2x'", "'db3_r1_2", "'db500_error_r'"]
        {
            assert_eq!(Writer::of(other), None, "{other}");
        }
    }

    #[test]
    fn clocks_are_told_where_the_sides_do_not_agree() {
        let mut row = row([Some(ROW), None, None], Some(ROW));
        row.clocks = vec![clock(1, "name", 2), clock(2, "name", 2), clock(1, "value", 2), clock(2, "value", 3)];
        let told = clocks(&row);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("'db1_r5_7' value: database 1 has col_version 2, db_version 9"), "{told:?}");
    }
}
