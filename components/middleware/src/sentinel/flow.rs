//! Rates: how many requests of a resource pass in an interval.
use super::guard::Blocked;
use super::rules::{Behavior, FlowRule};
use super::window::Window;
use std::time::Duration;

/// A rule about a rate, with what happened so far.
#[derive(Debug)]
pub(super) struct Flow {
    tokens: Tokens,
    control: Control,
    passed: Window<u64>,
    interval: Duration,
}

#[derive(Debug)]
enum Tokens {
    Direct(f64),
    WarmUp(WarmUp),
}

#[derive(Debug)]
enum Control {
    Reject,
    Queue { longest: Duration, last: Option<Duration> },
}

impl Flow {
    pub(super) fn new(rule: &FlowRule) -> Self {
        let (interval, buckets) = rule.window();
        let tokens = rule.warm_up.map_or(Tokens::Direct(rule.threshold), |(period, cold_factor)| {
            Tokens::WarmUp(WarmUp::new(rule.threshold, period, cold_factor))
        });
        let control = match rule.behavior {
            Behavior::Reject => Control::Reject,
            Behavior::Queue(longest) => Control::Queue { longest, last: None },
        };
        Self { tokens, control, passed: Window::new(interval, buckets), interval }
    }

    /// A request of the counted resource passed.
    pub(super) fn count(&mut self, now: Duration) {
        *self.passed.current(now) += 1;
    }

    /// Whether one more request would be too many.
    pub(super) fn is_full(&mut self, now: Duration) -> bool {
        if !matches!(self.control, Control::Reject) {
            return false;
        }
        let passed: u64 = self.passed.now(now).sum();
        passed as f64 + 1.0 > self.allowed(now)
    }

    /// How long a request has to wait for its turn.
    ///
    /// # Errors
    /// It would be longer than the rule allows.
    pub(super) fn queue(&mut self, now: Duration) -> Result<Duration, Blocked> {
        if matches!(self.control, Control::Reject) {
            return Ok(Duration::ZERO);
        }
        let allowed = self.allowed(now);
        let distance = if allowed < 1.0 { None } else { Some(self.interval.div_f64(allowed)) };
        let Control::Queue { longest, last } = &mut self.control else { return Ok(Duration::ZERO) };
        let turn = distance.map(|distance| last.map_or(now, |last| (last + distance).max(now)));
        let turn = turn.filter(|turn| *turn - now <= *longest).ok_or(Blocked::Flow)?;
        *last = Some(turn);
        Ok(turn - now)
    }

    fn allowed(&mut self, now: Duration) -> f64 {
        match &mut self.tokens {
            Tokens::Direct(threshold) => *threshold,
            Tokens::WarmUp(warm_up) => {
                let before: u64 = self.passed.before(now).sum();
                warm_up.allowed(now, before as f64 / self.interval.as_secs_f64())
            }
        }
    }
}

/// A bucket of tokens that is full when nothing was asked for: the fuller it is, the colder is the resource, and the fewer
/// requests pass.
#[derive(Debug)]
struct WarmUp {
    threshold: f64,
    cold_factor: f64,
    /// Tokens below which the resource is warm.
    warm: f64,
    most: f64,
    stored: f64,
    filled_at: u64,
}

impl WarmUp {
    fn new(threshold: f64, period: Duration, cold_factor: f64) -> Self {
        let tokens = period.as_secs_f64() * threshold;
        let warm = (tokens / (cold_factor - 1.0)).floor();
        let most = warm + (2.0 * tokens / (1.0 + cold_factor)).floor();
        Self { threshold, cold_factor, warm, most, stored: most, filled_at: 0 }
    }

    fn allowed(&mut self, now: Duration, passed_per_second: f64) -> f64 {
        self.fill(now, passed_per_second);
        if self.stored < self.warm || self.most <= self.warm {
            return self.threshold;
        }
        let slope = (self.cold_factor - 1.0) / self.threshold / (self.most - self.warm);
        // The next number up, so that a whole rate is not missed by a rounding.
        (1.0 / ((self.stored - self.warm) * slope + 1.0 / self.threshold)).next_up()
    }

    /// Once a second tokens come, unless the resource is busy, and those of the last second go.
    fn fill(&mut self, now: Duration, passed_per_second: f64) {
        let second = now.as_secs();
        if second <= self.filled_at {
            return;
        }
        let idle = passed_per_second < (self.threshold.floor() / self.cold_factor).floor();
        if self.stored < self.warm || (self.stored > self.warm && idle) {
            self.stored += (second - self.filled_at) as f64 * self.threshold;
        }
        self.stored = (self.stored.min(self.most) - passed_per_second).floor().max(0.0);
        self.filled_at = second;
    }
}
