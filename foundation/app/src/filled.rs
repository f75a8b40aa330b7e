//! Bodies without empty data.
use http_body::{Body, Frame, SizeHint};
use hyper::body::Buf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A body whose empty data is left out. Passed on it would be a frame of its own in HTTP/2, whose receivers end a
/// connection, and all that is under way on it, after a number of them: one client or app must not do that to the others.
#[derive(Debug)]
pub struct Filled<B>(pub B);

impl<B: Body + Unpin> Body for Filled<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        loop {
            let frame = ready!(Pin::new(&mut self.0).poll_frame(cx));
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            if data.is_none_or(Buf::has_remaining) {
                return Poll::Ready(frame);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderMap;
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;

    #[tokio::test]
    async fn data_and_trailers_stay() {
        let data = |text: &'static str| Ok::<_, Infallible>(Frame::data(Bytes::from(text)));
        let trailers = HeaderMap::from_iter([(http::header::TE, "x".parse().unwrap())]);
        let frames = vec![data(""), data("a"), data(""), data("b"), data(""), Ok(Frame::trailers(trailers))];
        let mut body = Filled(StreamBody::new(futures_util::stream::iter(frames)));
        let mut seen = Vec::new();
        while let Some(frame) = body.frame().await {
            seen.push(frame.unwrap().into_data().map_err(|frame| frame.is_trailers()));
        }
        assert_eq!(seen, [Ok(Bytes::from("a")), Ok(Bytes::from("b")), Err(true)]);
    }
}
