//! What blocks ask of the scheduler.
use crate::hosts::Client;
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, ConnectError, Response, Status};
use wire::scheduler::v1::scheduler_client::SchedulerClient;
use wire::scheduler::v1::{
    DeleteByMetadataRequest, DeleteByNamePrefixRequest, DeleteJobRequest, GetJobRequest, GetJobResponse,
    ListJobsRequest, ListJobsResponse, ScheduleJobRequest,
};

/// As in Dapr. A scheduler that is away is waited for as long.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(300);
/// Connections that a call may lose: it may be this call that ends the schedulers.
const MOST_LOST: usize = 2;

type Stub = SchedulerClient<Channel>;
type Reply<T> = Result<T, Status>;

impl Client {
    /// Keeps a job. One that may be overwritten may be kept twice.
    ///
    /// # Errors
    /// The scheduler's own status, [`tonic::Code::Unavailable`] when the connection to it was lost, or that it was away for 30 seconds.
    pub async fn schedule(&self, request: ScheduleJobRequest) -> Reply<()> {
        let most_lost = if request.overwrite { MOST_LOST } else { 0 };
        let asked = self.ask((request, most_lost), |mut stub, request| async move { stub.schedule_job(request).await });
        asked.await.map(drop)
    }

    /// Reads a job.
    ///
    /// # Errors
    /// As for [`Client::schedule`]; a job that is not there is [`tonic::Code::NotFound`].
    pub async fn get(&self, request: GetJobRequest) -> Reply<GetJobResponse> {
        self.repeat(request, |mut stub, request| async move { stub.get_job(request).await }).await
    }

    /// Lists jobs.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn list(&self, request: ListJobsRequest) -> Reply<ListJobsResponse> {
        self.repeat(request, |mut stub, request| async move { stub.list_jobs(request).await }).await
    }

    /// Deletes a job; one that is not there is no error.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn delete(&self, request: DeleteJobRequest) -> Reply<()> {
        self.repeat(request, |mut stub, request| async move { stub.delete_job(request).await }).await.map(drop)
    }

    /// Deletes all jobs of an app, an actor type or an actor.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn delete_by_metadata(&self, request: DeleteByMetadataRequest) -> Reply<()> {
        self.repeat(request, |mut stub, request| async move { stub.delete_by_metadata(request).await }).await.map(drop)
    }

    /// Deletes the jobs whose names begin alike.
    ///
    /// # Errors
    /// As for [`Client::schedule`].
    pub async fn delete_by_prefix(&self, request: DeleteByNamePrefixRequest) -> Reply<()> {
        self.repeat(request, |mut stub, request| async move { stub.delete_by_name_prefix(request).await })
            .await
            .map(drop)
    }

    /// Asks what may be done twice.
    async fn repeat<Q, A, F>(&self, request: Q, call: impl Fn(Stub, Q) -> F) -> Reply<A>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        self.ask((request, MOST_LOST), call).await
    }

    /// Asks one scheduler after the other until one was reached, and after so many lost connections again.
    async fn ask<Q, A, F>(&self, (request, mut most_lost): (Q, usize), call: impl Fn(Stub, Q) -> F) -> Reply<A>
    where
        Q: Clone,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let asked = async {
            loop {
                let stub = SchedulerClient::new(self.next_host().await?).max_decoding_message_size(usize::MAX);
                match call(stub, request.clone()).await {
                    Err(status) if is_unreached(&status) => {}
                    Err(status) if is_lost(&status) && most_lost > 0 => most_lost -= 1,
                    Err(status) if is_lost(&status) => return Err(lost(&status)),
                    answered => return answered.map(Response::into_inner),
                }
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(self.late()))
    }
}

/// Whether there was no connection, so that the scheduler cannot have done anything.
fn is_unreached(status: &Status) -> bool {
    causes(status).any(|cause| cause.is::<ConnectError>())
}

/// Whether the connection broke; the client has other codes for most of what broke it. A scheduler's own status has no cause.
fn is_lost(status: &Status) -> bool {
    let has_code = matches!(status.code(), Code::Unknown | Code::Unavailable | Code::Cancelled);
    causes(status).any(|cause| has_code || cause.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_go_away))
}

/// As gRPC has it.
fn lost(status: &Status) -> Status {
    let reason = causes(status).last().map(ToString::to_string).unwrap_or_default();
    Status::unavailable(format!("lost the connection to the scheduler: {reason}"))
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(status.source(), |cause| (*cause).source())
}

#[cfg(test)]
mod tests;
