//! The error of a component: what kind of trouble it is, and a sentence for the person who has to act.
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong in a backend, in terms that a block can decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The thing asked for does not exist.
    NotFound,
    /// The stored ETag is another one.
    EtagMismatch,
    /// The given ETag cannot be one of this store's.
    EtagInvalid,
    /// The request or the component's metadata is wrong.
    Invalid,
    /// The component cannot do this.
    Unsupported,
    /// The backend refused the credentials or the operation.
    Denied,
    /// The backend asks to slow down.
    RateLimited,
    /// The backend cannot be reached; trying again may help.
    Unavailable,
    /// The backend did not answer in time.
    Timeout,
    /// Anything else.
    Other,
}

/// An error of a component. Its text never contains a secret.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    grpc_code: Option<i32>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    answer: Option<Box<Answer>>,
}

/// What a caller of the API is to be told in place of the runtime's own codes. Components in other processes may say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub http: u16,
    /// Number of the gRPC code.
    pub grpc: i32,
    pub message: String,
    /// `errorCode` over HTTP.
    pub tag: String,
    /// Reason and domain of the ErrorInfo.
    pub reason: String,
    pub domain: String,
}

/// Result of a component's operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with its kind and a sentence in lower case that says what to check.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), grpc_code: None, source: None, answer: None }
    }

    /// The same error with what the caller is to be told.
    #[must_use]
    pub fn with_answer(mut self, answer: Answer) -> Self {
        self.answer = Some(Box::new(answer));
        self
    }

    /// The same error with the one that caused it.
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The same error with the status of a backend that speaks gRPC, for retry policies that look at it.
    pub fn with_grpc_code(mut self, code: i32) -> Self {
        self.grpc_code = Some(code);
        self
    }

    /// Wrong input or metadata.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// An operation that this component does not have.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// Anything that fits no other kind.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(Kind::Other, message)
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The gRPC status of a backend that speaks gRPC.
    pub fn grpc_code(&self) -> Option<i32> {
        self.grpc_code
    }

    /// What the caller is to be told, if the component says so.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_deref()
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Timeout | Kind::RateLimited)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) if self.message.is_empty() => write!(f, "{source}"),
            Some(source) => write!(f, "{}: {source}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}

impl From<foundation_metadata::Error> for Error {
    fn from(error: foundation_metadata::Error) -> Self {
        Self::invalid(error.to_string())
    }
}
