//! What can be wrong with a key or an operation.
use component_api::Kind;

/// Why a key could not be read or an operation not be done. Says nothing of the key or the message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("unsupported algorithm")]
    Algorithm,
    #[error("key type mismatch")]
    KeyType,
    #[error("invalid nonce")]
    Nonce,
    #[error("invalid tag")]
    Tag,
    #[error("invalid plaintext length")]
    PlaintextLength,
    #[error("invalid ciphertext length")]
    CiphertextLength,
    #[error("invalid digest length")]
    DigestLength,
    /// The message is not authentic, or the key is another one.
    #[error("message authentication failed")]
    Authentication,
    #[error("the key was refused; check that it is complete and of a supported size")]
    Rejected,
    #[error("invalid key type")]
    UnknownKeyType,
    #[error("key is empty")]
    Empty,
    #[error("neither a JSON Web Key nor PEM")]
    Format,
}

impl From<Problem> for component_api::Error {
    fn from(problem: Problem) -> Self {
        let kind = if problem == Problem::Algorithm { Kind::Unsupported } else { Kind::Invalid };
        Self::new(kind, problem.to_string())
    }
}
