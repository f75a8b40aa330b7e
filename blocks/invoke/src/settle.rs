//! Whether a gRPC call that is passed on unread went well: what its answer begins with tells.
use crate::attempt::Failure;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::{Code, Status};

/// Waits for the first message of the answer, or for its status when there is none. An answer with a message is a good
/// one: from then on it is the caller's.
pub(crate) async fn settle<E>(response: Response) -> Result<Response, Failure<Response, E>> {
    let (head, mut body) = response.into_parts();
    let (status, body) = match Status::from_header_map(&head.headers) {
        Some(status) => (Some(status), body),
        None => {
            let first = body.frame().await;
            let trailers = first.as_ref().and_then(|first| first.as_ref().ok()).and_then(Frame::trailers_ref);
            (trailers.and_then(Status::from_header_map), Body::new(Begun { first, rest: body }))
        }
    };
    let response = Response::from_parts(head, body);
    match status.map(|status| status.code()) {
        None | Some(Code::Ok) => Ok(response),
        Some(code) => Err(Failure::answered(response, Some(code as i32))),
    }
}

/// A body whose first frame was read and put back.
#[derive(Debug)]
struct Begun {
    first: Option<Result<Frame<Bytes>, axum::Error>>,
    rest: Body,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}
