//! HTTP as all of this program speaks it: every wait for an address, a connection, an answer or room for a request ends
//! soon after a halt, which ureq's own transport cannot promise. It must not know what is asked.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::config::{Config, ConfigBuilder};
use ureq::http::Uri;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, RustlsConnector,
    Transport, time,
};
use ureq::{Agent, Error, Timeout};

use super::halt::Halt;

/// How often a wait looks for its halt. A thousand databases may wait at once.
const TICK: Duration = Duration::from_millis(200);
/// Stack of a thread that resolves a name or connects.
const STACK: usize = 256 * 1024;

/// An agent whose waits end with the halt. It takes no proxy by itself: each request names its own.
pub(crate) fn agent(config: ConfigBuilder<AgentScope>, halt: &Halt) -> Agent {
    let dial = Dial(halt.clone());
    // The order of ureq's own: a tunnel where there is a proxy, else a connection, and TLS around either.
    let connector = ().chain(ConnectProxyConnector::default()).chain(dial.clone()).chain(RustlsConnector::default());
    Agent::with_parts(config.proxy(None).build(), connector, dial)
}

/// Why a wait ended early.
#[derive(Debug)]
struct Halted;

impl std::fmt::Display for Halted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("halted")
    }
}

impl std::error::Error for Halted {}

/// Whether a halt was the reason of an error.
pub(crate) fn is_halted(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Halted>))
}

/// Resolves names and connects.
#[derive(Debug, Clone)]
struct Dial(Halt);

impl Dial {
    /// How long to wait until the next look; an error when the wait is over.
    fn tick(&self, timeout: NextTimeout, since: Instant) -> Result<Duration, Error> {
        if self.0.is_due() {
            return Err(Error::Io(io::Error::other(Halted)));
        }
        let left = timeout.not_zero().map(|time| time.saturating_sub(since.elapsed()));
        match left {
            Some(Duration::ZERO) => Err(Error::Timeout(timeout.reason)),
            left => Ok(left.map_or(TICK, |left| left.min(TICK))),
        }
    }

    /// Has another thread do what cannot be cut off. It goes on alone when nobody waits for it any more.
    fn elsewhere<T: Send + 'static>(
        &self,
        timeout: NextTimeout,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, result) = mpsc::sync_channel(1);
        let since = Instant::now();
        thread::Builder::new().stack_size(STACK).spawn(move || done.send(work()))?;
        loop {
            match result.recv_timeout(self.tick(timeout, since)?) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Error::ConnectionFailed),
            }
        }
    }
}

impl Resolver for Dial {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let unbounded = NextTimeout { after: time::Duration::NotHappening, ..timeout };
        let (uri, config) = (uri.clone(), config.clone());
        self.elsewhere(timeout, move || DefaultResolver::default().resolve(&uri, &config, unbounded))
    }
}

impl<In: Transport> Connector<In> for Dial {
    type Out = Either<In, Line>;

    fn connect(&self, details: &ConnectionDetails<'_>, tunnel: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(tunnel) = tunnel {
            return Ok(Some(Either::A(tunnel)));
        }
        let addresses: Vec<SocketAddr> = details.addrs.iter().copied().collect();
        let limit = details.timeout.not_zero().map(|time| *time);
        let stream = self.elsewhere(details.timeout, move || dial(&addresses, limit))?;
        stream.set_nodelay(details.config.no_delay())?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        let line = Line { dial: self.clone(), stream, buffers, reading: Duration::ZERO, writing: Duration::ZERO };
        Ok(Some(Either::B(line)))
    }
}

/// Connects to the first address that lets it. Each gets the same part of the time.
fn dial(addresses: &[SocketAddr], limit: Option<Duration>) -> Result<TcpStream, Error> {
    let mut last = Error::ConnectionFailed;
    for address in addresses {
        let share = limit.map(|limit| limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX));
        let connected = match share {
            Some(share) => TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))),
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => last = Error::Timeout(Timeout::Connect),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// A connection.
#[derive(Debug)]
struct Line {
    dial: Dial,
    stream: TcpStream,
    buffers: LazyBuffers,
    /// How long the system lets a read and a write wait; none set at first.
    reading: Duration,
    writing: Duration,
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let (timeout, since) = (timeout.for_write(), Instant::now());
        let mut sent = 0;
        while sent < amount {
            let tick = self.dial.tick(timeout, since)?;
            if tick != self.writing {
                self.stream.set_write_timeout(Some(tick))?;
                self.writing = tick;
            }
            match self.stream.write(&self.buffers.output()[sent..amount]) {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(bytes) => sent += bytes,
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let (timeout, since) = (timeout.for_read(), Instant::now());
        loop {
            let tick = self.dial.tick(timeout, since)?;
            if tick != self.reading {
                self.stream.set_read_timeout(Some(tick))?;
                self.reading = tick;
            }
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(bytes) => {
                    self.buffers.input_appended(bytes);
                    return Ok(bytes > 0);
                }
                Err(error) if is_pause(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Nothing may have come that nobody asked for, not even an end.
    fn is_open(&mut self) -> bool {
        let looked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let quiet = matches!(looked, Err(error) if error.kind() == ErrorKind::WouldBlock);
        quiet && self.stream.set_nonblocking(false).is_ok()
    }
}

/// Whether a read or write is only to be tried again.
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
