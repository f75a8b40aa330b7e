//! What blocks ask of the scheduler.
use crate::hosts::Client;
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{ConnectError, Response, Status};
use wire::scheduler::v1::scheduler_client::SchedulerClient;
use wire::scheduler::v1::{
    DeleteByMetadataRequest, DeleteByNamePrefixRequest, DeleteJobRequest, GetJobRequest, GetJobResponse,
    ListJobsRequest, ListJobsResponse, ScheduleJobRequest,
};

/// As in Dapr. A scheduler that is away is waited for as long.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(300);

type Stub = SchedulerClient<Channel>;
type Reply<T> = Result<T, Status>;

impl Client {
    /// Keeps a job.
    ///
    /// # Errors
    /// The scheduler's own status, or that it was away for 30 seconds.
    pub async fn schedule(&self, request: ScheduleJobRequest) -> Reply<()> {
        self.ask(request, |mut stub, request| async move { stub.schedule_job(request).await }).await.map(drop)
    }

    /// Reads a job.
    ///
    /// # Errors
    /// As for [`Client::schedule`]; a job that is not there is [`tonic::Code::NotFound`].
    pub async fn get(&self, request: GetJobRequest) -> Reply<GetJobResponse> {
        self.ask(request, |mut stub, request| async move { stub.get_job(request).await }).await
    }

    /// Lists jobs.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn list(&self, request: ListJobsRequest) -> Reply<ListJobsResponse> {
        self.ask(request, |mut stub, request| async move { stub.list_jobs(request).await }).await
    }

    /// Deletes a job; one that is not there is no error.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn delete(&self, request: DeleteJobRequest) -> Reply<()> {
        self.ask(request, |mut stub, request| async move { stub.delete_job(request).await }).await.map(drop)
    }

    /// Deletes all jobs of an app, an actor type or an actor.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn delete_by_metadata(&self, request: DeleteByMetadataRequest) -> Reply<()> {
        self.ask(request, |mut stub, request| async move { stub.delete_by_metadata(request).await }).await.map(drop)
    }

    /// Deletes the jobs whose names begin alike.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn delete_by_prefix(&self, request: DeleteByNamePrefixRequest) -> Reply<()> {
        self.ask(request, |mut stub, request| async move { stub.delete_by_name_prefix(request).await }).await.map(drop)
    }

    /// Asks one scheduler after the other until one was reached.
    async fn ask<Q, A, F>(&self, request: Q, call: impl Fn(Stub, Q) -> F) -> Reply<A>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let asked = async {
            loop {
                let stub = SchedulerClient::new(self.next_host().await?).max_decoding_message_size(usize::MAX);
                match call(stub, request.clone()).await {
                    Err(status) if is_unreached(&status) => sleep(PAUSE).await,
                    answered => return answered.map(Response::into_inner),
                }
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(self.late()))
    }
}

/// Whether there was no connection, so that the scheduler cannot have done anything.
fn is_unreached(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
