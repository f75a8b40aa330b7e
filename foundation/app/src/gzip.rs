//! Answers that were compressed only because this sidecar asked for it.
use axum::body::Body;
use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body::Frame;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Asks for compression where the caller has no opinion, as Go's client does; whether it did. Then the answer is to be
/// decompressed by [`gunzip`] (surface.md 0.41).
pub fn offer_gzip(method: &Method, headers: &mut HeaderMap) -> bool {
    let offer = !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE) && *method != Method::HEAD;
    if offer {
        headers.insert(ACCEPT_ENCODING, GZIP);
    }
    offer
}

/// The answer without gzip.
pub fn gunzip(response: Response<Body>) -> Response<Body> {
    let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if encoding != Some(true) || http_body::Body::is_end_stream(response.body()) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    let inflating = Inflating { body, decoder: Some(Box::new(MultiGzDecoder::new(Vec::new()))) };
    Response::from_parts(head, Body::new(inflating))
}

struct Inflating {
    body: Body,
    /// None at the end.
    decoder: Option<Box<MultiGzDecoder<Vec<u8>>>>,
}

impl Inflating {
    fn push(&mut self, data: &[u8]) -> io::Result<Bytes> {
        let Some(decoder) = self.decoder.as_mut() else { return Ok(Bytes::new()) };
        decoder.write_all(data)?;
        decoder.flush()?;
        Ok(std::mem::take(decoder.get_mut()).into())
    }

    fn finish(&mut self) -> io::Result<Bytes> {
        let rest = self.decoder.take().map(|decoder| decoder.finish()).transpose()?;
        Ok(rest.unwrap_or_default().into())
    }
}

impl http_body::Body for Inflating {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.decoder.is_some() {
            let plain = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame.data_ref().map_or(Ok(Bytes::new()), |data| self.push(data)),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.finish(),
            };
            let plain = plain.map_err(axum::Error::new)?;
            if !plain.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(plain))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_none()
    }
}
