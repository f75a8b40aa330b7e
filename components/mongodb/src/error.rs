//! What errors of MongoDB mean.
use component_api::{Error, Kind};
use mongodb::error::{Error as MongoError, ErrorKind, WriteFailure};

/// A key that exists already: <https://www.mongodb.com/docs/manual/reference/error-codes/>.
pub(crate) const DUPLICATE_KEY: i32 = 11000;
/// The user may not, or is not who they say.
const DENIED: [i32; 3] = [13, 18, 8000];
/// The server is no primary, shuts down, or is not ready.
const PASSING: [i32; 9] = [6, 7, 89, 91, 189, 9001, 10107, 11600, 13435];
/// The time given to the server was over.
const TOO_SLOW: [i32; 2] = [50, 64];

/// An error in the components' terms, with the names of the servers and what to check.
pub(crate) fn translate(servers: &str, error: &MongoError) -> Error {
    if code(error) == Some(DUPLICATE_KEY) {
        return mismatch();
    }
    let kind = kind(error);
    let advice = match kind {
        Kind::Denied => "; check user, password, authSource and the user's roles",
        Kind::Unavailable => "; check that the servers run, and host, replicaSet and tls of the metadata",
        _ => "",
    };
    Error::new(kind, format!("mongodb at {servers}: {}{advice}", words(error)))
}

pub(crate) fn mismatch() -> Error {
    Error::new(Kind::EtagMismatch, "the entry has another etag, or was written first by somebody else")
}

fn kind(error: &MongoError) -> Kind {
    match (&*error.kind, code(error)) {
        (_, Some(code)) if DENIED.contains(&code) => Kind::Denied,
        (_, Some(code)) if PASSING.contains(&code) => Kind::Unavailable,
        (_, Some(code)) if TOO_SLOW.contains(&code) => Kind::Timeout,
        (ErrorKind::Authentication { .. }, _) => Kind::Denied,
        (ErrorKind::Io(error), _) if error.kind() == std::io::ErrorKind::TimedOut => Kind::Timeout,
        (
            ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
            | ErrorKind::Shutdown,
            _,
        ) => Kind::Unavailable,
        (ErrorKind::InvalidTlsConfig { .. } | ErrorKind::InvalidArgument { .. }, _) => Kind::Invalid,
        (ErrorKind::Transaction { .. } | ErrorKind::SessionsNotSupported, _) => Kind::Unsupported,
        _ => Kind::Other,
    }
}

fn code(error: &MongoError) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        _ => None,
    }
}

/// The library's own words have a whole answer of the server in them, with what was written.
fn words(error: &MongoError) -> String {
    match &*error.kind {
        ErrorKind::Command(error) => format!("{} ({})", error.message, error.code_name),
        ErrorKind::Write(WriteFailure::WriteError(error)) => format!("{} ({})", error.message, error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => format!("{} ({})", error.message, error.code),
        ErrorKind::ConnectionPoolCleared { .. } => "the connection was lost".to_owned(),
        kind => kind.to_string(),
    }
}
