//! Half of an answer, as a planted failure wants it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Half a body under the length of the whole.
pub(super) struct Torn {
    half: Option<Bytes>,
    whole: u64,
    pause: Pin<Box<tokio::time::Sleep>>,
}

impl Torn {
    pub(super) fn new(mut body: Vec<u8>) -> Self {
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
