//! Bodies of answers that end when their time is up.
use crate::status::trailers;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

/// What a body ends with when its time is up.
pub type End = fn() -> Result<Frame<Bytes>, axum::Error>;

/// The end of an answer of gRPC.
pub fn last_frame(status: &Status) -> Frame<Bytes> {
    Frame::trailers(trailers(status))
}

/// The same body; when it has not ended by then it is dropped, and `end` takes the place of what is missing.
pub fn timed(body: Body, until: Instant, end: End) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Timed { body, end: Some((Box::pin(sleep_until(until)), end)) })
}

struct Timed {
    body: Body,
    /// None when the time was up.
    end: Option<(Pin<Box<Sleep>>, End)>,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some((time, end)) = &mut this.end else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if time.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let last = end();
        (this.end, this.body) = (None, Body::empty());
        Poll::Ready(Some(last))
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
