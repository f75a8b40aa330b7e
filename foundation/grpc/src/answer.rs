//! Answers of one message, and answers that are nothing but a status.
use crate::frame::framed;
use crate::status::{STATUS, trailers};
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use prost::Message;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

/// What a server says of the call itself, whatever the metadata of an answer says.
const OF_CALL: [&str; 5] = ["te", "content-type", "grpc-message", "grpc-message-type", STATUS];

/// The answer of a call that is one message, with metadata.
pub fn answer<M: Message>(answer: tonic::Response<M>) -> Response<Body> {
    let (metadata, message, _) = answer.into_parts();
    let mut headers = metadata.into_headers();
    for name in OF_CALL {
        headers.remove(name);
    }
    with_headers(headers, Whole::new(framed(&message)))
}

/// The answer of a call that is one message.
pub fn answer_message<M: Message>(message: &M) -> Response<Body> {
    answer_framed(Whole::new(framed(message)))
}

/// The answer of a call with any body, which ends with the status.
pub fn answer_framed<B>(body: B) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    with_headers(HeaderMap::with_capacity(1), body)
}

fn with_headers<B>(mut headers: HeaderMap, body: B) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut response = Response::new(Body::new(body));
    *response.headers_mut() = headers;
    response
}

/// An answer that is nothing but a status.
pub fn refusal(status: Status) -> Response<Body> {
    without_length(status.into_http())
}

/// An answer whose head has the status already: an empty body that does not make the server add a length, which gRPC
/// clients would show as metadata.
pub fn without_length(mut response: Response<Body>) -> Response<Body> {
    if response.headers().contains_key(STATUS) {
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::new(Ended);
    }
    response
}

/// No body, of which the server does not know the length.
#[derive(Debug)]
struct Ended;

impl http_body::Body for Ended {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// One message in its frame, then a good status.
#[derive(Debug)]
pub struct Whole {
    framed: Option<Bytes>,
    ended: bool,
}

impl Whole {
    pub fn new(framed: Bytes) -> Self {
        Self { framed: Some(framed), ended: false }
    }
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(message) = self.framed.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        let last = !replace(&mut self.ended, true);
        Poll::Ready(last.then(|| Ok(Frame::trailers(trailers(&Status::ok(""))))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_does_not_speak_for_the_call() {
        let mut told = tonic::Response::new(String::new());
        told.metadata_mut().insert("shop", "open".parse().unwrap());
        told.metadata_mut().insert(STATUS, "13".parse().unwrap());
        told.metadata_mut().insert("content-type", "text/plain".parse().unwrap());
        let headers = answer(told).into_parts().0.headers;
        assert_eq!(
            (headers.len(), &headers["shop"], &headers["content-type"]),
            (2, &"open".parse().unwrap(), &"application/grpc".parse().unwrap())
        );
    }
}
