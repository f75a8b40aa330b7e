//! A request that had no answer, or a bad one.
use super::error;
use redis::RedisError;

/// Why a request failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: RedisError,
    /// The connection was lost, or time ran out, after the request was on its way.
    pub(super) may_be_done: bool,
}

impl Failure {
    /// It was never sent.
    pub(super) fn before(error: RedisError) -> Self {
        Self { error, may_be_done: false }
    }

    /// It was sent. A server that answers with an error has not done it.
    pub(super) fn after(error: RedisError) -> Self {
        Self { may_be_done: error.is_timeout() || error::is_unreachable(&error), error }
    }

    pub(super) fn is_worth_a_retry(&self) -> bool {
        error::is_worth_a_retry(&self.error)
    }
}
