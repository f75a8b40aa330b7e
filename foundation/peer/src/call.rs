//! A call between two sidecars and its answer, free of any transport.
use axum::body::Body;
use bytes::Bytes;
use foundation_grpc::Deadline;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tonic::Status;

/// Which API the call came in by; header names are written and read differently (protocols.md 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Http,
    Grpc,
}

/// Everything of a call but its body.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub origin: Origin,
    /// HTTP verb; none when a gRPC caller named none.
    pub verb: Option<Method>,
    /// Path at the app without escapes, normalised.
    pub method: String,
    /// Raw query without the question mark.
    pub query: String,
    /// Headers of the caller as they came in.
    pub headers: HeaderMap,
    pub content_type: Option<HeaderValue>,
    /// Type URL of a protobuf message in the body; mostly empty.
    pub type_url: String,
    /// Until when the caller waits; none for one that says nothing of it.
    pub deadline: Option<Deadline>,
}

/// The body of a call.
#[derive(Debug)]
pub enum Payload {
    /// All of it, so that the call can be made again.
    Whole(Bytes),
    /// As it comes in; it can be sent once.
    Stream(Body),
}

impl Payload {
    /// The body as a stream.
    pub fn into_body(self) -> Body {
        match self {
            Self::Whole(bytes) if bytes.is_empty() => Body::empty(),
            Self::Whole(bytes) => Body::from(bytes),
            Self::Stream(body) => body,
        }
    }

    /// What one attempt sends: the bytes, or the stream, which is gone afterwards.
    pub fn hand_out(&mut self) -> Self {
        match self {
            Self::Whole(bytes) => Self::Whole(bytes.clone()),
            Self::Stream(body) => Self::Stream(std::mem::take(body)),
        }
    }

    /// The bytes of a body that can be sent again.
    pub(crate) fn replay(&self) -> Option<Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes.clone()),
            Self::Stream(_) => None,
        }
    }
}

/// How the app answered: the two protocols of apps have different ideas of it.
#[derive(Clone, Debug)]
pub enum Outcome {
    Http(StatusCode),
    Grpc { status: Status, trailers: HeaderMap },
}

impl Outcome {
    /// The number that travels between sidecars: an HTTP status from 100 on, else a gRPC code.
    pub fn number(&self) -> i32 {
        match self {
            Self::Http(status) => i32::from(status.as_u16()),
            Self::Grpc { status, .. } => status.code() as i32,
        }
    }
}

/// The answer of an app.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Outcome,
    pub headers: HeaderMap,
    pub content_type: Option<HeaderValue>,
    /// Type URL of a protobuf message in the body; mostly empty.
    pub type_url: String,
    pub body: Body,
}
