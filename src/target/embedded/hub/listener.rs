//! HTTP: the accept loop, and how many connections and how much work there may be at once. It must not know what is
//! asked.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

use super::super::checksum::{HEADER, REQUEST, checksum};
use super::arrival::Held;
use super::door::{Limits, answer};
use super::reply::{Delivery, Reply};
use super::shared::Shared;
use super::torn::Torn;

/// Bytes that a connection reads at once: there may be a thousand.
const BUFFER: usize = 16 << 10;
/// Connections the system keeps for us until they are accepted: a thousand databases start at once.
const BACKLOG: u32 = 4096;
/// The longest that a connection may be idle, or take for the head of a request. Our clients let an idle connection go
/// after fifteen seconds, so that none is closed under a request.
const HEAD: Duration = Duration::from_secs(30);
/// The longest that a reader may take nothing of its answer.
const READ: Duration = Duration::from_secs(15);
/// The most connections that are told that there are too many, instead of only being closed.
const TOLD: usize = 64;
/// What they are told.
const FULL: &str = "the hub has too many connections: close some, or try again later";

/// Binds the address. To be called inside the runtime.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Unix: a hub that starts again does not wait for the connections of the last one to be forgotten. On Windows
    // the option would let two hubs share a port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    limits: Limits,
    connections: usize,
    mut stopped: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    let limits = Arc::new(limits);
    let (places, told) = (Arc::new(Semaphore::new(connections)), Arc::new(Semaphore::new(TOLD)));
    let watched = stopped.clone();
    let mut stop = pin!(stopped.wait_for(|&stopped| stopped));
    loop {
        let accepted = std::future::poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            listener.poll_accept(context).map(Some)
        });
        let stream = match accepted.await {
            None => return,
            Some(Ok((stream, _))) => stream,
            // Out of descriptors, or the peer is gone already: others may fare better.
            Some(Err(_)) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let (shared, limits) = (Arc::clone(&shared), Arc::clone(&limits));
            tokio::spawn(connection(stream, shared, limits, watched.clone(), (place, alive.clone())));
        } else if let Ok(permit) = Arc::clone(&told).try_acquire_owned() {
            tokio::spawn(turn_away(stream, permit));
        }
    }
}

/// Answers a connection for which there is no place.
async fn turn_away(mut stream: TcpStream, _permit: OwnedSemaphorePermit) {
    let body = String::from_utf8(Reply::errors(503, "unavailable", FULL).body).unwrap_or_default();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let told = async {
        // What is not read when a connection closes takes the answer with it.
        let _ = stream.read(&mut [0; 1024]).await;
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    // The peer may be gone already.
    let _ = timeout(Duration::from_secs(1), told).await;
}

async fn connection(
    stream: TcpStream,
    shared: Arc<Shared>,
    limits: Arc<Limits>,
    mut stopped: watch::Receiver<bool>,
    _until_the_end: (OwnedSemaphorePermit, mpsc::Sender<()>),
) {
    // Answers are whole messages: nothing to gather.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READ));
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, limits) = (Arc::clone(&shared), Arc::clone(&limits));
        let of = request.headers().get(REQUEST).cloned();
        async move { deliver(answer(request, shared, &limits).await, of).await }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
    );
    let mut stop = pin!(stopped.wait_for(|&stopped| stopped));
    let mut stopping = false;
    let served = std::future::poll_fn(|context| {
        if !stopping && stop.as_mut().poll(context).is_ready() {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context)
    });
    // A broken connection is the peer's affair, or a planted failure.
    let _ = served.await;
}

/// An answer as HTTP. The memory that it holds is free when it has been read.
async fn deliver(
    (reply, held): (Reply, Option<Held>),
    of: Option<HeaderValue>,
) -> io::Result<Response<Either<Full<Bytes>, Torn>>> {
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let mut response = Response::builder().status(reply.status).header(HEADER, checksum(&reply.body));
    if let Some(of) = of {
        response = response.header(REQUEST, of);
    }
    if !reply.body.is_empty() {
        response = response.header(CONTENT_TYPE, reply.content_type);
    }
    let body = match reply.delivery {
        Delivery::Whole => Either::Left(Full::new(Bytes::from_owner(Parcel { body: reply.body, _held: held }))),
        Delivery::Torn => Either::Right(Torn::new(reply.body)),
        Delivery::None => return Err(io::Error::other("planted failure: hang_up")),
    };
    response.body(body).map_err(io::Error::other)
}

/// A body with the memory that it holds.
struct Parcel {
    body: Vec<u8>,
    _held: Option<Held>,
}

impl AsRef<[u8]> for Parcel {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}
