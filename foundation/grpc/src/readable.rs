//! Answers of others, made such that the library can read their status.
use crate::status::make_readable;
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::Frame;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer for a generated client, which panics on details of a status that are no base64.
pub fn readable(mut response: Response<Body>) -> Response<Body> {
    make_readable(response.headers_mut());
    response.map(|body| Body::new(Readable(body)))
}

struct Readable(Body);

impl http_body::Body for Readable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_ok(|mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                make_readable(trailers);
            }
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
