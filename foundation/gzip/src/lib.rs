//! Answers that are compressed only because this process asked for it, as Go's client asks and decompresses by itself.
mod inflating;

pub use inflating::Inflating;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body::Body;
use http_body_util::Either;

const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Asks for compression where the caller has no opinion; whether it did. Then the answer is to be decompressed by [`gunzip`]
/// (surface.md 0.41).
pub fn offer_gzip(method: &Method, headers: &mut HeaderMap) -> bool {
    let offer = !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE) && *method != Method::HEAD;
    if offer {
        headers.insert(ACCEPT_ENCODING, GZIP);
    }
    offer
}

/// The answer without gzip, and without the headers that tell of it. Its body comes in small pieces, however much it is: who
/// keeps them has to bound them.
pub fn gunzip<B: Body<Data = Bytes>>(response: Response<B>) -> Response<Either<B, Inflating<B>>> {
    let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if encoding != Some(true) || response.body().is_end_stream() {
        return response.map(Either::Left);
    }
    let (mut head, body) = response.into_parts();
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Either::Right(Inflating::new(body)))
}

#[cfg(test)]
mod tests;
