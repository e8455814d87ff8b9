//! One sync call: the SQL function or the driver's operation, its answer taken apart, what it reports as failed. Send and
//! receive are called apart, since `sync` loses the cause of a failure.

use std::time::Duration;

use serde_json::Value;

use super::connection::Local;
use super::driver::Remote;
use super::either::{Either, Session};
use crate::failure::{self, Call, Failure, RawError, Versions};
use crate::record::StepKind;

/// A sync call.
pub struct SyncCall {
    pub(crate) step: StepKind,
    /// The name of the function after `cloudsync_network_`.
    function: &'static str,
    /// Its arguments as SQL.
    arguments: String,
    /// The most chunks that it takes.
    max_chunks: Option<u32>,
}

/// What came of a sync call.
pub struct Synced {
    pub(crate) rows: u64,
    pub(crate) chunks: u64,
    pub(crate) bytes: u64,
    /// Whether the answer says that there is no more to receive.
    pub(crate) complete: bool,
    pub(crate) failures: Vec<Failure>,
    /// Whether an answer came that could be read.
    pub(crate) answered: bool,
    /// The versions in the answer of a send.
    pub(crate) versions: Option<Versions>,
    /// The answer, or the error's message, for the log.
    pub(crate) text: String,
}

impl SyncCall {
    /// All that is to be sent.
    pub(crate) const fn send() -> Self {
        Self { step: StepKind::Send, function: "send_changes", arguments: String::new(), max_chunks: None }
    }

    /// What is to be received, in so many chunks at most.
    pub(crate) fn receive(max_chunks: Option<u32>) -> Self {
        let arguments = max_chunks.map_or_else(String::new, |most| most.to_string());
        Self { step: StepKind::Receive, function: "receive_changes", arguments, max_chunks }
    }

    /// The same by the function that the seed calls.
    pub(crate) fn check(max_chunks: Option<u32>) -> Self {
        Self { step: StepKind::Check, function: "check_changes", ..Self::receive(max_chunks) }
    }

    /// Both, with the pause between tries and the most tries.
    pub(crate) fn sync(tries: Option<(Duration, u32)>) -> Self {
        let arguments = tries.map_or_else(String::new, |(wait, tries)| format!("{}, {tries}", wait.as_millis()));
        Self { step: StepKind::Sync, function: "sync", arguments, max_chunks: None }
    }

    /// As what its errors are understood.
    const fn call(&self) -> Call {
        match (self.step.sends(), self.step.receives()) {
            (true, false) => Call::Send,
            (false, _) => Call::Receive,
            (true, true) => Call::Sync,
        }
    }

    /// Makes the call. `settled` says that nothing else is under way, so that `out-of-sync` is a failure; `earlier` are
    /// the versions of the database's answer before.
    pub(crate) fn make(&self, session: &Session, settled: bool, earlier: Option<Versions>) -> Synced {
        match &session.0 {
            Either::Local(local) => self.make_here(local, settled, earlier),
            Either::Driver(remote) => self.make_there(remote),
        }
    }

    fn make_there(&self, remote: &Remote) -> Synced {
        match remote.moved(self.call(), self.max_chunks.map(u64::from)) {
            Ok(moved) => Synced {
                rows: moved.rows.unwrap_or(0),
                chunks: moved.chunks.unwrap_or(0),
                bytes: moved.bytes.unwrap_or(0),
                complete: moved.complete.unwrap_or(true),
                failures: Vec::new(),
                answered: true,
                versions: None,
                text: moved.to_string(),
            },
            Err(error) => Synced::failed(failure::classify(&error), error.message),
        }
    }

    fn make_here(&self, local: &Local, settled: bool, earlier: Option<Versions>) -> Synced {
        let call = self.call();
        let sql = format!("SELECT cloudsync_network_{}({})", self.function, self.arguments);
        let answer = match local.call(call, &sql, &[]) {
            Ok(answer) => answer.unwrap_or_default(),
            Err(error) => return Synced::failed(failure::classify(&error), error.message),
        };
        let Ok(document) = serde_json::from_str::<Value>(&answer) else {
            let message = format!("the answer is not JSON: {answer}");
            let error = RawError::said(call, message.clone());
            let failure = Failure { kind: failure::FailureKind::BadAnswer, ..failure::classify(&error) };
            return Synced::failed(failure, message);
        };
        let number = |pointer: &str| document.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let either = |key: &str| number(&format!("/send/{key}")) + number(&format!("/receive/{key}"));
        let versions = Versions::of(&document);
        let mut failures = failure::classify_answer(call, &document, settled);
        failures.extend(versions.iter().flat_map(|versions| versions.violations(earlier, &document)));
        Synced {
            rows: number("/receive/rows"),
            chunks: either("chunks"),
            bytes: either("bytes"),
            complete: document.pointer("/receive/complete").and_then(Value::as_bool).unwrap_or(true),
            failures,
            answered: true,
            versions,
            text: answer,
        }
    }
}

impl Synced {
    fn failed(failure: Failure, text: String) -> Self {
        Self {
            rows: 0,
            chunks: 0,
            bytes: 0,
            complete: false,
            failures: vec![failure],
            answered: false,
            versions: None,
            text,
        }
    }
}
