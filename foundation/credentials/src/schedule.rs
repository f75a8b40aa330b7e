//! When one root gives way to the next.
use crate::Lifetimes;
use std::time::{Duration, SystemTime};

/// Even files that are looked at only now and then have been read after this.
const SHORTEST_NOTICE: Duration = Duration::from_secs(2);
/// The switch shall be over before the end, however busy the machine is.
const SHORTEST_MARGIN: Duration = Duration::from_secs(5);

/// The times of a root, from its own life and that of the certificates below it.
///
/// Who has a certificate comes for the next one at half of its life and learns of a new root then. So a root that has been announced
/// for the life of a certificate is known to all who are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    expires: SystemTime,
    /// How long before its end a root gets a successor: a third of its life, and at least twice the life of a certificate.
    lead: Duration,
    /// How long before its end it signs no more.
    margin: Duration,
    leaf: Duration,
    skew: Duration,
}

impl Schedule {
    /// Of a root that was made at a certain time and ends at another.
    pub fn new(made: SystemTime, expires: SystemTime, lifetimes: Lifetimes) -> Self {
        let life = expires.duration_since(made).unwrap_or_default();
        let two_leaves = lifetimes.workload.saturating_mul(2);
        let lead = (life / 3).max(two_leaves).min(life / 2);
        let margin = (lead / 4).max(two_leaves).max(SHORTEST_MARGIN).min(lead * 3 / 8);
        Self { expires, lead, margin, leaf: lifetimes.workload, skew: lifetimes.skew }
    }

    /// When the next root is announced.
    pub fn announces(&self) -> SystemTime {
        self.expires - self.lead
    }

    /// When a root that was announced at a certain time begins to sign. The present one signs for most of its life: processes that
    /// were given no other one as a text shall be able to start again for as long as possible.
    pub fn switches(&self, announced: SystemTime, is_wanted_soon: bool) -> SystemTime {
        let left = self.expires.duration_since(announced).unwrap_or_default();
        // No certificate outlives its issuer, and so all are renewed earlier when the end is near.
        let known = announced + self.leaf.max(SHORTEST_NOTICE).min(left / 4 * 3);
        if is_wanted_soon { known } else { known.max(self.expires - self.margin) }
    }

    /// Until when a root is trusted that signs no more. One that had ended by then may only seem so, by a clock that is ahead.
    pub fn drops(&self, switched: SystemTime) -> SystemTime {
        let last = switched + self.leaf + self.skew;
        if switched < self.expires { last.min(self.expires) } else { last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn schedule(life: Duration, workload: Duration) -> Schedule {
        let lifetimes = Lifetimes { workload, skew: Duration::ZERO, root: life };
        Schedule::new(UNIX_EPOCH, UNIX_EPOCH + life, lifetimes)
    }

    #[test]
    fn a_root_of_a_year_is_followed_after_eight_months_and_signs_for_eleven() {
        let schedule = schedule(360 * DAY, DAY);
        let announced = schedule.announces();
        assert_eq!(announced, UNIX_EPOCH + 240 * DAY);
        assert_eq!(schedule.switches(announced, false), UNIX_EPOCH + 330 * DAY);
        assert_eq!(schedule.drops(UNIX_EPOCH + 330 * DAY), UNIX_EPOCH + 331 * DAY);
        assert_eq!(schedule.switches(UNIX_EPOCH, true), UNIX_EPOCH + DAY);
    }

    #[test]
    fn everybody_comes_for_a_new_certificate_between_the_announcement_and_the_switch() {
        for life in [DAY, 9 * DAY, 365 * DAY] {
            for leaf in [HOUR, DAY, 5 * DAY, 200 * DAY, 400 * DAY] {
                let schedule = schedule(life, leaf);
                let announced = schedule.announces();
                let switched = schedule.switches(announced, false);
                assert!(switched < schedule.expires);
                assert!(schedule.drops(switched) <= schedule.expires);
                // The certificate that was signed last before the announcement.
                let leaf_ends = (announced + leaf).min(schedule.expires);
                let renewed = announced + leaf_ends.duration_since(announced).unwrap() / 2;
                assert!(renewed < switched, "{life:?} {leaf:?}");
            }
        }
    }

    #[test]
    fn a_late_announcement_is_still_heard_before_the_end() {
        let schedule = schedule(360 * DAY, DAY);
        let late = schedule.expires - 12 * HOUR;
        let switched = schedule.switches(late, false);
        assert_eq!(switched, schedule.expires - 3 * HOUR);
        assert_eq!(schedule.drops(switched), schedule.expires);
        assert_eq!(schedule.drops(schedule.expires), schedule.expires + DAY, "the clock may be ahead");
    }
}
