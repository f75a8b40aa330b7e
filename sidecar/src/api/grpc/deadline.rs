//! Calls end when their callers do not wait for them any longer.
use axum::body::Body;
use axum::extract::Request;
use foundation_grpc::{Deadline, refusal};
use http::{Response, StatusCode};
use std::future::Future;
use tonic::Status;

/// Answers a call within the time that its metadata gives it. What the time ends is dropped: the work and the streams of the call.
/// Whoever hands the call on finds the [`Deadline`] in its extensions.
pub(super) async fn in_time<F>(mut request: Request, answer: impl FnOnce(Request) -> F) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    match Deadline::take(request.headers_mut()) {
        Ok(None) => answer(request).await,
        Ok(Some(deadline)) => until(deadline, request, answer).await,
        Err(malformed) => bad_request(malformed),
    }
}

async fn until<F>(deadline: Deadline, mut request: Request, answer: impl FnOnce(Request) -> F) -> Response<Body>
where
    F: Future<Output = Response<Body>>,
{
    request.extensions_mut().insert(deadline);
    // The work is large, and most calls come without a deadline: they do not pay for its place here.
    match deadline.limit(Box::pin(answer(request))).await {
        Ok(response) => response.map(|body| deadline.end(body)),
        Err(late) => refusal(late),
    }
}

/// As Go's server has it, with a status of HTTP, too.
fn bad_request(malformed: Status) -> Response<Body> {
    let mut response = refusal(malformed);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use foundation_grpc::of_headers;
    use futures_util::stream;
    use http_body_util::BodyExt;
    use std::future::{pending, ready};
    use std::io;
    use tonic::Code;

    fn request(timeout: Option<&str>) -> Request {
        let request = Request::post("/a.B/C");
        timeout
            .into_iter()
            .fold(request, |request, timeout| request.header("grpc-timeout", timeout))
            .body(Body::empty())
            .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_its_time() {
        let late = in_time(request(Some("1H")), |_| pending()).await;
        let status = of_headers(late.headers()).unwrap();
        assert_eq!((late.status(), status.code()), (StatusCode::OK, Code::DeadlineExceeded));
        assert_eq!(status.message(), "context deadline exceeded");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_its_time() {
        let begun = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"one"))]);
        let endless = Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()));
        let answered = in_time(request(Some("1S")), |_| ready(Response::new(endless))).await;
        let all = answered.into_body().collect().await.unwrap();
        assert_eq!(of_headers(all.trailers().unwrap()).unwrap().code(), Code::DeadlineExceeded);
        assert_eq!(all.to_bytes(), "one");
    }

    #[tokio::test]
    async fn what_is_called_knows_the_deadline_and_sees_no_header() {
        for timeout in [None, Some("1H")] {
            let looked = |request: Request| {
                assert_eq!(request.extensions().get::<Deadline>().is_some(), timeout.is_some());
                assert!(!request.headers().contains_key("grpc-timeout"));
                ready(Response::new(Body::empty()))
            };
            assert_eq!(in_time(request(timeout), looked).await.status(), StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn a_malformed_timeout_is_refused() {
        let refused = in_time(request(Some("soon")), |_| pending()).await;
        let status = of_headers(refused.headers()).unwrap();
        assert_eq!((refused.status(), status.code()), (StatusCode::BAD_REQUEST, Code::Internal));
    }
}
