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
/// Compressed bytes that are inflated at once: they may become a thousand times as many.
const STEP: usize = 1024;

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
    let decoder = Some(Box::new(MultiGzDecoder::new(Vec::new())));
    let inflating = Inflating { body, waiting: Bytes::new(), decoder };
    Response::from_parts(head, Body::new(inflating))
}

struct Inflating {
    body: Body,
    /// Compressed bytes that came and were not inflated yet.
    waiting: Bytes,
    /// None at the end.
    decoder: Option<Box<MultiGzDecoder<Vec<u8>>>>,
}

impl Inflating {
    fn push(&mut self) -> io::Result<Bytes> {
        let Some(decoder) = self.decoder.as_mut() else { return Ok(Bytes::new()) };
        decoder.write_all(&self.waiting.split_to(self.waiting.len().min(STEP)))?;
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
            let plain = if !self.waiting.is_empty() {
                self.push()
            } else if let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                self.waiting = frame?.into_data().unwrap_or_default();
                continue;
            } else {
                self.finish()
            };
            match plain {
                Ok(plain) if plain.is_empty() => {}
                Ok(plain) => return Poll::Ready(Some(Ok(Frame::data(plain)))),
                Err(error) => {
                    self.decoder = None;
                    return Poll::Ready(Some(Err(axum::Error::new(error))));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http_body_util::BodyExt;
    use proptest::prelude::*;
    use tokio::runtime::Builder;

    fn zipped(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn answer(bytes: Vec<u8>, piece: usize) -> Response<Body> {
        let pieces: Vec<_> =
            bytes.chunks(piece).map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece))).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        gunzip(Response::builder().header(CONTENT_ENCODING, GZIP).body(body).unwrap())
    }

    #[tokio::test]
    async fn what_inflates_hugely_comes_in_pieces() {
        let mut body = answer(zipped(&vec![0; 64 << 20]), usize::MAX).into_body();
        let (mut all, mut largest) = (0, 0);
        while let Some(frame) = body.frame().await {
            let length = frame.unwrap().into_data().unwrap().len();
            (all, largest) = (all + length, largest.max(length));
        }
        assert_eq!(all, 64 << 20);
        assert!(largest <= 2 << 20, "{largest}");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 1..200), piece in 1..50_usize, cut in 0..20_usize) {
            let read = |bytes: Vec<u8>| {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtime.block_on(async { Some(answer(bytes, piece).into_body().collect().await.ok()?.to_bytes()) })
            };
            read(bytes.clone());
            let mut packed = zipped(&bytes);
            let unpacked = read(packed.clone());
            prop_assert_eq!(unpacked.as_deref(), Some(bytes.as_slice()));
            packed.truncate(packed.len() - cut);
            prop_assert_eq!(read(packed).is_some(), cut == 0);
        }
    }
}
