//! A request that has passed the rules, until its response is over.
use super::guard::Guard;
use bytes::Bytes;
use component_api::middleware::{Body, BoxError, Response};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Failed,
    /// The client went away before there was a response.
    Abandoned,
}

/// A request under way; dropping it tells the guard that it is over.
pub(super) struct Entry {
    guard: Arc<Guard>,
    resource: Option<usize>,
    entered: Duration,
    outcome: Outcome,
}

impl Entry {
    pub(super) fn new(guard: Arc<Guard>, resource: Option<usize>, entered: Duration) -> Self {
        Self { guard, resource, entered, outcome: Outcome::Abandoned }
    }

    /// Lets the request end with its response's body.
    pub(super) fn end_with(mut self, response: Response) -> Response {
        self.outcome = if response.status().is_server_error() { Outcome::Failed } else { Outcome::Succeeded };
        response.map(|body| Body::new(Guarded { body, entry: self }))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.guard.leave(self.resource, self.entered, self.outcome);
    }
}

struct Guarded {
    body: Body,
    entry: Entry,
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if matches!(frame, Some(Err(_))) {
            self.entry.outcome = Outcome::Failed;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
