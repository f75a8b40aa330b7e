//! Bodies that are counted as they pass by.
use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

const GRPC_STATUS: &str = "grpc-status";

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyEnd {
    /// Bytes of data that passed by.
    pub bytes: u64,
    /// The code in the trailers of a gRPC answer.
    pub grpc_code: Option<i32>,
    /// Whether it was read to its end.
    pub is_complete: bool,
}

/// Bytes of a body that somebody else reads.
#[derive(Clone, Debug, Default)]
pub struct BodyBytes(Arc<AtomicU64>);

impl BodyBytes {
    /// Those that have been read up to now.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body; `end` is called once, at the latest when it is dropped.
pub fn watched(body: Body, end: impl FnOnce(BodyEnd) + Send + Unpin + 'static) -> Body {
    let state = BodyEnd { bytes: 0, grpc_code: None, is_complete: false };
    Body::new(Watched { body, state, end: Some(end) })
}

/// The body, and a counter of its bytes.
pub fn counted(body: Body) -> (Body, BodyBytes) {
    let bytes = BodyBytes::default();
    if body.is_end_stream() {
        return (body, bytes);
    }
    (Body::new(Counted { body, bytes: bytes.clone() }), bytes)
}

/// The gRPC code that headers or trailers say.
pub fn grpc_code(headers: &HeaderMap) -> Option<i32> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

struct Watched<F: FnOnce(BodyEnd)> {
    body: Body,
    state: BodyEnd,
    end: Option<F>,
}

impl<F: FnOnce(BodyEnd)> Watched<F> {
    fn note(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            self.state.bytes += data.len() as u64;
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.state.grpc_code = grpc_code(trailers);
        }
        if self.body.is_end_stream() {
            self.finish(true);
        }
    }

    fn finish(&mut self, is_complete: bool) {
        if let Some(end) = self.end.take() {
            end(BodyEnd { is_complete, ..self.state });
        }
    }
}

impl<F: FnOnce(BodyEnd) + Unpin> http_body::Body for Watched<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.note(frame),
            Some(Err(_)) => self.finish(false),
            None => self.finish(true),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce(BodyEnd)> Drop for Watched<F> {
    fn drop(&mut self) {
        let is_complete = self.body.is_end_stream();
        self.finish(is_complete);
    }
}

struct Counted {
    body: Body,
    bytes: BodyBytes,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.bytes.0.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full, StreamBody};
    use std::sync::mpsc;

    async fn ends(body: Body) -> BodyEnd {
        let (sender, ended) = mpsc::channel();
        let body = watched(body, move |end| sender.send(end).unwrap());
        body.collect().await.unwrap();
        ended.try_recv().unwrap()
    }

    #[tokio::test]
    async fn data_is_counted() {
        let end = ends(Body::new(Full::new(Bytes::from_static(b"hello")))).await;
        assert_eq!(end, BodyEnd { bytes: 5, grpc_code: None, is_complete: true });
    }

    #[tokio::test]
    async fn trailers_tell_the_code() {
        let trailers = HeaderMap::from_iter([(http::HeaderName::from_static(GRPC_STATUS), "5".parse().unwrap())]);
        let frames = [Ok::<_, axum::Error>(Frame::data(Bytes::from_static(b"abc"))), Ok(Frame::trailers(trailers))];
        let end = ends(Body::new(StreamBody::new(futures_util::stream::iter(frames)))).await;
        assert_eq!(end, BodyEnd { bytes: 3, grpc_code: Some(5), is_complete: true });
    }

    #[test]
    fn a_dropped_body_is_not_complete() {
        let (sender, ended) = mpsc::channel();
        drop(watched(Body::from("hello"), move |end| sender.send(end).unwrap()));
        assert!(!ended.recv().unwrap().is_complete);
    }

    #[tokio::test]
    async fn somebody_else_reads_the_count() {
        let (body, bytes) = counted(Body::from("hello"));
        body.collect().await.unwrap();
        assert_eq!(bytes.read(), 5);
    }
}
