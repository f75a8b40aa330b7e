//! The gRPC service: jobs in, triggers out.
mod streams;

use crate::clock::Clock;
use crate::identity::Authorization;
use crate::job::{Invalid, metadata, requested, status, stored};
use crate::keyspace::Keyspace;
use crate::leadership::Elected;
use crate::metrics::Metrics;
use crate::names;
use crate::names::BadName;
use crate::pool::{Pool, target};
use foundation_drain::Drain;
use foundation_etcd::Pair;
use foundation_identity::SpiffeId;
use foundation_process::peer;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::{Request, Status};
use wire::common::v1::JobStatus;
use wire::etcd::cron::{Counter, StoredJob};
use wire::etcd::mvccpb::KeyValue;
use wire::scheduler::v1::{
    DeleteByMetadataRequest, DeleteByNamePrefixRequest, DeleteJobRequest, GetJobRequest, GetJobResponse, JobMetadata,
    ListJobsRequest, ListJobsResponse, NamedJob, ScheduleJobRequest,
};

const SCOPE: &str = "dapr.scheduler.server";
/// How long a request waits for the schedulers to agree.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves sidecars. Clones are the same service.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) keyspace: Keyspace,
    pub(crate) pool: Pool,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) authorization: Authorization,
    pub(crate) agreed: watch::Receiver<Option<Elected>>,
    pub(crate) is_running: watch::Receiver<bool>,
    pub(crate) drain: Drain,
}

impl Service {
    /// Stores a job. With `overwrite` it takes the place of an older one of the name.
    pub(crate) async fn schedule(&self, request: Request<ScheduleJobRequest>) -> Result<(), Status> {
        let (metadata, request) = self.admit(request, |request| &request.metadata).await?;
        let scheduled = self.put(&metadata, request).await;
        match &scheduled {
            Ok(()) => self.metrics.created(target(Some(&metadata))),
            Err(error) => {
                tracing::debug!(target: SCOPE, "cannot schedule a job: {}", error.message());
                self.metrics.not_created(target(Some(&metadata)));
            }
        }
        scheduled
    }

    async fn put(&self, metadata: &JobMetadata, request: ScheduleJobRequest) -> Result<(), Status> {
        let name = names::of_job(metadata, &request.name)?;
        let job = request.job.ok_or(Invalid::NoJob)?;
        let job = stored(job, metadata, self.clock.now(), rand::random())?;
        if request.overwrite {
            return Ok(self.keyspace.put_job(&name, &job).await?);
        }
        if self.keyspace.put_new_job(&name, &job).await? {
            return Ok(());
        }
        Err(Status::already_exists(format!("job already exists: '{name}'")))
    }

    pub(crate) async fn get(&self, request: Request<GetJobRequest>) -> Result<GetJobResponse, Status> {
        let (metadata, request) = self.admit(request, |request| &request.metadata).await?;
        let name = names::of_job(&metadata, &request.name)?;
        let found = self.keyspace.job(&name).await?;
        let kv = found.ok_or_else(|| Status::not_found(format!("job not found: {}", request.name)))?;
        let counter = self.keyspace.counter(&name).await?;
        let (job, status) = read(&kv.value, counter.as_ref())?;
        Ok(GetJobResponse { job: Some(requested(job)), status: Some(status) })
    }

    pub(crate) async fn delete(&self, request: Request<DeleteJobRequest>) -> Result<(), Status> {
        let (metadata, request) = self.admit(request, |request| &request.metadata).await?;
        self.keyspace.delete_job(&names::of_job(&metadata, &request.name)?).await?;
        self.metrics.deleted(target(Some(&metadata)));
        Ok(())
    }

    pub(crate) async fn list(&self, request: Request<ListJobsRequest>) -> Result<ListJobsResponse, Status> {
        let (metadata, _) = self.admit(request, |request| &request.metadata).await?;
        let prefix = names::group(&metadata, false)?;
        let (mut found, mut jobs) = (self.keyspace.counted_jobs(&prefix), Vec::new());
        while let Some(Pair { name, record, other }) = found.next().await? {
            match named(&name, &record.value, other.as_ref()) {
                Ok(job) => jobs.push(job),
                // As when jobs are run: one that is damaged does not hide the others.
                Err(error) => tracing::error!(target: SCOPE, "the job {name} is not listed: {}", error.message()),
            }
        }
        Ok(ListJobsResponse { jobs })
    }

    pub(crate) async fn delete_group(&self, request: Request<DeleteByMetadataRequest>) -> Result<(), Status> {
        let (metadata, request) = self.admit(request, |request| &request.metadata).await?;
        let prefix = names::group(&metadata, request.id_prefix_match())?;
        self.delete_all(&prefix).await
    }

    pub(crate) async fn delete_by_prefix(&self, request: Request<DeleteByNamePrefixRequest>) -> Result<(), Status> {
        let (metadata, request) = self.admit(request, |request| &request.metadata).await?;
        let prefix = names::group(&metadata, false)? + &request.name_prefix;
        self.delete_all(&prefix).await
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), Status> {
        names::check(prefix)?;
        self.keyspace.delete_jobs(prefix).await?;
        self.metrics.bulk_deleted();
        Ok(())
    }

    /// Checks whose request it is, and waits until it can be carried out.
    async fn admit<T>(
        &self,
        request: Request<T>,
        metadata: impl Fn(&T) -> &Option<JobMetadata>,
    ) -> Result<(JobMetadata, T), Status> {
        let peer = peer(&request);
        let request = request.into_inner();
        let metadata = metadata(&request).clone().unwrap_or_default();
        self.authorize(peer.as_ref(), &metadata)?;
        self.ready().await?;
        Ok((metadata, request))
    }

    fn authorize(&self, peer: Option<&SpiffeId>, metadata: &JobMetadata) -> Result<(), Status> {
        self.authorization.check(peer, &metadata.namespace, &metadata.app_id)
    }

    /// Waits until jobs are run.
    async fn ready(&self) -> Result<(), Status> {
        if *self.is_running.borrow() && !self.drain.is_stopped() {
            return Ok(());
        }
        let mut is_running = self.is_running.clone();
        let ready = timeout(PATIENCE, is_running.wait_for(|running| *running));
        tokio::select! {
            ready = ready => match ready {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(_)) => Err(ending()),
                Err(_) => Err(Status::unavailable("the schedulers do not agree; check that all of them and etcd can be reached")),
            },
            () = self.drain.stopped() => Err(ending()),
        }
    }
}

fn read(value: &[u8], counter: Option<&KeyValue>) -> Result<(wire::etcd::cron::Job, JobStatus), Status> {
    let damaged = |reason: String| Status::internal(format!("a stored job cannot be read: {reason}"));
    let stored = StoredJob::decode(value).map_err(|error| damaged(error.to_string()))?;
    // A counter that cannot be read counts for nothing, as when the job is run.
    let counter = counter.and_then(|kv| Counter::decode(&kv.value[..]).ok());
    let status = status(&stored, counter.as_ref()).map_err(|error| damaged(error.to_string()))?;
    Ok((stored.job.ok_or_else(|| damaged("it is empty".to_owned()))?, status))
}

fn named(name: &str, value: &[u8], counter: Option<&KeyValue>) -> Result<NamedJob, Status> {
    let (job, status) = read(value, counter)?;
    let metadata = metadata(&job).map_err(|error| Status::internal(error.to_string()))?;
    let owner = names::owner(&metadata)?;
    let foreign = || Status::internal(format!("the job {name} is not stored where its metadata says"));
    let name = name.strip_prefix(&owner).ok_or_else(foreign)?.to_owned();
    Ok(NamedJob { name, metadata: Some(metadata), job: Some(requested(job)), status: Some(status) })
}

fn ending() -> Status {
    Status::unavailable("server is closing")
}

impl From<BadName> for Status {
    fn from(error: BadName) -> Self {
        Self::unknown(error.to_string())
    }
}

impl From<Invalid> for Status {
    fn from(error: Invalid) -> Self {
        Self::unknown(error.to_string())
    }
}
