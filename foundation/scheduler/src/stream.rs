//! A stream on which a scheduler tells of jobs that are due.
use crate::room::{Budget, Room};
use async_trait::async_trait;
use foundation_drain::{Drain, isolated};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Channel;
use wire::scheduler::v1::scheduler_client::SchedulerClient;
use wire::scheduler::v1::watch_jobs_request::WatchJobRequestType;
use wire::scheduler::v1::{WatchJobsRequest, WatchJobsRequestResult, WatchJobsRequestResultStatus, WatchJobsResponse};

/// How long what is in work may take when a stream is to end: the scheduler hands out more jobs as long as it is open.
const HANDOVER: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_secs(1);
/// Results that wait to be sent.
const RESULTS: usize = 256;

/// What became of a job that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    /// The scheduler follows the job's failure policy.
    Failed,
}

/// Takes jobs that are due.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Hands a job out, and says what became of it.
    async fn deliver(&self, job: WatchJobsResponse) -> Outcome;
}

/// One stream to one scheduler.
pub(crate) struct Stream {
    pub(crate) deliver: Arc<dyn Deliver>,
    pub(crate) drain: Drain,
    /// What is in work is given up, and comes again.
    pub(crate) cut: CancellationToken,
    pub(crate) budget: Budget,
}

impl Stream {
    /// Takes jobs until it is told to stop, or the stream breaks; what is in work is finished first. Returns why it broke.
    pub(crate) async fn run(
        &self,
        channel: Channel,
        first: WatchJobsRequest,
        stopping: &CancellationToken,
    ) -> Result<(), String> {
        let (results, waiting) = mpsc::channel(RESULTS);
        results.send(first).await.ok();
        let mut client = SchedulerClient::new(channel).max_decoding_message_size(usize::MAX);
        let opened = stopping.run_until_cancelled(client.watch_jobs(ReceiverStream::new(waiting))).await;
        let Some(opened) = opened else { return Ok(()) };
        let mut jobs = opened.map_err(|status| foundation_peer::describe(&status))?.into_inner();
        let room = Room::new(self.budget.clone());
        let taken = stopping.run_until_cancelled(self.take(&mut jobs, &results, &room)).await;
        let Some(taken) = taken else {
            // The stream stays open for the results of what is in work.
            tokio::select! { () = room.until_empty() => {}, () = self.given_up() => {} }
            drop(results);
            timeout(GOODBYE, read_on(&mut jobs)).await.ok();
            return Ok(());
        };
        taken
    }

    /// Resolves when what is in work takes too long. When the sidecar ends, that is for it to say.
    async fn given_up(&self) {
        sleep(HANDOVER).await;
        if self.drain.is_stopped() {
            std::future::pending().await
        }
    }

    async fn take(
        &self,
        jobs: &mut Streaming<WatchJobsResponse>,
        results: &mpsc::Sender<WatchJobsRequest>,
        room: &Room,
    ) -> Result<(), String> {
        while let Some(job) = jobs.message().await.map_err(|status| foundation_peer::describe(&status))? {
            let Some(place) = room.place(&job).await else { break };
            let (deliver, results, cut) = (Arc::clone(&self.deliver), results.clone(), self.cut.clone());
            self.drain.spawn(async move {
                let id = job.id;
                let told = cut.run_until_cancelled(isolated(async move { deliver.deliver(job).await })).await;
                // Nothing is said of what was cut off. A panic is a failure like any other.
                let Some(told) = told else { return };
                results.send(result(id, told.unwrap_or(Outcome::Failed))).await.ok();
                drop(place);
            });
        }
        Err("the stream has ended".to_owned())
    }
}

/// Waits for the scheduler's end of a stream, whose results it has read by then. Jobs that it still sends come again.
async fn read_on(jobs: &mut Streaming<WatchJobsResponse>) {
    while let Ok(Some(_)) = jobs.message().await {}
}

fn result(id: u64, outcome: Outcome) -> WatchJobsRequest {
    let status = match outcome {
        Outcome::Success => WatchJobsRequestResultStatus::Success,
        Outcome::Failed => WatchJobsRequestResultStatus::Failed,
    };
    let result = WatchJobsRequestResult { id, status: status.into() };
    WatchJobsRequest { watch_job_request_type: Some(WatchJobRequestType::Result(result)) }
}
