//! Why there are no credentials, and why an identity is not given.
use tonic::{Code, Status};

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Credentials(#[from] foundation_credentials::Error),
    #[error("{what} cannot be read: {reason}")]
    Unreadable { what: &'static str, reason: String },
    #[error("{path}: the key of tokens cannot be read: {reason}")]
    TokenKeyFile { path: String, reason: String },
    #[error("the key of tokens: {0}; check --jwt-signing-algorithm")]
    TokenKey(foundation_jwt::Error),
    #[error(
        "the keys of tokens that are made here are for RS256, not for {algorithm}; put a key of your own into {path}, or leave --jwt-signing-algorithm out"
    )]
    NoKeyFor { algorithm: String, path: String },
    #[error("the public keys of tokens do not hold that of the private key, with its id; check --jwks-filename")]
    ForeignKeySet,
    #[error("{0}")]
    Configuration(String),
    #[error("failed to {verb} trust bundle {what}: {reason}")]
    Cluster { verb: &'static str, what: &'static str, reason: String },
    #[error(transparent)]
    Id(#[from] foundation_identity::InvalidSpiffeId),
    #[error(transparent)]
    Identity(#[from] foundation_identity::Error),
    #[error(transparent)]
    Fetch(#[from] foundation_fetch::Error),
}

/// Why an identity is not given. The texts are Dapr's (suite.md 4.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("a validator name must be specified in this environment")]
    NoValidator,
    #[error("the requested validator is not enabled")]
    ValidatorDisabled,
    #[error("{0}")]
    Denied(String),
    #[error("invalid certificate signing request")]
    NoRequest,
    #[error("failed to parse certificate signing request: {0}")]
    UnreadableRequest(String),
    #[error("invalid signature")]
    Signature,
    #[error("failed to sign certificate")]
    Sign,
    #[error("failed to generate JWT")]
    Token,
}

impl Refusal {
    fn code(&self) -> Code {
        match self {
            Self::NoValidator
            | Self::ValidatorDisabled
            | Self::NoRequest
            | Self::UnreadableRequest(_)
            | Self::Signature => Code::InvalidArgument,
            Self::Denied(_) => Code::PermissionDenied,
            Self::Sign | Self::Token => Code::Internal,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
