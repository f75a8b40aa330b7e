//! The policy of one call, and the one way to make a call by it: retry(breaker(timeout(attempt))).
use crate::breaker::{Breaker, Refusal};
use crate::error::{Error, Failure};
use crate::observer::Observer;
use crate::retry::Retry;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How a call is made. The default is: once, without limit of time.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<Arc<Retry>>,
    pub(crate) breaker: Option<Arc<Breaker>>,
    pub(crate) observer: Observer,
}

impl Policy {
    /// Whether it is no more than: once, without limit of time.
    pub fn is_empty(&self) -> bool {
        self.timeout.is_none() && self.retry.is_none() && self.breaker.is_none()
    }

    /// How long one attempt may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether a failed attempt may be followed by another: what it sends must then be kept.
    pub fn retries(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.retries())
    }

    /// The same without further tries, for what can be sent only once.
    #[must_use]
    pub fn once(self) -> Self {
        Self { retry: None, ..self }
    }

    /// Counts the call that this policy was asked for.
    pub(crate) fn counted(self) -> Self {
        let state = self.breaker.as_ref().map(|breaker| breaker.state());
        self.observer.executed(self.timeout.is_some(), self.retry.is_some(), state);
        self
    }

    /// Makes attempts until one succeeds or the policy gives up. An attempt that takes too long is dropped.
    ///
    /// # Errors
    /// The last attempt's, or why there was none.
    pub async fn run<T, E, A, F>(&self, mut attempt: A) -> Result<T, Error<E>>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
        E: Failure,
    {
        let mut timed_out = false;
        let Some(retry) = &self.retry else { return self.attempt(&mut attempt, &mut timed_out).await };
        let mut schedule = retry.schedule();
        let mut tries = 1_u64;
        loop {
            let error = match self.attempt(&mut attempt, &mut timed_out).await {
                Ok(value) => {
                    self.observer.recovered(tries);
                    return Ok(value);
                }
                Err(error) => error,
            };
            let pause = if wants(retry, &error) { schedule.pause() } else { None };
            let Some(pause) = pause else { return Err(error) };
            self.observer.retries(tries, pause);
            // It may hold on to a connection.
            drop(error);
            sleep(pause).await;
            tries += 1;
        }
    }

    async fn attempt<T, E, A, F>(&self, attempt: &mut A, timed_out: &mut bool) -> Result<T, Error<E>>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let Some(breaker) = &self.breaker else { return self.in_time(attempt, timed_out).await };
        let before = breaker.state();
        let pass = breaker.enter()?;
        let done = self.in_time(attempt, timed_out).await;
        pass.leave(done.is_ok());
        let after = breaker.state();
        if before != after {
            self.observer.breaker_changed(after);
        }
        done
    }

    async fn in_time<T, E, A, F>(&self, attempt: &mut A, timed_out: &mut bool) -> Result<T, Error<E>>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let Some(longest) = self.timeout else { return attempt().await.map_err(Error::Failed) };
        if let Ok(done) = timeout(longest, attempt()).await {
            return done.map_err(Error::Failed);
        }
        if !std::mem::replace(timed_out, true) {
            self.observer.timed_out();
        }
        Err(Error::TimedOut)
    }
}

impl<E> From<Refusal> for Error<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Open => Self::Open,
            Refusal::TooManyRequests => Self::TooManyRequests,
        }
    }
}

fn wants<E: Failure>(retry: &Retry, error: &Error<E>) -> bool {
    match error {
        Error::Failed(failure) if failure.is_permanent() => false,
        Error::Failed(failure) => failure.code().is_none_or(|code| retry.matching.wants(code)),
        Error::TimedOut => true,
        Error::Open | Error::TooManyRequests => false,
    }
}

#[cfg(test)]
mod tests;
