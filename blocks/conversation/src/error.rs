//! Why a request was not done, and what the caller of the API is told (surface.md 1.2).
use foundation_fault::{Category, Code as Row, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("failed finding conversation component {0}")]
    NotFound(String),
    #[error("failed conversing with component {0}: missing inputs in request")]
    NoInputs(String),
    #[error("failed conversing with component {model}: invalid params: {reason}")]
    Invalid { model: String, reason: &'static str },
    #[error("failed conversing with component {model}: {reason}")]
    Converse { model: String, reason: String },
    /// The body did not arrive.
    #[error("failed to read request body: {0}")]
    Body(String),
    /// The body is not what it should be.
    #[error("failed deserializing HTTP body: {0}")]
    Malformed(String),
}

const fn refused(tag: &'static str, category: Category) -> Row {
    Row::new(StatusCode::BAD_REQUEST, Code::InvalidArgument, tag, category)
}

static NOT_FOUND: Row = refused("ERR_CONVERSATION_NOT_FOUND", Category::Conversation);
static NO_INPUTS: Row = refused("ERR_CONVERSATION_MISSING_INPUTS", Category::Conversation);
static INVALID: Row = refused("ERR_CONVERSATION_INVALID_PARMS", Category::Conversation);
static BODY: Row = refused("ERR_BODY_READ", Category::Common);
static MALFORMED: Row = refused("ERR_MALFORMED_REQUEST", Category::Common);
static CONVERSE: Row =
    Row::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "ERR_CONVERSATION_INVOKE", Category::Conversation);

impl Error {
    /// The fixed part of the error.
    pub fn row(&self) -> &'static Row {
        match self {
            Self::NotFound(_) => &NOT_FOUND,
            Self::NoInputs(_) => &NO_INPUTS,
            Self::Invalid { .. } => &INVALID,
            Self::Converse { .. } => &CONVERSE,
            Self::Body(_) => &BODY,
            Self::Malformed(_) => &MALFORMED,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(error.row(), error.to_string())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}
