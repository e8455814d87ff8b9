//! One exchange over HTTP with an administrator's interface: bounded in time and attempts, tolerant of what it gets
//! back, and with every secret hidden in what it tells. It must not know what is asked.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderMap, Method};

use super::agent::{agent, is_halted};
use super::embedded::checksum::{HEADER, checksum};
use super::error::TargetError;
use super::halt::Halt;
use super::proxy::proxy;
use crate::failure::{self, Call, FailureKind, RawError, Secret, Secrets};

/// The longest a request may take when nobody says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// The most an answer may hold: a page of rows is far smaller.
const LARGEST_ANSWER: u64 = 256 * 1024 * 1024;
const ATTEMPTS: u32 = 4;
/// The pause after the first failure; it doubles with each.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest part of an answer that is not understood and told all the same.
const TOLD: usize = 300;

/// A server of an administrator's interface.
#[derive(Debug, Clone)]
pub(super) struct Http {
    agent: ureq::Agent,
    halt: Halt,
    base: String,
    time: Duration,
    secrets: Secrets,
}

/// What is asked of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a Method,
    /// From the slash on.
    pub(super) path: &'a str,
    pub(super) bearer: &'a Secret,
    pub(super) body: Option<&'a Value>,
}

/// Whether a request may be sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Never: it is measured, or must not happen twice.
    Once,
    /// After 429, 5xx and failures of the network, a few times.
    Again,
}

/// What came back, before anybody has judged it.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    text: String,
}

impl Http {
    pub(super) fn new(base: impl Into<String>, time: Duration, secrets: Secrets) -> Self {
        Self {
            agent: Self::agent(&Halt::never()),
            halt: Halt::never(),
            base: base.into().trim_end_matches('/').to_owned(),
            time,
            secrets,
        }
    }

    fn agent(halt: &Halt) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("stress/", env!("CARGO_PKG_VERSION")));
        agent(config, halt)
    }

    /// The same with another end of its waits.
    pub(super) fn until(&self, halt: &Halt) -> Self {
        Self { agent: Self::agent(halt), halt: halt.clone(), ..self.clone() }
    }

    pub(super) fn address(&self) -> &str {
        &self.base
    }

    /// The longest a request, with all its attempts, may take.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// Asks, and gives the document of a good answer; null when it is empty.
    pub(super) fn ask(&self, request: Request<'_>, patience: Patience) -> Result<Value, RawError> {
        self.ask_within(self.time, request, patience)
    }

    /// The same within a time.
    pub(super) fn ask_within(
        &self,
        time: Duration,
        request: Request<'_>,
        patience: Patience,
    ) -> Result<Value, RawError> {
        let until = Instant::now() + time;
        let mut attempt = 1;
        loop {
            let answer = self.exchange(request, until.saturating_duration_since(Instant::now()));
            let asked_for = answer.as_ref().ok().and_then(|answer| retry_after(&answer.headers));
            let error = match answer.and_then(|answer| self.judged(request.path, answer)) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let pause = asked_for.unwrap_or(PAUSE * 2_u32.pow(attempt - 1));
            let again = patience == Patience::Again && worth_repeating(&error) && attempt < ATTEMPTS;
            if !again || Instant::now() + pause >= until || !self.halt.sleep(pause) {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Has no message show a secret that has just become known.
    pub(super) fn learn(&self, secret: &Secret) {
        self.secrets.add(secret);
    }

    /// The words of a good answer, with what they repeat of a secret hidden.
    pub(super) fn hide(&self, text: String) -> String {
        self.secrets.redact(text)
    }

    /// An answer without what it should have.
    pub(super) fn odd(&self, path: &str, what: &str) -> RawError {
        let message = format!("the answer of {path} could not be understood: {what}");
        RawError::heard(Call::Admin, message, &self.secrets)
    }

    /// One request and its answer, whatever it says.
    pub(super) fn exchange(&self, request: Request<'_>, time: Duration) -> Result<Answer, RawError> {
        // A time of none would be no limit at all.
        let time = time.clamp(Duration::from_millis(1), self.time);
        let failed = |error: &ureq::Error| RawError::heard(Call::Admin, network_text(error, time), &self.secrets);
        let url = format!("{}{}", self.base, request.path);
        let proxy = proxy(&url).map_err(|problem| RawError::said(Call::Admin, problem))?;
        let bearer = format!("Bearer {}", request.bearer.expose());
        let sent = if let Some(body) = request.body {
            let builder = match *request.method {
                Method::DELETE => self.agent.delete(&url).force_send_body(),
                _ => self.agent.post(&url),
            };
            let builder = builder.header("Authorization", bearer).header("Content-Type", "application/json");
            builder.config().proxy(proxy).timeout_global(Some(time)).build().send(body.to_string())
        } else {
            let builder = match *request.method {
                Method::DELETE => self.agent.delete(&url),
                _ => self.agent.get(&url),
            };
            builder.header("Authorization", bearer).config().proxy(proxy).timeout_global(Some(time)).build().call()
        };
        let mut response = sent.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string();
        let text = text.map_err(|error| failed(&error))?;
        // The embedded hub sends one with every answer.
        if headers.get(HEADER).is_some_and(|told| told.as_bytes() != checksum(text.as_bytes()).as_bytes()) {
            return Err(RawError::said(Call::Admin, "Recv failure: the answer is damaged: its checksum differs"));
        }
        Ok(Answer { status, headers, text })
    }

    /// A good document, or what is wrong with the answer.
    fn judged(&self, path: &str, answer: Answer) -> Result<Value, RawError> {
        let Answer { status, text, .. } = answer;
        let document: Option<Value> = serde_json::from_str(&text).ok();
        let refused = document.as_ref().is_some_and(|document| {
            let holds = |key: &str| document.get(key).is_some_and(|error| !error.is_null());
            holds("error") || holds("errors")
        });
        if !(200..300).contains(&status) || refused {
            let message = if text.trim().is_empty() { format!("HTTP {status} without a body") } else { text };
            return Err(RawError::heard(Call::Admin, message, &self.secrets).with_status(status));
        }
        match document {
            Some(document) => Ok(document),
            None if text.trim().is_empty() => Ok(Value::Null),
            None => Err(self.odd(path, "not JSON")),
        }
    }

    /// The failure of a step, in words for a person.
    pub(super) fn failed(&self, step: &str, error: &RawError) -> TargetError {
        let status = error.http.map_or_else(String::new, |status| format!(" (HTTP {status})"));
        let address = &self.base;
        let message = format!("failed to {step} at {address}{status}: {}", told(&error.message));
        TargetError::new(message, help(error))
    }
}

/// Whether the same request may fare better: not understood, not answered, too many, or the server's own failure.
fn worth_repeating(error: &RawError) -> bool {
    error.http.is_none_or(|status| status == 429 || status >= 500) && !error.message.starts_with(TIMED_OUT)
}

/// `Retry-After`, in seconds; a date is left to the usual pause.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// What a server's answer says, out of the document that it says it in.
fn told(message: &str) -> String {
    let document: Option<Value> = serde_json::from_str(message).ok();
    let error = document.as_ref().and_then(|document| {
        let first = document.pointer("/errors/0");
        first.or_else(|| document.get("error")).or_else(|| document.get("errors"))
    });
    let said = error.and_then(|error| match error {
        Value::String(text) => Some(text.clone()),
        other => ["detail", "message", "title"].iter().find_map(|key| other.get(key)?.as_str()).map(str::to_owned),
    });
    let text = said.unwrap_or_else(|| message.split_whitespace().collect::<Vec<_>>().join(" "));
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn help(error: &RawError) -> &'static str {
    if failure::classify(error).kind == FailureKind::Disk {
        return "free space on the server's disk; the hub of a run keeps its files under `--out`";
    }
    match error.http {
        Some(401) => "the key is wrong, expired or revoked: take a valid one from the dashboard",
        Some(403) => {
            "the key lacks a right: the project's api key must be an administrator's, a management key needs the role workspace-admin"
        }
        Some(404) => "check the address, the project and the database",
        Some(429) => "the server limits the rate of requests: wait, then run it again",
        Some(500..) => {
            "the server failed: run the command again, and tell the server's operators if the error persists"
        }
        Some(_) => "the server's message above names the cause",
        None => "check the address and whether the server answers: `stress doctor` does both",
    }
}

/// What SQLite says of a statement that was cut off, said of a request.
const INTERRUPTED: &str = "interrupted";
const TIMED_OUT: &str = "Operation timed out";
/// Before the words for any other way in which no complete answer came.
const UNANSWERED: &str = "No complete answer:";

/// The message of a failed exchange, in the words that the sync calls use for the same.
fn network_text(error: &ureq::Error, time: Duration) -> String {
    match error {
        error if is_halted(error) => INTERRUPTED.to_owned(),
        ureq::Error::Timeout(_) => format!("{TIMED_OUT} after {} milliseconds", time.as_millis()),
        ureq::Error::HostNotFound => "Could not resolve host".to_owned(),
        ureq::Error::ConnectionFailed => "Failed to connect to the server".to_owned(),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            format!("{TIMED_OUT} after {} milliseconds", time.as_millis())
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "Failed to connect to the server: Connection refused".to_owned()
        }
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
            "Connection reset by peer".to_owned()
        }
        // Never sent: the address is no address.
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => error.to_string(),
        other => format!("{UNANSWERED} {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_taken_out_of_its_document() {
        for (message, said) in [
            (
                r#"{"errors":[{"status":"404","code":"not_found","detail":"managed database not found"}]}"#,
                "managed database not found",
            ),
            (r#"{"error":{"status":"400","title":"Bad Request","detail":"no such table: x"}}"#, "no such table: x"),
            (r#"{"error":"nope"}"#, "nope"),
            ("<html>\n  bad gateway</html>", "<html> bad gateway</html>"),
        ] {
            assert_eq!(told(message), said);
        }
        assert_eq!(told(&"x".repeat(1000)).chars().count(), TOLD + 1);
    }

    #[test]
    fn what_a_server_repeats_of_a_secret_is_hidden_where_its_error_is_made() {
        let http = Http::new("http://host", TIMEOUT, Secrets::new([&Secret::from("k3y/of+us")]));
        http.learn(&"t0ken/of+them".into());
        for said in
            ["k3y/of+us and t0ken/of+them", "k3y%2Fof%2Bus and t0ken/of+them", r"k3y\u002fof+us and t0ken\/of+them"]
        {
            let text = format!(r#"{{"error":{{"detail":"no {said}"}}}}"#);
            let answer = Answer { status: 403, headers: HeaderMap::new(), text };
            let error = http.judged("/x", answer).expect_err("refused");
            let shown = http.failed("ask", &error).to_string();
            assert_eq!(shown, "failed to ask at http://host (HTTP 403): no [hidden] and [hidden]");
            assert!(!failure::classify(&error).message.contains("of+"), "{error:?}");
        }
    }

    #[test]
    fn a_server_that_does_not_answer_is_a_failure_of_the_network() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let ask = || {
            let http = Http::new(format!("http://{address}"), Duration::from_secs(10), Secrets::default());
            let request = Request { method: &Method::GET, path: "/x", bearer: &Secret::from("k"), body: None };
            failure::classify(&http.ask(request, Patience::Once).expect_err("no answer"))
        };
        let hangs_up = std::thread::spawn(move || drop(listener.accept()));
        for how in ["the connection is closed", "nobody listens"] {
            let told = ask();
            assert_eq!((told.kind, told.side), (FailureKind::Network, failure::Side::Network), "{how}: {told:?}");
        }
        hangs_up.join().expect("it ended");
    }

    #[test]
    fn a_good_status_with_an_error_inside_is_an_error() {
        let http = Http::new("http://host", TIMEOUT, Secrets::default());
        let judged =
            |text: &str| http.judged("/x", Answer { status: 200, headers: HeaderMap::new(), text: text.to_owned() });
        assert!(judged(r#"{"error":null,"data":1}"#).is_ok() && judged("").is_ok());
        assert_eq!(judged(r#"{"error":"no"}"#).expect_err("an error").http, Some(200));
        assert_eq!(judged("{\"data\":").expect_err("an error").http, None);
    }
}
