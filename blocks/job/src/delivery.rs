//! Jobs that are due, on their way to the app (protocols.md 3.6).
use async_trait::async_trait;
use foundation_app::{Channel, EventStatus, JobEvent};
use foundation_scheduler::{Deliver, Outcome};
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Instant;
use wire::scheduler::v1::WatchJobsResponse;

const SCOPE: &str = "dapr.runtime.scheduler";
const OPERATION: &str = "job_trigger_op";

/// Hands jobs that are due to the app.
pub struct Delivery {
    pub app: Option<Arc<dyn Channel>>,
    pub metrics: Metrics,
}

#[async_trait]
impl Deliver for Delivery {
    /// A job that the app does not know is done, so that it does not come again and again.
    async fn deliver(&self, job: WatchJobsResponse) -> Outcome {
        let Some(app) = &self.app else {
            tracing::error!(target: SCOPE, "job {} is due, but there is no app", job.name);
            return Outcome::Failed;
        };
        let event = JobEvent { name: job.name, data: job.data, headers: http::HeaderMap::new() };
        let start = Instant::now();
        let told = app.job(&event).await;
        self.metrics.job(OPERATION, matches!(told, Ok(EventStatus::Success)), start.elapsed());
        match told {
            Ok(EventStatus::Success) => Outcome::Success,
            Ok(_) => {
                tracing::error!(target: SCOPE, "the app does not know job {}, which will not be tried again", event.name);
                Outcome::Success
            }
            Err(error) => {
                tracing::error!(target: SCOPE, "the app failed at job {}: {error}", event.name);
                Outcome::Failed
            }
        }
    }
}
