//! The checks at the end of a run, decided. It must not know how a check is done, nor what it finds.

use std::fmt;

use schemars::JsonSchema;
use serde_json::Value;

use crate::failure::Side;
use crate::scenario::{CheckName, QueryOn};

/// A check at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckPlan {
    /// Where it stands in the scenario, such as `/verify/0`; none when the scenario leaves the choice of checks open.
    pub pointer: Option<String>,
    /// What it asks.
    pub question: Question,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// One of the checks on all tables.
    Named(CheckName),
    /// A query with the value it must give.
    Query {
        /// Where it runs.
        on: QueryOn,
        /// The query, rendered.
        sql: String,
        /// The value, rendered.
        equals: Value,
    },
}

/// The names of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub enum CheckKind {
    /// All databases of a user hold the same rows.
    Converged,
    /// The server holds the same rows as the databases.
    Server,
    /// No database holds a row that its user must not see.
    Isolation,
    /// A new, empty database receives the same rows.
    Bootstrap,
    /// What is there is what somebody last wrote.
    Written,
    /// A query returns the expected value.
    Query,
    /// Every database file is intact (`PRAGMA integrity_check`). Always included when `verify` has a check.
    Integrity,
    /// Every row has the rows that its foreign keys refer to (`PRAGMA foreign_key_check`). Included when `verify` has a
    /// check and the pragma `foreign_keys` is on.
    ForeignKeys,
}

impl CheckPlan {
    /// The kind of the check, by which reports name its findings.
    pub fn kind(&self) -> CheckKind {
        match &self.question {
            Question::Named(name) => CheckKind::from(*name),
            Question::Query { .. } => CheckKind::Query,
        }
    }
}

impl CheckKind {
    /// All names of findings, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Converged,
        Self::Server,
        Self::Isolation,
        Self::Bootstrap,
        Self::Written,
        Self::Query,
        Self::Integrity,
        Self::ForeignKeys,
    ];

    /// The kind's name in scenarios and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Server => "server",
            Self::Isolation => "isolation",
            Self::Bootstrap => "bootstrap",
            Self::Written => "written",
            Self::Query => "query",
            Self::Integrity => "integrity",
            Self::ForeignKeys => "foreign_keys",
        }
    }

    /// Whom findings speak against. Data that are not what every call acknowledged: a damaged file is the client's,
    /// and so is a row that its own constraints forbid; everything else was vouched for by the server.
    pub const fn side(self) -> Side {
        match self {
            Self::Integrity | Self::ForeignKeys => Side::Client,
            Self::Converged | Self::Server | Self::Isolation | Self::Bootstrap | Self::Written | Self::Query => {
                Side::Server
            }
        }
    }
}

impl From<CheckName> for CheckKind {
    fn from(name: CheckName) -> Self {
        match name {
            CheckName::Converged => Self::Converged,
            CheckName::Server => Self::Server,
            CheckName::Isolation => Self::Isolation,
            CheckName::Bootstrap => Self::Bootstrap,
            CheckName::Written => Self::Written,
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
