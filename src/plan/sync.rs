//! Sync calls, decided: what is called, how often, and how that is said.

use std::time::Duration;

use super::draft::Draft;
use super::tables::Tables;
use super::until::{self, UntilPlan};
use crate::scenario::{HumanDuration, ReceiveOptions, SyncCall, SyncName, SyncOptions};
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
    /// Decides the sync call that stands at `pointer`; none when it is wrong.
    pub(super) fn of(draft: &mut Draft<'_>, tables: &Tables, pointer: &str, call: &SyncCall) -> Option<Self> {
        let mut receive = |check, options: &ReceiveOptions| {
            let word = if check { "check" } else { "receive" };
            let until = match &options.until {
                Some(until) => Some(until::decide(draft, tables, &format!("{pointer}/{word}/until"), until)?),
                None => None,
            };
            Some(Self::Receive(ReceivePlan {
                check,
                until,
                attempts: options.attempts.unwrap_or(40),
                every: options.every.map_or(Duration::from_millis(250), HumanDuration::get),
                max_chunks: options.max_chunks,
            }))
        };
        Some(match call {
            SyncCall::Name(SyncName::Send) => Self::Send,
            SyncCall::Name(SyncName::Receive) => receive(false, &ReceiveOptions::default())?,
            SyncCall::Name(SyncName::Check) => receive(true, &ReceiveOptions::default())?,
            SyncCall::Name(SyncName::Sync) => Self::Sync(None),
            SyncCall::Name(SyncName::Logout) => Self::Logout,
            SyncCall::Name(SyncName::ResetSyncVersion) => Self::ResetSyncVersion,
            SyncCall::Options(SyncOptions::Receive(options)) => receive(false, options)?,
            SyncCall::Options(SyncOptions::Check(options)) => receive(true, options)?,
            SyncCall::Options(SyncOptions::Sync(options)) => {
                let wait = options.wait.map_or(Duration::from_millis(100), HumanDuration::get);
                Self::Sync(Some((wait, options.retries.unwrap_or(1))))
            }
            SyncCall::Options(SyncOptions::Wait(wait)) => Self::Wait(wait.get()),
        })
    }

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
