//! Bodies of one message.
use crate::frame::Frames;
use crate::status::failure;
use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
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
    decode(read(Received(body), limit).await?)
}

/// Reads the only message of a body, as bytes.
///
/// # Errors
/// A status in the trailers that is no good one, or that of what cannot be read.
pub async fn read<B>(body: B, limit: usize) -> Result<Bytes, Status>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let (message, _) = whole(body, limit).await?;
    message.ok_or_else(|| Status::internal("unexpected EOF"))
}

/// Reads an answer of one message, and the trailers behind it. There is no message when the call ends well without one.
///
/// # Errors
/// As [`read`].
pub async fn read_answer<M, B>(body: B, limit: usize) -> Result<(Option<M>, HeaderMap), Status>
where
    M: Message + Default,
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let (message, trailers) = whole(body, limit).await?;
    Ok((message.map(decode).transpose()?, trailers))
}

async fn whole<B>(mut body: B, limit: usize) -> Result<(Option<Bytes>, HeaderMap), Status>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Status>,
{
    let (mut frames, mut message, mut trailers) = (Frames::new(limit), None, HeaderMap::new());
    while let Some(frame) = body.frame().await {
        match frame.map_err(Into::into)?.into_data() {
            Ok(data) => frames.push(data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        message = message.or(frames.next()?);
    }
    match failure(&trailers) {
        Some(status) => Err(status),
        None => Ok((message, trailers)),
    }
}

fn decode<M: Message + Default>(message: Bytes) -> Result<M, Status> {
    M::decode(message).map_err(|error| Status::internal(error.to_string()))
}

/// The body of a request, whose errors are statuses.
#[derive(Debug)]
pub struct Received(pub Body);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::answer_message;
    use crate::frame::framed;
    use crate::request::Once;
    use crate::status::trailers;
    use futures_util::stream;
    use http_body_util::StreamBody;

    const LIMIT: usize = 100;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    async fn receive_from(
        body: impl http_body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
    ) -> Result<String, Status> {
        receive(Body::new(body), LIMIT).await
    }

    #[tokio::test]
    async fn a_message_is_what_was_sent() {
        assert_eq!(receive_from(Once::new(framed(&text("hello")))).await.unwrap(), "hello");
        let answer = Received(answer_message(&text("hi")).into_body());
        let (message, trailers) = read_answer::<String, _>(answer, LIMIT).await.unwrap();
        assert_eq!((message.as_deref(), &trailers["grpc-status"]), (Some("hi"), &"0".parse().unwrap()));
    }

    #[tokio::test]
    async fn what_is_no_message_is_told() {
        let code =
            async |bytes: &[u8]| receive_from(Once::new(Bytes::copy_from_slice(bytes))).await.unwrap_err().code();
        assert_eq!(code(b"").await, tonic::Code::Internal);
        assert_eq!(code(&[0, 0, 0, 0, 9, 1]).await, tonic::Code::Internal);
        assert_eq!(code(&[0, 0, 0, 0, 1, 0xff]).await, tonic::Code::Internal);
        assert_eq!(code(&[1, 0, 0, 0, 0]).await, tonic::Code::Unimplemented);
        assert_eq!(code(&[0, 0, 0, 9, 9]).await, tonic::Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn a_status_behind_the_message_counts() {
        let frames = [Frame::data(framed(&text("half"))), Frame::trailers(trailers(&Status::aborted("no")))];
        let body = StreamBody::new(stream::iter(frames.map(Ok::<_, Status>)));
        let status = read_answer::<String, _>(body, LIMIT).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (tonic::Code::Aborted, "no"));
    }
}
