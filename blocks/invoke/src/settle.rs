//! Whether a gRPC call that is passed on unread went well: what its answer begins with tells.
use crate::attempt::Failure;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Code;

/// Waits for the first message of the answer, or for its status when there is none. An answer with a message is a good
/// one: from then on it is the caller's.
pub(crate) async fn settle<E>(response: Response) -> Result<Response, Failure<Response, E>> {
    let (head, mut body) = response.into_parts();
    let (code, body) = match status_code(&head.headers) {
        Some(code) => (Some(code), body),
        None => {
            let first = body.frame().await;
            let trailers = first.as_ref().and_then(|first| first.as_ref().ok()).and_then(Frame::trailers_ref);
            (trailers.and_then(status_code), Body::new(Begun { first, rest: body }))
        }
    };
    let response = Response::from_parts(head, body);
    match code {
        None | Some(0) => Ok(response),
        Some(code) => Err(Failure::answered(response, Some(code))),
    }
}

/// As the app sent it: retry policies tell codes apart that gRPC does not define.
fn status_code(headers: &HeaderMap) -> Option<i32> {
    let code = headers.get("grpc-status")?;
    Some(code.to_str().ok().and_then(|code| code.parse().ok()).unwrap_or(Code::Unknown as i32))
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
