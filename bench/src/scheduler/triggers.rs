//! Taking triggers, as a sidecar does whose app is quick.
use super::Client;
use super::jobs::{APP, NAMESPACE};
use anyhow::Context;
use foundation_drain::Drain;
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use wire::scheduler::v1::watch_jobs_request::WatchJobRequestType;
use wire::scheduler::v1::{WatchJobsRequest, WatchJobsRequestInitial, WatchJobsRequestResult, WatchJobsResponse};

/// Between two triggers; a scheduler that is silent for so long has lost some.
const PATIENCE: Duration = Duration::from_secs(120);

/// Triggers that came.
pub(super) struct Seen {
    /// Microseconds after it was due, of each.
    lateness: Vec<i64>,
    elapsed: Duration,
}

/// Connects as the sidecar of the app, and answers for each trigger at once.
pub(super) async fn watch(mut client: Client, drain: &Drain) -> anyhow::Result<mpsc::Receiver<i64>> {
    let (requests, sent) = mpsc::channel(1024);
    let (app_id, namespace) = (APP.to_owned(), NAMESPACE.to_owned());
    let initial = WatchJobsRequestInitial { app_id, namespace, ..WatchJobsRequestInitial::default() };
    requests.send(request(WatchJobRequestType::Initial(initial))).await?;
    let mut triggers = client.watch_jobs(ReceiverStream::new(sent)).await?.into_inner();
    let (late, seen) = mpsc::channel(1024);
    drain.spawn_until_stopped(async move {
        while let Ok(Some(trigger)) = triggers.message().await {
            let result = WatchJobsRequestResult { id: trigger.id, status: 0 };
            let answered = requests.send(request(WatchJobRequestType::Result(result))).await.is_ok();
            if !answered || late.send(lateness(&trigger)).await.is_err() {
                return;
            }
        }
    });
    Ok(seen)
}

impl Seen {
    /// So many triggers.
    pub(super) async fn all(triggers: &mut mpsc::Receiver<i64>, count: usize) -> anyhow::Result<Self> {
        let mut lateness = vec![next(triggers).await?];
        let first = Instant::now();
        while lateness.len() < count {
            lateness.push(next(triggers).await?);
        }
        let elapsed = first.elapsed();
        lateness.sort_unstable();
        Ok(Self { lateness, elapsed })
    }

    pub(super) fn per_second(&self) -> f64 {
        self.lateness.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Milliseconds that `percent` of the triggers were late at most.
    pub(super) fn lateness(&self, percent: usize) -> f64 {
        let index = (self.lateness.len() * percent / 100).min(self.lateness.len().saturating_sub(1));
        self.lateness.get(index).map_or(f64::NAN, |micros| *micros as f64 / 1000.0)
    }
}

async fn next(triggers: &mut mpsc::Receiver<i64>) -> anyhow::Result<i64> {
    let next = timeout(PATIENCE, triggers.recv()).await.context("no trigger came for a long time")?;
    next.context("the scheduler has ended the stream of triggers")
}

fn request(kind: WatchJobRequestType) -> WatchJobsRequest {
    WatchJobsRequest { watch_job_request_type: Some(kind) }
}

/// Microseconds since the job was due, which its data tells.
fn lateness(trigger: &WatchJobsResponse) -> i64 {
    let data = trigger.data.as_ref().and_then(|data| data.value.first_chunk());
    let due = data.map_or(0, |due| i64::from_be_bytes(*due));
    Timestamp::now().as_microsecond() - due
}
