//! One attempt of a call, as resiliency policies see it (surface.md 0.36, 0.37).
use crate::error::Error;
use foundation_app::code_of;
use foundation_peer::{Answer, Origin, Outcome};
use foundation_resiliency as resiliency;
use tonic::{Code, Status};

/// An attempt that did not go well. What the app answered all the same is an answer to the caller when no better one
/// follows.
#[derive(Debug)]
pub(crate) struct Failure<A, E> {
    pub(crate) outcome: Result<Box<A>, E>,
    /// What retry policies match.
    pub(crate) code: Option<i32>,
    /// It cannot be made again.
    pub(crate) is_permanent: bool,
}

impl<A, E> Failure<A, E> {
    /// An answer that is an error.
    pub(crate) fn answered(answer: A, code: Option<i32>) -> Self {
        Self { outcome: Ok(Box::new(answer)), code, is_permanent: false }
    }
}

impl<A, E> From<E> for Failure<A, E> {
    fn from(error: E) -> Self {
        Self { outcome: Err(error), code: None, is_permanent: false }
    }
}

impl<A, E> resiliency::Failure for Failure<A, E> {
    fn code(&self) -> Option<i32> {
        self.code
    }

    fn is_permanent(&self) -> bool {
        self.is_permanent
    }
}

/// Why a policy did not let a call come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// It took too long.
    #[error("context deadline exceeded")]
    TimedOut,
    /// The circuit breaker is open.
    #[error("circuit breaker is open")]
    Open,
    /// The circuit breaker lets only a few calls through, and they are under way.
    #[error("too many requests")]
    TooMany,
}

impl From<Stop> for Status {
    fn from(stop: Stop) -> Self {
        let code = if stop == Stop::TimedOut { Code::DeadlineExceeded } else { Code::Unknown };
        Self::new(code, stop.to_string())
    }
}

/// The last answer or error of a call, good or bad, or why the policy stopped it.
pub(crate) fn last<A, E>(done: Result<A, resiliency::Error<Failure<A, E>>>) -> Result<Result<A, E>, Stop> {
    match done {
        Ok(answer) => Ok(Ok(answer)),
        Err(resiliency::Error::Failed(failure)) => Ok(failure.outcome.map(|answer| *answer)),
        Err(resiliency::Error::TimedOut) => Err(Stop::TimedOut),
        Err(resiliency::Error::Open) => Err(Stop::Open),
        Err(resiliency::Error::TooManyRequests) => Err(Stop::TooMany),
    }
}

/// Tells good answers from errors, which differs between the two APIs: over HTTP, redirects are good and the error of a
/// gRPC app is an answer like any other; over gRPC every error is one, and no retry policy knows it by its status.
pub(crate) fn judge(origin: Origin, answer: Answer) -> Result<Answer, Failure<Answer, Error>> {
    let (good, code) = match (origin, &answer.outcome) {
        (Origin::Http, Outcome::Http(status)) => {
            ((200..400).contains(&status.as_u16()), Some(i32::from(status.as_u16())))
        }
        (Origin::Http, Outcome::Grpc { .. }) => (true, None),
        (Origin::Grpc, Outcome::Http(status)) => (code_of(*status) == Code::Ok, None),
        (Origin::Grpc, Outcome::Grpc { status, .. }) => (status.code() == Code::Ok, None),
    };
    if good { Ok(answer) } else { Err(Failure::answered(answer, code)) }
}
