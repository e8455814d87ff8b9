//! Messages over HTTP, one agent and so one kept connection per SQLite connection, and network failures in the words of
//! the public functions, so that they are classified alike.

use std::io::{ErrorKind, Read};
use std::time::Instant;

use super::super::wire::MAX_BODY;
use super::transport::{Endpoint, Refusal, Transport, Verb};

/// Bytes of a connection's buffers, one for each direction.
const BUFFER: usize = 8 << 10;

/// HTTP through ureq.
#[derive(Default)]
pub(super) struct Http {
    agent: Option<ureq::Agent>,
}

impl Transport for Http {
    fn call(&mut self, endpoint: &Endpoint, verb: Verb, body: &[u8]) -> Result<Vec<u8>, Refusal> {
        let agent = self.agent.get_or_insert_with(agent);
        let path = match verb {
            Verb::Push => "push",
            Verb::Pull => "pull",
        };
        let address = endpoint.address.trim_end_matches('/');
        let scheme = if address.contains("://") { "" } else { "http://" };
        let url = format!("{scheme}{address}/stress/v1/{}/{path}", endpoint.id);
        let mut request = agent.post(url);
        if let Some(credential) = &endpoint.credential {
            request = request.header("Authorization", format!("Bearer {}", credential.expose()));
        }
        let request = request
            .config()
            .timeout_connect(Some(endpoint.connect_timeout))
            .timeout_global(Some(endpoint.request_timeout))
            .build();
        let started = Instant::now();
        let response = request.send(body).map_err(|error| Refusal::Network(explain(&error, endpoint, started, 0)))?;
        let (parts, mut body) = response.into_parts();
        let announced = body.content_length();
        let mut bytes =
            Vec::with_capacity(announced.map_or(0, |length| usize::try_from(length).unwrap_or(0).min(MAX_BODY)));
        let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
        if let Err(error) = body.with_config().limit(limit).reader().read_to_end(&mut bytes) {
            let received = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let cut = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
            return Err(Refusal::Network(match announced {
                Some(length) if cut && length > received => {
                    format!("end of response with {} bytes missing", length - received)
                }
                _ => explain(&ureq::Error::from(error), endpoint, started, received),
            }));
        }
        if parts.status.as_u16() >= 400 {
            return Err(Refusal::Status(String::from_utf8_lossy(&bytes).into_owned()));
        }
        Ok(bytes)
    }

    fn close(&mut self) {
        self.agent = None;
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        // The default of 128 KiB each, a thousand times, is a quarter of a gigabyte.
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .user_agent("stress-embedded")
        .build()
        .new_agent()
}

fn explain(error: &ureq::Error, endpoint: &Endpoint, started: Instant, received: u64) -> String {
    let milliseconds = started.elapsed().as_millis();
    let (host, port) = host(&endpoint.address);
    match error {
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
    }
}

/// Host and port of an address, for messages.
fn host(address: &str) -> (&str, &str) {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let authority = rest.split('/').next().unwrap_or(rest);
    let default = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    authority.rsplit_once(':').unwrap_or((authority, default))
}
