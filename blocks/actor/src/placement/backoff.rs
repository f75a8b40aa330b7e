//! Pauses between streams to the placement service that end soon after they began.
use std::time::Duration;

/// A stream that lasted so long was in order, whatever ended it.
const STEADY: Duration = Duration::from_secs(30);
/// The longest pause: calls of actors wait for its end.
const LONGEST: Duration = Duration::from_secs(8);

/// How many streams in a row have ended soon. Each new one takes all sidecars of the namespace through a round.
#[derive(Debug, Default)]
pub(super) struct Backoff(u32);

impl Backoff {
    /// The pause after a stream that lasted so long: none after the first, for another replica may lead already; from then on each is
    /// twice the one before, beginning with `first`.
    pub(super) fn after(&mut self, lasted: Duration, first: Duration) -> Duration {
        if lasted >= STEADY {
            self.0 = 0;
        }
        let doublings = self.0.checked_sub(1);
        self.0 = self.0.saturating_add(1);
        let factor = doublings.map_or(0, |doublings| 1 << doublings.min(16));
        first.saturating_mul(factor).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_that_end_soon_are_followed_later_and_later() {
        let (mut backoff, soon, first) = (Backoff::default(), Duration::from_secs(1), Duration::from_millis(500));
        let pauses: Vec<_> = (0..7).map(|_| backoff.after(soon, first).as_millis()).collect();
        assert_eq!(pauses, [0, 500, 1_000, 2_000, 4_000, 8_000, 8_000]);
        assert_eq!(backoff.after(STEADY, first), Duration::ZERO);
        assert_eq!(backoff.after(soon, first), first);
        backoff.0 = u32::MAX;
        assert_eq!(backoff.after(soon, first), LONGEST);
    }
}
