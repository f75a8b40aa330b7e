//! Requests and answers of one message.
use crate::frame::Frames;
use crate::status::{accepted, as_status, ended, of_headers};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use prost::Message;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::Status;

/// Reads a request of one message of at most `limit` bytes.
///
/// # Errors
/// The status to answer with.
pub async fn receive<M: Message + Default>(body: Body, limit: usize) -> Result<M, Status> {
    decode(read_request(body, limit).await?)
}

/// Reads the only message of a request, as bytes.
///
/// # Errors
/// The status to answer with.
pub async fn read_request(body: Body, limit: usize) -> Result<Bytes, Status> {
    let (message, _) = whole(Received(body), limit).await?;
    message.ok_or_else(|| Status::internal("unexpected EOF"))
}

/// An answer of one message, whose status is a good one.
#[derive(Debug)]
pub struct Answered<M> {
    pub headers: HeaderMap,
    pub message: M,
    pub trailers: HeaderMap,
}

/// Reads an answer of one message of at most `limit` bytes.
///
/// # Errors
/// The status that the answer tells when it is no good one, or that of what cannot be read.
pub async fn read_answer<M, B>(response: Response<B>, limit: usize) -> Result<Answered<M>, Status>
where
    M: Message + Default,
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let answered = read_answer_bytes(response, limit).await?;
    Ok(Answered { message: decode(answered.message)?, headers: answered.headers, trailers: answered.trailers })
}

/// The same without a look at the message.
///
/// # Errors
/// As [`read_answer`].
pub async fn read_answer_bytes<B>(response: Response<B>, limit: usize) -> Result<Answered<Bytes>, Status>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let (head, body) = accepted(response)?.into_parts();
    let (message, trailers) = whole(body, limit).await?;
    match trailers {
        Some(trailers) => {
            ended(&trailers)?;
            let message = message.ok_or_else(|| Status::internal("the answer has no message"))?;
            Ok(Answered { headers: head.headers, message, trailers })
        }
        None if of_headers(&head.headers).is_some() => Err(Status::internal("the answer has no message")),
        None => Err(Status::internal("server closed the stream without sending trailers")),
    }
}

/// The message and the trailers. Nothing is kept but one message: what follows it breaks off the call.
async fn whole<B>(mut body: B, limit: usize) -> Result<(Option<Bytes>, Option<HeaderMap>), Status>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let (mut frames, mut message, mut trailers) = (Frames::new(limit), None, None);
    while let Some(frame) = body.frame().await {
        match frame.map_err(Into::into)?.into_data() {
            Ok(data) => frames.push(data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
        if message.is_none() {
            message = frames.next_message()?;
        }
        if message.is_some() && !frames.is_empty() {
            return Err(Status::internal("cardinality violation: more than one message in a call that has one"));
        }
    }
    if frames.is_empty() { Ok((message, trailers)) } else { Err(Status::internal("unexpected EOF")) }
}

fn decode<M: Message + Default>(message: Bytes) -> Result<M, Status> {
    M::decode(message).map_err(|error| Status::internal(error.to_string()))
}

/// The body of a request, whose errors are statuses: who sends it has gone.
#[derive(Debug)]
pub struct Received(pub Body);

/// The body of an answer, whose errors are statuses: who answers has broken off.
#[derive(Debug)]
pub struct Incoming(pub Body);

impl http_body::Body for Received {
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

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_err(|error| as_status(&error))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{answer_framed, answer_message};
    use crate::frame::framed;
    use crate::request::Once;
    use crate::status::trailers;
    use futures_util::stream;
    use http_body_util::StreamBody;
    use tonic::Code;

    const LIMIT: usize = 100;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    async fn read(response: Response<Body>) -> Result<Answered<String>, Status> {
        read_answer(response.map(Incoming), LIMIT).await
    }

    fn answer_of(frames: Vec<Frame<Bytes>>) -> Response<Body> {
        answer_framed(StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Status>))))
    }

    #[tokio::test]
    async fn a_message_is_what_was_sent() {
        let request = Body::new(Once::new(framed(&text("hello"))));
        assert_eq!(receive::<String>(request, LIMIT).await.unwrap(), "hello");
        let answered = read(answer_message(&text("hi"))).await.unwrap();
        assert_eq!((answered.message.as_str(), &answered.trailers["grpc-status"]), ("hi", &"0".parse().unwrap()));
    }

    #[tokio::test]
    async fn what_is_no_message_is_told() {
        let code = async |bytes: &[u8]| {
            let body = Body::new(Once::new(Bytes::copy_from_slice(bytes)));
            receive::<String>(body, LIMIT).await.unwrap_err().code()
        };
        assert_eq!(code(b"").await, Code::Internal);
        assert_eq!(code(&[0, 0, 0, 0, 9, 1]).await, Code::Internal);
        assert_eq!(code(&[0, 0, 0, 0, 1, 0xff]).await, Code::Internal);
        assert_eq!(code(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await, Code::Internal);
        assert_eq!(code(&[1, 0, 0, 0, 0]).await, Code::Unimplemented);
        assert_eq!(code(&[0, 0, 0, 9, 9]).await, Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn what_follows_a_message_is_not_gathered() {
        let endless = stream::repeat_with(|| Ok::<_, Status>(Frame::data(framed(&text("")))));
        let body = Body::new(StreamBody::new(endless));
        assert_eq!(receive::<String>(body, LIMIT).await.unwrap_err().code(), Code::Internal);
    }

    #[tokio::test]
    async fn an_answer_ends_with_a_status() {
        let message = || Frame::data(framed(&text("half")));
        let aborted = read(answer_of(vec![message(), Frame::trailers(trailers(&Status::aborted("no")))])).await;
        assert_eq!(aborted.unwrap_err().code(), Code::Aborted);
        assert_eq!(read(answer_of(vec![message()])).await.unwrap_err().code(), Code::Internal);
        let nameless = read(answer_of(vec![message(), Frame::trailers(HeaderMap::new())])).await;
        assert_eq!(nameless.unwrap_err().code(), Code::Unknown);
        let without = read(answer_of(vec![Frame::trailers(trailers(&Status::ok("")))])).await;
        assert_eq!(without.unwrap_err().message(), "the answer has no message");
    }

    #[tokio::test]
    async fn who_breaks_off_is_not_who_cancels() {
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]));
        assert_eq!(read(answer_framed(broken)).await.unwrap_err().code(), Code::Unavailable);
    }
}
