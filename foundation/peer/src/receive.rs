//! The receiving side of calls between sidecars: reading requests and writing answers of the internal gRPC server.
use crate::call::{Answer, Head};
use crate::envelope::{decode_request, put_response};
use crate::pieces::{Joined, Pieces, Side};
use crate::proto::put_message;
use axum::body::Body;
use bytes::Bytes;
use foundation_grpc::{Received, Whole, answer_framed, begin, finish, read_request, refusal, trailers};
use http::Response;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

const USUAL_HEAD: usize = 1 << 10;
const NO_FIELDS: &str =
    "parsing InternalInvokeRequest error: request does not contain the required fields in the leading chunk";

/// Reads the head of a streamed call; its body comes as the caller sends it.
///
/// # Errors
/// The status to answer with.
pub async fn receive_stream(body: Body, max_message_size: usize) -> Result<(Head, Body), Status> {
    let (leading, rest) = Joined::open(Received(body), max_message_size, Side::Server).await?;
    let leading = leading.ok_or_else(|| Status::unknown("EOF"))?;
    let head = leading.head.ok_or_else(|| Status::invalid_argument(NO_FIELDS))?;
    let (head, data) = decode_request(head).map_err(|error| Status::internal(error.to_string()))?;
    if head.headers.is_empty() || data.is_none() {
        return Err(Status::invalid_argument(NO_FIELDS));
    }
    let body = if rest.is_end_stream() { Body::empty() } else { Body::new(rest) };
    Ok((head, body))
}

/// Reads a call that is one message.
///
/// # Errors
/// The status to answer with.
pub async fn receive_whole(body: Body, max_message_size: usize) -> Result<(Head, Bytes), Status> {
    let message = read_request(body, max_message_size).await?;
    let (head, data) = decode_request(message).map_err(|error| Status::internal(error.to_string()))?;
    let data =
        data.ok_or_else(|| Status::invalid_argument("parsing InternalInvokeRequest error: field Message is nil"))?;
    Ok((head, data))
}

/// The answer of a streamed call.
pub fn answer_stream(answer: Answer) -> Response<Body> {
    let mut leading = begin(USUAL_HEAD);
    put_message(&mut leading, 1, |out| put_response(out, &answer, &[]));
    let pieces = Pieces::new(leading, crate::call::Payload::Stream(answer.body));
    answer_framed(Reply { pieces: Some(pieces), status: Status::ok("") })
}

/// The answer of a call that is one message.
pub async fn answer_whole(answer: Answer) -> Response<Body> {
    let Answer { body, .. } = answer;
    let data = match body.collect().await {
        Ok(data) => data.to_bytes(),
        Err(error) => return refusal(Status::unknown(error.to_string())),
    };
    let answer = Answer { body: Body::empty(), ..answer };
    let mut out = begin(USUAL_HEAD + data.len());
    put_response(&mut out, &answer, &data);
    answer_framed(Whole::new(finish(out, 0)))
}

/// An answer in pieces with the status in its trailers.
#[derive(Debug)]
struct Reply {
    pieces: Option<Pieces>,
    status: Status,
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        let status = match std::task::ready!(pieces.poll_next(cx)) {
            Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Err(error)) => Status::unknown(error.to_string()),
            None => replace(&mut self.status, Status::ok("")),
        };
        self.pieces = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Outcome;
    use futures_util::FutureExt;
    use http::{HeaderMap, StatusCode};

    fn answer(body: Body) -> Answer {
        let (outcome, headers) = (Outcome::Http(StatusCode::OK), HeaderMap::new());
        Answer { outcome, headers, content_type: None, type_url: String::new(), body }
    }

    async fn reader(sent: Body) -> Joined<Received> {
        let (head, joined) = Joined::open(Received(sent), 1 << 20, Side::Client).await.unwrap();
        assert!(head.is_some());
        joined
    }

    #[tokio::test]
    async fn the_end_of_an_answer_is_there_with_its_data() {
        let mut joined = reader(answer_stream(answer(Body::from("whole"))).into_body()).await;
        assert!(!joined.is_end_stream());
        assert_eq!(joined.frame().await.unwrap().unwrap().into_data().unwrap(), "whole");
        assert!(!joined.is_end_stream(), "its server must not know the length");
        assert!(joined.frame().now_or_never().is_some_and(|end| end.is_none()));
        assert!(joined.is_end_stream());
    }

    #[tokio::test]
    async fn what_came_before_a_break_is_read_first() {
        let parts = [Ok("part"), Err(std::io::Error::other("cut"))];
        let broken = Body::from_stream(futures_util::stream::iter(parts));
        let mut joined = reader(answer_stream(answer(broken)).into_body()).await;
        assert_eq!(joined.frame().await.unwrap().unwrap().into_data().unwrap(), "part");
        assert!(!joined.is_end_stream());
        assert!(joined.frame().await.unwrap().unwrap_err().message().contains("cut"));
    }
}
