//! Drawing a scenario from a seed. Every scenario is right: databases write rows of their own, or rows of which the last
//! write wins, and nothing that a constraint or a policy refuses, except in hostile phases.

use std::collections::BTreeSet;

use super::dice::Dice;
use super::made::{
    Column, Conflict, Extra, Fill, Hostility, Key, Made, Phase, Policy, Style, Table, Values, Which, Work,
};
use super::plant::{Needs, PLANTS};
use super::shape::Shape;
use crate::scenario::{
    HumanDuration, JournalMode, OpenPolicy, ReceiveOptions, ReceiveUntil, SyncCall, SyncCallOptions, SyncName,
    SyncOptions, Transaction, UntilName,
};

const TABLES: &[&str] = &[
    "order",
    "my table",
    "Größe",
    "t\"q",
    "it's",
    "Notes",
    "select",
    "日本語",
    "a.b",
    "-- x",
    "[x]",
    "`tick`",
    "100",
    "%_",
    "new;",
    "group",
    "x_y",
    "x\ty",
];
/// Names that SQL of the program itself may use.
const ALIASES: &[&str] =
    &["cs_data", "cs_live", "cs_at", "OLD", "NEW", "main", "temp", "row", "value", "host", "t", "a"];
const COLUMNS: &[&str] = &[
    "my col",
    "select",
    "Größe",
    "q\"q",
    "it's",
    "MixedCase",
    "a.b",
    "order",
    "rowid",
    "oid",
    "NEW",
    "OLD",
    "cs_seq",
    "cs_row",
    "cs_pk1",
    "cs_site",
    "version",
    "excluded",
    "日本",
    ":id",
    "table",
    "value",
    "cs_old_x",
    "null",
    "--",
    "[b]",
    "x\ty",
];
const TYPES: &[&str] =
    &["TEXT", "INTEGER", "REAL", "NUMERIC", "BLOB", "", "VARCHAR(20)", "BOOLEAN", "DATETIME", "DOUBLE"];

impl Made {
    /// The clean scenario of a seed.
    pub(crate) fn clean(seed: u64) -> Self {
        Draw::new(seed, None).finish()
    }

    /// The scenario of a seed with a planted fault.
    pub(crate) fn planted(seed: u64) -> Self {
        let fault = Dice::new(seed ^ 0x5eed).place(PLANTS.len());
        Draw::new(seed, Some(fault)).finish()
    }
}

struct Draw {
    dice: Dice,
    made: Made,
    next: u64,
}

impl Draw {
    fn new(seed: u64, planted: Option<usize>) -> Self {
        let mut dice = Dice::new(seed);
        let (databases, iterations) = (dice.between(2, 5), dice.between(1, 3));
        let made = Made {
            seed,
            shapes: BTreeSet::new(),
            databases,
            iterations,
            tables: Vec::new(),
            policy: None,
            per_user: dice.between(1, 2),
            open: OpenPolicy::default(),
            pragmas: Vec::new(),
            writers: None,
            journal: None,
            phases: Vec::new(),
            teardown: false,
            bootstrap: false,
            query: false,
            planted,
        };
        Self { dice, made, next: 1 }
    }

    fn finish(mut self) -> Made {
        self.table("notes");
        let shapes = self.shapes();
        for shape in &shapes {
            self.apply(*shape);
        }
        self.fit(&shapes);
        self.made.shapes = shapes;
        self.made
    }

    /// A table with two columns, rows of its own, and mostly some changes.
    fn table(&mut self, name: &str) {
        let column = |name: &str, declared| Column {
            name: name.to_owned(),
            declared,
            fill: Fill::Values(Values::Plain),
            not_null: false,
        };
        self.made.tables.push(Table {
            name: name.to_owned(),
            key: Key::Id,
            key_names: ["id".to_owned(), "part".to_owned()],
            number: "n".to_owned(),
            columns: vec![column("body", "TEXT"), column("other", "TEXT")],
            strict: false,
            without_rowid: false,
            clause: ")",
            check: false,
            extras: Vec::new(),
        });
        let table = self.made.tables.len() - 1;
        self.phase(table, Work::Insert);
        if self.dice.chance(60) {
            self.phase(table, Work::Update(Which::Own, Style::Set));
        }
    }

    /// A phase at the end, with the usual sync calls.
    fn phase(&mut self, table: usize, work: Work) -> &mut Phase {
        let sync = vec![SyncCall::Name(SyncName::Send), SyncCall::Name(SyncName::Receive)];
        let rows = self.dice.between(3, 40);
        self.made.phases.push(Phase { table, work, rows, ..Phase::nothing(self.next, sync) });
        self.next += 1;
        let last = self.made.phases.len() - 1;
        &mut self.made.phases[last]
    }

    /// Two to four oddities that go together, and those that the planted fault needs.
    fn shapes(&mut self) -> BTreeSet<Shape> {
        let mut shapes = BTreeSet::new();
        let plant = self.made.plant();
        match plant.map(|plant| plant.needs) {
            Some(Needs::Strangers) => _ = shapes.insert(Shape::PolicyOwn),
            Some(Needs::Denial) => {
                _ = shapes.insert(self.dice.pick(&[Shape::PolicyOwn, Shape::PolicySharedRead]));
            }
            Some(Needs::Nothing | Needs::Sharing) | None => {}
        }
        let count = self.dice.pick(&[2, 3, 4]);
        for _ in 0..100 {
            let shape = self.dice.pick(&Shape::ALL);
            let is_free = shape.slot().is_none() || shapes.iter().all(|other| other.slot() != shape.slot());
            // Data that nobody may read, or a member whose joining failed, have no lasting difference to find; and what a
            // trigger writes comes first, and anew wherever its row comes.
            let is_unfit = plant.is_some_and(|plant| {
                matches!(shape, Shape::PolicyWriteOnly | Shape::RowsMove | Shape::TriggerOtherTable)
                    || shape == Shape::PolicyTeam && plant.kind.is_some()
            });
            if is_free && !is_unfit {
                shapes.insert(shape);
                if shape == Shape::RowsMove {
                    shapes.retain(|other| other.slot() != Some("policy"));
                    shapes.insert(Shape::PolicyTeam);
                }
            }
            if shapes.len() >= count {
                break;
            }
        }
        if shapes.iter().any(|shape| shape.slot() == Some("hostile") && *shape != Shape::TriggerOtherTable)
            && !shapes.iter().any(|shape| shape.slot() == Some("policy"))
        {
            shapes.insert(Shape::PolicyOwn);
        }
        shapes
    }

    fn apply(&mut self, shape: Shape) {
        if shape <= Shape::VeryWide {
            self.apply_to_tables(shape);
        } else if shape <= Shape::PolicyPublic {
            self.apply_policy(shape);
        } else if shape <= Shape::HostileDelete {
            self.apply_work(shape);
        } else if shape <= Shape::Teardown {
            self.apply_rhythm(shape);
        } else {
            self.apply_beside(shape);
        }
    }

    fn apply_to_tables(&mut self, shape: Shape) {
        let at = self.dice.place(self.made.tables.len());
        let declared = self.dice.pick(TYPES);
        let kind = self.dice.between(0, 3);
        if let Some(values) = values(shape) {
            let column = self.dice.place(2);
            let column = &mut self.made.tables[at].columns[column];
            (column.fill, column.declared) = (Fill::Values(values), declared);
            return;
        }
        if let Some(key) = key(shape) {
            self.made.tables[at].key = key;
            return;
        }
        match shape {
            Shape::SeveralTables => {
                for name in ["second", "third"].iter().take(usize::from(self.dice.chance(30)) + 1) {
                    self.table(name);
                }
            }
            Shape::OddTableName => self.made.tables[at].name = self.dice.pick(TABLES).to_owned(),
            Shape::AliasTableName => self.made.tables[at].name = self.dice.pick(ALIASES).to_owned(),
            Shape::ExcludedTable => "excluded".clone_into(&mut self.made.tables[at].name),
            Shape::OddColumnNames => self.rename_columns(at),
            Shape::TrueColumn => self.made.tables[at].columns[0].name = self.dice.pick(&["true", "false"]).to_owned(),
            Shape::NotNullDefault => self.made.tables[at].columns[0].not_null = true,
            Shape::Wide | Shape::VeryWide => {
                let more = if shape == Shape::Wide { 40 } else { 600 };
                self.made.phases.iter_mut().for_each(|phase| phase.rows = phase.rows.min(5));
                (0..more).for_each(|i| self.add(at, &format!("c{i}"), "", Fill::Values(Values::Mixed)));
            }
            Shape::OddDefaults => self.add(at, "defaulted", declared, Fill::Default),
            Shape::Unique => self.add(at, "unique one", "TEXT", Fill::Unique),
            Shape::Virtual => self.add(at, "virtual", "INTEGER", Fill::Generated(false)),
            Shape::Stored => self.add(at, "stored", "INTEGER", Fill::Generated(true)),
            Shape::ForeignKey => {
                if self.made.tables.len() == 1 {
                    self.table("second");
                }
                self.add(1, "parent", "TEXT", Fill::Parent);
                if self.dice.chance(50) {
                    self.made.pragmas.push(("foreign_keys", "on"));
                }
            }
            Shape::TriggerSameRow => {
                self.add(at, "derived", "TEXT", Fill::Derived);
                self.made.tables[at].extras.push(Extra::TriggerSameRow);
            }
            Shape::KeyClause => {
                let clauses = [" DESC)", ") ON CONFLICT REPLACE", ") ON CONFLICT IGNORE", " COLLATE NOCASE)", " ASC)"];
                self.made.tables[at].clause = self.dice.pick(&clauses);
            }
            _ => decorate(&mut self.made.tables[at], shape, kind),
        }
    }

    fn add(&mut self, table: usize, name: &str, declared: &'static str, fill: Fill) {
        self.made.tables[table].columns.push(Column { name: name.to_owned(), declared, fill, not_null: false });
    }

    fn rename_columns(&mut self, at: usize) {
        let mut names: Vec<&str> = COLUMNS.to_vec();
        let mut draw = || names.swap_remove(self.dice.place(names.len())).to_owned();
        let table = &mut self.made.tables[at];
        table.key_names = [draw(), draw()];
        table.number = draw();
        table.columns.iter_mut().for_each(|column| column.name = draw());
    }

    fn apply_policy(&mut self, shape: Shape) {
        let (policy, name, fill) = match shape {
            Shape::PolicyOwn => (Policy::Own, "user_id", Fill::User),
            Shape::PolicySharedRead => (Policy::SharedRead, "user_id", Fill::User),
            Shape::PolicyWriteOnly => (Policy::WriteOnly, "user_id", Fill::User),
            Shape::PolicyTeam => (Policy::Team, "team", Fill::Team),
            _ => (Policy::Public, "user_id", Fill::User),
        };
        self.made.policy = Some(policy);
        (0..self.made.tables.len()).for_each(|table| self.add(table, name, "TEXT", fill));
    }

    fn apply_work(&mut self, shape: Shape) {
        let table = self.dice.place(self.made.tables.len());
        let which = self.dice.pick(&[Which::All, Which::Own, Which::Third]);
        let conflict = self.dice.pick(&[Conflict::Upsert, Conflict::Replace, Conflict::Ignore]);
        let work = match shape {
            Shape::Series | Shape::Big => Work::Series,
            Shape::RowsMove => Work::Move,
            Shape::UpdateAll => Work::Update(Which::All, Style::Set),
            Shape::UpdateRows => Work::Update(which, Style::Rows),
            Shape::UpdateToSame => Work::Update(which, Style::Same),
            Shape::DeleteAll => Work::Delete(Which::All, Style::Set),
            Shape::DeleteSome => Work::Delete(Which::Third, Style::Set),
            Shape::DeleteRows => Work::Delete(which, Style::Rows),
            Shape::KeyChange => Work::ChangeKeys,
            Shape::ReplaceUnique => {
                self.add(table, "unique one", "TEXT", Fill::Unique);
                Work::TakeValues
            }
            Shape::Hot => Work::Hot(conflict),
            Shape::HotDelete => {
                self.phase(table, Work::Hot(conflict));
                Work::Delete(Which::Hot, self.dice.pick(&[Style::Set, Style::Rows]))
            }
            Shape::Upsert => Work::Hot(Conflict::Upsert),
            Shape::Replace => Work::Hot(Conflict::Replace),
            Shape::Ignore => Work::Hot(Conflict::Ignore),
            Shape::HostileInsert => Work::Hostile(Hostility::Insert),
            Shape::HostileTakeover => Work::Hostile(Hostility::Takeover),
            _ => Work::Hostile(Hostility::Delete),
        };
        let phase = self.phase(table, work);
        if shape == Shape::Big {
            // Numbers of rows have three digits.
            phase.rows = 900;
        }
        if matches!(work, Work::Hostile(_) | Work::Move) {
            phase.when = Some("user == 1");
        }
        if self.dice.chance(40) {
            self.phase(table, Work::Update(Which::Own, Style::Set));
        }
    }

    fn apply_rhythm(&mut self, shape: Shape) {
        if let Some(sync) = rhythm(shape) {
            if shape == Shape::SendOnly {
                self.made.phases.iter_mut().for_each(|phase| phase.sync.clone_from(&sync));
                return;
            }
            let at = self.dice.place(self.made.phases.len());
            self.made.phases[at].sync = sync;
            return;
        }
        let (table, number) = (self.dice.place(self.made.tables.len()), self.dice.between(2, 9));
        match shape {
            Shape::Barrier => self.made.phases.iter_mut().for_each(|phase| phase.barrier = true),
            Shape::Batch => {
                self.made.phases.iter_mut().for_each(|phase| phase.transaction = Some(Transaction::Batch(number)));
            }
            Shape::Each => {
                self.made.phases.iter_mut().for_each(|phase| phase.transaction = Some(Transaction::Each));
            }
            Shape::Repeat => {
                let at = self.dice.place(self.made.phases.len());
                self.made.phases[at].repeat = Some(self.dice.between(2, 3));
            }
            Shape::When => {
                let when = self.dice.pick(&[
                    "db == 1",
                    "db != 2",
                    "db % 2 == 1",
                    "iteration == 1",
                    "db == 2 or iteration > 1",
                ]);
                self.phase(table, Work::Insert).when = Some(when);
            }
            Shape::Teardown => {
                self.made.teardown = true;
                self.phase(table, Work::Insert);
            }
            Shape::Statements => _ = self.phase(table, Work::Statements),
            _ => {
                let call = SyncCall::Name(SyncName::Receive);
                self.made.phases.push(Phase::nothing(self.next, vec![call]));
                self.next += 1;
            }
        }
    }

    fn apply_beside(&mut self, shape: Shape) {
        let made = &mut self.made;
        match shape {
            Shape::PerPhase => made.open = OpenPolicy::PerPhase,
            Shape::PerRun => made.open = OpenPolicy::PerRun,
            Shape::Pragmas => {
                let all = [
                    ("journal_mode", "delete"),
                    ("journal_mode", "truncate"),
                    ("recursive_triggers", "on"),
                    ("foreign_keys", "on"),
                    ("cell_size_check", "on"),
                    ("synchronous", "off"),
                ];
                made.pragmas.push(self.dice.pick(&all));
            }
            Shape::HubOptions => {
                made.writers = Some(self.dice.pick(&[1, 2, 8]));
                let modes = [JournalMode::Wal, JournalMode::Delete, JournalMode::Truncate, JournalMode::Memory];
                made.journal = Some(self.dice.pick(&modes));
            }
            Shape::Bootstrap => made.bootstrap = true,
            _ => made.query = true,
        }
    }

    /// What oddities need of the rest.
    fn fit(&mut self, shapes: &BTreeSet<Shape>) {
        let needs = self.made.plant().map(|plant| plant.needs);
        let made = &mut self.made;
        if needs == Some(Needs::Sharing) && matches!(made.policy, Some(Policy::Own | Policy::Team)) {
            made.per_user = 2;
        }
        let is_hostile = shapes.iter().any(|shape| shape.slot() == Some("hostile"));
        if is_hostile || matches!(needs, Some(Needs::Strangers | Needs::Denial)) {
            made.databases = made.databases.max(made.per_user + 1);
        }
        // A row that others refer to must not go, nor be written under another key.
        if shapes.contains(&Shape::ForeignKey) && made.pragmas.contains(&("foreign_keys", "on")) {
            made.phases.retain(|phase| phase.table != 0 || !phase.work.removes());
            let most = made.phases.first().map_or(0, |first| first.rows);
            let children = made.phases.iter_mut().filter(|phase| phase.work == Work::Insert);
            children.for_each(|phase| phase.rows = phase.rows.min(most));
            made.phases.iter_mut().for_each(|phase| phase.repeat = None);
            // There are no parents outside the iterations.
            made.teardown = false;
        }
        if made.phases.iter().all(|phase| phase.sync.is_empty()) {
            made.phases.push(Phase::nothing(self.next, vec![SyncCall::Name(SyncName::Sync)]));
        }
        // A row whose unique value was taken must not be sent again, nor one that moved by who must not write it.
        let taken: Vec<usize> = made
            .phases
            .iter()
            .filter(|phase| matches!(phase.work, Work::TakeValues | Work::Move))
            .map(|phase| phase.table)
            .collect();
        for phase in made.phases.iter_mut().filter(|phase| taken.contains(&phase.table)) {
            match phase.work {
                Work::Update(Which::All, style) => phase.work = Work::Update(Which::Own, style),
                Work::Delete(Which::All, style) => phase.work = Work::Delete(Which::Own, style),
                _ => {}
            }
        }
        for phase in &mut made.phases {
            phase.expect_rows = phase.work == Work::Insert && phase.rows % 2 == 0;
        }
    }
}

impl Work {
    fn removes(self) -> bool {
        matches!(
            self,
            Self::Delete(..) | Self::ChangeKeys | Self::Hot(Conflict::Replace) | Self::Statements | Self::TakeValues
        )
    }
}

fn decorate(table: &mut Table, shape: Shape, kind: u64) {
    match shape {
        Shape::Strict => table.strict = true,
        Shape::WithoutRowid => table.without_rowid = true,
        Shape::CheckConstraint => table.check = true,
        Shape::Index => table.extras.push(Extra::Index),
        Shape::OddIndex => table.extras.push(Extra::OddIndex(kind)),
        Shape::View => table.extras.push(Extra::View),
        _ => table.extras.push(Extra::TriggerOtherTable),
    }
}

fn values(shape: Shape) -> Option<Values> {
    match shape {
        Shape::Integers => Some(Values::Integers),
        Shape::Reals => Some(Values::Reals),
        Shape::NegativeZero => Some(Values::NegativeZero),
        Shape::Texts => Some(Values::Texts),
        Shape::NulText => Some(Values::NulText),
        Shape::NotUtf8 => Some(Values::NotUtf8),
        Shape::Blobs => Some(Values::Blobs),
        Shape::Mixed => Some(Values::Mixed),
        Shape::Large => Some(Values::Large),
        Shape::Bound => Some(Values::Bound),
        _ => None,
    }
}

fn key(shape: Shape) -> Option<Key> {
    match shape {
        Shape::KeyBlob => Some(Key::Blob),
        Shape::KeyUntyped => Some(Key::Untyped),
        Shape::KeyUntypedNumber => Some(Key::UntypedNumber),
        Shape::KeyUntypedTwins => Some(Key::UntypedTwins),
        Shape::KeyReal => Some(Key::Real),
        Shape::KeyNumeric => Some(Key::Numeric),
        Shape::KeyNocase => Some(Key::Nocase),
        Shape::KeyRtrim => Some(Key::Rtrim),
        Shape::KeyIntegerText => Some(Key::IntegerText),
        Shape::KeyIntegers => Some(Key::Integers),
        Shape::KeyTexts => Some(Key::Texts),
        _ => None,
    }
}

/// The sync calls that an oddity stands for.
fn rhythm(shape: Shape) -> Option<Vec<SyncCall>> {
    let (send, receive) = (SyncCall::Name(SyncName::Send), SyncCall::Name(SyncName::Receive));
    let until = |until, attempts| {
        let options = ReceiveOptions {
            until: Some(ReceiveUntil::Name(until)),
            attempts: Some(attempts),
            every: Some(HumanDuration::from_millis(1)),
            max_chunks: (until == UntilName::Quiet).then_some(1),
        };
        SyncCall::Options(SyncOptions::Receive(options))
    };
    let wait = SyncCall::Options(SyncOptions::Wait(HumanDuration::from_millis(2)));
    match shape {
        Shape::SendOnly => Some(vec![send]),
        Shape::ReceiveOnly => Some(vec![receive]),
        Shape::SyncCall => {
            let options = SyncCallOptions { wait: Some(HumanDuration::from_millis(1)), retries: Some(2) };
            Some(vec![SyncCall::Options(SyncOptions::Sync(options)), SyncCall::Name(SyncName::Sync)])
        }
        Shape::CheckCall => Some(vec![send, SyncCall::Name(SyncName::Check)]),
        Shape::Quiet => Some(vec![send, until(UntilName::Quiet, 6)]),
        Shape::UntilRows => Some(vec![send, until(UntilName::Rows, 3)]),
        Shape::Waits => Some(vec![wait.clone(), send, wait, receive]),
        Shape::SeveralSends => Some(vec![send.clone(), send.clone(), receive, send]),
        Shape::NoSync => Some(vec![]),
        _ => None,
    }
}
