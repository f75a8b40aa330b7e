//! Bodies of answers that end with a status when they break.
use crate::status::{as_status, trailers};
use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The same answer; where its body breaks, trailers tell the status. What is passed on as a broken stream would be told as a fault of
/// this sidecar instead, and callers that try again when a server is away would not.
pub fn told<B>(response: Response<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes, Error: std::error::Error + 'static> + Send + Unpin + 'static,
{
    response.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(Told { body, is_over: false }) })
}

struct Told<B> {
    body: B,
    /// It broke.
    is_over: bool,
}

impl<B> HttpBody for Told<B>
where
    B: HttpBody<Data = Bytes, Error: std::error::Error + 'static> + Unpin,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| Ok(frame.unwrap_or_else(|error| self.end(&error)))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A body that breaks is shorter than it said.
        SizeHint::default()
    }
}

impl<B> Told<B> {
    fn end(&mut self, error: &(dyn std::error::Error + 'static)) -> Frame<Bytes> {
        self.is_over = true;
        Frame::trailers(trailers(&as_status(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream::iter;
    use h2::Reason;
    use http_body_util::{BodyExt, StreamBody};
    use std::io;

    async fn end_of(error: impl std::error::Error + Send + 'static) -> (Bytes, String) {
        let frames = vec![Ok(Frame::data(Bytes::from("one"))), Err(error), Ok(Frame::data(Bytes::from("more")))];
        let body = told(Response::new(StreamBody::new(iter(frames)))).into_body().collect().await.unwrap();
        let code = body.trailers().unwrap()["grpc-status"].to_str().unwrap().to_owned();
        (body.to_bytes(), code)
    }

    #[tokio::test]
    async fn a_body_that_breaks_ends_with_a_status() {
        for (error, code) in [
            (h2::Error::from(Reason::NO_ERROR), "14"),
            (h2::Error::from(Reason::INTERNAL_ERROR), "13"),
            (h2::Error::from(Reason::CANCEL), "1"),
        ] {
            assert_eq!(end_of(error).await, ("one".into(), code.to_owned()));
        }
        assert_eq!(end_of(io::Error::from(io::ErrorKind::BrokenPipe)).await.1, "14");
    }
}
