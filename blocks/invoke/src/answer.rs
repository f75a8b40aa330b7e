//! The answer of an app as an HTTP response.
use crate::details::json_of;
use crate::sniff;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use foundation_app::{answer_to_http, http_of};
use foundation_fault::{Category, Code as Row, Fault};
use foundation_peer::{Answer, Outcome};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tonic::{Code, Status};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
static BROKEN: Row =
    Row::new(StatusCode::BAD_GATEWAY, Code::Unavailable, "ERR_DIRECT_INVOKE", Category::ServiceInvocation);
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What of the request shapes its answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// The request had a body of unknown length.
    pub(crate) streamed: bool,
    /// Server-sent events were asked for.
    pub(crate) events: bool,
    /// The client speaks HTTP/2, which has no status 101 (RFC 9113 8.6).
    pub(crate) over_http2: bool,
}

/// The response; it starts with the first bytes of the body, which the content type may depend on.
pub(crate) async fn respond(answer: Answer, wanted: Wanted) -> Response {
    if wanted.over_http2 && matches!(answer.outcome, Outcome::Http(StatusCode::SWITCHING_PROTOCOLS)) {
        return Fault::new(&BROKEN, "the app switches to another protocol, which HTTP/2 cannot tell").into_response();
    }
    let mut headers = answer.headers;
    answer_to_http(&mut headers);
    headers.remove(CONTENT_TYPE);
    let (status, content_type, mut body, is_error) = match answer.outcome {
        Outcome::Http(status) => (status, answer.content_type, answer.body, status.as_u16() >= 400),
        Outcome::Grpc { status, .. } => of_grpc(&status, answer.content_type, answer.body),
    };
    let first = match first_data(&mut body).await {
        Some(Err(error)) => return broken(&error),
        first => first,
    };
    let start = first.as_ref().and_then(|first| first.as_ref().ok()).map_or(&[][..], |data| data);
    let content_type = content_type.or_else(|| default_type(start, &headers, is_error && !wanted.streamed));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    set_type(response.headers_mut(), content_type, wanted);
    *response.body_mut() = rejoined(first, body);
    response
}

/// Nothing of the answer was passed on, so that it can still be told that it broke.
fn broken(error: &axum::Error) -> Response {
    Fault::new(&BROKEN, format!("the answer broke before its first byte: {error}")).into_response()
}

/// A gRPC app's error is its status as JSON, and so is its text's type (surface.md 0.16).
fn of_grpc(
    status: &Status,
    content_type: Option<HeaderValue>,
    body: Body,
) -> (StatusCode, Option<HeaderValue>, Body, bool) {
    let http = http_of(status.code());
    if status.code() == Code::Ok {
        return (http, content_type, body, false);
    }
    (http, None, Body::from(json_of(status)), false)
}

fn default_type(start: &[u8], headers: &HeaderMap, is_error: bool) -> Option<HeaderValue> {
    if is_error {
        return Some(JSON);
    }
    let sniffed = !start.is_empty() && !headers.contains_key(CONTENT_ENCODING);
    sniffed.then(|| HeaderValue::from_static(sniff::content_type(start)))
}

fn set_type(headers: &mut HeaderMap, content_type: Option<HeaderValue>, wanted: Wanted) {
    if wanted.events {
        headers.insert(CONTENT_TYPE, EVENTS);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    } else if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, content_type);
    }
}

/// The body with what was read of it put back.
pub(crate) fn rejoined(first: Option<Result<Bytes, axum::Error>>, rest: Body) -> Body {
    match first {
        None => Body::empty(),
        Some(Ok(first)) if rest.is_end_stream() => Body::from(first),
        first => Body::new(Rejoined { first, rest, broken: None }),
    }
}

/// The first data of a body, if it has any.
pub(crate) async fn first_data(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match body.frame().await?.map(Frame::into_data) {
            Ok(Ok(data)) if data.is_empty() => {}
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_)) => return None,
            Err(error) => return Some(Err(error)),
        }
    }
}

#[derive(Debug)]
struct Rejoined {
    first: Option<Result<Bytes, axum::Error>>,
    rest: Body,
    /// Why the rest broke, held back until the server has had its turn to send what came before.
    broken: Option<axum::Error>,
}

impl http_body::Body for Rejoined {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = match self.first.take() {
            Some(first) => Some(first.map(Frame::data)),
            None => ready!(Pin::new(&mut self.rest).poll_frame(cx)),
        };
        if let Some(Err(error)) = frame {
            self.broken = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(frame)
    }
}
