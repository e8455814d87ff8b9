//! HTTP: the accept loop, bodies, and which path is answered by whom. It must not know SQL.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};

use super::super::wire::MAX_BODY;
use super::reply::{Delivery, Reply};
use super::shared::Shared;
use super::sync::{self, Verb};
use super::{manage, sql, tokens};

/// Bytes that a connection reads at once: there may be a thousand.
const BUFFER: usize = 16 << 10;
/// Connections the system keeps for us until they are accepted: a thousand databases start at once.
const BACKLOG: u32 = 4096;
/// The longest a request's head or body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);
/// The largest body of an administrator's request.
const MAX_ADMIN_BODY: usize = 16 << 20;
/// Bodies wait for their turn in units of this many bytes, at most [`BUDGET`] of them at once in memory.
const UNIT: usize = 4 << 10;
const BUDGET: usize = 4096;

/// What bounds the work under way.
#[derive(Debug)]
struct Limits {
    pushes: Semaphore,
    pulls: Semaphore,
    admin: Semaphore,
    bodies: Semaphore,
}

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
    writers: usize,
    mut stopped: watch::Receiver<bool>,
    alive: mpsc::Sender<()>,
) {
    let limits = Arc::new(Limits {
        pushes: Semaphore::new(writers),
        pulls: Semaphore::new(writers),
        admin: Semaphore::new(8),
        bodies: Semaphore::new(BUDGET),
    });
    let watched = stopped.clone();
    let mut stop = pin!(stopped.wait_for(|&stopped| stopped));
    loop {
        let accepted = std::future::poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            listener.poll_accept(context).map(Some)
        });
        match accepted.await {
            None => return,
            Some(Ok((stream, _))) => {
                let (shared, limits) = (Arc::clone(&shared), Arc::clone(&limits));
                tokio::spawn(connection(stream, shared, limits, watched.clone(), alive.clone()));
            }
            // Out of descriptors, or the peer is gone already: others may fare better.
            Some(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(
    stream: TcpStream,
    shared: Arc<Shared>,
    limits: Arc<Limits>,
    mut stopped: watch::Receiver<bool>,
    _alive: mpsc::Sender<()>,
) {
    // Answers are whole messages: nothing to gather.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| handle(request, Arc::clone(&shared), Arc::clone(&limits)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(ARRIVAL)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service)
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

async fn handle(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    limits: Arc<Limits>,
) -> io::Result<Response<Either<Full<Bytes>, Torn>>> {
    let reply = answer(request, shared, &limits).await;
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let length = reply.body.len();
    let body = match reply.delivery {
        Delivery::Whole => Either::Left(Full::new(Bytes::from(reply.body))),
        Delivery::Torn => Either::Right(Torn::new(reply.body)),
        Delivery::None => return Err(io::Error::other("planted failure: hang_up")),
    };
    let mut response = Response::builder().status(reply.status);
    if length > 0 {
        response = response.header(CONTENT_TYPE, reply.content_type);
    }
    response.body(body).map_err(io::Error::other)
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>, limits: &Limits) -> Reply {
    let (head, body) = request.into_parts();
    let path: Vec<String> = head.uri.path().split('/').skip(1).map(str::to_owned).collect();
    let verb = match path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stress", "v1", _, "push"] => Some(Verb::Push),
        ["stress", "v1", _, "pull"] => Some(Verb::Pull),
        _ => None,
    };
    let (most, work) = match verb {
        Some(Verb::Push) => (MAX_BODY, &limits.pushes),
        Some(Verb::Pull) => (MAX_BODY, &limits.pulls),
        None => (MAX_ADMIN_BODY, &limits.admin),
    };
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let units = u32::try_from((announced.unwrap_or(UNIT) / UNIT).clamp(1, BUDGET)).unwrap_or(1);
    let Ok(_memory) = limits.bodies.acquire_many(units).await else { return Reply::empty(503) };
    let body = match tokio::time::timeout(ARRIVAL, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Reply::errors(413, "payload_too_large", &format!("the body is larger than {most} bytes"));
        }
        Ok(Err(_)) => return Reply::errors(400, "bad_request", "the body is broken"),
        Err(_) => return Reply::errors(408, "timeout", "the body did not arrive in time"),
    };
    if verb.is_some() && !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let Ok(_turn) = work.acquire().await else { return Reply::empty(503) };
    let answered = tokio::task::spawn_blocking(move || {
        let bearer = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim);
        match verb {
            Some(verb) => sync::answer(&shared, &path[2], verb, bearer, &body),
            None => route(&shared, &head.method, &path, head.uri.query().unwrap_or(""), bearer, &body),
        }
    });
    answered.await.unwrap_or_else(|_| Reply::errors(500, "internal_error", "the request could not be worked on"))
}

/// The administration.
fn route(shared: &Shared, method: &Method, path: &[String], query: &str, bearer: Option<&str>, body: &[u8]) -> Reply {
    let parts: Vec<&str> = path.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    match (method.as_str(), &parts[..]) {
        ("GET", ["v2", "health"]) => {
            Reply::json(200, &serde_json::json!({ "data": { "status": "ok", "version": env!("CARGO_PKG_VERSION") } }))
        }
        ("POST", ["v2", "weblite", "sql"]) => sql::answer(&shared.registry, bearer, sql::Query::from_json(body)),
        ("GET", ["v2", "weblite", "sql"]) => sql::answer(&shared.registry, bearer, Ok(sql::Query::from_query(query))),
        (_, ["v2", "tokens", rest @ ..]) => tokens::answer(&shared.registry, method.as_str(), rest, bearer, body),
        (_, ["v1", rest @ ..]) => manage::answer(shared, method.as_str(), rest, query, bearer, body),
        _ => Reply::error(404, 10002, &format!("no such path: {method} /{}", parts.join("/"))),
    }
}

/// Half a body under the length of the whole.
struct Torn {
    half: Option<Bytes>,
    whole: u64,
    pause: Pin<Box<tokio::time::Sleep>>,
}

impl Torn {
    fn new(mut body: Vec<u8>) -> Self {
        let whole = u64::try_from(body.len()).unwrap_or(u64::MAX);
        body.truncate(body.len() / 2);
        // Time for the half to leave before the connection ends.
        let pause = Box::pin(tokio::time::sleep(Duration::from_millis(20)));
        Self { half: Some(Bytes::from(body)), whole, pause }
    }
}

impl Body for Torn {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        self.pause.as_mut().poll(context).map(|()| Some(Err(io::Error::other("planted failure: torn_answer"))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole)
    }
}
