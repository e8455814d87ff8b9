//! Messages over HTTP, one agent and so one kept connection per SQLite connection, and network failures in the words of
//! the public functions, so that they are classified alike.

use std::io::{self, ErrorKind, Read};
use std::time::Instant;

use ureq::http::Response;

use super::super::checksum::{DAMAGED, HEADER, REQUEST, checksum};
use super::super::wire::MAX_BODY;
use super::transport::{Endpoint, Refusal, Transport, Verb};
use crate::target::{self, Halt, proxy};

/// Bytes of a connection's buffers, one for each direction.
const BUFFER: usize = 8 << 10;

/// The most room that is made for an answer before it comes.
const ROOM: usize = 2 << 20;
/// What is wrong with a damaged message.
const DIFFERS: &str = "its checksum differs";

/// HTTP through ureq.
pub(super) struct Http {
    agent: Option<ureq::Agent>,
    halt: Halt,
    /// How many requests were sent.
    sent: u64,
}

impl Http {
    /// Requests that end with this.
    pub(super) fn new(halt: Halt) -> Self {
        Self { agent: None, halt, sent: 0 }
    }

    fn send(&mut self, endpoint: &Endpoint, verb: Verb, body: &[u8]) -> Result<Response<ureq::Body>, ureq::Error> {
        let agent = self.agent.get_or_insert_with(|| agent(&self.halt));
        let path = match verb {
            Verb::Push => "push",
            Verb::Pull => "pull",
        };
        let address = endpoint.address.trim_end_matches('/');
        let scheme = if address.contains("://") { "" } else { "http://" };
        let url = format!("{scheme}{address}/stress/v1/{}/{path}", endpoint.id);
        let proxy = proxy(&url).map_err(|problem| ureq::Error::Io(io::Error::other(problem)))?;
        self.sent += 1;
        let mut request = agent.post(url).header(HEADER, checksum(body)).header(REQUEST, self.sent.to_string());
        if let Some(credential) = &endpoint.credential {
            request = request.header("Authorization", format!("Bearer {}", credential.expose()));
        }
        let request = request
            .config()
            .proxy(proxy)
            .timeout_connect(Some(endpoint.connect_timeout))
            .timeout_global(Some(endpoint.request_timeout))
            .build();
        request.send(body)
    }
}

impl Transport for Http {
    fn call(&mut self, endpoint: &Endpoint, verb: Verb, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let started = Instant::now();
        let response = self.send(endpoint, verb, body).map_err(|error| explain(&error, endpoint, started, 0))?;
        let (parts, mut body) = response.into_parts();
        let announced = body.content_length();
        let mut bytes =
            Vec::with_capacity(announced.map_or(0, |length| usize::try_from(length).unwrap_or(0).min(ROOM)));
        let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
        if let Err(error) = body.with_config().limit(limit).reader().read_to_end(&mut bytes) {
            let received = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let cut = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
            return Err(match announced {
                Some(length) if cut && length > received => {
                    Refusal::Network(format!("end of response with {} bytes missing", length - received))
                }
                _ => explain(&ureq::Error::from(error), endpoint, started, received),
            });
        }
        if parts.headers.get(REQUEST).is_some_and(|of| of.as_bytes() != self.sent.to_string().as_bytes()) {
            // An answer that came twice: the connection is one answer behind.
            self.agent = None;
            return Err(Refusal::Network("Recv failure: the answer belongs to an earlier request".to_owned()));
        }
        let is_whole = parts.headers.get(HEADER).is_some_and(|told| told.as_bytes() == checksum(&bytes).as_bytes());
        match parts.status.as_u16() {
            DAMAGED => Err(Refusal::Network(format!("Recv failure: the hub got a damaged request: {DIFFERS}"))),
            // Also what stands before a hub may refuse, and sends no checksum.
            400.. => Err(Refusal::Status(String::from_utf8_lossy(&bytes).into_owned())),
            _ if !is_whole => Err(Refusal::Network(format!("Recv failure: the answer is damaged: {DIFFERS}"))),
            _ => Ok(bytes),
        }
    }

    fn close(&mut self) {
        self.agent = None;
    }
}

fn agent(halt: &Halt) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        // The default of 128 KiB each, a thousand times, is a quarter of a gigabyte.
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .user_agent("stress-embedded");
    target::agent(config, halt)
}

fn explain(error: &ureq::Error, endpoint: &Endpoint, started: Instant, received: u64) -> Refusal {
    if target::is_halted(error) {
        return Refusal::Interrupted;
    }
    let milliseconds = started.elapsed().as_millis();
    let (host, port) = host(&endpoint.address);
    Refusal::Network(match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            format!("Connection timed out after {milliseconds} milliseconds")
        }
        ureq::Error::Timeout(_) => {
            format!("Operation timed out after {milliseconds} milliseconds with {received} bytes received")
        }
        ureq::Error::HostNotFound => format!("Could not resolve host: {host}"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "URL rejected: Error".to_owned(),
        ureq::Error::Protocol(_) => "Received HTTP/0.9 when not allowed".to_owned(),
        ureq::Error::Io(io) => match io.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => "Recv failure: Connection reset by peer".to_owned(),
            ErrorKind::TimedOut => {
                format!("Operation timed out after {milliseconds} milliseconds with {received} bytes received")
            }
            _ if io.to_string().contains("lookup") => format!("Could not resolve host: {host}"),
            _ => format!("Failed to connect to {host} port {port} after {milliseconds} ms: Error"),
        },
        ureq::Error::ConnectionFailed => {
            format!("Failed to connect to {host} port {port} after {milliseconds} ms: Error")
        }
        other => other.to_string(),
    })
}

/// Host and port of an address, for messages.
fn host(address: &str) -> (&str, &str) {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let authority = rest.split('/').next().unwrap_or(rest);
    let default = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    authority.rsplit_once(':').unwrap_or((authority, default))
}
