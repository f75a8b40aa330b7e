//! Metadata of failed calls: before the status, as Dapr's clients look for it.
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use std::convert::Infallible;
use std::future::ready;

const STATUS: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
const METADATA: &str = "metadata.";

/// An answer with nothing but a status has its metadata beside the status, in the trailers; where there is some for the
/// caller, the status is moved behind it.
pub(crate) fn status_after_metadata(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let told = headers.keys().any(|name| name.as_str().starts_with(METADATA));
    if !told || !headers.contains_key(STATUS[0]) {
        return response;
    }
    let mut trailers = HeaderMap::new();
    for name in STATUS {
        trailers.extend(headers.remove(name).map(|value| (http::HeaderName::from_static(name), value)));
    }
    // A stream does not know its size: gRPC answers have no content-length.
    let end = stream::once(ready(Ok::<_, Infallible>(Frame::<Bytes>::trailers(trailers))));
    response.map(|_| Body::new(StreamBody::new(end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn failed(name: &'static str) -> Response<Body> {
        let response = Response::builder().header("grpc-status", "13").header("grpc-message", "no").header(name, "1");
        response.body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_status_follows_metadata() {
        let (head, body) = status_after_metadata(failed("metadata.a")).into_parts();
        assert_eq!(head.headers.keys().collect::<Vec<_>>(), ["metadata.a"]);
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap();
        assert_eq!(
            (&trailers["grpc-status"], &trailers["grpc-message"]),
            (&"13".parse().unwrap(), &"no".parse().unwrap())
        );
    }

    #[test]
    fn other_answers_stay_as_they_are() {
        assert_eq!(status_after_metadata(failed("x")).headers().len(), 3);
        let answered = Response::builder().header("metadata.a", "1").body(Body::empty()).unwrap();
        assert_eq!(status_after_metadata(answered).headers().len(), 1);
    }
}
