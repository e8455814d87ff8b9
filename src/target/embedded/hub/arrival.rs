//! Bodies as they arrive: within a time, up to a size, and within the memory that all of them have together. It must not
//! know what they say.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::reply::Reply;

/// The longest that a body may take, and the longest pause between two of its parts.
const WHOLE: Duration = Duration::from_secs(60);
const PART: Duration = Duration::from_secs(5);
/// How much of a body is passed over before it is refused, and for how long: whoever is still sending hears no answer.
const PASSED: usize = 8 << 20;
const PASSING: Duration = Duration::from_secs(2);
/// Memory is counted in units of this many bytes.
const UNIT: usize = 4 << 10;
/// The memory of all bodies, and of all answers that are not yet read: in units.
const MEMORY: usize = (64 << 20) / UNIT;

/// The memory of what is under way.
#[derive(Debug)]
pub(super) struct Memory {
    shared: Arc<Semaphore>,
    /// When all is used, one at a time may go on without: it can finish, and so they all can.
    beyond: Arc<Semaphore>,
}

/// What something holds of the memory, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    units: usize,
    permit: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { shared: Arc::new(Semaphore::new(MEMORY)), beyond: Arc::new(Semaphore::new(1)) }
    }

    /// Makes `held` suffice for so many bytes, as soon as there is memory.
    async fn hold(&self, held: &mut Held, bytes: usize) {
        let missing = bytes.div_ceil(UNIT).saturating_sub(held.units);
        if missing == 0 || held.beyond.is_some() {
            return;
        }
        let units = u32::try_from(missing).unwrap_or(u32::MAX);
        if let Ok(permit) = Arc::clone(&self.shared).try_acquire_many_owned(units) {
            held.units += missing;
            match &mut held.permit {
                Some(own) => own.merge(permit),
                own @ None => *own = Some(permit),
            }
        } else {
            // Nobody closes it.
            held.beyond = Arc::clone(&self.beyond).acquire_owned().await.ok();
        }
    }

    /// Memory for so many bytes; none when it does not come in time.
    pub(super) async fn reserve(&self, bytes: usize) -> Option<Held> {
        let mut held = Held::default();
        timeout_at(Instant::now() + WHOLE, self.hold(&mut held, bytes)).await.ok()?;
        Some(held)
    }

    /// The whole of a body of at most so many bytes, with the memory that it holds.
    pub(super) async fn receive(&self, mut body: Incoming, most: usize) -> Result<(Vec<u8>, Held), Reply> {
        let (mut bytes, mut held) = (Vec::new(), Held::default());
        let until = Instant::now() + WHOLE;
        while let Some(part) = next(&mut body, until.min(Instant::now() + PART)).await? {
            let length = bytes.len() + part.len();
            if length > most {
                pass_over(body).await;
                let detail = format!("the body is larger than {most} bytes");
                return Err(Reply::errors(413, "payload_too_large", &detail));
            }
            timeout_at(until, self.hold(&mut held, length)).await.map_err(|_| {
                Reply::errors(503, "unavailable", "the hub has no memory for the body now: try again later")
            })?;
            bytes.extend_from_slice(&part);
        }
        Ok((bytes, held))
    }
}

/// The next part of a body; none at its end.
async fn next(body: &mut Incoming, until: Instant) -> Result<Option<Bytes>, Reply> {
    loop {
        let frame = timeout_at(until, body.frame()).await;
        match frame.map_err(|_| Reply::errors(408, "timeout", "the body did not arrive in time"))? {
            None => return Ok(None),
            Some(Err(_)) => return Err(Reply::errors(400, "bad_request", "the body is broken")),
            // Trailers are no part of it.
            Some(Ok(frame)) => {
                if let Ok(part) = frame.into_data() {
                    return Ok(Some(part));
                }
            }
        }
    }
}

/// Reads a body that nobody wants, for a while, and keeps nothing of it.
pub(super) async fn pass_over(mut body: Incoming) {
    let (until, mut passed) = (Instant::now() + PASSING, 0);
    while passed < PASSED {
        match next(&mut body, until).await {
            Ok(Some(part)) => passed += part.len(),
            Ok(None) | Err(_) => return,
        }
    }
}
