//! What an app asks of the scheduler.
use crate::error::{Error, Reason, Wish};
use foundation_scheduler::Client;
use std::sync::Arc;
use tonic::Status;
use wire::common::v1::JobStatus;
use wire::runtime::v1;
use wire::scheduler::v1 as scheduler;
use wire::scheduler::v1::job_target_metadata::Type;

const SCOPE: &str = "dapr.runtime.http";

/// Keeps the jobs of this app.
pub struct Service {
    app_id: String,
    namespace: String,
    scheduler: Option<Arc<Client>>,
}

impl Service {
    /// Without a scheduler all requests are looked at, and then refused.
    pub fn new(app_id: impl Into<String>, namespace: impl Into<String>, scheduler: Option<Arc<Client>>) -> Self {
        Self { app_id: app_id.into(), namespace: namespace.into(), scheduler }
    }

    /// Keeps a job; one with its name is in its way unless it is to be overwritten.
    ///
    /// # Errors
    /// [`Reason`] says which.
    pub async fn schedule(&self, job: Option<v1::Job>, overwrite: bool) -> Result<(), Error> {
        let job = job.ok_or_else(|| self.error(Reason::NoJob))?;
        self.named(&job.name)?;
        if job.schedule.is_none() && job.due_time.is_none() {
            return Err(self.error(Reason::NoSchedule));
        }
        let name = job.name.clone();
        let metadata = scheduler::JobMetadata { misfire_policy: job.misfire_policy, ..self.metadata() };
        let job = scheduler::Job {
            schedule: job.schedule,
            repeats: job.repeats,
            due_time: job.due_time,
            ttl: job.ttl,
            data: job.data,
            failure_policy: job.failure_policy,
        };
        let request = scheduler::ScheduleJobRequest { name, job: Some(job), metadata: Some(metadata), overwrite };
        let kept = self.scheduler(Wish::Schedule)?.schedule(request).await;
        kept.map_err(|status| self.failed(Wish::Schedule, status))
    }

    /// Reads a job.
    ///
    /// # Errors
    /// [`Reason`] says which; a job that is not there is one.
    pub async fn get(&self, name: &str) -> Result<v1::Job, Error> {
        self.named(name)?;
        let request = scheduler::GetJobRequest { name: name.to_owned(), metadata: Some(self.metadata()) };
        let read = self.scheduler(Wish::Get)?.get(request).await;
        let read = read.map_err(|status| self.failed(Wish::Get, status))?;
        Ok(shown(name.to_owned(), read.job.unwrap_or_default(), read.status))
    }

    /// Lists all jobs.
    ///
    /// # Errors
    /// [`Reason`] says which.
    pub async fn list(&self) -> Result<Vec<v1::Job>, Error> {
        let request = scheduler::ListJobsRequest { metadata: Some(self.metadata()) };
        let listed = self.scheduler(Wish::List)?.list(request).await;
        let jobs = listed.map_err(|status| self.failed(Wish::List, status))?.jobs;
        Ok(jobs.into_iter().map(|named| shown(named.name, named.job.unwrap_or_default(), named.status)).collect())
    }

    /// Deletes a job; one that is not there is no error.
    ///
    /// # Errors
    /// [`Reason`] says which.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.named(name)?;
        let request = scheduler::DeleteJobRequest { name: name.to_owned(), metadata: Some(self.metadata()) };
        let deleted = self.scheduler(Wish::Delete)?.delete(request).await;
        deleted.map_err(|status| self.failed(Wish::Delete, status))
    }

    /// Deletes all jobs whose names begin alike.
    ///
    /// # Errors
    /// [`Reason`] says which.
    pub async fn delete_by_prefix(&self, name_prefix: Option<String>) -> Result<(), Error> {
        let request = scheduler::DeleteByNamePrefixRequest {
            name_prefix: name_prefix.unwrap_or_default(),
            metadata: Some(self.metadata()),
        };
        let deleted = self.scheduler(Wish::Delete)?.delete_by_prefix(request).await;
        deleted.map_err(|status| self.failed(Wish::Delete, status))
    }

    /// An error of this app.
    pub(crate) fn error(&self, reason: Reason) -> Error {
        Error { reason, app_id: self.app_id.clone(), namespace: self.namespace.clone() }
    }

    fn failed(&self, wish: Wish, status: Status) -> Error {
        let error = self.error(Reason::Failed { wish, status });
        tracing::error!(target: SCOPE, "{error}");
        error
    }

    fn named(&self, name: &str) -> Result<(), Error> {
        if name.is_empty() { Err(self.error(Reason::NoName)) } else { Ok(()) }
    }

    fn scheduler(&self, wish: Wish) -> Result<&Client, Error> {
        self.scheduler.as_deref().ok_or_else(|| self.error(Reason::Disabled(wish)))
    }

    fn metadata(&self) -> scheduler::JobMetadata {
        let target = scheduler::JobTargetMetadata { r#type: Some(Type::Job(scheduler::TargetJob {})) };
        scheduler::JobMetadata {
            app_id: self.app_id.clone(),
            namespace: self.namespace.clone(),
            target: Some(target),
            ..scheduler::JobMetadata::default()
        }
    }
}

fn shown(name: String, job: scheduler::Job, status: Option<JobStatus>) -> v1::Job {
    let scheduler::Job { schedule, repeats, due_time, ttl, data, failure_policy } = job;
    let misfire_policy = status.as_ref().map(|status| status.misfire_policy).unwrap_or_default();
    v1::Job { name, schedule, repeats, due_time, ttl, data, failure_policy, misfire_policy, status }
}
