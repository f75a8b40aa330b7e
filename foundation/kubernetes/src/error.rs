//! Why Kubernetes does not answer.

/// Why Kubernetes cannot be asked, or gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot reach Kubernetes: {0}")]
    Configuration(String),
    #[error("{what} cannot be read: {reason}")]
    Unreadable { what: &'static str, reason: String },
    #[error("cannot read the token in {file}: {reason}")]
    NoToken { file: String, reason: std::io::Error },
    #[error("the token for Kubernetes cannot be sent")]
    Token,
    #[error("it is no request: {0}")]
    Request(String),
    #[error(transparent)]
    Exchange(#[from] foundation_fetch::Error),
    #[error("a watch of Kubernetes broke off: {0}")]
    Broken(String),
    #[error("the answer of Kubernetes cannot be read: {0}")]
    Answer(#[from] serde_json::Error),
    #[error("Kubernetes was silent for too long")]
    Silent,
    /// What was asked for is forgotten: list again.
    #[error("Kubernetes has ended a watch: {0}")]
    Ended(String),
}
