//! What a step is called and what it counts as. Every room asks here, so that whoever adds a step decides all of it in
//! this file.

use serde::{Deserialize, Serialize};

use crate::scenario::Kind;

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Opened a session: file, functions, pragmas, network, credential.
    Open,
    /// Ran a `delete` phase's SQL.
    Delete,
    /// Ran an `insert` phase's SQL.
    Insert,
    /// Ran an `update` phase's SQL.
    Update,
    /// Ran a `query` phase's SQL.
    Query,
    /// Pushed.
    Send,
    /// Pulled.
    Receive,
    /// Pulled, by the seed's word.
    Check,
    /// Pushed and pulled in one call.
    Sync,
    /// Waited at a barrier.
    Barrier,
    /// Waited: `wait`, `think`.
    Wait,
    /// Waited for the moment that a `rate` set for an iteration or a repetition, if it was still to come.
    Pace,
    /// Ran SQL on the server.
    Admin,
    /// Altered tables of the local database.
    Alter,
    /// Logged out: deleted the local rows, and took a new site id.
    Logout,
    /// Had everything be sent and received again.
    ResetSyncVersion,
    /// Died as by `kill -9`, and came back with the file as it was on disk.
    Crash,
    /// Closed a session: network cleanup, terminate, close.
    Close,
}

/// What a step's time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A phase's SQL.
    Sql,
    /// A sync call.
    Sync,
    /// Opening and closing sessions, and what is done to a database's part in the sync without calling the server.
    Session,
    /// Waiting because the scenario says so.
    Waiting,
    /// SQL on the server.
    Admin,
}

/// The total of a run to which a step adds: SQL its rows, a sync call itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// Rows deleted.
    Deleted,
    /// Rows inserted.
    Inserted,
    /// Rows updated.
    Updated,
    /// Rows read.
    Queried,
    /// Calls of `send`, settling excluded.
    Sends,
    /// Calls of `receive`, settling excluded.
    Receives,
    /// Calls of `check`, settling excluded.
    Checks,
    /// Calls of `sync`, settling excluded.
    Syncs,
}

impl StepKind {
    /// What running the SQL of a phase of a kind is.
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Delete => Self::Delete,
            Kind::Insert => Self::Insert,
            Kind::Update => Self::Update,
            Kind::Query => Self::Query,
        }
    }

    /// Its name in records and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Delete => "delete",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Query => "query",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Check => "check",
            Self::Sync => "sync",
            Self::Barrier => "barrier",
            Self::Wait => "wait",
            Self::Pace => "pace",
            Self::Admin => "admin",
            Self::Alter => "alter",
            Self::Logout => "logout",
            Self::ResetSyncVersion => "reset_sync_version",
            Self::Crash => "crash",
            Self::Close => "close",
        }
    }

    /// What its time is spent on.
    pub const fn part(self) -> Part {
        match self {
            Self::Delete | Self::Insert | Self::Update | Self::Query => Part::Sql,
            Self::Send | Self::Receive | Self::Check | Self::Sync => Part::Sync,
            Self::Open | Self::Alter | Self::Logout | Self::ResetSyncVersion | Self::Crash | Self::Close => {
                Part::Session
            }
            Self::Barrier | Self::Wait | Self::Pace => Part::Waiting,
            Self::Admin => Part::Admin,
        }
    }

    /// The total to which it adds.
    pub const fn total(self) -> Option<Total> {
        match self {
            Self::Delete => Some(Total::Deleted),
            Self::Insert => Some(Total::Inserted),
            Self::Update => Some(Total::Updated),
            Self::Query => Some(Total::Queried),
            Self::Send => Some(Total::Sends),
            Self::Receive => Some(Total::Receives),
            Self::Check => Some(Total::Checks),
            Self::Sync => Some(Total::Syncs),
            Self::Open
            | Self::Barrier
            | Self::Wait
            | Self::Pace
            | Self::Admin
            | Self::Alter
            | Self::Logout
            | Self::ResetSyncVersion
            | Self::Crash
            | Self::Close => None,
        }
    }

    /// Whether it hands what changed here to the server.
    pub const fn sends(self) -> bool {
        match self.total() {
            Some(Total::Sends | Total::Syncs) => true,
            Some(
                Total::Deleted | Total::Inserted | Total::Updated | Total::Queried | Total::Receives | Total::Checks,
            )
            | None => false,
        }
    }

    /// Whether it brings what changed elsewhere.
    pub const fn receives(self) -> bool {
        match self.total() {
            Some(Total::Receives | Total::Checks | Total::Syncs) => true,
            Some(Total::Deleted | Total::Inserted | Total::Updated | Total::Queried | Total::Sends) | None => false,
        }
    }

    /// Whether it changes rows, so that its count is one of rows changed.
    pub const fn changes_rows(self) -> bool {
        match self.total() {
            Some(Total::Deleted | Total::Inserted | Total::Updated) => true,
            Some(Total::Queried | Total::Sends | Total::Receives | Total::Checks | Total::Syncs) | None => false,
        }
    }

    /// Whether the rows it changes are there afterwards.
    pub const fn writes_rows(self) -> bool {
        match self.total() {
            Some(Total::Inserted | Total::Updated) => true,
            Some(Total::Deleted | Total::Queried | Total::Sends | Total::Receives | Total::Checks | Total::Syncs)
            | None => false,
        }
    }

    /// Whether it is a part of its phase, so that a database which did it did not skip the phase.
    pub const fn is_of_its_phase(self) -> bool {
        match self {
            // These are done for a phase also where nothing else of it is.
            Self::Open | Self::Close | Self::Barrier => false,
            Self::Delete
            | Self::Insert
            | Self::Update
            | Self::Query
            | Self::Send
            | Self::Receive
            | Self::Check
            | Self::Sync
            | Self::Wait
            | Self::Pace
            | Self::Admin
            | Self::Alter
            | Self::Logout
            | Self::ResetSyncVersion
            | Self::Crash => true,
        }
    }

    /// Whether it ran a phase's SQL.
    pub const fn is_sql(self) -> bool {
        matches!(self.part(), Part::Sql)
    }

    /// Whether it was a sync call.
    pub const fn is_sync(self) -> bool {
        matches!(self.part(), Part::Sync)
    }

    /// Whether it is the load itself, whose times are told step by step.
    pub const fn is_load(self) -> bool {
        match self.part() {
            Part::Sql | Part::Sync => true,
            Part::Session | Part::Waiting | Part::Admin => false,
        }
    }

    /// Whether something was done by it to the databases or the server.
    pub const fn is_work(self) -> bool {
        match self.part() {
            Part::Sql | Part::Sync | Part::Admin => true,
            Part::Session | Part::Waiting => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_calls_and_nothing_else_send_or_receive_and_sql_alone_changes_rows() {
        let names = [
            "open",
            "delete",
            "insert",
            "update",
            "query",
            "send",
            "receive",
            "check",
            "sync",
            "barrier",
            "wait",
            "pace",
            "admin",
            "alter",
            "logout",
            "reset_sync_version",
            "crash",
            "close",
        ];
        for name in names {
            let step: StepKind = serde_json::from_value(name.into()).expect(name);
            assert_eq!(step.as_str(), name);
            assert_eq!(step.sends() || step.receives(), step.is_sync(), "{name}");
            assert_eq!(step.total().is_some(), step.is_load(), "{name}");
            assert!(step.is_sql() || !step.changes_rows(), "{name}");
            assert!(step.changes_rows() || !step.writes_rows(), "{name}");
            assert!(step.is_of_its_phase() || !step.is_work(), "{name}");
        }
    }
}
