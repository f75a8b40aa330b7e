//! The generated service, and its streams.
use super::{SCOPE, Service, ending};
use crate::metrics::SidecarError;
use crate::pool::{Outcome, StreamId, Triggers};
use foundation_process::peer;
use std::collections::HashSet;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};
use wire::scheduler::v1::scheduler_server::Scheduler;
use wire::scheduler::v1::watch_jobs_request::WatchJobRequestType;
use wire::scheduler::v1::{
    DeleteByMetadataRequest, DeleteByMetadataResponse, DeleteByNamePrefixRequest, DeleteByNamePrefixResponse,
    DeleteJobRequest, DeleteJobResponse, GetJobRequest, GetJobResponse, Host, ListJobsRequest, ListJobsResponse,
    ScheduleJobRequest, ScheduleJobResponse, WatchHostsRequest, WatchHostsResponse, WatchJobsRequest,
    WatchJobsRequestInitial, WatchJobsRequestResultStatus,
};

/// Triggers that a sidecar has not read yet.
const WAITING_TRIGGERS: usize = 2048;
const WAITING_HOSTS: usize = 4;

#[async_trait]
impl Scheduler for Service {
    type WatchJobsStream = Triggers;
    type WatchHostsStream = ReceiverStream<Result<WatchHostsResponse, Status>>;

    async fn schedule_job(
        &self,
        request: Request<ScheduleJobRequest>,
    ) -> Result<Response<ScheduleJobResponse>, Status> {
        self.schedule(request).await.map(|()| Response::new(ScheduleJobResponse {}))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        self.get(request).await.map(Response::new)
    }

    async fn delete_job(&self, request: Request<DeleteJobRequest>) -> Result<Response<DeleteJobResponse>, Status> {
        self.delete(request).await.map(|()| Response::new(DeleteJobResponse {}))
    }

    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        self.list(request).await.map(Response::new)
    }

    async fn delete_by_metadata(
        &self,
        request: Request<DeleteByMetadataRequest>,
    ) -> Result<Response<DeleteByMetadataResponse>, Status> {
        self.delete_group(request).await.map(|()| Response::new(DeleteByMetadataResponse {}))
    }

    async fn delete_by_name_prefix(
        &self,
        request: Request<DeleteByNamePrefixRequest>,
    ) -> Result<Response<DeleteByNamePrefixResponse>, Status> {
        self.delete_by_prefix(request).await.map(|()| Response::new(DeleteByNamePrefixResponse {}))
    }

    async fn watch_jobs(
        &self,
        request: Request<Streaming<WatchJobsRequest>>,
    ) -> Result<Response<Self::WatchJobsStream>, Status> {
        let peer = peer(&request);
        let mut results = request.into_inner();
        let first = tokio::select! {
            first = results.message() => first?,
            () = self.drain.stopped() => return Err(ending()),
        };
        let initial = check(first)?;
        self.authorization.check(peer.as_ref(), &initial.namespace, &initial.app_id)?;
        self.ready().await?;
        let (outbox, triggers) = self.pool.outbox(WAITING_TRIGGERS);
        let (service, end) = (self.clone(), outbox.clone());
        self.drain.spawn(async move {
            tracing::info!(target: SCOPE, "sidecar connected: {}/{}, actor types {:?}", initial.namespace, initial.app_id, initial.actor_types);
            let stream = service.pool.connect(&initial, outbox);
            let ended = service.follow(stream, results).await;
            service.pool.disconnect(stream);
            tracing::info!(target: SCOPE, "sidecar disconnected: {}/{}", initial.namespace, initial.app_id);
            if let Err(status) = ended {
                end.try_send(Err(status)).ok();
            }
        });
        Ok(Response::new(triggers))
    }

    async fn watch_hosts(&self, _: Request<WatchHostsRequest>) -> Result<Response<Self::WatchHostsStream>, Status> {
        self.ready().await?;
        let (answers, received) = mpsc::channel(WAITING_HOSTS);
        let mut agreed = self.agreed.clone();
        self.drain.spawn_until_stopped(async move {
            let mut known = None;
            loop {
                let wanted = agreed.wait_for(|elected| {
                    elected.as_ref().map(|elected| &elected.hosts) != known.as_ref() && elected.is_some()
                });
                let changed = tokio::select! {
                    changed = wanted => changed.ok().and_then(|elected| elected.clone()),
                    () = answers.closed() => None,
                };
                let Some(elected) = changed else { return };
                let hosts = elected.hosts.iter().map(|address| Host { address: address.clone() }).collect();
                if answers.send(Ok(WatchHostsResponse { hosts })).await.is_err() {
                    return;
                }
                known = Some(elected.hosts);
            }
        });
        Ok(Response::new(ReceiverStream::new(received)))
    }
}

impl Service {
    /// Passes on what a sidecar says of its triggers, until it goes or says something strange.
    async fn follow(&self, stream: StreamId, mut results: Streaming<WatchJobsRequest>) -> Result<(), Status> {
        let mut stopped = std::pin::pin!(self.drain.stopped());
        loop {
            let message = tokio::select! {
                message = results.message() => message,
                () = &mut stopped => return Err(ending()),
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(status) => {
                    self.metrics.sidecar_error(SidecarError::Receive);
                    tracing::debug!(target: SCOPE, "a stream has ended: {}", status.message());
                    return Ok(());
                }
            };
            let Some(WatchJobRequestType::Result(result)) = message.watch_job_request_type else {
                return Err(Status::unknown("received nil result from stream"));
            };
            let outcome = match WatchJobsRequestResultStatus::try_from(result.status) {
                Ok(WatchJobsRequestResultStatus::Success) => Outcome::Success,
                Ok(WatchJobsRequestResultStatus::Failed) => Outcome::Failed,
                Err(_) => return Err(Status::unknown(format!("unknown trigger response status: {}", result.status))),
            };
            self.pool.acknowledge(stream, result.id, outcome)?;
        }
    }
}

/// The first message of a stream says what it is for.
fn check(first: Option<WatchJobsRequest>) -> Result<WatchJobsRequestInitial, Status> {
    let Some(WatchJobRequestType::Initial(initial)) = first.and_then(|first| first.watch_job_request_type) else {
        return Err(Status::unknown("initial request is required on stream connection"));
    };
    let mut seen = HashSet::new();
    match initial.accept_job_types().find(|accepted| !seen.insert(*accepted)) {
        Some(twice) => Err(Status::unknown(format!("duplicate target type specified: {}", twice.as_str_name()))),
        None => Ok(initial),
    }
}
