//! What each job must come to.
use super::after;
use crate::pool::Outcome;
use jiff::Timestamp;
use prost::Message;
use prost_types::Any;
use rand::Rng;
use rand::rngs::StdRng;
use wire::common::v1::job_failure_policy::Policy;
use wire::common::v1::{JobFailurePolicy, JobFailurePolicyConstant, JobFailurePolicyDrop};
use wire::etcd::cron::Counter;
use wire::etcd::mvccpb::KeyValue;
use wire::scheduler::v1::{Job, WatchJobsResponse};

/// What an app does about a trigger.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Says(Outcome),
    /// So many looks later.
    Slow(u32, Outcome),
    Never,
}

/// A job as it was scheduled once.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    created: Timestamp,
    /// By which its counter is known.
    pub(super) partition: u64,
    /// Seconds until the first tick; without it the schedule counts from the creation.
    due: Option<i64>,
    /// Seconds between ticks; none for a job that is due once.
    period: Option<i64>,
    repeats: u32,
    /// A failed tick is over; else it is tried again without end.
    drops: bool,
    /// Ticks that are over, as far as was told.
    done: u32,
    /// Outcomes that may have been lost before they were written.
    pub(super) uncertain: u32,
    /// Deleted or replaced, and the scheduler knows.
    pub(super) is_gone: bool,
}

impl Verdict {
    /// Whether the app has made up its mind.
    pub(super) fn is_said(&mut self) -> bool {
        match self {
            Self::Says(_) => true,
            Self::Slow(looks, outcome) if *looks == 0 => {
                *self = Self::Says(*outcome);
                true
            }
            Self::Slow(looks, _) => {
                *looks -= 1;
                false
            }
            Self::Never => false,
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Says(outcome) | Self::Slow(_, outcome) => outcome,
            Self::Never => Outcome::Failed,
        }
    }

    pub(super) fn random(random: &mut StdRng) -> Self {
        let outcome = if random.random_bool(0.3) { Outcome::Failed } else { Outcome::Success };
        match random.random_range(0..10) {
            0..2 => Self::Slow(random.random_range(1..6), outcome),
            2 => Self::Never,
            _ => Self::Says(outcome),
        }
    }
}

impl Instance {
    pub(super) fn random(random: &mut StdRng, now: Timestamp) -> Self {
        let period = random.random_bool(0.6).then(|| random.random_range(1..40));
        let has_due = period.is_none() || random.random_bool(0.5);
        Self {
            created: now,
            partition: random.random(),
            due: has_due.then(|| random.random_range(0..60)),
            period,
            repeats: if period.is_some() { random.random_range(1..6) } else { 1 },
            drops: random.random_bool(0.5),
            done: 0,
            uncertain: 0,
            is_gone: false,
        }
    }

    pub(super) fn request(&self, number: usize) -> Job {
        let constant = JobFailurePolicyConstant {
            interval: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            max_retries: None,
        };
        let policy = if self.drops { Policy::Drop(JobFailurePolicyDrop {}) } else { Policy::Constant(constant) };
        Job {
            schedule: self.period.map(|seconds| format!("@every {seconds}s")),
            repeats: self.period.map(|_| self.repeats),
            due_time: self.due.map(|seconds| format!("{seconds}s")),
            data: Some(Any { type_url: String::new(), value: (number as u64).to_be_bytes().to_vec() }),
            failure_policy: Some(JobFailurePolicy { policy: Some(policy) }),
            ..Job::default()
        }
    }

    /// Which one a trigger is of.
    pub(super) fn number(trigger: &WatchJobsResponse) -> usize {
        let data = trigger.data.as_ref().and_then(|data| data.value.first_chunk()).unwrap();
        usize::try_from(u64::from_be_bytes(*data)).unwrap()
    }

    /// A trigger of it has come. `done` is what the store says of the ticks that are over.
    pub(super) fn check_trigger(&self, now: Timestamp, done: Option<&KeyValue>) {
        assert!(!self.is_gone, "it was deleted, and fires all the same: {self:?}");
        let counter = done.map(|kv| Counter::decode(&kv.value[..]).unwrap());
        // One of an older job of the name counts for nothing.
        let counter = counter.filter(|counter| counter.job_partition_id == self.partition);
        let counted = counter.map_or(0, |counter| counter.count);
        assert!(now >= self.tick(counted), "it is {now}, too early: {self:?}");
    }

    pub(super) fn answered(&mut self, outcome: Outcome) {
        self.done += u32::from(outcome == Outcome::Success || self.drops);
    }

    /// All is over.
    pub(super) fn check_end(&self, number: usize) {
        let most = self.repeats + self.uncertain;
        assert!(self.done <= most, "the job {number} came too often: {self:?}");
        assert!(self.is_gone || self.done >= self.repeats, "the job {number} has lost ticks: {self:?}");
    }

    /// When a tick is due, counted from 0.
    fn tick(&self, count: u32) -> Timestamp {
        let period = self.period.unwrap_or_default();
        match self.due {
            Some(due) => after(self.created, due + i64::from(count) * period),
            None => after(self.created, (i64::from(count) + 1) * period),
        }
    }
}
