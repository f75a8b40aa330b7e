//! Circuit breakers: a resource that is slow or fails is given a rest.
use super::SCOPE;
use super::entry::Outcome;
use super::rules::{BreakerRule, Strategy};
use super::window::Window;
use std::time::Duration;

/// How far apart two ratios are that count as the same.
const TOLERANCE: f64 = 1e-8;

/// A rule about a resource's health, with what happened so far.
#[derive(Debug)]
pub(super) struct Breaker {
    rule: BreakerRule,
    state: State,
    window: Window<Counts>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Duration },
    HalfOpen { succeeded: u64 },
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: u64,
    bad: u64,
}

impl Breaker {
    pub(super) fn new(rule: BreakerRule) -> Self {
        let window = Window::new(rule.interval, rule.buckets);
        Self { rule, state: State::Closed, window }
    }

    /// Whether a request may pass.
    pub(super) fn lets_pass(&self, now: Duration) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } => now >= until,
            State::HalfOpen { .. } => self.rule.probes > 0,
        }
    }

    /// A request passes; after a rest it is one that is tried.
    pub(super) fn pass(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.change(State::HalfOpen { succeeded: 0 }, "half open");
        }
    }

    /// A request that had passed is over.
    pub(super) fn complete(&mut self, now: Duration, took: Duration, outcome: Outcome) {
        let bad = self.is_bad(took, outcome);
        let current = self.window.current(now);
        current.all += 1;
        current.bad += u64::from(bad);
        match self.state {
            State::Open { .. } => {}
            // Nothing is known of a request that was given up: the next one is tried.
            State::HalfOpen { .. } if outcome == Outcome::Abandoned => self.open(now),
            State::HalfOpen { .. } if bad => self.open(now + self.rule.rest),
            State::HalfOpen { succeeded } => self.succeed(succeeded + 1),
            State::Closed if self.is_exceeded(now) => self.open(now + self.rule.rest),
            State::Closed => {}
        }
    }

    fn is_bad(&self, took: Duration, outcome: Outcome) -> bool {
        match self.rule.strategy {
            Strategy::SlowRatio { longest } => took > longest,
            Strategy::ErrorRatio | Strategy::ErrorCount => outcome == Outcome::Failed,
        }
    }

    fn is_exceeded(&self, now: Duration) -> bool {
        let sum = |sum: Counts, one: &Counts| Counts { all: sum.all + one.all, bad: sum.bad + one.bad };
        let counts = self.window.now(now).fold(Counts::default(), sum);
        let reached = match self.rule.strategy {
            Strategy::ErrorCount => counts.bad as f64 >= self.rule.threshold.floor(),
            _ => counts.bad as f64 / counts.all as f64 >= self.rule.threshold - TOLERANCE,
        };
        counts.all >= self.rule.min_requests && reached
    }

    fn succeed(&mut self, succeeded: u64) {
        if succeeded < self.rule.probes {
            self.state = State::HalfOpen { succeeded };
            return;
        }
        self.change(State::Closed, "closed");
        self.window.clear();
    }

    fn open(&mut self, until: Duration) {
        self.change(State::Open { until }, "open");
    }

    fn change(&mut self, state: State, name: &str) {
        tracing::info!(target: SCOPE, "the circuit breaker of {} is {name}", self.rule.resource);
        self.state = state;
    }
}
