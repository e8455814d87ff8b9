//! A relay on loopback between our own client and our own hub, which harms messages as it is told: both ends and the
//! protocol are ours. A message is a whole HTTP request or answer, with a `Content-Length` or without a body.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// The longest that a connection may be idle.
const IDLE: Duration = Duration::from_secs(600);

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A request.
    ToHub,
    /// An answer.
    FromHub,
}

/// A place in a message. A number beyond the end counts on from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A byte of the first line and the headers.
    Head(usize),
    /// A byte of the body; of the head where there is no body.
    Body(usize),
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It passes as it is.
    Nothing,
    /// It passes later.
    Delay(Duration),
    /// It is swallowed, and both connections are closed.
    Drop,
    /// It is sent twice. The hub's answer to the second request is swallowed.
    Double,
    /// Only what is before the place passes, then both connections are closed.
    Truncate(Place),
    /// One bit of this byte is another.
    Flip(Place),
    /// What is before the place passes, then both connections are reset.
    Reset(Place),
    /// What is before the place passes, then nothing more does on this connection, which stays open.
    Silence(Place),
}

/// A message about to pass.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) way: Way,
    /// Its number among all that go its way, from 0.
    pub(crate) number: u64,
    /// The number of its connection, from 0.
    #[expect(dead_code, reason = "a test may choose by it")]
    pub(crate) connection: u64,
    /// The path of the request, also for its answer.
    pub(crate) path: &'a str,
    /// The bytes of its body.
    pub(crate) length: usize,
}

type Decide = dyn Fn(&Seen<'_>) -> Harm + Send + Sync;

/// A relay at work. Dropping it closes its connections.
pub(crate) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    hub: SocketAddr,
    decide: Box<Decide>,
    to_hub: AtomicU64,
    from_hub: AtomicU64,
    harmed: AtomicU64,
    ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    /// Relays to the hub at this address (`http://127.0.0.1:7800`), and asks `decide` about every message.
    pub(crate) fn start(hub: &str, decide: impl Fn(&Seen<'_>) -> Harm + Send + Sync + 'static) -> Self {
        let hub = hub.trim_start_matches("http://").parse().expect("an address and a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            hub,
            decide: Box::new(decide),
            to_hub: AtomicU64::new(0),
            from_hub: AtomicU64::new(0),
            harmed: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if accepting.ended.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&accepting)) else { continue };
                // An error is the end of a connection, which is what harm is about.
                thread::spawn(move || shared.relay(stream, connection as u64));
            }
        });
        Self { address, shared }
    }

    /// Its own address, as in `http://127.0.0.1:7800`: what a run takes for the hub's.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many messages were harmed.
    pub(crate) fn harmed(&self) -> u64 {
        self.shared.harmed.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the accept loop.
        let _ = TcpStream::connect(self.address).and_then(|stream| stream.set_read_timeout(Some(IDLE)));
    }
}

/// A connection and the one that it goes on as.
struct Pair {
    client: BufReader<TcpStream>,
    hub: BufReader<TcpStream>,
}

impl Shared {
    fn relay(&self, client: TcpStream, connection: u64) -> io::Result<()> {
        let hub = TcpStream::connect(self.hub)?;
        for stream in [&client, &hub] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(IDLE))?;
            self.open.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        }
        let mut pair = Pair { client: BufReader::new(client), hub: BufReader::new(hub) };
        let done = self.messages(&mut pair, connection);
        // The clones that `open` holds would keep the connections open.
        for stream in [pair.client.get_ref(), pair.hub.get_ref()] {
            let _ = stream.shutdown(Shutdown::Both);
        }
        done
    }

    fn messages(&self, pair: &mut Pair, connection: u64) -> io::Result<()> {
        while let Some(request) = Message::read(&mut pair.client)? {
            let path = request.path().to_owned();
            let harm = self.harm(Way::ToHub, connection, &path, &request);
            let mut hub = pair.hub.get_ref();
            if !pass(&mut hub, &request, harm, pair)? {
                return Ok(());
            }
            let Some(answer) = Message::read(&mut pair.hub)? else { return Ok(()) };
            if harm == Harm::Double {
                Message::read(&mut pair.hub)?;
            }
            let harm = self.harm(Way::FromHub, connection, &path, &answer);
            let mut client = pair.client.get_ref();
            if !pass(&mut client, &answer, harm, pair)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn harm(&self, way: Way, connection: u64, path: &str, message: &Message) -> Harm {
        let numbers = if way == Way::ToHub { &self.to_hub } else { &self.from_hub };
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let harm = (self.decide)(&Seen { way, number, connection, path, length: message.body.len() });
        if harm != Harm::Nothing {
            self.harmed.fetch_add(1, Ordering::Relaxed);
        }
        harm
    }
}

/// Passes a message on. Gives whether the connection goes on.
fn pass(to: &mut impl Write, message: &Message, harm: Harm, pair: &Pair) -> io::Result<bool> {
    let mut bytes = [&message.head[..], &message.body].concat();
    match harm {
        Harm::Nothing => to.write_all(&bytes)?,
        Harm::Delay(time) => {
            thread::sleep(time);
            to.write_all(&bytes)?;
        }
        Harm::Drop => return Ok(false),
        Harm::Double => {
            to.write_all(&bytes)?;
            to.write_all(&bytes)?;
        }
        Harm::Flip(place) => {
            bytes[message.at(place)] ^= 1;
            to.write_all(&bytes)?;
        }
        Harm::Truncate(place) => {
            to.write_all(&bytes[..message.at(place)])?;
            return Ok(false);
        }
        Harm::Reset(place) => {
            to.write_all(&bytes[..message.at(place)])?;
            for stream in [pair.client.get_ref(), pair.hub.get_ref()] {
                SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
            }
            return Ok(false);
        }
        Harm::Silence(place) => {
            to.write_all(&bytes[..message.at(place)])?;
            // Until the client gives up, or the relay ends.
            io::copy(&mut pair.client.get_ref(), &mut io::sink())?;
            return Ok(false);
        }
    }
    Ok(true)
}

struct Message {
    /// Up to and with the empty line.
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Message {
    /// The next message; none at the end of the connection.
    fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let (mut head, mut length) = (Vec::new(), 0);
        loop {
            let start = head.len();
            if from.read_until(b'\n', &mut head)? == 0 {
                return Ok(None);
            }
            let line = String::from_utf8_lossy(&head[start..]).to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.starts_with("transfer-encoding:") {
                return Err(io::Error::other("a message without a length"));
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Ok(Some(Self { head, body }))
    }

    /// The path of a request.
    fn path(&self) -> &str {
        let line = self.head.split(|&byte| byte == b'\r').next().unwrap_or_default();
        std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)).unwrap_or_default()
    }

    /// The index of a byte.
    fn at(&self, place: Place) -> usize {
        match place {
            Place::Body(at) if !self.body.is_empty() => self.head.len() + at % self.body.len(),
            Place::Body(at) | Place::Head(at) => at % self.head.len(),
        }
    }
}
