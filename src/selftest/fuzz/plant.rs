//! The planted faults of drawn scenarios: which fault strikes when, what it needs to have a lasting effect, and what must
//! be found then. A fault strikes the witness: rows that database 1 writes before all phases, and that no phase touches.

use serde_json::{Map, json};

use super::made::{Made, Policy, Table, WITNESS};
use super::sql::{OTHER_TEAM, OWN_TEAM, Writer, insert, victim};
use crate::failure::{FailureKind, Side};
use crate::plan::CheckKind;
use crate::scenario::{Barrier, Count, Fault, FaultKind, Kind, Sql, Step, SyncCall, SyncName};
use crate::sql::quote;

/// A fault and what must be found of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plant {
    /// The fault.
    pub(crate) fault: FaultKind,
    /// When it strikes.
    when: When,
    /// What the scenario must have for a lasting effect.
    pub(super) needs: Needs,
    /// At least one of these checks must have findings; none for a fault that fails a call.
    pub(crate) checks: &'static [CheckKind],
    /// The kind of failure that a call must have; none for a fault that changes data.
    pub(crate) kind: Option<FailureKind>,
    /// The side that must be blamed, alone.
    pub(crate) side: Side,
}

/// The occasion of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// The first rows or the first send of database 1 that concern the witness.
    Witness,
    /// The first occasion of database 1, whatever it sent before.
    First,
    /// The first occasion of database 2.
    FirstOfReader,
    /// Every occasion of database 2.
    Reader,
    /// Every occasion of database 1.
    Writer,
    /// The first occasion of the last database, which belongs to another user.
    Stranger,
}

/// What a scenario must have so that a fault has a lasting effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing special.
    Nothing,
    /// Database 2 sees the rows of database 1.
    Sharing,
    /// Another user must not see the rows of database 1.
    Strangers,
    /// Another user's rows can be written in a way that policies deny.
    Denial,
}

const LOST: &[CheckKind] = &[CheckKind::Written];
/// Where a trigger writes rows of its own table, it may have written the deleted row anew on the server, so that `written`
/// leaves the row open; the other databases still hold it.
const RISEN: &[CheckKind] = &[CheckKind::Written, CheckKind::Converged, CheckKind::Server];
const DATA: &[CheckKind] = &[CheckKind::Converged, CheckKind::Server];
const RIGHTS: &[CheckKind] = &[CheckKind::Isolation, CheckKind::Converged, CheckKind::Server];

const fn data(fault: FaultKind, when: When, needs: Needs, checks: &'static [CheckKind]) -> Plant {
    Plant { fault, when, needs, checks, kind: None, side: Side::Server }
}

const fn call(fault: FaultKind, kind: FailureKind, side: Side) -> Plant {
    Plant { fault, when: When::First, needs: Needs::Nothing, checks: &[], kind: Some(kind), side }
}

/// The table of faults. Not in it is `slow`, which takes two seconds and needs a limit.
pub(crate) const PLANTS: &[Plant] = &[
    data(FaultKind::DropRow, When::Witness, Needs::Nothing, LOST),
    data(FaultKind::ForgetPush, When::Witness, Needs::Nothing, LOST),
    data(FaultKind::ApplyTwice, When::Witness, Needs::Nothing, DATA),
    data(FaultKind::ResurrectRows, When::First, Needs::Nothing, RISEN),
    data(FaultKind::LoseEverywhere, When::Witness, Needs::Nothing, LOST),
    data(FaultKind::Rewrite, When::Witness, Needs::Nothing, LOST),
    data(FaultKind::Invent, When::Witness, Needs::Nothing, LOST),
    data(FaultKind::ClockBack, When::Witness, Needs::Sharing, DATA),
    data(FaultKind::SkipPage, When::FirstOfReader, Needs::Sharing, DATA),
    data(FaultKind::StaleRead, When::Reader, Needs::Sharing, DATA),
    data(FaultKind::RepeatPage, When::Reader, Needs::Sharing, DATA),
    data(FaultKind::LeakRows, When::Stranger, Needs::Strangers, &[CheckKind::Isolation]),
    data(FaultKind::IgnorePolicy, When::First, Needs::Denial, &[CheckKind::Isolation]),
    data(FaultKind::SwapTokens, When::Writer, Needs::Strangers, RIGHTS),
    call(FaultKind::Http500, FailureKind::Http, Side::Server),
    call(FaultKind::Http503, FailureKind::Unavailable, Side::Server),
    call(FaultKind::Http429, FailureKind::RateLimited, Side::Server),
    call(FaultKind::HttpEmpty, FailureKind::Http, Side::Server),
    call(FaultKind::Locked, FailureKind::Locked, Side::Server),
    call(FaultKind::HangUp, FailureKind::Network, Side::Network),
    call(FaultKind::TornAnswer, FailureKind::Network, Side::Network),
];

impl Made {
    /// The fault that is planted in it.
    pub(crate) fn plant(&self) -> Option<&'static Plant> {
        PLANTS.get(self.planted?)
    }
}

/// The faults of the hub.
pub(super) fn faults(made: &Made) -> Vec<Fault> {
    let Some(plant) = made.plant() else { return Vec::new() };
    // A member joins a team first: one row, in a send of its own.
    let before = u64::from(made.policy == Some(Policy::Team));
    let last = u32::try_from(made.databases).unwrap_or(1);
    let (at, database) = match plant.when {
        When::Witness => (vec![1 + before], 1),
        When::First => (vec![1], 1),
        When::FirstOfReader => (vec![1], 2),
        When::Reader => (Vec::new(), 2),
        When::Writer => (Vec::new(), 1),
        When::Stranger => (vec![1], last),
    };
    vec![Fault { fault: plant.fault, rate: None, at, databases: vec![database] }]
}

/// The steps that make the witness.
pub(super) fn setup(made: &Made) -> Vec<Step> {
    let (Some(plant), Some(table)) = (made.plant(), made.tables.first()) else { return Vec::new() };
    let witness = Witness { made, table };
    let mut steps = vec![witness.insert("witness", 1, 3)];
    match plant.fault {
        FaultKind::ApplyTwice => {
            let value = format!("{} + 1000000", quote(&table.number));
            steps.push(witness.change(
                "touch",
                Kind::Update,
                &format!("UPDATE {} SET {} = {value}", quote(&table.name), quote(&table.number)),
            ));
        }
        FaultKind::ResurrectRows => {
            steps.push(witness.change("remove", Kind::Delete, &format!("DELETE FROM {}", quote(&table.name))));
        }
        FaultKind::IgnorePolicy => steps.push(witness.hostile()),
        _ => {}
    }
    // Twice, so that everybody has received before anything else is written: what comes later is a page of its own.
    steps.extend([meet(), meet(), witness.insert("answer", 2, 2), witness.insert("again", 1, 2), meet()]);
    steps
}

/// The steps that write rows of the witness.
const STEPS: [&str; 4] = ["witness", "answer", "again", "intruder"];

/// The table whose rows are the witness.
struct Witness<'a> {
    made: &'a Made,
    table: &'a Table,
}

impl Witness<'_> {
    fn step(name: &str, kind: Kind, sql: String) -> Step {
        Step {
            name: Some(name.to_owned()),
            kind: Some(kind),
            sql: Some(Sql::One(sql)),
            sync: vec![SyncCall::Name(SyncName::Send)],
            ..Step::default()
        }
    }

    fn insert(&self, name: &str, database: u64, rows: u64) -> Step {
        let writer = Writer { number: ":n", unique: ":n", user: ":user_id".to_owned(), team: OWN_TEAM, parent: "NULL" };
        self.rows(name, database, rows, &writer)
    }

    fn rows(&self, name: &str, database: u64, rows: u64, writer: &Writer<'_>) -> Step {
        // Apart from the rows of other steps.
        let place = STEPS.iter().position(|step| *step == name).unwrap_or(STEPS.len()) as u64;
        let offset = WITNESS + place * 100;
        let mut bind = Map::new();
        bind.insert("n".to_owned(), json!(format!("{{{{ {offset} + row }}}}")));
        bind.extend(self.table.bound().map(|value| ("bound".to_owned(), json!(value))));
        bind.insert("id".to_owned(), json!(format!("db{{{{ db }}}}_r{{{{ {offset} + row }}}}")));
        Step {
            rows: Some(Count::Number(rows)),
            bind,
            when: Some(format!("db == {database}")),
            ..Self::step(name, Kind::Insert, insert(self.table, ":n", Some(":id"), writer, ""))
        }
    }

    /// A change of all rows that database 1 has of the witness.
    fn change(&self, name: &str, kind: Kind, sql: &str) -> Step {
        let sql = format!("{sql} WHERE {} > {WITNESS}", quote(&self.table.number));
        Step { when: Some("db == 1".to_owned()), ..Self::step(name, kind, sql) }
    }

    fn hostile(&self) -> Step {
        let writer = Writer { number: ":n", unique: ":n", user: victim(), team: OTHER_TEAM, parent: "NULL" };
        Step { hostile: self.made.policy.is_some(), ..self.rows("intruder", 1, 2, &writer) }
    }
}

/// Everybody has done the steps before, and receives.
pub(super) fn meet() -> Step {
    Step { sync: vec![SyncCall::Name(SyncName::Receive)], barrier: Some(Barrier::Flag(true)), ..Step::default() }
}
