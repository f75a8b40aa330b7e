//! Jobs as sidecars ask for them, and as they are stored.
use crate::plan::{Begin, Misfire, Plan, Policy, Progress};
use foundation_schedule::{NoMoment, Schedule, point_in_time};
use jiff::Timestamp;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use wire::common::v1 as common;
use wire::etcd::cron::failure_policy::Policy as StoredPolicy;
use wire::etcd::cron::stored_job::Begin as StoredBegin;
use wire::etcd::cron::{Counter, FailurePolicy, FailurePolicyConstant, FailurePolicyDrop, Job, StoredJob};
use wire::scheduler::v1::{Job as RequestedJob, JobMetadata};

/// The failure policy of a job that names none.
const RETRIES: u32 = 3;
const PAUSE: prost_types::Duration = prost_types::Duration { seconds: 1, nanos: 0 };
const METADATA: &str = "type.googleapis.com/dapr.proto.scheduler.v1.JobMetadata";

/// Why a job cannot be scheduled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("job cannot be nil")]
    NoJob,
    #[error("job failed validation: job must have either a due time or a schedule")]
    NoTime,
    #[error("job failed validation: job must have a schedule to repeat")]
    RepeatsOnce,
    #[error("job failed validation: defined repeats must be greater than 0")]
    NoRepeats,
    #[error("job failed validation: job must have a schedule to have a ttl")]
    ExpiresOnce,
    #[error("job failed validation: {0}")]
    Schedule(#[from] foundation_schedule::Error),
    #[error("job failed validation: {0}")]
    DueTime(#[from] NoMoment),
    #[error("job failed validation: ttl format not recognized")]
    Expiration,
    #[error("job failed validation: ttl must be greater than due time")]
    ExpiresFirst,
    #[error("job failed validation: the schedule never comes: {0}")]
    Never(String),
}

/// A stored record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damaged {
    #[error("a stored job cannot be read: {0}")]
    Message(#[from] prost::DecodeError),
    #[error("the schedule of a stored job cannot be read: {0}")]
    Schedule(#[from] foundation_schedule::Error),
    #[error("a stored job has neither job nor beginning")]
    Empty,
}

/// What is stored for a job that is asked for now. `partition` decides which scheduler runs it.
pub(crate) fn stored(
    job: RequestedJob,
    metadata: &JobMetadata,
    now: Timestamp,
    partition: u64,
) -> Result<StoredJob, Invalid> {
    check(&job, now)?;
    let begin = job.due_time.as_deref().map(|due| point_in_time(due, now)).transpose()?;
    let expiration = job.ttl.as_deref().map(|ttl| point_in_time(ttl, begin.unwrap_or(now))).transpose();
    let expiration = expiration.map_err(|_| Invalid::Expiration)?;
    if begin.zip(expiration).is_some_and(|(begin, expiration)| begin > expiration) {
        return Err(Invalid::ExpiresFirst);
    }
    let start = || StoredBegin::Start(to_stored(now));
    Ok(StoredJob {
        partition_id: partition,
        begin: Some(begin.map_or_else(start, |due| StoredBegin::DueTime(to_stored(due)))),
        expiration: expiration.map(to_stored),
        job: Some(Job {
            schedule: job.schedule,
            due_time: job.due_time,
            ttl: job.ttl,
            repeats: job.repeats,
            metadata: Some(prost_types::Any { type_url: METADATA.to_owned(), value: metadata.encode_to_vec() }),
            payload: job.data,
            failure_policy: Some(stored_policy(job.failure_policy)),
        }),
    })
}

fn check(job: &RequestedJob, now: Timestamp) -> Result<(), Invalid> {
    let has_schedule = job.schedule.is_some();
    match job {
        _ if job.due_time.is_none() && !has_schedule => Err(Invalid::NoTime),
        _ if job.repeats.is_some_and(|repeats| repeats > 1) && !has_schedule => Err(Invalid::RepeatsOnce),
        _ if job.repeats == Some(0) => Err(Invalid::NoRepeats),
        _ if job.ttl.is_some() && !has_schedule => Err(Invalid::ExpiresOnce),
        RequestedJob { schedule: Some(text), due_time, .. } => check_schedule(text, due_time.is_some(), now),
        _ => Ok(()),
    }
}

/// Without a due time there must be a first tick: Dapr takes such a job, and triggers it without end or pause.
fn check_schedule(text: &str, has_due_time: bool, now: Timestamp) -> Result<(), Invalid> {
    let schedule = Schedule::parse_job(text)?;
    if !has_due_time && schedule.next(now).is_none() {
        return Err(Invalid::Never(text.to_owned()));
    }
    Ok(())
}

fn stored_policy(policy: Option<common::JobFailurePolicy>) -> FailurePolicy {
    let default = || FailurePolicyConstant { interval: Some(PAUSE), max_retries: Some(RETRIES) };
    let Some(policy) = policy else {
        return FailurePolicy { policy: Some(StoredPolicy::Constant(default())) };
    };
    let policy = policy.policy.map(|policy| match policy {
        common::job_failure_policy::Policy::Drop(_) => StoredPolicy::Drop(FailurePolicyDrop {}),
        common::job_failure_policy::Policy::Constant(constant) => StoredPolicy::Constant(FailurePolicyConstant {
            interval: constant.interval,
            max_retries: constant.max_retries,
        }),
    });
    // A policy that says nothing is taken as none.
    FailurePolicy { policy: Some(policy.unwrap_or_else(|| StoredPolicy::Constant(default()))) }
}

/// A stored job as it was asked for.
pub(crate) fn requested(job: Job) -> RequestedJob {
    RequestedJob {
        schedule: job.schedule,
        repeats: job.repeats,
        due_time: job.due_time,
        ttl: job.ttl,
        data: job.payload,
        failure_policy: job.failure_policy.and_then(|policy| policy.policy).map(requested_policy),
    }
}

fn requested_policy(policy: StoredPolicy) -> common::JobFailurePolicy {
    let policy = match policy {
        StoredPolicy::Drop(_) => common::job_failure_policy::Policy::Drop(common::JobFailurePolicyDrop {}),
        StoredPolicy::Constant(constant) => {
            common::job_failure_policy::Policy::Constant(common::JobFailurePolicyConstant {
                interval: constant.interval,
                max_retries: constant.max_retries,
            })
        }
    };
    common::JobFailurePolicy { policy: Some(policy) }
}

/// Who a stored job is for.
pub(crate) fn metadata(job: &Job) -> Result<JobMetadata, Damaged> {
    let metadata = job.metadata.as_ref().ok_or(Damaged::Empty)?;
    Ok(JobMetadata::decode(&metadata.value[..])?)
}

/// When a stored job is due.
pub(crate) fn plan(stored: &StoredJob) -> Result<Plan, Damaged> {
    plan_for(stored, &metadata(stored.job.as_ref().ok_or(Damaged::Empty)?)?)
}

/// The same, of a job whose metadata is known.
pub(crate) fn plan_for(stored: &StoredJob, metadata: &JobMetadata) -> Result<Plan, Damaged> {
    let job = stored.job.as_ref().ok_or(Damaged::Empty)?;
    let begin = match stored.begin.ok_or(Damaged::Empty)? {
        StoredBegin::Start(start) => Begin::Start(from_stored(start)),
        StoredBegin::DueTime(due) => Begin::Due(from_stored(due)),
    };
    let schedule = job.schedule.as_deref().map(Schedule::parse_job).transpose()?;
    Ok(Plan {
        begin,
        schedule: schedule.map(Arc::new),
        expiration: stored.expiration.map(from_stored),
        repeats: job.repeats,
        policy: policy(job.failure_policy.as_ref()),
        misfire: misfire(metadata.misfire_policy()),
    })
}

fn policy(policy: Option<&FailurePolicy>) -> Policy {
    match policy.and_then(|policy| policy.policy.as_ref()) {
        Some(StoredPolicy::Constant(constant)) => {
            let pause = constant.interval.and_then(|interval| Duration::try_from(interval).ok());
            Policy::Retry { pause: pause.unwrap_or_default(), most: constant.max_retries }
        }
        Some(StoredPolicy::Drop(_)) | None => Policy::Drop,
    }
}

fn misfire(policy: common::MisfirePolicy) -> Misfire {
    match policy {
        common::MisfirePolicy::FireAll => Misfire::FireAll,
        common::MisfirePolicy::FireOnce => Misfire::FireOnce,
        common::MisfirePolicy::Skip => Misfire::Skip,
    }
}

/// How far a stored job is, for those who ask.
pub(crate) fn status(stored: &StoredJob, counter: Option<&Counter>) -> Result<common::JobStatus, Damaged> {
    let plan = plan(stored)?;
    let progress = counter.map_or_else(Progress::default, |counter| progress(counter, stored.partition_id));
    let policy = metadata(stored.job.as_ref().ok_or(Damaged::Empty)?)?.misfire_policy;
    Ok(common::JobStatus {
        runs: progress.count,
        last_run: progress.last.map(to_stored),
        next_run: plan.next(&progress).map(to_stored),
        misfire_policy: policy,
    })
}

/// How far the job of a partition is. A counter of another partition is left from an older job of the name.
pub(crate) fn progress(counter: &Counter, partition: u64) -> Progress {
    if counter.job_partition_id != partition {
        return Progress::default();
    }
    let last = counter.last_trigger.map(from_stored);
    Progress { count: counter.count, last, attempts: counter.attempts }
}

/// What is stored of how far a job is.
pub(crate) fn counter(progress: &Progress, partition: u64) -> Counter {
    Counter {
        job_partition_id: partition,
        count: progress.count,
        last_trigger: progress.last.map(to_stored),
        attempts: progress.attempts,
    }
}

fn to_stored(time: Timestamp) -> prost_types::Timestamp {
    let nanos = i64::from(time.subsec_nanosecond());
    // Nanoseconds count forward, even before 1970.
    let (seconds, nanos) =
        if nanos < 0 { (time.as_second() - 1, nanos + 1_000_000_000) } else { (time.as_second(), nanos) };
    prost_types::Timestamp { seconds, nanos: i32::try_from(nanos).unwrap_or_default() }
}

fn from_stored(time: prost_types::Timestamp) -> Timestamp {
    Timestamp::new(time.seconds, time.nanos).unwrap_or(if time.seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(schedule: &str, due_time: Option<&str>, ttl: Option<&str>) -> Result<StoredJob, String> {
        let (schedule, text) = (Some(schedule.to_owned()), |text: Option<&str>| text.map(str::to_owned));
        let job = RequestedJob { schedule, due_time: text(due_time), ttl: text(ttl), ..RequestedJob::default() };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        stored(job, &JobMetadata::default(), now, 1).map_err(|error| error.to_string())
    }

    #[test]
    fn a_schedule_that_never_comes_is_refused() {
        let never = "TZ=UTC 0 0 0 31 2 *";
        assert_eq!(
            ask(never, None, None).unwrap_err(),
            format!("job failed validation: the schedule never comes: {never}")
        );
        assert!(ask(never, Some("1s"), None).is_ok(), "its due time comes");
        assert!(ask("TZ=UTC 0 0 0 29 2 *", None, None).is_ok());
    }

    #[test]
    fn a_time_to_live_that_ends_before_the_due_time_is_refused() {
        for (due_time, ttl) in [("0s", "-5s"), ("-1s", "-1s"), ("1h", "-1ns")] {
            let refused = ask("@every 1h", Some(due_time), Some(ttl)).unwrap_err();
            assert_eq!(refused, "job failed validation: ttl must be greater than due time", "{due_time} {ttl}");
        }
        assert!(ask("@every 1h", Some("-1h"), Some("2h")).is_ok());
    }

    #[test]
    fn the_first_tick_comes_even_if_it_is_late() {
        let stored = ask("@every 1h", None, Some("-5s")).unwrap();
        let mut progress = Progress::default();
        let plan = plan(&stored).unwrap();
        let first = plan.next(&progress).unwrap();
        assert_eq!(first, "2026-01-01T01:00:00Z".parse().unwrap());
        assert_eq!(plan.succeed_for(&mut progress, first), None);
    }
}
