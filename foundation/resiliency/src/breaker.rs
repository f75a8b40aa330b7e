//! Circuit breakers: closed, open, half-open, as Dapr's users know them from gobreaker (surface.md 6.3).
use crate::trip::Trip;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How circuit breakers of one policy behave.
#[derive(Debug)]
pub(crate) struct BreakerPolicy {
    /// Calls let through while half-open; as many good ones in a row close the breaker.
    pub max_requests: u32,
    /// How long counts are kept while closed; zero keeps them.
    pub interval: Duration,
    /// How long it stays open before it lets calls through again.
    pub timeout: Duration,
    /// When it opens.
    pub trip: Trip,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        let (interval, timeout) = (Duration::ZERO, Duration::from_secs(60));
        Self { max_requests: 1, interval, timeout, trip: Trip::default() }
    }
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Lets them through.
    Closed,
    /// Lets a few through to see how they fare.
    HalfOpen,
    /// Refuses them.
    Open,
}

impl State {
    /// The name that metrics and log lines use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a breaker refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Open,
    TooManyRequests,
}

/// Calls since the last change of state, or within the interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u32,
    pub(crate) total_successes: u32,
    pub(crate) total_failures: u32,
    pub(crate) consecutive_successes: u32,
    pub(crate) consecutive_failures: u32,
}

impl Counts {
    fn note(&mut self, good: bool) {
        let (total, row, other) = if good {
            (&mut self.total_successes, &mut self.consecutive_successes, &mut self.consecutive_failures)
        } else {
            (&mut self.total_failures, &mut self.consecutive_failures, &mut self.consecutive_successes)
        };
        *total = total.saturating_add(1);
        *row = row.saturating_add(1);
        *other = 0;
    }
}

/// A circuit breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    name: String,
    policy: Arc<BreakerPolicy>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    counts: Counts,
    /// Changes when counts start anew: outcomes of calls from before do not count.
    generation: u64,
    /// When counts are cleared (closed) or calls are let through again (open).
    expiry: Option<Instant>,
}

impl Breaker {
    /// A closed breaker.
    pub(crate) fn new(name: String, policy: Arc<BreakerPolicy>) -> Self {
        let inner = Inner { state: State::Closed, counts: Counts::default(), generation: 0, expiry: None };
        let breaker = Self { name, policy, inner: Mutex::new(inner) };
        breaker.renew(&mut breaker.lock(), State::Closed);
        breaker
    }

    /// The state now.
    pub(crate) fn state(&self) -> State {
        self.current().state
    }

    /// Lets a call through or refuses it.
    pub(crate) fn enter(&self) -> Result<Pass<'_>, Refusal> {
        let mut inner = self.current();
        match inner.state {
            State::Open => return Err(Refusal::Open),
            State::HalfOpen if inner.counts.requests >= self.policy.max_requests => {
                return Err(Refusal::TooManyRequests);
            }
            _ => inner.counts.requests = inner.counts.requests.saturating_add(1),
        }
        Ok(Pass { breaker: self, generation: inner.generation, good: false })
    }

    fn leave(&self, generation: u64, good: bool) {
        let inner = &mut *self.current();
        if inner.generation != generation || inner.state == State::Open {
            return;
        }
        inner.counts.note(good);
        let row = inner.counts.consecutive_successes;
        match inner.state {
            State::Closed if !good && self.policy.trip.opens(&inner.counts) => self.change(inner, State::Open),
            State::HalfOpen if !good => self.change(inner, State::Open),
            State::HalfOpen if row >= self.policy.max_requests => self.change(inner, State::Closed),
            _ => {}
        }
    }

    /// What holds at this moment: time may have passed since the last call.
    fn current(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        let is_over = inner.expiry.is_some_and(|expiry| expiry < Instant::now());
        match inner.state {
            State::Closed if is_over => self.renew(&mut inner, State::Closed),
            State::Open if is_over => self.change(&mut inner, State::HalfOpen),
            _ => {}
        }
        inner
    }

    fn change(&self, inner: &mut Inner, state: State) {
        let (name, before) = (&self.name, inner.state);
        tracing::info!(target: "dapr.runtime", "Circuit breaker \"{name}\" changed state from {before} to {state}");
        self.renew(inner, state);
    }

    fn renew(&self, inner: &mut Inner, state: State) {
        let length = match state {
            State::Closed => Some(self.policy.interval).filter(|interval| !interval.is_zero()),
            State::HalfOpen => None,
            State::Open => Some(self.policy.timeout),
        };
        let expiry = length.and_then(|length| Instant::now().checked_add(length));
        *inner = Inner { state, counts: Counts::default(), generation: inner.generation + 1, expiry };
    }

    /// A poisoned lock holds what it held: no code panics while it has one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that was let through. One that is dropped before it is over has failed.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    generation: u64,
    good: bool,
}

impl Pass<'_> {
    /// Tells how the call went.
    pub(crate) fn leave(mut self, good: bool) {
        self.good = good;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.breaker.leave(self.generation, self.good);
    }
}

#[cfg(test)]
mod tests;
