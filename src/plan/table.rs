//! A synced table, decided: its columns and key, what its policies depend on, and what triggers do to it.

use std::collections::BTreeSet;

use crate::scenario::{Algorithm, Policies};

/// A synced table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePlan {
    /// Its name, unquoted.
    pub name: String,
    /// `CREATE TABLE …`, rendered.
    pub sql: String,
    /// Statements run after it.
    pub also: Vec<String>,
    /// Which rows take part in sync, as an SQL expression; all of them where there is none.
    pub filter: Option<String>,
    /// How it is merged.
    pub algorithm: Algorithm,
    /// Columns whose texts are merged block by block.
    pub blocks: Vec<BlockPlan>,
    /// How the first database alters it, in order.
    pub alters: Vec<String>,
    /// Whether any database alters it.
    pub altered: bool,
    /// All columns that hold data (generated ones left out), in order. Here and below as the first database has them in the
    /// end.
    pub columns: Vec<String>,
    /// Their places among all columns of the table, counted from 0.
    pub places: Vec<i32>,
    /// The columns of the primary key, in its order.
    pub primary_key: Vec<String>,
    /// How they are compared.
    pub key: Vec<KeyColumn>,
    /// The four policies, when row-level security is on for it; an absent one denies.
    pub policies: Option<Policies>,
    /// Places in `columns` of those that a policy reads.
    pub policy_columns: Vec<usize>,
    /// What else the answers of the policies depend on.
    pub policies_depend_on: Elsewhere,
    /// What triggers of the author's do to it.
    pub triggered: Triggered,
}

impl TablePlan {
    /// SQL that makes it as the first database has it in the end.
    pub fn in_the_end(&self) -> String {
        let statements = std::iter::once(&self.sql).chain(&self.alters);
        statements.map(|sql| sql.trim().trim_end_matches(';')).collect::<Vec<_>>().join(";\n")
    }
}

/// A change of a synced table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alteration {
    /// The table.
    pub table: String,
    /// `ALTER TABLE …`, rendered: the same for every database.
    pub sql: String,
}

/// A column whose texts are merged block by block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPlan {
    /// Its place in the columns of its table.
    pub place: usize,
    /// What stands between two blocks, if the scenario says so.
    pub delimiter: Option<String>,
}

impl BlockPlan {
    /// What stands between two blocks.
    pub(crate) fn separator(&self) -> &str {
        self.delimiter.as_deref().unwrap_or("\n")
    }
}

/// What triggers do to a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Triggered {
    /// Whether they add rows.
    pub inserts: bool,
    /// Whether they delete rows, or replace them.
    pub deletes: bool,
    /// The columns that they update, in lower case.
    pub updates: BTreeSet<String>,
}

impl Triggered {
    /// Adds what others do.
    pub(crate) fn add(&mut self, other: Self) {
        self.inserts |= other.inserts;
        self.deletes |= other.deletes;
        self.updates.extend(other.updates);
    }
}

/// What the answer of a policy depends on besides the row and the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// Nothing: the same row has the same answer for ever.
    Nothing,
    /// Rows of these tables, named in lower case.
    Tables(Vec<String>),
    /// The clock, chance, or other rows of the same table.
    Anything,
}

/// A column of a primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its place in the columns of its table.
    pub place: usize,
    /// How its texts are compared.
    pub collation: Collation,
}

/// How SQLite compares texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collation {
    /// Byte by byte.
    Binary,
    /// Without regard to the case of ASCII letters.
    NoCase,
    /// Without regard to spaces at the end.
    RTrim,
}

impl Collation {
    /// SQLite's own of this name. The connections here have no others.
    pub(crate) fn named(name: &str) -> Self {
        match name.to_ascii_uppercase().as_str() {
            "NOCASE" => Self::NoCase,
            "RTRIM" => Self::RTrim,
            _ => Self::Binary,
        }
    }
}
