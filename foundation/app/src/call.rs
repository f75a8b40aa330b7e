//! What a call and its answer carry beside HTTP, in the extensions of requests and answers.
use http::HeaderMap;
use tonic::Status;

/// Which API the call came in by; header names are read differently (protocols.md 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Http,
    Grpc,
}

/// Extension of a request.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    pub origin: Origin,
    /// Type URL of a protobuf message in the body; mostly empty.
    pub type_url: String,
    /// The caller named no verb, as gRPC callers may.
    pub no_verb: bool,
    /// The call wants to become a WebSocket: its body is what the caller says after an answer of status 101, and the
    /// body of that answer what the app says. Only apps over HTTP/1.1 are asked.
    pub upgrade: bool,
    /// What the caller wrote, for gRPC apps: it need not be a path and a query. None is those of the request.
    pub called: Option<Called>,
}

/// A method of a gRPC app and its query, which may be any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Called {
    pub method: String,
    pub query: String,
}

/// Extension of an answer of a gRPC app: its status as it came, which the HTTP status and body only tell roughly.
#[derive(Clone, Debug)]
pub struct AppStatus {
    pub status: Status,
    pub trailers: HeaderMap,
    /// Type URL of a protobuf message in the body; mostly empty.
    pub type_url: String,
}
