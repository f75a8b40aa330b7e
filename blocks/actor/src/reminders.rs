//! Reminders of actors, which the scheduler keeps as jobs (protocols.md 2.7).
use crate::error::Error;
use crate::hosts::Hosts;
use crate::model::ActorKey;
use crate::moment::Period;
use crate::placement::Placement;
use foundation_metadata::duration;
use foundation_peer::describe;
use foundation_scheduler::Client;
use prost_types::Any;
use std::sync::Arc;
use std::time::Duration;
use tonic::{Code, Status};
use wire::common::v1::{JobFailurePolicy, MisfirePolicy};
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{
    DeleteByMetadataRequest, DeleteJobRequest, GetJobRequest, Job, JobMetadata, JobTargetMetadata, ListJobsRequest,
    NamedJob, ScheduleJobRequest, TargetActorReminder,
};

/// In Dapr's words; the log says at the start which flag is missing.
const ABSENT: &str = "scheduler clients are disabled";

/// The time of a reminder that is due when it is made.
const AT_ONCE: &str = "0s";

/// A reminder to be made. Times are as they were written.
#[derive(Clone, Debug, Default)]
pub struct NewReminder {
    pub actor: ActorKey,
    pub name: String,
    /// Empty is at once.
    pub due_time: String,
    /// Empty is only one time.
    pub period: String,
    /// Empty is forever.
    pub ttl: String,
    pub data: Option<Any>,
    /// None is yes.
    pub overwrite: Option<bool>,
    pub failure_policy: Option<JobFailurePolicy>,
    pub misfire_policy: MisfirePolicy,
}

/// A reminder that the scheduler keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub actor: ActorKey,
    pub name: String,
    pub due_time: Option<String>,
    /// The schedule of its job.
    pub period: Option<String>,
    /// When it ends, if that was given as a point in time.
    pub ttl: Option<String>,
    pub data: Option<Any>,
}

/// Reminders of the actors that are hosted here.
pub(crate) struct Reminders {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) placement: Arc<Placement>,
    pub(crate) scheduler: Option<Arc<Client>>,
    pub(crate) app_id: String,
    pub(crate) namespace: String,
}

impl Reminders {
    /// Takes reminders of the types that are hosted here, as long as this sidecar is in step with the others; ends only when
    /// it is dropped.
    pub(crate) async fn follow(&self) {
        let Some(scheduler) = &self.scheduler else { return };
        let (mut types, mut ready) = (self.hosts.types(), self.placement.readiness());
        loop {
            let mut actor_types = types.borrow_and_update().clone();
            if !*ready.borrow_and_update() {
                actor_types.clear();
            }
            scheduler.want(|wanted| wanted.actor_types = actor_types);
            let gone = tokio::select! {
                changed = types.changed() => changed.is_err(),
                changed = ready.changed() => changed.is_err(),
            };
            if gone {
                return;
            }
        }
    }

    /// Makes a reminder.
    ///
    /// # Errors
    /// [`Error::ReminderNotHosted`], [`Error::ReminderExists`] and [`Error::CreateReminder`].
    pub(crate) async fn create(&self, reminder: NewReminder) -> Result<(), Error> {
        let scheduler = self.scheduler(&reminder.actor.actor_type, Error::CreateReminder)?;
        let times = Times::of(&reminder).map_err(Error::CreateReminder)?;
        let Times { schedule, repeats, due_time, ttl } = times;
        let (data, failure_policy) = (reminder.data, reminder.failure_policy);
        let job = Job { schedule, repeats, due_time, ttl, data, failure_policy };
        let request = ScheduleJobRequest {
            name: reminder.name.clone(),
            job: Some(job),
            metadata: Some(JobMetadata {
                misfire_policy: reminder.misfire_policy.into(),
                ..self.metadata(&reminder.actor)
            }),
            overwrite: reminder.overwrite.unwrap_or(true),
        };
        scheduler.schedule(request).await.map_err(|status| match status.code() {
            Code::AlreadyExists => Error::ReminderExists(reminder.name),
            _ => Error::CreateReminder(describe(&status)),
        })
    }

    /// Reads a reminder.
    ///
    /// # Errors
    /// [`Error::ReminderNotHosted`], [`Error::NoReminder`] and [`Error::GetReminder`].
    pub(crate) async fn get(&self, actor: ActorKey, name: String) -> Result<Kept, Error> {
        let scheduler = self.scheduler(&actor.actor_type, not_read)?;
        let request = GetJobRequest { name: name.clone(), metadata: Some(self.metadata(&actor)) };
        match scheduler.get(request).await {
            Ok(found) => Ok(kept(actor, name, found.job.unwrap_or_default())),
            Err(status) if status.code() == Code::NotFound => Err(Error::NoReminder(name)),
            Err(status) => Err(not_read(describe(&status))),
        }
    }

    /// Lists the reminders of a type, or of an actor.
    ///
    /// # Errors
    /// [`Error::ReminderNotHosted`], and the scheduler's own.
    pub(crate) async fn list(&self, actor_type: String, id: Option<String>) -> Result<Vec<Kept>, Error> {
        let scheduler = self.scheduler(&actor_type, Error::GetReminder)?;
        let metadata = Some(self.metadata(&ActorKey::new(actor_type, id.unwrap_or_default())));
        let listed = scheduler.list(ListJobsRequest { metadata }).await;
        let jobs = listed.map_err(|status| Error::Scheduler(Box::new(status)))?.jobs;
        Ok(jobs.into_iter().filter_map(named).collect())
    }

    /// Deletes a reminder; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::ReminderNotHosted`] and [`Error::DeleteReminder`].
    pub(crate) async fn delete(&self, actor: &ActorKey, name: String) -> Result<(), Error> {
        let scheduler = self.scheduler(&actor.actor_type, Error::DeleteReminder)?;
        let request = DeleteJobRequest { name, metadata: Some(self.metadata(actor)) };
        scheduler.delete(request).await.map_err(|status| Error::DeleteReminder(describe(&status)))
    }

    /// Deletes all reminders of a type, or of an actor.
    ///
    /// # Errors
    /// [`Error::ReminderNotHosted`] and [`Error::DeleteReminder`].
    pub(crate) async fn delete_all(&self, actor_type: String, id: Option<String>) -> Result<(), Error> {
        let scheduler = self.scheduler(&actor_type, Error::DeleteReminder)?;
        let id_prefix_match = Some(id.is_none());
        let metadata = Some(self.metadata(&ActorKey::new(actor_type, id.unwrap_or_default())));
        match scheduler.delete_by_metadata(DeleteByMetadataRequest { metadata, id_prefix_match }).await {
            // An old scheduler cannot.
            Err(status) if status.code() == Code::Unimplemented => Ok(()),
            deleted => deleted.map_err(|status: Status| Error::DeleteReminder(describe(&status))),
        }
    }

    fn scheduler(&self, actor_type: &str, refused: fn(String) -> Error) -> Result<&Client, Error> {
        if !self.hosts.is_hosted(actor_type) {
            return Err(Error::ReminderNotHosted);
        }
        self.scheduler.as_deref().ok_or_else(|| refused(ABSENT.to_owned()))
    }

    fn metadata(&self, actor: &ActorKey) -> JobMetadata {
        let target = TargetActorReminder { id: actor.id.clone(), r#type: actor.actor_type.clone() };
        JobMetadata {
            app_id: self.app_id.clone(),
            namespace: self.namespace.clone(),
            target: Some(JobTargetMetadata { r#type: Some(Type::Actor(target)) }),
            ..JobMetadata::default()
        }
    }
}

/// In Dapr's words.
fn not_read(reason: String) -> Error {
    Error::GetReminder(format!("api error: code = Internal desc = failed to get job due to: {reason}"))
}

/// When a reminder is due, as the scheduler takes it.
#[derive(Debug, PartialEq, Eq)]
struct Times {
    schedule: Option<String>,
    repeats: Option<u32>,
    due_time: Option<String>,
    ttl: Option<String>,
}

impl Times {
    /// A period of no length is none, as for timers: some SDKs write it so, and the scheduler would tell of such a reminder for ever
    /// and without a pause. One with repetitions ends.
    fn of(reminder: &NewReminder) -> Result<Self, String> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (due_time, ttl) = (given(&reminder.due_time), given(&reminder.ttl));
        let period = Period::parse(&reminder.period).ok().and_then(|period| period.fixed());
        if !reminder.period.is_empty() && period == Some((Duration::ZERO, None)) {
            let due_time = due_time.or_else(|| Some(AT_ONCE.to_owned()));
            return Ok(Self { schedule: None, repeats: None, due_time, ttl: None });
        }
        let (schedule, repeats) = schedule(&reminder.period)?;
        Ok(Self { schedule, repeats, due_time, ttl })
    }
}

/// The schedule and the repetitions of a period, which must not depend on the calendar.
fn schedule(period: &str) -> Result<(Option<String>, Option<u32>), String> {
    if period.is_empty() {
        return Ok((None, None));
    }
    let fixed = Period::parse(period).ok().and_then(|period| period.fixed());
    let (pause, repeats) = fixed.ok_or_else(|| format!("unsupported period format: {period}"))?;
    Ok((Some(format!("@every {}", duration::format(pause))), repeats))
}

fn named(job: NamedJob) -> Option<Kept> {
    let Type::Actor(TargetActorReminder { id, r#type }) = job.metadata?.target?.r#type? else { return None };
    let kept = kept(ActorKey::new(r#type, id), job.name, job.job.unwrap_or_default());
    // As in Dapr.
    Some(Kept { ttl: None, ..kept })
}

fn kept(actor: ActorKey, name: String, job: Job) -> Kept {
    let ttl = job.ttl.filter(|ttl| ttl.parse::<jiff::Timestamp>().is_ok());
    Kept { actor, name, due_time: job.due_time, period: job.schedule, ttl, data: job.data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_of_no_length_is_none() {
        let times = |due_time: &str, period: &str, ttl: &str| {
            let [due_time, period, ttl] = [due_time, period, ttl].map(str::to_owned);
            Times::of(&NewReminder { due_time, period, ttl, ..NewReminder::default() }).unwrap()
        };
        let once = |due: &str| Times { schedule: None, repeats: None, due_time: Some(due.to_owned()), ttl: None };
        for period in ["0s", "0h0m0s0ms", "PT0S"] {
            assert_eq!(times("", period, "1h"), once("0s"), "{period}");
            assert_eq!(times("5s", period, ""), once("5s"), "{period}");
        }
        assert_eq!(times("5s", "", ""), once("5s"));
        assert_eq!(times("", "", ""), Times { due_time: None, ..once("") });
        let every = times("", "R2/PT1S", "1h");
        assert_eq!(
            (every.schedule.as_deref(), every.repeats, every.ttl.as_deref()),
            (Some("@every 1s"), Some(2), Some("1h"))
        );
    }

    #[test]
    fn periods_become_schedules() {
        let every = |text: &str| Some(format!("@every {text}"));
        assert_eq!(schedule("90s"), Ok((every("1m30s"), None)));
        assert_eq!(schedule("R5/PT1S"), Ok((every("1s"), Some(5))));
        assert_eq!(schedule(""), Ok((None, None)));
        for wrong in ["P1D", "R2/P1M", "0 * * * * *", "soon"] {
            assert_eq!(schedule(wrong), Err(format!("unsupported period format: {wrong}")));
        }
    }
}
