//! Reading of requests: body within its limit, JSON, and metadata from the query.
use axum::body::Body;
use axum::http::Uri;
use axum::http::request::Parts;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Head of a request, for handlers that need several parts of it.
pub type RequestParts = Parts;

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// Larger than `--max-body-size`.
    TooLarge,
    /// The connection broke, or the framing was wrong.
    Broken(String),
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLarge => f.write_str("stream too large"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

impl Error for BodyError {}

/// A body that ends with an error behind `limit` bytes.
pub fn bounded(body: Body, limit: usize) -> Body {
    let fits = body.size_hint().upper().is_some_and(|upper| upper <= u64::try_from(limit).unwrap_or(u64::MAX));
    if fits { body } else { Body::new(Bounded(Limited::new(body, limit))) }
}

/// Tells no size: [`Limited`] takes its limit for the exact size of a larger body, which would make the cut piece a whole request.
struct Bounded(Limited<Body>);

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx).map_err(|error| match error.downcast::<LengthLimitError>() {
            Ok(reason) => TooLarge(*reason).into(),
            Err(error) => error,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}

/// What a handler is told that passes a body on.
#[derive(Debug)]
struct TooLarge(LengthLimitError);

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the body of the request is larger than --max-body-size")
    }
}

impl Error for TooLarge {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// The whole body. Its limit was put around it when the request came in ([`bounded`]).
///
/// # Errors
/// [`BodyError`] when the body is larger than the limit or ends too early.
pub async fn read_body(body: Body) -> Result<Bytes, BodyError> {
    match body.collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if is_too_large(&error) => Err(BodyError::TooLarge),
        Err(error) => Err(BodyError::Broken(error.to_string())),
    }
}

fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Decodes JSON; an empty body is an error, as for any JSON document.
///
/// # Errors
/// The decoder's own text.
pub fn json_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body)
}

/// Request metadata: all query parameters `metadata.<name>=<value>`.
pub fn query_metadata(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = query_pairs(uri).filter_map(|(name, value)| Some((name.strip_prefix("metadata.")?.to_owned(), value)));
    pairs.collect()
}

/// The first value of a query parameter.
pub fn query_value(uri: &Uri, wanted: &str) -> Option<String> {
    query_pairs(uri).find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// All values of a query parameter, in the order they were given.
pub fn query_values(uri: &Uri, wanted: &str) -> Vec<String> {
    query_pairs(uri).filter(|(name, _)| name == wanted).map(|(_, value)| value).collect()
}

fn query_pairs(uri: &Uri) -> impl Iterator<Item = (String, String)> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (query_unescape(name), query_unescape(value))
    })
}

fn query_unescape(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_from_the_query() {
        let uri: Uri = "/x?metadata.a=1+2&b=3&metadata.c=%2F".parse().unwrap();
        let expected = [("a", "1 2"), ("c", "/")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(query_metadata(&uri), BTreeMap::from(expected));
    }

    #[tokio::test]
    async fn a_body_above_its_limit_is_told_apart() {
        let limited = bounded(Body::from("12345"), 4);
        assert_eq!(limited.size_hint().exact(), None);
        assert_eq!(read_body(limited).await, Err(BodyError::TooLarge));
        assert_eq!(read_body(bounded(Body::from("1234"), 4)).await, Ok(Bytes::from("1234")));
    }
}
