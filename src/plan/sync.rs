//! Sync calls, decided: what is called, how often, and how that is said.

use std::fmt;
use std::time::Duration;

use crate::scenario::{HumanDuration, ReceiveOptions, ReceiveUntil, SyncCall, SyncName, SyncOptions};

/// A sync call, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncPlan {
    /// Push.
    Send,
    /// Pull.
    Receive(ReceivePlan),
    /// Both, with the pause between tries and the most tries; the extension's own defaults when absent.
    Sync(Option<(Duration, u32)>),
    /// Pause.
    Wait(Duration),
}

/// A pull, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivePlan {
    /// Whether it was written as `check`, the seed's word.
    pub check: bool,
    /// What ends repeated calls; one call when absent.
    pub until: Option<ReceiveUntil>,
    /// The most calls.
    pub attempts: u32,
    /// The pause between two calls.
    pub every: Duration,
    /// The most chunks of one call.
    pub max_chunks: Option<u32>,
}

impl SyncPlan {
    /// Decides a sync call.
    pub(super) fn of(call: &SyncCall) -> Self {
        match call {
            SyncCall::Name(SyncName::Send) => Self::Send,
            SyncCall::Name(SyncName::Receive) => Self::receive(false, &ReceiveOptions::default()),
            SyncCall::Name(SyncName::Check) => Self::receive(true, &ReceiveOptions::default()),
            SyncCall::Name(SyncName::Sync) => Self::Sync(None),
            SyncCall::Options(SyncOptions::Receive(options)) => Self::receive(false, options),
            SyncCall::Options(SyncOptions::Check(options)) => Self::receive(true, options),
            SyncCall::Options(SyncOptions::Sync(options)) => {
                let wait = options.wait.map_or(Duration::from_millis(100), HumanDuration::get);
                Self::Sync(Some((wait, options.retries.unwrap_or(1))))
            }
            SyncCall::Options(SyncOptions::Wait(wait)) => Self::Wait(wait.get()),
        }
    }

    fn receive(check: bool, options: &ReceiveOptions) -> Self {
        Self::Receive(ReceivePlan {
            check,
            until: options.until,
            attempts: options.attempts.unwrap_or(40),
            every: options.every.map_or(Duration::from_millis(250), HumanDuration::get),
            max_chunks: options.max_chunks,
        })
    }

    /// Whether it calls the server; a pause does not.
    pub fn calls(&self) -> bool {
        match self {
            Self::Send | Self::Receive(_) | Self::Sync(_) => true,
            Self::Wait(_) => false,
        }
    }
}

impl fmt::Display for SyncPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send => f.write_str("send"),
            Self::Receive(ReceivePlan { check, until, attempts, every: _, max_chunks: _ }) => {
                f.write_str(if *check { "check" } else { "receive" })?;
                match until {
                    None => Ok(()),
                    Some(ReceiveUntil::Rows) => write!(f, " until rows arrive, at most {attempts} times"),
                    Some(ReceiveUntil::Quiet) => write!(f, " until quiet, at most {attempts} times"),
                }
            }
            Self::Sync(_) => f.write_str("sync"),
            Self::Wait(wait) => write!(f, "wait {wait:?}"),
        }
    }
}
