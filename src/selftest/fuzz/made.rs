//! A drawn scenario as a small structure: what can be left out of it can be left out by itself, so that it can be shrunk.
//! It must not know how it is drawn, nor what text it becomes.

use std::collections::BTreeSet;

use super::shape::Shape;
use crate::scenario::{JournalMode, OpenPolicy, SyncCall, Transaction};

/// The rows that a planted fault concerns have numbers from here on, and no other phase touches them.
pub(super) const WITNESS: u64 = 1_000_000_000;
/// The number of a database's own rows divided by this is the number of the database.
pub(super) const PER_DATABASE: u64 = 100_000_000;

/// A drawn scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    /// The seed from which it was drawn; also the seed of its run.
    pub(crate) seed: u64,
    /// The oddities in it.
    pub(crate) shapes: BTreeSet<Shape>,
    pub(super) databases: u64,
    pub(super) iterations: u64,
    pub(super) tables: Vec<Table>,
    pub(super) policy: Option<Policy>,
    pub(super) per_user: u64,
    pub(super) open: OpenPolicy,
    pub(super) pragmas: Vec<(&'static str, &'static str)>,
    pub(super) writers: Option<u32>,
    pub(super) journal: Option<JournalMode>,
    pub(super) phases: Vec<Phase>,
    /// Whether the last phase is run once, after all iterations.
    pub(super) teardown: bool,
    pub(super) bootstrap: bool,
    pub(super) query: bool,
    /// The place of the planted fault in the table of faults; none in a clean scenario.
    pub(crate) planted: Option<usize>,
}

/// Who may do what with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Users read and write their own rows.
    Own,
    /// Users read all rows and write their own.
    SharedRead,
    /// Users write their own rows and read none.
    WriteOnly,
    /// The members of a team read and write its rows; who is a member says another table.
    Team,
    /// Everybody reads and writes everything.
    Public,
}

/// A table. Every row has a number that says who wrote it, in a column of its own, and from which its key follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) key: Key,
    pub(super) key_names: [String; 2],
    pub(super) number: String,
    pub(super) columns: Vec<Column>,
    pub(super) strict: bool,
    pub(super) without_rowid: bool,
    /// What the key's constraint says beside its columns.
    pub(super) clause: &'static str,
    pub(super) check: bool,
    pub(super) extras: Vec<Extra>,
}

/// What the primary key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// `id TEXT`, the default id.
    Id,
    Blob,
    Untyped,
    UntypedNumber,
    /// Numbers that some databases write as 1 and others as 1.0.
    UntypedTwins,
    Real,
    Numeric,
    /// Some databases write upper-case letters.
    Nocase,
    /// Some databases write spaces at the end.
    Rtrim,
    IntegerText,
    Integers,
    Texts,
}

/// A column beside key and number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) declared: &'static str,
    pub(super) fill: Fill,
    pub(super) not_null: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    Values(Values),
    /// A value of its own in every row, declared UNIQUE.
    Unique,
    /// The user that wrote the row.
    User,
    /// The team of that user.
    Team,
    /// The key of a row of the first table, declared with REFERENCES.
    Parent,
    /// What the column's DEFAULT says.
    Default,
    /// Generated from the number; stored or not.
    Generated(bool),
    /// Written by a trigger from the number.
    Derived,
}

/// The values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Plain,
    Integers,
    Reals,
    NegativeZero,
    Texts,
    NulText,
    NotUtf8,
    Blobs,
    Mixed,
    /// Long texts and blobs.
    Large,
    /// Generated for every row, and bound.
    Bound,
}

/// What goes with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Index,
    /// Unique, partial, or over an expression.
    OddIndex(u64),
    View,
    /// Fills the derived columns.
    TriggerSameRow,
    /// Writes a row into the second table.
    TriggerOtherTable,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Phase {
    /// Its number in the scenario, from which its rows' numbers follow.
    pub(super) id: u64,
    pub(super) table: usize,
    pub(super) work: Work,
    /// The number of rows, or of executions.
    pub(super) rows: u64,
    pub(super) when: Option<&'static str>,
    pub(super) repeat: Option<u64>,
    pub(super) transaction: Option<Transaction>,
    pub(super) barrier: bool,
    pub(super) expect_rows: bool,
    pub(super) sync: Vec<SyncCall>,
}

/// What a step does to its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Rows of its own, one execution each.
    Insert,
    /// Rows of its own, all in one statement.
    Series,
    /// Rows that other databases write, too.
    Hot(Conflict),
    Update(Which, Style),
    Delete(Which, Style),
    /// Some rows of user 1 go to the other team.
    Move,
    /// Other keys for some of its own rows.
    ChangeKeys,
    /// Rows that take the unique values of rows of its own, which give way.
    TakeValues,
    /// A row is written, changed and deleted in one phase.
    Statements,
    Hostile(Hostility),
    /// Only sync calls.
    Nothing,
}

/// What happens where the key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflict {
    Upsert,
    Replace,
    Ignore,
}

/// The rows that a step concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    All,
    Own,
    Third,
    Hot,
}

/// How an update or a deletion is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// All in one statement.
    Set,
    /// One execution for each of some rows.
    Rows,
    /// Values are set to what they are.
    Same,
}

/// What a hostile phase tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hostility {
    /// Rows in another user's name.
    Insert,
    /// Own rows are given to another user.
    Takeover,
    /// Another user's rows are deleted.
    Delete,
}

impl Made {
    /// Whether the rows of a user are kept from some other.
    pub(super) fn is_partial(&self) -> bool {
        matches!(self.policy, Some(Policy::Own | Policy::SharedRead | Policy::WriteOnly | Policy::Team))
    }
}

impl Phase {
    /// A step with only sync calls.
    pub(super) fn nothing(id: u64, sync: Vec<SyncCall>) -> Self {
        Self {
            id,
            table: 0,
            work: Work::Nothing,
            rows: 1,
            when: None,
            repeat: None,
            transaction: None,
            barrier: false,
            expect_rows: false,
            sync,
        }
    }
}
