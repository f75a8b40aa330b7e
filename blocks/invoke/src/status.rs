//! The error of an HTTP app as a gRPC status (protocols.md 6.3).
use foundation_app::code_of;
use foundation_fault::{Category, Code as Row, Detail, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Longest text that an ErrorInfo may carry as metadata.
const LONGEST_TEXT: usize = 63;

/// The error of an HTTP app for a gRPC caller; none when the status is a good one.
pub(crate) fn grpc_error(status: StatusCode, body: &[u8]) -> Option<Status> {
    let row = row(code_of(status))?;
    let text = status_text(status);
    let body = String::from_utf8_lossy(&body[..body.len().min(LONGEST_TEXT)]).into_owned();
    let metadata = vec![("http.code".to_owned(), status.as_u16().to_string()), ("http.error_message".to_owned(), body)];
    let detail = Detail::ErrorInfo { reason: text.to_owned(), metadata, http_only_metadata: Vec::new() };
    Some(Fault::new(row, text).with(detail).into())
}

/// Rows for errors of which only the gRPC side is sent.
fn row(code: Code) -> Option<&'static Row> {
    const fn of(code: Code) -> Row {
        Row::new(StatusCode::INTERNAL_SERVER_ERROR, code, "ERR_DIRECT_INVOKE", Category::ServiceInvocation)
    }
    static UNKNOWN: Row = of(Code::Unknown);
    static INTERNAL: Row = of(Code::Internal);
    static UNAUTHENTICATED: Row = of(Code::Unauthenticated);
    static DENIED: Row = of(Code::PermissionDenied);
    static NOT_FOUND: Row = of(Code::NotFound);
    static CANCELLED: Row = of(Code::Cancelled);
    static EXISTS: Row = of(Code::AlreadyExists);
    static EXHAUSTED: Row = of(Code::ResourceExhausted);
    static UNIMPLEMENTED: Row = of(Code::Unimplemented);
    static UNAVAILABLE: Row = of(Code::Unavailable);
    static DEADLINE: Row = of(Code::DeadlineExceeded);
    match code {
        Code::Ok => None,
        Code::Internal => Some(&INTERNAL),
        Code::Unauthenticated => Some(&UNAUTHENTICATED),
        Code::PermissionDenied => Some(&DENIED),
        Code::NotFound => Some(&NOT_FOUND),
        Code::Cancelled => Some(&CANCELLED),
        Code::AlreadyExists => Some(&EXISTS),
        Code::ResourceExhausted => Some(&EXHAUSTED),
        Code::Unimplemented => Some(&UNIMPLEMENTED),
        Code::Unavailable => Some(&UNAVAILABLE),
        Code::DeadlineExceeded => Some(&DEADLINE),
        _ => Some(&UNKNOWN),
    }
}

/// The text of a status as Go knows it.
fn status_text(status: StatusCode) -> &'static str {
    match status.as_u16() {
        203 => "Non-Authoritative Information",
        413 => "Request Entity Too Large",
        414 => "Request URI Too Long",
        416 => "Requested Range Not Satisfiable",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}
