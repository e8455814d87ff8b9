//! One sync call: the SQL function, its answer taken apart, what it reports as failed. Send and receive are called
//! apart, since `sync` loses the cause of a failure.

use serde_json::Value;

use super::connection::Session;
use crate::failure::{self, Call, Failure, RawError, Versions};
use crate::record::StepKind;

/// A call of one of the sync functions.
pub struct SyncCall {
    pub(crate) step: StepKind,
    sql: String,
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
    /// Of a function by its name after `cloudsync_network_`, with its arguments as SQL.
    pub(crate) fn new(step: StepKind, function: &str, arguments: &str) -> Self {
        Self { step, sql: format!("SELECT cloudsync_network_{function}({arguments})") }
    }

    /// All that is to be sent.
    pub(crate) fn send() -> Self {
        Self::new(StepKind::Send, "send_changes", "")
    }

    /// All that is to be received.
    pub(crate) fn receive() -> Self {
        Self::new(StepKind::Receive, "receive_changes", "")
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
        let call = self.call();
        let answer = match session.call(call, &self.sql, &[]) {
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
