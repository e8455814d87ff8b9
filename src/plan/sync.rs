//! Sync calls, decided: what is called, how often, and how that is said.

use std::time::Duration;

use super::until::UntilPlan;
use crate::sql::one_line;
use crate::template::Scope;

/// A sync call, decided.
#[derive(Debug, Clone, PartialEq)]
pub enum SyncPlan {
    /// Push.
    Send,
    /// Pull.
    Receive(ReceivePlan),
    /// Both, with the pause between tries and the most tries; the extension's own defaults when absent.
    Sync(Option<(Duration, u32)>),
    /// Delete the local rows, and be a new device of the same user.
    Logout,
    /// Have everything sent and received again.
    ResetSyncVersion,
    /// Pause.
    Wait(Duration),
}

/// A pull, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivePlan {
    /// Whether it was written as `check`, the seed's word.
    pub check: bool,
    /// What ends repeated calls; one call when absent.
    pub until: Option<UntilPlan>,
    /// The most calls.
    pub attempts: u32,
    /// The pause between two calls.
    pub every: Duration,
    /// The most chunks of one call.
    pub max_chunks: Option<u32>,
}

impl SyncPlan {
    /// Whether it calls the server.
    pub fn calls(&self) -> bool {
        match self {
            Self::Send | Self::Receive(_) | Self::Sync(_) => true,
            Self::Logout | Self::ResetSyncVersion | Self::Wait(_) => false,
        }
    }

    /// Whether it hands what changed here to the server.
    pub fn sends(&self) -> bool {
        match self {
            Self::Send | Self::Sync(_) => true,
            Self::Receive(_) | Self::Logout | Self::ResetSyncVersion | Self::Wait(_) => false,
        }
    }

    /// What it does in a repetition, in words.
    pub fn in_words(&self, scope: &Scope) -> String {
        match self {
            Self::Send => "send".to_owned(),
            Self::Receive(ReceivePlan { check, until, attempts, every: _, max_chunks: _ }) => {
                let call = if *check { "check" } else { "receive" };
                let until = match until {
                    None => return call.to_owned(),
                    Some(UntilPlan::Rows) => "rows arrive".to_owned(),
                    Some(UntilPlan::Quiet) => "quiet".to_owned(),
                    Some(UntilPlan::Query(query)) => {
                        let sql = query.sql(scope).map_or_else(|problem| problem.message, |sql| one_line(&sql));
                        let equals = query.equals(scope).map_or_else(|problem| problem.message, |it| it.to_string());
                        format!("`{sql}` returns {equals}")
                    }
                };
                format!("{call} until {until}, at most {attempts} times")
            }
            Self::Sync(_) => "sync".to_owned(),
            Self::Logout => "logout (deletes the local rows; the next call logs in again)".to_owned(),
            Self::ResetSyncVersion => "reset_sync_version".to_owned(),
            Self::Wait(wait) => format!("wait {wait:?}"),
        }
    }
}
