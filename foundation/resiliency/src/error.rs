//! Why a call by policy brought nothing.
use component_api::Kind;

/// What a policy wants to know of a failed attempt.
pub trait Failure {
    /// Its status, which `matching` looks at: an HTTP status from 100 on, else a gRPC code. A failure without one is
    /// always worth another try.
    fn code(&self) -> Option<i32> {
        None
    }

    /// Whether it would fail again however often it is tried.
    fn is_permanent(&self) -> bool {
        false
    }
}

/// Why a call by policy brought nothing. The texts are those that Dapr's users know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error<E> {
    /// The last attempt failed by itself.
    #[error("{0}")]
    Failed(E),
    /// The last attempt took longer than the policy allows.
    #[error("context deadline exceeded")]
    TimedOut,
    /// The circuit breaker is open: nothing was attempted.
    #[error("circuit breaker is open")]
    Open,
    /// The circuit breaker is half-open and has let through as many calls as it may.
    #[error("too many requests")]
    TooManyRequests,
}

impl<E> Error<E> {
    /// Whether the circuit breaker kept the call from being made.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Open | Self::TooManyRequests)
    }

    /// The failure of the attempt, if it is one; else what `other` makes of the policy's own words.
    pub fn failure_or_else(self, other: impl FnOnce(&'static str) -> E) -> E {
        match self {
            Self::Failed(failure) => failure,
            Self::TimedOut => other("context deadline exceeded"),
            Self::Open => other("circuit breaker is open"),
            Self::TooManyRequests => other("too many requests"),
        }
    }
}

impl Failure for component_api::Error {
    fn code(&self) -> Option<i32> {
        self.grpc_code()
    }
}

impl From<Error<Self>> for component_api::Error {
    /// The component's own error, or that the policy did not let it answer.
    fn from(error: Error<Self>) -> Self {
        let kind = if matches!(error, Error::TimedOut) { Kind::Timeout } else { Kind::Unavailable };
        error.failure_or_else(|text| Self::new(kind, text))
    }
}
