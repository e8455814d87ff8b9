//! Classification of JSON documents: the answers of sync calls, and error messages that are JSON.

use serde_json::Value;

use super::fingerprint::fingerprint;
use super::kind::{FailureKind as Kind, Side};
use super::raw::{Call, RawError};
use super::verdict::{Failure, Verdict};
use super::{code, text};

/// The failures that the answer of a successful sync call reports. With `settled`, no change is in transit any more, so a
/// send that is still `out-of-sync` is a failure.
pub fn classify_answer(call: Call, answer: &Value, settled: bool) -> Vec<Failure> {
    let mut failures = Vec::new();
    match call {
        Call::Send | Call::Receive | Call::Sync => {}
        Call::Open | Call::Sql | Call::Close | Call::Admin => return failures,
    }
    let send = answer.get("send");
    let receive = answer.get("receive");
    if send.is_none() && receive.is_none() {
        let message = format!("the answer is neither a send nor a receive document: {answer}");
        failures.push(Failure::new(Kind::BadAnswer, Side::Network, message));
    }
    if let Some(send) = send {
        failures.extend(send_status(send, settled));
        failures.extend(send.get("lastFailure").and_then(|job| failed_job(job, Kind::ServerApply)));
    }
    if let Some(receive) = receive {
        failures.extend(receive.get("error").and_then(not_applied));
        failures.extend(receive.get("lastFailure").and_then(|job| failed_job(job, Kind::ServerPrepare)));
    }
    failures
}

fn send_status(send: &Value, settled: bool) -> Option<Failure> {
    let status = send.get("status").and_then(Value::as_str).unwrap_or_default();
    let server_version = send.get("serverVersion").and_then(Value::as_i64);
    if status == "error" || server_version.is_some_and(|version| version < 0) {
        let message = format!("the answer of the send could not be parsed, so the sent changes may be lost: {send}");
        return Some(Failure::new(Kind::BadAnswer, Side::Network, message));
    }
    (settled && status == "out-of-sync").then(|| {
        let message = format!("changes are still missing on the server: {send}");
        Failure::new(Kind::OutOfSync, Side::Server, message)
    })
}

/// `lastFailure`: a job of the server that failed, repeated in every answer until the server clears it.
fn failed_job(job: &Value, otherwise: Kind) -> Option<Failure> {
    if job.is_null() {
        return None;
    }
    let message = string(job, "message").unwrap_or_else(|| job.to_string());
    let code = string(job, "code");
    let verdict = said_by_server(code.as_deref(), &message).unwrap_or_else(|| Verdict::new(otherwise, Side::Server));
    // The server calls a wrong schema retryable, although a retry never helps (fact sheet, section 4, row 5).
    let advised = job.get("retryable").and_then(Value::as_bool).unwrap_or(verdict.retryable);
    let hopeless = matches!(verdict.kind, Kind::SchemaMismatch | Kind::NotInitialised | Kind::TooLarge);
    let mut failure = Verdict { retryable: advised && !hopeless, code, ..verdict }.failure(&message);
    failure.job = string(job, "jobId");
    failure.failed_at = string(job, "failedAt");
    failure.message = match string(job, "stage") {
        Some(stage) => format!("{message} (stage {stage})"),
        None => message,
    };
    Some(failure)
}

/// `receive.error`: the local database could not store the received changes.
fn not_applied(error: &Value) -> Option<Failure> {
    let message = match error {
        Value::Null => return None,
        Value::String(message) => message.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => error.to_string(),
    };
    let lower = message.to_lowercase();
    let verdict = if lower == "receive failed" || lower == "check failed" {
        // `cloudsync_network_sync` loses the cause.
        Verdict { retryable: true, ..Verdict::new(Kind::BadAnswer, Side::Server) }
    } else {
        text::database(&lower).unwrap_or_else(|| Verdict::new(Kind::ClientApply, Side::Client))
    };
    Some(verdict.failure(&message))
}

/// Classifies a message that is a JSON document: an error body of the server, or an answer raised as an error.
pub(super) fn from_message(error: &RawError) -> Option<Failure> {
    if !error.call.is_remote() || !error.message.trim_start().starts_with('{') {
        return None;
    }
    let document: Value = serde_json::from_str(error.message.trim()).ok()?;
    if document.get("send").is_some() || document.get("receive").is_some() {
        return classify_answer(Call::Sync, &document, false).into_iter().next();
    }
    Some(error_body(error.http, &document))
}

fn error_body(http: Option<u16>, document: &Value) -> Failure {
    let error = document
        .pointer("/errors/0")
        .or_else(|| document.get("error").filter(|error| error.is_object()))
        .unwrap_or(document);
    let http = http.or_else(|| status(error)).or_else(|| status(document));
    let code = string(error, "code").or_else(|| string(document, "code"));
    let words: Vec<String> = ["title", "detail", "message", "error"]
        .iter()
        .filter_map(|name| string(error, name).or_else(|| error.as_str().map(str::to_owned)))
        .collect();
    let said = if words.is_empty() { document.to_string() } else { words.join(": ") };
    let lower = said.to_lowercase();
    let by_status = http.and_then(|status| text::refused(status, &lower));
    let verdict = by_status
        .or_else(|| said_by_server(code.as_deref(), &said))
        .unwrap_or_else(|| Verdict::new(Kind::Http, Side::Server));
    let folded = fingerprint(&match &code {
        Some(code) => format!("{code}: {said}"),
        None => said,
    });
    Failure { fingerprint: folded, ..Verdict { http, code, ..verdict }.failure("") }
}

fn said_by_server(code: Option<&str>, message: &str) -> Option<Verdict> {
    code.and_then(code::server).or_else(|| text::server(&message.to_lowercase()))
}

/// An HTTP status, written as a number or as a text.
fn status(value: &Value) -> Option<u16> {
    let status = value.get("status").or_else(|| value.get("statusCode"))?;
    let number = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|status| (100..600).contains(status))
}

/// A text or a number, as text.
fn string(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
