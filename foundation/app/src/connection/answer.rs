//! The body of an app's answer, which holds what the call has taken until it is read.
use super::http1::Lease;
use crate::filled::Filled;
use crate::turn::Turn;
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Bytes of an answer that may be all of it although the app named a greater length (suite.md 5.6). One that breaks off
/// later has lost its rest.
const MISCOUNTED: usize = 64 << 10;

/// An answer over HTTP/1.1 with its body as it comes in. Its connection goes back to the others when it has been read to its end.
pub(super) fn answer(response: Response<Incoming>, lease: Lease, turn: Turn) -> Response<Body> {
    let (head, body) = response.into_parts();
    let has_length = body.size_hint().exact().is_some();
    let mut streamed = Streamed { body: Filled(body), has_length, came: 0, held: Some((lease, turn)) };
    if streamed.body.is_end_stream() {
        streamed.finish();
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::new(streamed))
}

struct Streamed {
    body: Filled<Incoming>,
    /// The app named a length, which it may not keep to.
    has_length: bool,
    came: usize,
    held: Option<(Lease, Turn)>,
}

impl Streamed {
    fn finish(&mut self) {
        if let Some((lease, _turn)) = self.held.take() {
            lease.give_back();
        }
    }
}

fn ended_early(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::UnexpectedEof)
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.held.is_none() {
            return Poll::Ready(None);
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(error)) if self.has_length && self.came < MISCOUNTED && ended_early(&error) => None,
            frame => frame,
        };
        let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        self.came += data.map_or(0, Bytes::len);
        match &frame {
            Some(Ok(_)) if self.body.is_end_stream() => self.finish(),
            None if self.body.is_end_stream() => self.finish(),
            None | Some(Err(_)) => self.held = None,
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none()
    }
}
