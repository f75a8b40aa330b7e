//! When a job is due, and what follows from each attempt (protocols.md 3.3).
use foundation_schedule::Schedule;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How late a tick may come that counts as none that was missed.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// The part of a job that decides about its triggers.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) begin: Begin,
    /// None: it is due once.
    pub(crate) schedule: Option<Arc<Schedule>>,
    pub(crate) expiration: Option<Timestamp>,
    pub(crate) repeats: Option<u32>,
    pub(crate) policy: Policy,
    pub(crate) misfire: Misfire,
}

/// What becomes of ticks whose time passed while nothing could trigger them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Misfire {
    /// All of them come, one after the other.
    #[default]
    FireAll,
    /// The first one comes for all.
    FireOnce,
    /// None of them comes.
    Skip,
}

/// Where a job begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Begin {
    /// The schedule counts from here.
    Start(Timestamp),
    /// The first trigger.
    Due(Timestamp),
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Policy {
    Drop,
    Retry {
        pause: Duration,
        /// None is without end.
        most: Option<u32>,
    },
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Ticks that are done.
    pub(crate) count: u32,
    /// The last of them.
    pub(crate) last: Option<Timestamp>,
    /// Failed attempts at the present one.
    pub(crate) attempts: u32,
}

impl Plan {
    /// The tick that is next; none when the job is done.
    pub(crate) fn next(&self, progress: &Progress) -> Option<Timestamp> {
        if self.repeats.is_some_and(|repeats| progress.count >= repeats) {
            return None;
        }
        let tick = self.tick(progress)?;
        // As in Dapr, the first tick comes however short the job lives: else it would be gone without a word.
        let is_first = progress.last.is_none() && progress.count == 0;
        let is_over = self.expiration.is_some_and(|expiration| tick > expiration);
        (is_first || !is_over).then_some(tick)
    }

    /// The present tick is done. Returns the next one.
    fn succeed(&self, progress: &mut Progress) -> Option<Timestamp> {
        progress.last = self.tick(progress).or(progress.last);
        progress.count = progress.count.saturating_add(1);
        progress.attempts = 0;
        self.next(progress)
    }

    /// The present tick is done, and perhaps with it those that were missed by now. Returns the next one.
    pub(crate) fn succeed_for(&self, progress: &mut Progress, now: Timestamp) -> Option<Timestamp> {
        let next = self.succeed(progress);
        if self.misfire != Misfire::FireOnce || next.is_none() {
            return next;
        }
        self.pass_over(progress, now);
        self.next(progress)
    }

    /// An attempt at a time has failed. Returns when the next one is due.
    pub(crate) fn fail(&self, progress: &mut Progress, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        progress.attempts = progress.attempts.saturating_add(1);
        match self.policy {
            Policy::Retry { pause, most } if most.is_none_or(|most| progress.attempts <= most) => {
                let after = |time: Timestamp| time.checked_add(pause).unwrap_or(Timestamp::MAX);
                // One that came late pauses all the same: else all of its attempts would be over at once.
                Some(if after(at) < now { after(now) } else { after(at) })
            }
            // The schedule goes on from the tick, not from the last attempt at it.
            Policy::Retry { .. } | Policy::Drop => self.succeed_for(progress, now),
        }
    }

    /// Passes over the ticks that were missed by a time: those of more than [`GRACE`] before. Without a schedule the job is done then.
    pub(crate) fn pass_over(&self, progress: &mut Progress, now: Timestamp) {
        let missed_by = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
        let Some(tick) = self.tick(progress).filter(|tick| *tick < missed_by) else { return };
        progress.attempts = 0;
        match self.schedule.as_deref() {
            None => progress.count = progress.count.saturating_add(1),
            Some(Schedule::Every(period)) => progress.last = Some(latest(tick, *period, missed_by)),
            // Where ticks are does not depend on those before.
            Some(_) => progress.last = Some(missed_by),
        }
    }

    fn tick(&self, progress: &Progress) -> Option<Timestamp> {
        let Some(schedule) = &self.schedule else {
            return (progress.count == 0).then_some(self.begin.time());
        };
        match (progress.last, self.begin) {
            (Some(last), _) => schedule.next(last),
            (None, Begin::Due(due)) => Some(due),
            (None, Begin::Start(start)) => schedule.next(start),
        }
    }
}

/// The latest tick before a time, of those that follow one another after a period.
fn latest(tick: Timestamp, period: Duration, before: Timestamp) -> Timestamp {
    let (passed, period) = (before.as_nanosecond() - tick.as_nanosecond(), period.as_nanos().cast_signed());
    let whole = passed.checked_div(period).map_or(passed, |count| count * period);
    Timestamp::from_nanosecond(tick.as_nanosecond() + whole).unwrap_or(before)
}

impl Begin {
    fn time(self) -> Timestamp {
        match self {
            Self::Start(time) | Self::Due(time) => time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn every(seconds: u64, begin: Begin) -> Plan {
        let schedule = Some(Arc::new(Schedule::Every(Duration::from_secs(seconds))));
        let policy = Policy::Retry { pause: Duration::from_secs(1), most: Some(3) };
        Plan { begin, schedule, expiration: None, repeats: None, policy, misfire: Misfire::default() }
    }

    /// The ticks when each attempt succeeds.
    fn ticks(plan: &Plan) -> Vec<i64> {
        let mut progress = Progress::default();
        let first = plan.next(&progress);
        let following = std::iter::successors(first, |_| plan.succeed(&mut progress));
        following.take(4).map(Timestamp::as_second).collect()
    }

    #[test]
    fn the_due_time_is_the_first_tick_and_the_start_is_none() {
        assert_eq!(ticks(&every(10, Begin::Due(time(5)))), [5, 15, 25, 35]);
        assert_eq!(ticks(&every(10, Begin::Start(time(5)))), [15, 25, 35, 45]);
        assert_eq!(ticks(&Plan { schedule: None, ..every(0, Begin::Due(time(5))) }), [5]);
        assert_eq!(ticks(&every(0, Begin::Due(time(5)))), [5, 5, 5, 5]);
    }

    #[test]
    fn repeats_and_expiration_end_a_job() {
        let plan = every(10, Begin::Start(time(0)));
        assert_eq!(ticks(&Plan { repeats: Some(2), ..plan.clone() }), [10, 20]);
        // A tick at the expiration itself is still due.
        assert_eq!(ticks(&Plan { expiration: Some(time(20)), ..plan.clone() }), [10, 20]);
        assert_eq!(ticks(&Plan { expiration: Some(time(19)), ..plan }), [10]);
    }

    #[test]
    fn a_failed_tick_is_tried_again_and_then_given_up() {
        let (plan, mut progress) = (every(60, Begin::Due(time(0))), Progress::default());
        let attempts: Vec<_> =
            std::iter::successors(plan.next(&progress), |at| plan.fail(&mut progress, *at, *at)).take(6).collect();
        assert_eq!(attempts, [0, 1, 2, 3, 60, 61].map(time));
        assert_eq!(progress, Progress { count: 1, last: Some(time(0)), attempts: 2 });
        assert_eq!(plan.succeed(&mut progress), Some(time(120)));
    }

    #[test]
    fn attempts_at_a_late_tick_have_pauses_too() {
        let plan = every(60, Begin::Due(time(0)));
        let fail = |now| plan.fail(&mut Progress::default(), time(0), time(now));
        assert_eq!([fail(0), fail(1), fail(40)], [1, 1, 41].map(|second| Some(time(second))));
    }

    #[test]
    fn missed_ticks_are_passed_over_in_one_step() {
        let from = |plan: &Plan, now| {
            let mut progress = Progress { count: 2, ..Progress::default() };
            plan.pass_over(&mut progress, time(now));
            (progress.count, plan.next(&progress).map(Timestamp::as_second))
        };
        let plan = every(10, Begin::Due(time(0)));
        assert_eq!(from(&plan, 4), (2, Some(0)), "it is not that late");
        assert_eq!(from(&plan, 6), (2, Some(10)));
        assert_eq!(from(&plan, 100_000_003), (2, Some(100_000_000)));
        let calendar = |text| Plan { schedule: Some(Arc::new(Schedule::parse_job(text).unwrap())), ..plan.clone() };
        assert_eq!(from(&calendar("TZ=UTC 0 * * * * *"), 100_000_000), (2, Some(100_000_020)));
        assert_eq!(from(&Plan { expiration: Some(time(50)), ..plan.clone() }, 100), (2, None));
        let once = Plan { schedule: None, ..plan.clone() };
        let mut progress = Progress::default();
        once.pass_over(&mut progress, time(6));
        assert_eq!(once.next(&progress), None);
        assert_eq!(from(&every(0, Begin::Due(time(0))), 100), (2, Some(95)));
    }

    #[test]
    fn policies_differ_in_their_patience() {
        let plan = Plan { policy: Policy::Drop, ..every(60, Begin::Due(time(0))) };
        assert_eq!(plan.fail(&mut Progress::default(), time(0), time(0)), Some(time(60)));
        let plan = Plan { policy: Policy::Retry { pause: Duration::ZERO, most: None }, ..plan };
        let mut progress = Progress { attempts: 1000, ..Progress::default() };
        assert_eq!(plan.fail(&mut progress, time(7), time(7)), Some(time(7)));
        let once = Plan { schedule: None, policy: Policy::Drop, ..plan };
        assert_eq!(once.fail(&mut Progress::default(), time(0), time(0)), None);
    }
}
