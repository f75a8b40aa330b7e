//! The receiving side of calls between sidecars: reading requests and writing answers of the internal gRPC server.
use crate::call::{Answer, Head};
use crate::envelope::{decode_request, put_response};
use crate::error::frame_status;
use crate::frame::{Frames, begin, finish};
use crate::pieces::{Joined, Pieces, Side};
use crate::proto::put_message;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use prost::Message;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

const GRPC_STATUS: &str = "grpc-status";
const USUAL_HEAD: usize = 1 << 10;
const NO_FIELDS: &str =
    "parsing InternalInvokeRequest error: request does not contain the required fields in the leading chunk";

/// Reads the head of a streamed call; its body comes as the caller sends it.
///
/// # Errors
/// The status to answer with.
pub async fn receive_stream(body: Body, max_message_size: usize) -> Result<(Head, Body), Status> {
    let (leading, rest) = Joined::open(Incoming(body), max_message_size, Side::Server).await?;
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
    let message = read_message(Incoming(body), max_message_size).await?;
    let (head, data) = decode_request(message).map_err(|error| Status::internal(error.to_string()))?;
    let data =
        data.ok_or_else(|| Status::invalid_argument("parsing InternalInvokeRequest error: field Message is nil"))?;
    Ok((head, data))
}

/// Reads a call that is one message of any kind.
///
/// # Errors
/// The status to answer with.
pub async fn receive_message<M: Message + Default>(body: Body, max_message_size: usize) -> Result<M, Status> {
    let message = read_message(Incoming(body), max_message_size).await?;
    M::decode(message).map_err(|error| Status::internal(error.to_string()))
}

/// The answer of a call that is one message of any kind.
pub fn answer_message<M: Message>(message: &M) -> Response<Body> {
    let mut out = begin(message.encoded_len());
    match message.encode(&mut out) {
        Ok(()) => grpc_response(Body::new(Whole { message: Some(finish(out, 0)), ended: false })),
        Err(error) => refusal(Status::internal(error.to_string())),
    }
}

/// The answer of a streamed call.
pub fn answer_stream(answer: Answer) -> Response<Body> {
    let mut leading = begin(USUAL_HEAD);
    put_message(&mut leading, 1, |out| put_response(out, &answer, &[]));
    let pieces = Pieces::new(leading, crate::call::Payload::Stream(answer.body));
    grpc_response(Body::new(Reply { pieces: Some(pieces), status: Status::ok("") }))
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
    grpc_response(Body::new(Whole { message: Some(finish(out, 0)), ended: false }))
}

fn grpc_response(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// An answer that is nothing but a status.
pub fn refusal(status: Status) -> Response<Body> {
    without_length(status.into_http())
}

/// An answer whose head has the status already: an empty body that does not make the server add a length, which gRPC
/// clients would show as metadata.
pub fn without_length(mut response: Response<Body>) -> Response<Body> {
    if response.headers().contains_key(GRPC_STATUS) {
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::new(Ended);
    }
    response
}

/// The only message of a body, whose status must be a good one.
pub(crate) async fn read_message<B>(mut body: B, limit: usize) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let mut frames = Frames::new(limit);
    let mut message = None;
    while let Some(frame) = body.frame().await {
        match frame.map_err(Into::into)?.into_data() {
            Ok(data) => frames.push(data),
            Err(frame) => check(frame)?,
        }
        message = message.or(frames.next().map_err(frame_status)?);
    }
    message.ok_or_else(|| Status::internal("unexpected EOF"))
}

fn check(frame: Frame<Bytes>) -> Result<(), Status> {
    let status = frame.into_trailers().ok().and_then(|trailers| Status::from_header_map(&trailers));
    status.filter(|status| status.code() != tonic::Code::Ok).map_or(Ok(()), Err)
}

/// The body of a request, whose errors are statuses.
#[derive(Debug)]
struct Incoming(Body);

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map_err(|error| Status::cancelled(format!("error receiving message: {error}")))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
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

/// One message, then a good status.
#[derive(Debug)]
struct Whole {
    message: Option<Bytes>,
    ended: bool,
}

impl http_body::Body for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        let last = !replace(&mut self.ended, true);
        Poll::Ready(last.then(|| Ok(Frame::trailers(trailers(&Status::ok(""))))))
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    status.add_header(&mut trailers).ok();
    trailers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Outcome;
    use futures_util::FutureExt;
    use http::StatusCode;

    fn answer(body: Body) -> Answer {
        let (outcome, headers) = (Outcome::Http(StatusCode::OK), HeaderMap::new());
        Answer { outcome, headers, content_type: None, type_url: String::new(), body }
    }

    async fn reader(sent: Body) -> Joined<Incoming> {
        let (head, joined) = Joined::open(Incoming(sent), 1 << 20, Side::Client).await.unwrap();
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
