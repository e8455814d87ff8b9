//! `stress report --serve`: the report of a run on a page of this machine, which follows the run while it goes on.
//! Whoever sends another host's name is turned away: a page from elsewhere must not read the report.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::exit::Exit;
use super::problem::Problem;
use super::recorded::{judged, written};
use super::signals::interruption;
use super::terminal::Terminal;
use crate::report::{Standing, html_for, html_waiting};

/// A run that goes on writes its record every two seconds, and a large record takes a while.
const SILENT: Duration = Duration::from_secs(20);
/// The longest a request's head may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Serves the report of a run until Ctrl-C; port 0 takes a free one.
pub(super) fn serve(run: PathBuf, port: u16, terminal: &mut Terminal) -> Result<Exit, Problem> {
    let interruption = interruption()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Problem::could_not_run(format!("failed to start the server: {error}")))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listening = runtime.block_on(TcpListener::bind(address)).and_then(|listener| {
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    let (listener, address) = listening.map_err(|error| {
        Problem::could_not_run(format!("failed to listen on {address}: {error}"))
            .help("name another port with `--port`")
    })?;
    let shown = run.display().to_string();
    runtime.spawn(accept(listener, Arc::new(Server { run, address, last: Mutex::new(None) })));
    terminal.print(&format!("report: http://{address}/\nrun: {shown}\nCtrl-C stops it.\n"));
    let _ = interruption.recv();
    runtime.shutdown_background();
    Ok(Exit::Pass)
}

struct Server {
    run: PathBuf,
    address: SocketAddr,
    /// The page served last.
    last: Mutex<Option<Page>>,
}

/// A page, and of which state of the record it is.
#[derive(Clone)]
struct Page {
    state: (Option<SystemTime>, bool),
    tag: HeaderValue,
    body: Bytes,
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the peer is gone already.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&server)));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(ARRIVAL)
                .serve_connection(TokioIo::new(stream), service);
            // A broken connection is the reader's affair.
            let _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>, server: Arc<Server>) -> io::Result<Response<Full<Bytes>>> {
    let head = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refused = |status, why: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(why.as_bytes())));
        *response.status_mut() = status;
        Ok(response)
    };
    if !server.is_named(head(header::HOST)) {
        return refused(StatusCode::FORBIDDEN, "this server answers only on 127.0.0.1\n");
    }
    if request.uri().path() != "/" {
        return refused(StatusCode::NOT_FOUND, "the only page is /\n");
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "this page is read-only\n");
    }
    let known = head(header::IF_NONE_MATCH).to_owned();
    let page = tokio::task::spawn_blocking(move || server.page()).await.map_err(io::Error::other)?;
    let response = Response::builder()
        .header(header::ETAG, &page.tag)
        .header(header::CACHE_CONTROL, "no-store")
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'");
    let response = if known.as_bytes() == page.tag.as_bytes() {
        response.status(StatusCode::NOT_MODIFIED).body(Full::default())
    } else {
        response.body(Full::new(page.body))
    };
    response.map_err(io::Error::other)
}

impl Server {
    /// Whether a request means this server, and not a name that somebody let point here.
    fn is_named(&self, host: &str) -> bool {
        let port = self.address.port();
        ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{port}") || (port == 80 && host == *name))
    }

    /// The report as the record is now.
    fn page(&self) -> Page {
        let written = written(&self.run);
        let is_fresh = written.is_none_or(|written| written.elapsed().unwrap_or_default() < SILENT);
        let state = (written, is_fresh);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = last.as_ref().filter(|page| page.state == state) {
            return page.clone();
        }
        let body = match judged(&self.run) {
            Ok((record, analysis)) => {
                let goes_on = record.ended.is_none() && is_fresh;
                html_for(&record, &analysis, if goes_on { Standing::Following } else { Standing::Ended })
            }
            Err(problem) => html_waiting(&problem.to_string()),
        };
        let tag = format!("\"{:x}\"", xxhash_rust::xxh3::xxh3_64(body.as_bytes()));
        let tag = HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        let page = Page { state, tag, body: body.into() };
        *last = Some(page.clone());
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_names_are_answered() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7801));
        let server = Server { run: PathBuf::new(), address, last: Mutex::new(None) };
        for (host, named) in [
            ("127.0.0.1:7801", true),
            ("localhost:7801", true),
            ("127.0.0.1", false),
            ("127.0.0.1:7802", false),
            ("evil.example:7801", false),
            ("localhost.evil.example:7801", false),
            ("", false),
        ] {
            assert_eq!(server.is_named(host), named, "{host}");
        }
    }
}
