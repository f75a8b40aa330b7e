//! Why a store did not do what it was asked, as Dapr words it.
use component_api::{Answer, Kind};

/// What a client can do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Another writer was there before.
    EtagMismatch,
    /// The ETag cannot be one of this store's.
    EtagInvalid,
    /// Anything else.
    Other,
}

/// A failure of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub cause: Cause,
    pub message: String,
    /// What the caller is to be told, if the store says so.
    pub answer: Option<Box<Answer>>,
}

impl Failure {
    /// A failure that has nothing to do with ETags.
    pub fn other(message: impl Into<String>) -> Self {
        Self { cause: Cause::Other, message: message.into(), answer: None }
    }

    /// Whether it is about ETags: then it would fail again however often it is tried.
    pub fn is_permanent(&self) -> bool {
        self.cause != Cause::Other
    }

    /// The failure of a bulk in which these failed; at least one.
    pub(crate) fn of_bulk(failures: &[Self]) -> Self {
        if let Some(answered) = failures.iter().find(|failure| failure.answer.is_some()) {
            return answered.clone();
        }
        let texts: Vec<_> = failures.iter().map(|failure| failure.message.as_str()).collect();
        let message = texts.join("\n");
        if !failures.iter().all(Self::is_permanent) {
            let cause = failures.iter().map(|failure| failure.cause).find(|cause| *cause != Cause::Other);
            return Self { cause: cause.unwrap_or(Cause::Other), message, answer: None };
        }
        let invalid = failures.iter().any(|failure| failure.cause == Cause::EtagInvalid);
        Self::about_etag(if invalid { Cause::EtagInvalid } else { Cause::EtagMismatch }, &message)
    }

    fn about_etag(cause: Cause, reason: &str) -> Self {
        let start = if cause == Cause::EtagInvalid {
            "invalid etag value"
        } else {
            "possible etag mismatch. error from state store"
        };
        let message = if reason.is_empty() { start.to_owned() } else { format!("{start}: {reason}") };
        Self { cause, message, answer: None }
    }
}

impl foundation_resiliency::Failure for Failure {
    fn is_permanent(&self) -> bool {
        self.is_permanent()
    }
}

impl From<component_api::Error> for Failure {
    fn from(error: component_api::Error) -> Self {
        match error.kind() {
            Kind::EtagMismatch => Self::about_etag(Cause::EtagMismatch, &error.to_string()),
            Kind::EtagInvalid => Self::about_etag(Cause::EtagInvalid, &error.to_string()),
            _ => Self { answer: error.answer().cloned().map(Box::new), ..Self::other(error.to_string()) },
        }
    }
}
