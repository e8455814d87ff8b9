//! Which request is answered by whom, and who may ask at all: the key is looked at before the body is read. It must not
//! know SQL.

use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::checksum::{DAMAGED, HEADER, checksum};
use super::super::wire::MAX_BODY;
use super::arrival::{Held, Memory, pass_over};
use super::policy::Caller;
use super::reply::Reply;
use super::shared::Shared;
use super::sync::{self, Verb};
use super::turn::Turn;
use super::{manage, sql, tokens};

/// The largest body of an administrator's request.
const MAX_ADMIN_BODY: usize = 16 << 20;
/// How many statements of administrators, and of users, run at once.
const STATEMENTS: usize = 24;
const USER_STATEMENTS: usize = 8;
/// How many other requests of administrators are worked on at once.
const OTHERS: usize = 8;
/// The longest that a push or a pull may work: as long as a client waits for it.
const SYNC: Duration = Duration::from_secs(300);
/// The longest that anything else waits for its turn.
const QUEUE: Duration = Duration::from_secs(60);

/// What bounds the work under way.
#[derive(Debug)]
pub(super) struct Limits {
    pushes: Semaphore,
    pulls: Semaphore,
    statements: Semaphore,
    user_statements: Semaphore,
    others: Semaphore,
    memory: Memory,
}

impl Limits {
    /// So many pushes, and so many pulls, at once.
    pub(super) fn new(writers: usize) -> Self {
        Self {
            pushes: Semaphore::new(writers),
            pulls: Semaphore::new(writers),
            statements: Semaphore::new(STATEMENTS),
            user_statements: Semaphore::new(USER_STATEMENTS),
            others: Semaphore::new(OTHERS),
            memory: Memory::new(),
        }
    }

    /// How many threads work at most.
    pub(super) const fn threads(writers: usize) -> usize {
        2 * writers + STATEMENTS + USER_STATEMENTS + OTHERS
    }
}

/// A request that may go on.
#[derive(Debug)]
enum Asked {
    Sync(Verb, Caller),
    Sql(Caller),
    Tokens(Caller, String),
    Manage,
}

impl Asked {
    /// What is asked, or the answer to those who may not ask it, and to questions that need no body.
    fn new(shared: &Shared, path: &[&str], headers: &HeaderMap) -> Result<Self, Reply> {
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map_or("", str::trim);
        let caller = |refusal: fn() -> Reply| shared.registry.caller(bearer).ok_or_else(refusal);
        match path {
            ["v2", "health"] => Err(Reply::health()),
            ["stress", "v1", _, "push"] => Ok(Self::Sync(Verb::Push, caller(Reply::unknown)?)),
            ["stress", "v1", _, "pull"] => Ok(Self::Sync(Verb::Pull, caller(Reply::unknown)?)),
            ["v2", "weblite", "sql"] => Ok(Self::Sql(caller(Reply::unknown_to_gateway)?)),
            ["v2", "tokens", ..] => Ok(Self::Tokens(caller(Reply::unknown_to_gateway)?, bearer.to_owned())),
            ["v1", ..] if shared.is_management_key(bearer) => Ok(Self::Manage),
            ["v1", ..] => Err(Reply::errors(401, "unauthorized", "the management key is missing or wrong")),
            _ => Err(Reply::error(404, 10002, &format!("no such path: /{}", path.join("/")))),
        }
    }

    /// The largest body, how long the work may take, whose turn it needs, and how long that may be waited for.
    fn bounds<'l>(&self, limits: &'l Limits) -> (usize, Duration, &'l Semaphore, Duration) {
        match self {
            Self::Sync(Verb::Push, _) => (MAX_BODY, SYNC, &limits.pushes, SYNC),
            Self::Sync(Verb::Pull, _) => (MAX_BODY, SYNC, &limits.pulls, SYNC),
            Self::Sql(Caller::Admin) => (MAX_ADMIN_BODY, sql::TIME, &limits.statements, QUEUE),
            Self::Sql(Caller::User(_)) => (MAX_ADMIN_BODY, sql::USER_TIME, &limits.user_statements, QUEUE),
            Self::Tokens(..) | Self::Manage => (MAX_ADMIN_BODY, sql::TIME, &limits.others, QUEUE),
        }
    }

    /// The work itself.
    fn answer(&self, shared: &Shared, head: &Head, body: &[u8]) -> Reply {
        let (method, path) = (head.method.as_str(), head.path());
        match (self, &path[..]) {
            (Self::Sync(verb, caller), [_, _, id, ..]) => sync::answer(shared, id, *verb, caller.clone(), body),
            (Self::Sql(caller), _) => match method {
                "POST" => sql::answer(&shared.registry, caller.clone(), sql::Query::from_json(body)),
                "GET" => sql::answer(&shared.registry, caller.clone(), Ok(sql::Query::from_query(&head.query))),
                _ => Reply::error(405, 10002, &format!("{method} is not known here")),
            },
            (Self::Tokens(caller, bearer), [_, _, rest @ ..]) => {
                tokens::answer(&shared.registry, method, rest, (caller, bearer), body)
            }
            (Self::Manage, [_, rest @ ..]) => manage::answer(shared, method, rest, &head.query, body),
            (Self::Sync(..) | Self::Tokens(..) | Self::Manage, _) => Reply::error(404, 10002, "no such path"),
        }
    }
}

/// What a request's first line says.
#[derive(Debug)]
struct Head {
    method: String,
    path: String,
    query: String,
}

impl Head {
    fn path(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }
}

/// Answers a request, with the memory that the answer holds.
pub(super) async fn answer(request: Request<Incoming>, shared: Arc<Shared>, limits: &Limits) -> (Reply, Option<Held>) {
    match worked(request, shared, limits).await {
        Ok((reply, held)) => (reply, Some(held)),
        Err(reply) => (reply, None),
    }
}

async fn worked(request: Request<Incoming>, shared: Arc<Shared>, limits: &Limits) -> Result<(Reply, Held), Reply> {
    let (parts, body) = request.into_parts();
    let uri = &parts.uri;
    let head = Head {
        method: parts.method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
    };
    let asked = match Asked::new(&shared, &head.path(), &parts.headers) {
        Ok(asked) => asked,
        Err(reply) => {
            pass_over(body).await;
            return Err(reply);
        }
    };
    let (most, time, work, patience) = asked.bounds(limits);
    let (body, received) = limits.memory.receive(body, most).await?;
    if parts.headers.get(HEADER).is_some_and(|told| told.as_bytes() != checksum(&body).as_bytes()) {
        return Err(Reply::errors(DAMAGED, "damaged", "the request was changed on the way: its checksum differs"));
    }
    if matches!(asked, Asked::Sync(..)) && !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let busy = || Reply::errors(503, "unavailable", "the hub is busy: try again later");
    let Ok(Ok(_turn)) = timeout(patience, work.acquire()).await else { return Err(busy()) };
    let (turn, _waiting) = Turn::new(time);
    let worked = tokio::task::spawn_blocking(move || {
        let reply = turn.take(|| asked.answer(&shared, &head, &body));
        drop((body, received));
        reply
    });
    let reply = worked.await.map_err(|_| Reply::errors(500, "internal_error", "the request could not be worked on"))?;
    // While it holds its turn, so that few answers wait for memory.
    let answering = limits.memory.reserve(reply.body.len()).await.ok_or_else(busy)?;
    Ok((reply, answering))
}
