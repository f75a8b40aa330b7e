//! Retry policies: how often, and after which pauses (surface.md 6.3).
use crate::matching::Matching;
use rand::Rng;
use std::time::Duration;
use tokio::time::Instant;

/// First pause of growing ones.
pub(crate) const FIRST: Duration = Duration::from_millis(500);
/// When growing pauses give up, unless a policy says otherwise.
pub(crate) const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Each pause is that much longer than the one before.
const GROWTH: f64 = 1.5;
/// By what part of itself a pause varies at random.
const JITTER: f64 = 0.5;

/// Tries a call again when it failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retry {
    pub pauses: Pauses,
    /// Tries after the first one; none is without limit.
    pub limit: Option<u32>,
    /// Which failures are worth another try.
    pub matching: Matching,
}

/// The pauses before tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pauses {
    Constant(Duration),
    /// From half a second on, by half as much more each, with jitter.
    Growing {
        /// No pause grows beyond.
        longest: Duration,
        /// No try is begun that would start later than this after the first.
        give_up_after: Duration,
    },
}

impl Retry {
    /// Tries again `limit` times, always after the same pause.
    pub(crate) fn constant(pause: Duration, limit: u32) -> Self {
        Self { pauses: Pauses::Constant(pause), limit: Some(limit), matching: Matching::default() }
    }

    /// Whether it ever tries again.
    pub(crate) fn retries(&self) -> bool {
        self.limit != Some(0)
    }

    /// The pauses of one call, which begins now.
    pub(crate) fn schedule(&self) -> Schedule<'_> {
        Schedule { retry: self, tries: 0, next: FIRST, start: Instant::now() }
    }
}

/// What is left of the tries of one call.
#[derive(Debug)]
pub(crate) struct Schedule<'a> {
    retry: &'a Retry,
    tries: u32,
    next: Duration,
    start: Instant,
}

impl Schedule<'_> {
    /// The pause before the next try; none when there shall be no more.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        if self.retry.limit.is_some_and(|limit| self.tries >= limit) {
            return None;
        }
        self.tries = self.tries.saturating_add(1);
        match self.retry.pauses {
            Pauses::Constant(pause) => Some(pause),
            Pauses::Growing { longest, give_up_after } => {
                let pause = jittered(self.next);
                self.next = self.next.mul_f64(GROWTH).min(longest);
                (self.start.elapsed() + pause <= give_up_after).then_some(pause)
            }
        }
    }
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(1.0 - JITTER..=1.0 + JITTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growing(limit: Option<u32>, longest: Duration, give_up_after: Duration) -> Retry {
        Retry { pauses: Pauses::Growing { longest, give_up_after }, limit, matching: Matching::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn constant_pauses_end_at_the_limit() {
        let retry = Retry::constant(Duration::from_secs(1), 2);
        let mut schedule = retry.schedule();
        let pauses: Vec<_> = std::iter::from_fn(|| schedule.pause()).collect();
        assert_eq!(pauses, [Duration::from_secs(1); 2]);
        assert!(!Retry::constant(Duration::ZERO, 0).retries());
    }

    #[tokio::test(start_paused = true)]
    async fn growing_pauses_stay_within_their_jitter_and_bound() {
        let retry = growing(Some(20), Duration::from_secs(2), LONGEST);
        let mut schedule = retry.schedule();
        let mut middle = FIRST;
        for _ in 0..20 {
            let pause = schedule.pause().unwrap();
            assert!(pause >= middle.mul_f64(0.49) && pause <= middle.mul_f64(1.51), "{pause:?} around {middle:?}");
            middle = middle.mul_f64(GROWTH).min(Duration::from_secs(2));
        }
        assert_eq!(schedule.pause(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn growing_pauses_end_when_it_has_taken_too_long() {
        let retry = growing(None, Duration::from_secs(60), Duration::from_secs(10));
        let mut schedule = retry.schedule();
        assert!(schedule.pause().is_some());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(schedule.pause(), None);
    }
}
